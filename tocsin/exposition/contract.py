"""What a target promised: its saved body, and what of it a newer one breaks.

Names, types, labels and bounds are derived from the body. Beside it, in a file of the same name that ends in .yaml,
stands only what no body tells: the target, its labels after relabelling, version and date, and which metrics are born
late. `tocsin/model/metrics.py` reads the same files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.atomic import write_whole
from tocsin.explained import Explained
from tocsin.exposition.asked import Asked, guessed, last_bytes
from tocsin.exposition.digest import Digest, FamilyDigest
from tocsin.exposition.judging import judge
from tocsin.exposition.limits import PIECE_BYTES
from tocsin.exposition.verdicts import Said

SECRETS = ("credential-exposed", "personal-data-exposed")
"""Checks whose findings keep a body from being saved."""
SUFFIXES = {Syntax.TEXT: ".prom", Syntax.OPENMETRICS: ".om"}
_HEAD = "# Written by `tocsin judge --save`. Metrics, types and labels are read from the body beside it.\n"
_PARTS = ("_bucket", "_count", "_sum", "_total", "_created", "_info", "_gcount", "_gsum")
_ALIKE = {"untyped": "unknown", "info": "gauge", "stateset": "gauge", "gaugehistogram": "histogram"}
"""Types that one format has and the other has not, as both have them."""


class NotSaved(Explained):
    """A body that is not written down, and why."""


@dataclass(frozen=True, slots=True)
class Contract:
    """A saved body, and what its owner says of it."""

    path: Path
    digest: Digest
    lazily_born: Mapping[str, str] = field(default_factory=dict)
    """Metrics that come only once something has happened, and what that is."""
    version: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that a saved body had, and that is otherwise now."""

    kind: str
    """`metric-gone`, `type-changed`, `label-gone`, `label-added`, `buckets-changed`, `help-changed`, `unit-changed`."""
    family: str
    names: tuple[str, ...]
    """Of the series that it is about."""
    label: str
    message: str
    line: int = 0
    """In the newer body; 0 where it is not there."""

    @property
    def breaks(self) -> bool:
        """Whether somebody's expression may stop to work."""
        return self.kind not in ("help-changed", "unit-changed")


def file_stem(name: str) -> str:
    """Return the name of a target as a file can have it."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", re.sub(r"^https?://", "", name)).strip("-.") or "target"


def save(said: Said, folder: Path, stem: str, *, date: str, anyway: bool = False) -> Path:
    """Write the body of an endpoint and what is known of it, each in one rename; return where the body is.

    What an earlier file says of metrics that are born late is kept. Raises NotSaved if there is no body, or if it holds
    a secret and it is not to be saved anyway; OSError if the folder cannot be written.
    """
    asked, judgement = said.asked, said.judgement
    first = asked.first
    if first is None or judgement is None or not first.body:
        raise NotSaved(f"{asked.facts.name}: there is no body to save: {said.unjudged or 'it is empty'}")
    secrets = [each for each in judgement.complaints if each.check in SECRETS]
    if secrets and not anyway:
        where = ", ".join(f"line {each.line}" for each in secrets[:5])
        raise NotSaved(
            f"{asked.facts.name}: not saved, for the body holds a secret ({where}: {secrets[0].message}); "
            "mend the target, or say --save-anyway"
        )
    folder.mkdir(parents=True, exist_ok=True)
    before = find(folder, stem)
    syntax = judgement.digest.syntax
    path = folder / f"{stem}{SUFFIXES[syntax]}"
    write_whole(path, asked.chunks(first))
    version = asked.facts.version or version_of(judgement.digest) or (before.version if before else "")
    write_whole(path.with_suffix(".yaml"), [_described(asked, stem, before, version, date).encode()])
    if before is not None and before.path != path:
        before.path.unlink(missing_ok=True)  # the same body in the other format
    return path


def version_of(digest: Digest) -> str:
    """Return the version that a body tells of what it is of, by its `..._build_info`; empty if there is not one."""
    told = {
        value
        for family in digest.families.values()
        for name in family.names.values()
        if name.name.endswith("build_info") and "version" in name.labels
        for value in name.labels["version"].values
    }
    return next(iter(told)) if len(told) == 1 else ""


def _described(asked: Asked, stem: str, before: Contract | None, version: str, date: str) -> str:
    known: dict[str, Any] = {
        "target": asked.facts.labels.get("job") or stem,
        "labels": dict(sorted(asked.facts.labels.items())),
        "version": version,
        "date": date,
        "lazily_born": dict(before.lazily_born) if before else {},
    }
    return _HEAD + yaml.safe_dump(known, sort_keys=False, allow_unicode=True)


def find(folder: Path, stem: str) -> Contract | None:
    """Return the saved body of a target; None if there is none. Raises Explained if it cannot be read."""
    for suffix in (*SUFFIXES.values(), ".txt", ".metrics"):
        path = folder / f"{stem}{suffix}"
        if path.is_file():
            return read_contract(path)
    return None


def read_contract(path: Path) -> Contract:
    """Return a saved body with what stands beside it. Raises Explained if either cannot be read."""
    beside = path.with_suffix(".yaml")
    try:
        syntax = guessed(last_bytes(path))
        digest = judge(_chunks(path), syntax, now=path.stat().st_mtime).digest
        known = yaml.safe_load(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error).split("\n", maxsplit=1)[0]
        raise Explained(f"{path}: the saved body, or {beside.name} beside it, cannot be read: {said}") from error
    told = known if isinstance(known, dict) else {}
    lazy = told.get("lazily_born")
    return Contract(
        path,
        digest,
        {str(name): str(why or "") for name, why in lazy.items()} if isinstance(lazy, dict) else {},
        str(told.get("version") or ""),
        str(told.get("date") or ""),
    )


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def changes(old: Digest, new: Digest, lazily_born: Mapping[str, str] | None = None) -> Iterator[Change]:
    """Yield what an older body had and a newer one has otherwise. New metrics are no change of what was promised."""
    lazy = lazily_born or {}
    before, after = _families(old), _families(new)
    one_format = old.syntax is new.syntax
    for key, family in before.items():
        names = tuple(name for name in family.names if not name.endswith("_created"))
        now = after.get(key)
        if now is None or not (now.names or not names):
            if names and not _born_late(lazy, key, names):
                said = f"{family.name} is gone: it had {sum(family.names[n].count for n in names)} series"
                yield Change("metric-gone", family.name, names, "", said)
            continue
        yield from _of_family(family, now, one_format=one_format)
        yield from _of_names(family, now, names, lazy)


def _born_late(lazy: Mapping[str, str], key: str, names: tuple[str, ...]) -> bool:
    return key in lazy or any(name in lazy for name in names)


def _families(digest: Digest) -> dict[str, FamilyDigest]:
    """Return families by the name that both formats have for them."""
    return {_stem(family): family for family in digest.families.values()}


def _stem(family: FamilyDigest) -> str:
    if family.type in ("counter", "unknown", "untyped"):
        return family.name.removesuffix("_total")
    return family.name.removesuffix("_info") if family.type in ("info", "gauge") else family.name


def _of_family(old: FamilyDigest, new: FamilyDigest, *, one_format: bool) -> Iterator[Change]:
    names = tuple(old.names)
    types = [each.type if one_format else _ALIKE.get(each.type, each.type) for each in (old, new)]
    if types[0] != types[1]:
        said = f"{new.name} was a {types[0]} and is a {types[1]}"
        yield Change("type-changed", new.name, names, "", said, new.type_line or new.line)
    if old.help and new.help and old.help != new.help:
        said = f"the HELP of {new.name} was {old.help[:100]!r} and is {new.help[:100]!r}"
        yield Change("help-changed", new.name, names, "", said, new.help_line)
    if old.unit and new.unit and old.unit != new.unit:
        yield Change("unit-changed", new.name, names, "", f"the UNIT of {new.name} was {old.unit} and is {new.unit}")


def _of_names(
    old: FamilyDigest, new: FamilyDigest, names: tuple[str, ...], lazy: Mapping[str, str]
) -> Iterator[Change]:
    for name in names:
        now = new.names.get(name)
        if now is None:
            if not _born_late(lazy, old.name, (name,)):
                yield Change("metric-gone", old.name, (name,), "", f"{name} is gone, {new.name} is still there")
            continue
        before = old.names[name]
        for label in before.labels.keys() - now.labels.keys():
            yield Change("label-gone", new.name, (name,), label, f"{name} has no label {label} any more", now.line)
        for label in now.labels.keys() - before.labels.keys():
            yield Change("label-added", new.name, (name,), label, f"{name} has a new label {label}", now.line)
        if "le" in before.labels and "le" in now.labels:
            bounds = _bounds(before.labels["le"].values), _bounds(now.labels["le"].values)
            gone, more = sorted(bounds[0] - bounds[1]), sorted(bounds[1] - bounds[0])
            if gone or more:
                said = f"the bounds of {name} are others: {_listed(gone, 'gone')}{_listed(more, 'new')}".rstrip("; ")
                yield Change("buckets-changed", new.name, (name,), "le", said, now.line)


def _bounds(values: Mapping[str, int]) -> set[float]:
    found = set()
    for value in values:
        try:
            found.add(float(value))
        except ValueError:
            continue
    return found


def _listed(bounds: list[float], word: str) -> str:
    return f"{word}: {', '.join(f'{bound:g}' for bound in bounds[:8])}; " if bounds else ""
