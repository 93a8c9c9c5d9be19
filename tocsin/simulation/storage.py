"""What was proven, kept by content: of the rule, of what it reads, of the engines and of our own search."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import tocsin
from tocsin.engines.rule_engines import RuleEngine
from tocsin.promql.evaluation import PROMETHEUS_2_42, PROMETHEUS_3, Generation
from tocsin.simulation.problems import Subject
from tocsin.simulation.proofs import AlertProof, as_plain, from_plain

_SOURCES = ("synthesis", "simulation", "promql", "engines/rule_engines.py", "model")


def cache_folder() -> Path:
    """Return the folder of the user's caches in which proofs are kept (XDG base directory specification)."""
    base = os.environ.get("XDG_CACHE_HOME") or ""
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "tocsin" / "proofs"


class Storage:
    """A folder of proofs. What is damaged is passed over, and written anew."""

    def __init__(self, folder: Path, engines: Sequence[RuleEngine], *, grounded: bool = True) -> None:
        self._folder = folder
        self._fixed = json.dumps([_searcher(), [[e.name, str(e.path)] for e in engines], grounded])

    def read(self, subject: Subject) -> AlertProof | None:
        """Return what was proven of an alert; None if nothing was, or it cannot be read."""
        try:
            proof = from_plain(json.loads(self._path(subject).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        rule = subject.rule
        if proof.name != rule.name or proof.expression != rule.expression:
            return None
        return _placed(proof, subject)

    def write(self, subject: Subject, proof: AlertProof) -> None:
        """Keep a proof, in one rename; a folder that cannot be written keeps nothing."""
        path = self._path(subject)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(as_plain(proof), file)
            Path(draft).replace(path)

    def digest(self, subjects: Sequence[Subject]) -> str:
        """Return a name for some alerts together, by their content."""
        whole = "\n".join([self._fixed, *map(content, subjects)])
        return hashlib.sha256(whole.encode()).hexdigest()[:24]

    def _path(self, subject: Subject) -> Path:
        key = hashlib.sha256(f"{self._fixed}\n{content(subject)}".encode()).hexdigest()
        return self._folder / key[:2] / f"{key[2:]}.json"


def content(subject: Subject) -> str:
    """Return all of an alert on which its proof depends, as one text."""
    rule, ground = subject.rule, subject.ground
    alert = subject.alert
    return json.dumps(
        [
            rule.name,
            rule.expression,
            rule.hold_seconds,
            rule.keep_firing_seconds,
            sorted((alert.labels if alert else rule.labels).items()),
            sorted(rule.annotations.items()),
            [[each.name, each.expression, sorted(each.labels.items())] for each in subject.recorded],
            repr(ground.grounding),
            ground.said,
            [_refutation(subject, generation) for generation in (PROMETHEUS_2_42, PROMETHEUS_3)],
        ],
        default=str,
    )


def _refutation(subject: Subject, generation: Generation) -> str | None:
    found = subject.ground.refuted(subject.alert.tree, generation) if subject.alert else None
    return found.argument if found else None


def _placed(proof: AlertProof, subject: Subject) -> AlertProof:
    """Return a proof where the rule stands now: content moves."""
    plain = as_plain(proof)
    plain |= {"id": subject.id, "group": subject.rule.group, "file": subject.rule.file, "line": subject.rule.place.line}
    return from_plain(plain)


@cache
def _searcher() -> str:
    """Return a digest of the code that searches: what an older one left open, a newer one may find."""
    digest = hashlib.sha256(tocsin.__version__.encode())
    root = Path(tocsin.__file__).parent
    for name in _SOURCES:
        place = root / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(path.read_bytes())
    return digest.hexdigest()
