"""What exporters export: snapshots of their /metrics by version, and what they renamed when.

Each file `NAME.txt` is one snapshot: a head of `# key: value` lines, then a line a metric: name, type, labels (with all
their values, where the exporter documents them), and the versions that have it where not all have. `source: run` was
made from running exporters by bench/exporter_snapshot.py; `source: documented` was read in what it names. A snapshot is
never whole: collectors have flags, a series may be born late, and versions differ. So that a name is in none proves
nothing alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Exported:
    """One metric of a snapshot."""

    name: str
    type: str
    labels: frozenset[str]
    exporter: str
    file: str
    line: int
    complete: bool
    """Whether those are all labels that were seen; of some metrics, the labels are the user's."""
    versions: tuple[str, ...] = ()
    """The versions that have it, where not all have."""
    values: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The values of a label, where its exporter documents them all."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one exporter exports."""

    exporter: str
    versions: tuple[str, ...]
    source: str
    date: str
    prefixes: tuple[str, ...]
    """What the names of its metrics begin with, and nobody else's."""
    metrics: Mapping[str, Exported]


@dataclass(frozen=True, slots=True)
class Renaming:
    """A metric that is called otherwise since some version."""

    old: str
    new: str
    """The name, or a selector, of what has taken its place."""
    product: str
    version: str
    source: str

    @property
    def name(self) -> str:
        """The name of what has taken its place."""
        return self.new.partition("{")[0]


@cache
def snapshots() -> tuple[Snapshot, ...]:
    """Return every snapshot that is shipped."""
    found = sorted((entry for entry in files(__name__).iterdir() if entry.name.endswith(".txt")), key=lambda e: e.name)
    return tuple(_snapshot(entry.name, entry.read_text(encoding="utf-8")) for entry in found)


@cache
def exported() -> Mapping[str, tuple[Exported, ...]]:
    """Return what the snapshots know of each metric, by name."""
    found: dict[str, tuple[Exported, ...]] = {}
    for snapshot in snapshots():
        for name, metric in snapshot.metrics.items():
            found[name] = (*found.get(name, ()), metric)
    return found


@cache
def renamed() -> Mapping[str, Renaming]:
    """Return every renaming by the old name."""
    found: dict[str, Renaming] = {}
    product = version = source = ""
    for line in files(__name__).joinpath("renamed.tsv").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            product, version, source = line[3:].split(" ", 2)
        elif not line.startswith("#") and "\t" in line:
            old, _, new = line.partition("\t")
            found[old] = Renaming(old, new, product, version, source)
    return found


def owner(name: str) -> Snapshot | None:
    """Return the exporter that alone has metrics with the beginning of a name; None if there is none."""
    return next((s for s in snapshots() if name.startswith(s.prefixes)), None)


def _snapshot(file: str, text: str) -> Snapshot:
    head: dict[str, str] = {}
    metrics: dict[str, Exported] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("# "):
            key, _, value = line[2:].partition(": ")
            head[key] = value
            continue
        name, type_, labels, *versions = line.split(" ")
        told = [label.partition("=") for label in labels.split(",")] if labels not in ("-", "*") else []
        metrics[name] = Exported(
            name=name,
            type=type_,
            labels=frozenset(label for label, _, _ in told),
            exporter=head["exporter"],
            file=file,
            line=number,
            complete=labels != "*",
            versions=tuple(versions[0][1:].split(",")) if versions else (),
            values={label: frozenset(values.split("|")) for label, _, values in told if values},
        )
    return Snapshot(
        exporter=head["exporter"],
        versions=tuple(head["versions"].split()),
        source=head["source"],
        date=head["date"],
        prefixes=tuple(head["prefixes"].split()),
        metrics=metrics,
    )
