"""Prometheus rule files: groups of alerting and recording rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tocsin.durations import parse_duration
from tocsin.source import Document, Place, Route, Unreadable


@dataclass(frozen=True, slots=True)
class Rule:
    """One alerting or recording rule, as written."""

    name: str
    alerting: bool
    expression: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    hold_seconds: float
    """`for`: how long the expression must be true before the alert fires."""
    keep_firing_seconds: float
    group: str
    file: str
    place: Place
    expression_place: Place
    hold_place: Place

    @property
    def base_id(self) -> str:
        """The case id where no other rule of the group has the same name."""
        return f"{self.name}@{self.file}::{self.group}"


@dataclass(frozen=True, slots=True)
class Group:
    """A rule group: rules that are evaluated together, in order."""

    name: str
    file: str
    interval_seconds: float | None
    rules: tuple[Rule, ...]
    place: Place


def read_groups(document: Document) -> tuple[Group, ...]:
    """Return the groups of a rule file read with raw scalars.

    Raises Unreadable where its shape is not that of a rule file
    (prometheus.io/docs/prometheus/latest/configuration/recording_rules).
    """
    value = document.value
    if not isinstance(value, dict) or not isinstance(value.get("groups"), list):
        kind = value.get("kind") if isinstance(value, dict) else None
        but = "; the rules of a PrometheusRule object stand under `spec`" if kind == "PrometheusRule" else ""
        raise Unreadable(document.place(), f"is not a rule file: it has no list `groups`{but}")
    return tuple(_group(document, i, group) for i, group in enumerate(value["groups"]))


def _group(document: Document, index: int, group: Any) -> Group:
    route: Route = ("groups", index)
    if not isinstance(group, dict) or not isinstance(group.get("name"), str):
        raise Unreadable(document.place(*route), "is a rule group without a name")
    rules = group.get("rules")
    if not isinstance(rules, list):
        rules = []
    _duration(document, (*route, "query_offset"), group.get("query_offset"))
    return Group(
        name=group["name"],
        file=document.file,
        interval_seconds=_duration(document, (*route, "interval"), group.get("interval")) or None,
        rules=tuple(_rule(document, (*route, "rules", i), rule, group["name"]) for i, rule in enumerate(rules)),
        place=document.place(*route),
    )


def _rule(document: Document, route: Route, rule: Any, group: str) -> Rule:
    if not isinstance(rule, dict) or not isinstance(rule.get("expr"), str):
        raise Unreadable(document.place(*route), "is a rule without `expr`")
    name = rule.get("alert") or rule.get("record")
    if not isinstance(name, str):
        raise Unreadable(document.place(*route), "is a rule with neither `alert` nor `record`")
    return Rule(
        name=name,
        alerting="alert" in rule,
        expression=rule["expr"],
        labels=_strings(rule.get("labels")),
        annotations=_strings(rule.get("annotations")),
        hold_seconds=_duration(document, (*route, "for"), rule.get("for")) or 0.0,
        keep_firing_seconds=_duration(document, (*route, "keep_firing_for"), rule.get("keep_firing_for")) or 0.0,
        group=group,
        file=document.file,
        place=document.place(*route),
        expression_place=document.place(*route, "expr"),
        hold_place=document.key_place(*route, "for"),
    )


def _duration(document: Document, route: Route, raw: Any) -> float | None:
    if raw is None or raw == "":
        return None
    try:
        return parse_duration(str(raw))
    except ValueError as error:
        raise Unreadable(document.place(*route), f"{route[-1]}: {error}") from error


def _strings(value: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}


def place_within(text: str, place: Place, value: str, offset: int) -> Place:
    """Return the place of a character of a scalar that stands at `place` in a file's text.

    It is exact for a scalar that stands on one line as it is, and for a literal block; else it is `place` itself.
    """
    lines, offset = text.split("\n"), min(offset, len(value.rstrip("\n")))
    if place.line > len(lines):
        return place
    before, line = lines[place.line - 1][: place.column - 1], lines[place.line - 1][place.column - 1 :]
    quote = 1 if line[:1] in ("'", '"') else 0
    if line[quote:].startswith(value.rstrip("\n")):
        return Place(place.file, place.line, len(before) + quote + offset + 1)
    above = value[:offset].count("\n")
    shown, column = value.split("\n")[above], offset - (value.rfind("\n", 0, offset) + 1)
    number = place.line + 1 + above
    if line.startswith("|") and number <= len(lines) and lines[number - 1].rstrip("\r").endswith(shown):
        indent = len(lines[number - 1].rstrip("\r")) - len(shown)
        return Place(place.file, number, indent + column + 1)
    return place


def case_ids(rules: Iterable[Rule]) -> dict[str, Rule]:
    """Return the alerting rules by case id: `alert@file::group`, made unique where a group repeats a name.

    The static labels that differ are appended (`{severity="warning"}`), and an ordinal only where none differ.
    """
    alerts = [rule for rule in rules if rule.alerting]
    named: dict[str, list[Rule]] = {}
    for rule in alerts:
        named.setdefault(rule.base_id, []).append(rule)
    return {case: rule for base, same in named.items() for case, rule in _told_apart(base, same)}


def _told_apart(base: str, same: list[Rule]) -> Iterator[tuple[str, Rule]]:
    if len(same) == 1:
        yield base, same[0]
        return
    names = {name for rule in same for name in rule.labels}
    differing = sorted(n for n in names if len({rule.labels.get(n) for rule in same}) > 1)
    suffixes = [
        "{" + ",".join(f'{n}="{rule.labels[n]}"' for n in differing if n in rule.labels) + "}" if differing else ""
        for rule in same
    ]
    repeated = Counter(suffixes)
    seen: Counter[str] = Counter()
    for rule, suffix in zip(same, suffixes, strict=True):
        seen[suffix] += 1
        yield base + suffix + (f"#{seen[suffix]}" if repeated[suffix] > 1 else ""), rule
