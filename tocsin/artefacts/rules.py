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
        raise Unreadable(document.place(), "is not a rule file: it has no list `groups`")
    return tuple(_group(document, i, group) for i, group in enumerate(value["groups"]))


def _group(document: Document, index: int, group: Any) -> Group:
    route: Route = ("groups", index)
    if not isinstance(group, dict) or not isinstance(group.get("name"), str):
        raise Unreadable(document.place(*route), "is a rule group without a name")
    rules = group.get("rules")
    if not isinstance(rules, list):
        rules = []
    return Group(
        name=group["name"],
        file=document.file,
        interval_seconds=_duration(document, (*route, "interval"), group.get("interval")),
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
        raise Unreadable(document.place(*route), str(error)) from error


def _strings(value: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}


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
