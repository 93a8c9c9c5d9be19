"""A body from a file or a pipe: kept on disk, bounded, and judged like one that was scraped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.exposition.asked import guessed, last_bytes
from tocsin.exposition.judgement import Judgement
from tocsin.exposition.limits import PIECE_BYTES
from tocsin.exposition.patience import cut_short, judge_patiently


@dataclass(frozen=True, slots=True)
class Kept:
    """A body on disk."""

    path: Path
    whole: bool
    """Whether it is all of it: what is beyond the bound is not there."""

    def chunks(self) -> Iterator[bytes]:
        """Yield it in pieces."""
        with self.path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece


def keep(source: BinaryIO, path: Path, most: int) -> Kept:
    """Write a body to a file, at most so many bytes of it. Raises OSError."""
    size = 0
    with path.open("wb") as file:
        while size < most and (piece := source.read(min(PIECE_BYTES, most - size))):
            size += len(piece)
            file.write(piece)
        return Kept(path, whole=not (size >= most and source.read(1)))


def judge_kept(kept: Kept, syntax: Syntax | None, *, now: float, most: int) -> Judgement:
    """Judge a body; without a syntax it is guessed by its end. One beyond the bound counts as dropped."""
    judgement = judge_patiently(kept.chunks(), syntax or guessed(last_bytes(kept.path)), now=now)
    return judgement if kept.whole else cut_short(judgement, "body-too-large", f"it is larger than {most:,} bytes")
