"""A baseline: the findings that were there on a day, so that only new ones fail."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tocsin.atomic import write_json
from tocsin.finding import Finding
from tocsin.source import Place
from tocsin.system import BadSystem, Problem


@dataclass(frozen=True, slots=True)
class Baseline:
    """How many findings of each key are known."""

    file: str
    known: Counter[str]

    def old(self, findings: Iterable[Finding]) -> set[int]:
        """Return the indices of the findings that were known; of a key that has become more, the last are new."""
        left = Counter(self.known)
        found = set()
        for i, finding in enumerate(findings):
            if left[finding.key] > 0:
                left[finding.key] -= 1
                found.add(i)
        return found


def read_baseline(path: Path) -> Baseline:
    """Read a baseline; raises BadSystem with its place if it is none."""
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _bad(path, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise _bad(path, f"is no baseline: it is not JSON ({error})") from error
    known = value.get("findings") if isinstance(value, dict) else None
    whole = isinstance(known, dict) and all(isinstance(n, int) and not isinstance(n, bool) for n in known.values())
    if not isinstance(known, dict) or not whole or value.get("schema") != 1:
        raise _bad(path, "is no baseline: write one with --write-baseline")
    return Baseline(str(path), Counter({str(key): count for key, count in known.items()}))


def write_baseline(path: Path, findings: Iterable[Finding]) -> int:
    """Write the findings as a baseline, in one rename, and return how many there are."""
    counts = Counter(finding.key for finding in findings)
    try:
        write_json(path, {"schema": 1, "findings": dict(sorted(counts.items()))})
    except OSError as error:
        raise _bad(path, f"cannot be written: {error.strerror}") from error
    return counts.total()


def _bad(path: Path, message: str) -> BadSystem:
    return BadSystem((Problem(Place(str(path)), message),))
