"""Whose a metric is, what it is about, and where in a scrape things stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tocsin.exporters import exported, owner
from tocsin.exposition.digest import Digest, FamilyDigest, LabelDigest, NameDigest

SUFFIXES = ("_total", "_bucket", "_sum", "_count", "_created", "_info", "_gsum", "_gcount")
UNTYPED = ("unknown", "untyped")
_PROCESS = ("cpu", "open", "max", "virtual", "resident", "start", "network", "heap", "io", "memory", "threads", "num")
RUNTIMES = (
    *("go_", "promhttp_", "python_", "jvm_", "nodejs_", "dotnet_", "ruby_", "php_info", "scrape_"),
    *(
        f"process_{word}_"
        for word in (*_PROCESS, "uptime", "private", "working", "runtime", "involuntary", "voluntary")
    ),
)
"""What the names begin with that client libraries export of themselves, in every program alike."""
LIBRARY = "the client library"


@dataclass(frozen=True, slots=True)
class Label:
    """A label of a family, and the metric of the family that has most of its values."""

    label: str
    name: NameDigest
    digest: LabelDigest

    @property
    def first(self) -> tuple[str, int]:
        """The first value, and its line."""
        return next(iter(self.digest.values.items()))


def labels_of(family: FamilyDigest, *, bounds: bool = False) -> Iterator[Label]:
    """Yield each label of a family once; without `bounds`, not the bounds of buckets and the quantiles."""
    found: dict[str, Label] = {}
    for name in family.names.values():
        for label, digest in name.labels.items():
            if label in ("le", "quantile") and not bounds:
                continue
            if label not in found or len(digest.values) > len(found[label].digest.values):
                found[label] = Label(label, name, digest)
    yield from found.values()


def exporter_of(family: FamilyDigest) -> str | None:
    """Return whose authors alone can change a family's name and labels, an exporter or the client library, or None."""
    names = (family.name, f"{family.name}_total", f"{family.name}_info")
    for name in names:
        if (known := exported().get(name)) is not None:
            return known[0].exporter
    if is_runtime(family):
        return LIBRARY
    snapshot = owner(family.name)
    return snapshot.exporter if snapshot is not None else None


def is_runtime(family: FamilyDigest) -> bool:
    """Whether a family is of a client library or its runtime, and so the same in every program."""
    return family.name.startswith(RUNTIMES)


def is_information(family: FamilyDigest) -> bool:
    """Whether a family says with its labels what something is, and counts nothing."""
    return family.type in ("info", "stateset") or family.name.endswith(
        ("_info", "_labels", "_annotations", "_metadata", "_version", "_created_by")
    )


def is_collected(scrape: Digest) -> bool:
    """Whether a scrape holds other targets' series, under `honor_labels`: a Pushgateway's, or a federation's."""
    if "push_time_seconds" in scrape.families:
        return True
    names = (name for family in scrape.families.values() for name in family.names.values())  # asked for each family
    return scrape.samples > 0 and all(name.timestamps == name.count and "instance" in name.labels for name in names)


def column_of(name: NameDigest, line: int, piece: str) -> int:
    """Return the column of a piece of a line, from 1; 1 where only the line is known."""
    return name.first.find(piece) + 1 or 1 if line == name.line else 1


def samples_of(families: Iterable[FamilyDigest]) -> int:
    """Return how many samples families have."""
    return sum(name.count for family in families for name in family.names.values())


def name_line(family: FamilyDigest) -> int:
    """Return the line on which a reader finds a family's name: its TYPE, or where it is met first."""
    return family.type_line or family.line
