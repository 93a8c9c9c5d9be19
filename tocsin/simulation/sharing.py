"""Proofs of one system, asked for one by one by several processes at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from filelock import FileLock

from tocsin.engines.rule_engines import RuleEngine
from tocsin.model import Model
from tocsin.simulation.exporting import file_names
from tocsin.simulation.problems import Subject, subjects
from tocsin.simulation.proofs import AlertProof
from tocsin.simulation.proving import Asked, prove
from tocsin.simulation.storage import Storage

TOGETHER = 25
"""Alerts that are proven with one that is asked for: an engine's process costs as much as ten of them."""


class SharedProofs:
    """The proofs of a system's alerts. What another process is proving is waited for, and read."""

    def __init__(self, model: Model, engines: Sequence[RuleEngine], folder: Path) -> None:
        self._model = model
        self._engines = tuple(engines)
        self._folder = folder
        self._known: dict[str, AlertProof] = {}

    @cached_property
    def _subjects(self) -> tuple[Subject, ...]:
        return subjects(self._model)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {each.id: number for number, each in enumerate(self._subjects)}

    @cached_property
    def names(self) -> Mapping[str, str]:
        """A name for the files of each alert, by its case id."""
        return file_names(self._subjects)

    def subject(self, case: str) -> Subject:
        """Return an alert with all that is known of it."""
        return self._subjects[self._numbers[case]]

    def of(self, case: str) -> AlertProof:
        """Return the proof of an alert by its case id. Raises EngineTrouble."""
        if case not in self._known:
            start = self._numbers[case] // TOGETHER * TOGETHER
            self._prove(self._subjects[start : start + TOGETHER], start)
        return self._known[case]

    def _prove(self, chunk: Sequence[Subject], start: int) -> None:
        storage = Storage(self._folder, self._engines)
        asked = Asked(engines=self._engines, storage=storage)
        locks = self._folder / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        with FileLock(locks / f"{storage.digest(chunk)}-{start}.lock"):
            self._known |= {proof.id: proof for proof in prove(chunk, asked)}
