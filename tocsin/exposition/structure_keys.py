"""Which series a sample is of: by labels as a server keeps them, as one number each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import repeat

from tocsin.artefacts.exposition.batches import Batch
from tocsin.artefacts.exposition.numbers import number_of

NUMBERS = ("le", "quantile")
"""Labels that servers from 3.0 on compare as numbers: `1` and `1.0` are one bucket."""


class Keys:
    """Makes keys of samples: 64 bits that are equal where the series are."""

    def numbers(self, column: Sequence[bytes]) -> Sequence[bytes]:
        """Return bounds as they are compared; what is no number stays as it is."""
        known = {text: self._number(text) for text in set(column)}
        return list(map(known.__getitem__, column))

    @staticmethod
    @lru_cache(maxsize=10_000)
    def _number(text: bytes) -> bytes:
        value = number_of(text)
        return text if value is None else repr(value).encode()

    def of(self, batch: Batch, *, salt: object, without: Collection[str] = ()) -> list[int]:
        """Return the keys of a batch's samples: labels sorted, empty ones left out, `without` some."""
        order = sorted((label, index) for index, label in enumerate(batch.labels) if label not in without)
        columns = [
            self.numbers(batch.columns[index]) if label in NUMBERS else batch.columns[index] for label, index in order
        ]
        labels = tuple(label for label, _ in order)
        if any(b"" in column for column in columns):
            return [_ragged(salt, labels, row) for row in zip(*columns, strict=True)]
        salted = hash((salt, labels))
        if not columns:
            return [hash((salted,))] * len(batch.values)
        return list(map(hash, zip(repeat(salted, len(batch.values)), *columns, strict=True)))


def _ragged(salt: object, labels: tuple[str, ...], row: tuple[bytes, ...]) -> int:
    """Return the key of one sample that has labels without a value, which is having them not."""
    kept = tuple(label for label, value in zip(labels, row, strict=True) if value)
    return hash((hash((salt, kept)), *(value for value in row if value)))
