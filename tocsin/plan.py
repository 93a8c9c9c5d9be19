"""The plan: which questions a system raises, and the answers to those that need no effect but reading its files."""

from __future__ import annotations

from collections.abc import Sequence

from tocsin.artefacts.files import Artefacts, read_artefacts
from tocsin.artefacts.rules import case_ids, read_groups
from tocsin.case import CaseResult
from tocsin.finding import Finding
from tocsin.source import Place, Unreadable
from tocsin.system import FILE, Kind, System
from tocsin.verdict import PASSED, failed

READABLE = "every-file-is-readable"
DRILL = "drill"
"""The names of checks, in the keys of their findings: `check@file#subject`."""


def artefact_findings(system: System, artefacts: Artefacts, kind: Kind) -> list[Finding] | None:
    """Return what keeps files of a kind from being read; None if the system has none of that kind."""
    globs = system.declaration.artefacts.get(kind, ())
    if not artefacts.has(kind) and not globs:
        return None
    files = set(artefacts.files.get(kind, ()))
    problems = [p for p in artefacts.unreadable if p.place.file in files or _is_glob_of(system, p.place, kind)]
    return [Finding(READABLE, str(kind), p.place, p.message) for p in problems]


def artefact_case(system: System, kind: Kind, findings: Sequence[Finding]) -> CaseResult:
    """Return the case of one kind of artefact."""
    place = findings[0].place if findings else system.place("artefacts", kind)
    verdict = failed("\n".join(f"{f.place}: {f.message}" for f in findings)) if findings else PASSED
    return CaseResult(f"{READABLE}@{kind}", "static", str(kind), place, verdict)


def drill_key(name: str) -> str:
    """Return the key of the finding that a drill failed."""
    return f"{DRILL}@{FILE}#{name}"


def _is_glob_of(system: System, place: Place, kind: Kind) -> bool:
    globs = system.declaration.artefacts.get(kind, ())
    return place in {system.place("artefacts", kind, i) for i in range(len(globs))}


def alerts(artefacts: Artefacts) -> list[tuple[str, str, str, str, int]]:
    """Return id, name, group, file and line of every alerting rule of a system."""
    found = []
    for document in artefacts.documents.get(Kind.RULES, ()):
        try:
            groups = read_groups(document)
        except Unreadable:
            continue
        rules = [rule for group in groups for rule in group.rules]
        for case, rule in case_ids(rules).items():
            found.append((case, rule.name, rule.group, rule.file, rule.place.line))
    return found


def read(system: System) -> Artefacts:
    """Read a system's artefacts."""
    return read_artefacts(system)
