"""Metric families: which sample is of which, and in what order HELP, TYPE and samples stand."""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.artefacts.exposition.entries import Entry, Kind
from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.exposition.complaints import Complaints
from tocsin.exposition.digest import Digesting, FamilyDigest
from tocsin.exposition.structure_histograms import Histogram
from tocsin.exposition.structure_keys import Keys
from tocsin.finding import Severity

SUFFIXES = {
    Syntax.TEXT: {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")},
    Syntax.OPENMETRICS: {
        "counter": ("_total", "_created"),
        "histogram": ("_bucket", "_sum", "_count", "_created"),
        "gaugehistogram": ("_bucket", "_gsum", "_gcount"),
        "summary": ("_sum", "_count", "_created"),
        "info": ("_info",),
    },
}
"""What a sample's name has behind its family's, by type."""
_ENDINGS = ("_bucket", "_sum", "_count", "_total", "_created", "_info", "_gcount", "_gsum")


@dataclass(slots=True)
class Family:
    """What is known of a family so far."""

    name: str
    line: int
    digest: FamilyDigest | None
    type: str = "unknown"
    typed: int = 0
    """The line of its TYPE."""
    helped: int = 0
    unit: int = 0
    sampled: int = 0
    """The line of its first sample."""
    timed: bool | None = None
    """Whether its first sample had a timestamp."""
    split: bool = False
    mixed: bool = False
    histogram: Histogram | None = None


class Families:
    """The families of a body, and their order."""

    def __init__(self, syntax: Syntax, digesting: Digesting, complaints: Complaints, keys: Keys) -> None:
        self.syntax = syntax
        self.digesting = digesting
        self.complaints = complaints
        self.keys = keys
        self.known: dict[str, Family] = {}
        self.by_sample: dict[str, Family] = {}
        self.current: Family | None = None
        self.broken = False
        """The order is not that of the format."""
        self._other = Family("", 0, None)

    def family(self, name: str, line: int) -> Family:
        """Return a family by its own name."""
        found = self.known.get(name)
        if found is None:
            digest = self.digesting.family(name, line)
            if digest is None:
                return self._other  # beyond the bounds of the digest nothing is kept of a family
            found = self.known[name] = Family(name, line, digest)
        return found

    def of(self, sample: str, line: int) -> Family:
        """Return the family of a sample's name."""
        found = self.by_sample.get(sample)
        if found is None:
            found = self._find(sample, line)
            if found is not self._other:
                self.by_sample[sample] = found
        return found

    def _find(self, sample: str, line: int) -> Family:
        if sample in self.known:
            return self.known[sample]
        for ending in _ENDINGS:
            if sample.endswith(ending):
                family = self.known.get(sample.removesuffix(ending))
                if family is not None and ending in SUFFIXES[self.syntax].get(family.type, ()):
                    return family
        return self.family(sample, line)

    def metadata(self, entry: Entry, line: int) -> None:
        """Take a line with HELP, TYPE or UNIT."""
        family = self.family(entry.name, line)
        if family is self._other:
            return
        given = {Kind.HELP: family.helped, Kind.TYPE: family.typed, Kind.UNIT: family.unit}[entry.kind]
        if given:
            self._twice(family, line, f"a second {entry.kind.value} of {family.name}; the first is on line {given}")
        elif family.sampled and self.syntax is Syntax.TEXT:
            self._late(family, entry, line)
        self.current = family if not family.sampled else self.current
        if entry.kind is Kind.HELP:
            family.helped = family.helped or line
        elif entry.kind is Kind.UNIT:
            family.unit = family.unit or line
        elif not given:
            self._typed(family, entry.text, line)
        self._digested(family, entry, line, again=bool(given))

    def _typed(self, family: Family, type_: str, line: int) -> None:
        family.type, family.typed = type_, line
        for ending in SUFFIXES[self.syntax].get(type_, ()):
            self.by_sample.pop(family.name + ending, None)
        if type_ in {"histogram", "gaugehistogram"}:
            family.histogram = Histogram(family.name, type_, self.syntax, self.complaints, self.keys)

    def _digested(self, family: Family, entry: Entry, line: int, *, again: bool) -> None:
        digest = family.digest
        if digest is None or again:
            return
        if entry.kind is Kind.HELP:
            digest.help, digest.help_line = self.digesting.text(entry.text), line
        elif entry.kind is Kind.UNIT:
            digest.unit = entry.text[:100]
        else:
            digest.type, digest.declared, digest.type_line = entry.text, True, line

    def follow(self, name: str, line: int) -> Family:
        """Take the next sample's name, where it differs from the one before."""
        family = self.of(name, line)
        if family is self._other:
            return family
        if family is not self.current and family.sampled and not family.split:
            self._twice(
                family, line, f"{family.name} goes on here, after other metrics; it began on line {family.line}"
            )
        if not family.sampled:
            family.sampled = line
        self.current = family
        return family

    def timed(self, family: Family, line: int, *, some: bool, every: bool) -> None:
        """Note whether samples of a family have timestamps."""
        if family.timed is None:
            family.timed = every
        if family.mixed or family is self._other or (some == every and every == family.timed):
            return
        family.mixed = True
        self.complaints.add(
            "timestamps-mixed",
            Severity.ERROR,
            line,
            family.name,
            f"some samples of {family.name} have a timestamp, and others have none",
            why="They are taken for different moments: sums and ratios over them mix old values with new ones.",
            fix="Leave timestamps out.",
        )

    def _twice(self, family: Family, line: int, message: str) -> None:
        self.broken = True
        if family.split:
            return
        family.split = True
        self.complaints.add(
            "family-repeated",
            Severity.WARNING,
            line,
            family.name,
            message,
            why="Servers take it; promtool, Pushgateway and OpenMetrics readers drop the whole body. It is what two "
            "registries look like that were written one behind the other.",
            fix="Write each family once: HELP, TYPE, and all of its samples together.",
        )

    def _late(self, family: Family, entry: Entry, line: int) -> None:
        self.broken = True
        self.complaints.add(
            "metadata-after-samples",
            Severity.WARNING,
            line,
            family.name,
            f"{entry.kind.value} of {family.name} comes after its first sample on line {family.sampled}",
            why="Readers take the samples before it for untyped; promtool drops the whole body.",
            fix="Write HELP and TYPE before the first sample.",
        )

    def finish(self) -> bool:
        """Look at what is left when the body is read, and return whether the format's order was kept."""
        for family in self.known.values():
            if family.histogram is not None:
                family.histogram.finish()
                self.broken = self.broken or family.histogram.broken
        return not self.broken
