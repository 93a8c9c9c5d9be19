"""What owners have told other linters to pass over, honoured for the checks of ours that find the same.

The comments of pint (github.com/cloudflare/pint, docs/ignoring.md), the annotations of kube-linter
(docs.kubelinter.io, "Ignoring violations for specific cases") and the exclusions of dashboard-linter
(github.com/grafana/dashboard-linter, README.md, "Exclusions and Warnings").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import PurePosixPath

from tocsin.finding import Finding
from tocsin.model import Model
from tocsin.part import Part
from tocsin.source import Place, Unreadable, read_document

_COMMENT = re.compile(
    r"#\s*pint\s+(?P<whole>file/)?(?P<verb>disable|snooze)\s+(?:(?P<until>\d{4}-\d\d-\d\d\S*)\s+)?(?P<check>[a-z]+/[a-z_]+)"
)
_IGNORE = re.compile(r"#\s*pint\s+ignore/(?P<what>file|line|next-line|begin|end)\b")
_KUBE_LINTER = "ignore-check.kube-linter.io/"
_KUBE_LINTER_ALL = "kube-linter.io/ignore-all"


@dataclass(frozen=True, slots=True)
class Suppression:
    """Something that is to be passed over: a check of another tool, in some lines of a file or all of them."""

    tool: str
    check: str
    """The other tool's name of it; empty for every check."""
    file: str
    first: int
    last: int
    place: Place
    reason: str
    until: date | None = None

    def covers(self, finding: Finding, origins: str, today: date) -> bool:
        """Tell whether a finding of a check with such `origins` is passed over on a day."""
        if self.file != finding.place.file or not self.first <= finding.place.line <= self.last:
            return False
        if self.until is not None and today > self.until:
            return False
        known = [origin.strip() for origin in origins.split(",")]
        if not self.check:
            return any(origin.split(" ")[0] == self.tool for origin in known)
        return f"{self.tool} {self.check}" in known


class Suppressions:
    """Every suppression in the files of a model."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def covering(self, finding: Finding, origins: str, today: date) -> Suppression | None:
        """Return what passes a finding over; None if nothing does."""
        if not origins:
            return None
        return next((s for s in self._of_file.get(finding.place.file, ()) if s.covers(finding, origins, today)), None)

    @cached_property
    def _of_file(self) -> Mapping[str, list[Suppression]]:
        found: dict[str, list[Suppression]] = {}
        for each in (*self._pint(), *self._kube_linter(), *self._dashboard_linter()):
            found.setdefault(each.file, []).append(each)
        return found

    def _pint(self) -> Iterator[Suppression]:
        """Yield what comments say: of the rule that they stand in or above, or of the whole file."""
        files = dict.fromkeys(rule.file for rule in self._model.rules)
        for file in files:
            text = self._model.text(file)
            if "pint" not in text:
                continue
            starts = [rule.place.line for rule in self._model.rules if rule.file == file]
            lines = text.split("\n")
            yield from _ignored(file, lines)
            for number, line in enumerate(lines, 1):
                match = _COMMENT.search(line)
                if match is None or (match["verb"] == "snooze") != bool(match["until"]):
                    continue
                first, last = (1, len(lines)) if match["whole"] else _rule_around(number, sorted(starts), lines)
                until = _day(match["until"]) if match["until"] else None
                said = line[match.start() :].strip()
                yield Suppression("pint", match["check"], file, first, last, Place(file, number), f"`{said}`", until)

    def _kube_linter(self) -> Iterator[Suppression]:
        for each in self._model.objects:
            for name, part in each.part.get("metadata", "annotations").items():
                check = name.removeprefix(_KUBE_LINTER) if name.startswith(_KUBE_LINTER) else ""
                if check or name == _KUBE_LINTER_ALL:
                    first, last = _extent(each.part)
                    reason = f"annotation {name}: {part.text}"
                    yield Suppression("kube-linter", check, each.part.file, first, last, part.place, reason)

    def _dashboard_linter(self) -> Iterator[Suppression]:
        """Yield what a `.lint` beside a dashboard says of it; it names dashboards by title."""
        for dashboard in self._model.dashboards:
            file = dashboard.part.file
            name = str(PurePosixPath(file).parent / ".lint")
            path = self._model.folder.directory / name
            try:
                text = path.read_text(encoding="utf-8") if path.is_file() else ""
                read = Part.whole(read_document(text, name)) if text else None
            except (OSError, UnicodeDecodeError, Unreadable):
                continue
            for check, part in read.get("exclusions").items() if read else ():
                entries = part.list("entries")
                titles = {entry.string("dashboard") for entry in entries}
                if not entries or titles & {dashboard.title, ""}:
                    reason = f"{name}: {part.string('reason') or 'excluded'}"
                    yield Suppression("dashboard-linter", check, file, 1, 10**9, part.place, reason)


def _ignored(file: str, lines: list[str]) -> Iterator[Suppression]:
    """Yield the lines that pint does not read at all."""
    began: int | None = None
    for number, line in enumerate(lines, 1):
        match = _IGNORE.search(line)
        if match is None:
            continue
        where = {"file": (number, len(lines)), "line": (number, number), "next-line": (number + 1, number + 1)}
        if match["what"] == "begin":
            began = number
        elif match["what"] == "end" and began is not None:
            yield Suppression("pint", "", file, began, number, Place(file, began), "`# pint ignore/begin`")
            began = None
        elif match["what"] in where:
            first, last = where[match["what"]]
            yield Suppression("pint", "", file, first, last, Place(file, number), f"`# pint ignore/{match['what']}`")


def _rule_around(line: int, starts: list[int], lines: list[str]) -> tuple[int, int]:
    """Return the first and last line of the rule that a comment stands in, or right above."""
    after = next((start for start in starts if start > line), None)
    if after is not None and all(lines[n - 1].lstrip().startswith("#") for n in range(line, after)):
        line = after
    first = max((start for start in starts if start <= line), default=line)
    last = min((start for start in starts if start > first), default=len(lines) + 1) - 1
    return first, last


def _extent(part: Part) -> tuple[int, int]:
    lines = [each.place.line for each in part.walk()]
    return min(lines, default=1), max(lines, default=1) + 1


def _day(text: str) -> date | None:
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        return date.min  # what cannot be read has never been valid
