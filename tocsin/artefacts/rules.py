"""Prometheus rule files: groups of alerting and recording rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tocsin.durations import parse_duration
from tocsin.part import Part
from tocsin.source import Document, Place, Unreadable


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
    part: Part = field(repr=False, compare=False)

    @property
    def place(self) -> Place:
        """Where the rule stands."""
        return self.part.place

    @property
    def expression_place(self) -> Place:
        """Where its expression stands."""
        return self.part.get("expr").place

    @property
    def hold_place(self) -> Place:
        """Where its `for` stands; where the rule does, if it has none."""
        return self.part.get("for").key_place

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return f"{self.group}/{self.name}"

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
    part: Part = field(repr=False, compare=False)

    @property
    def place(self) -> Place:
        """Where the group stands."""
        return self.part.place

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return self.name


def read_groups(document: Document) -> tuple[Group, ...]:
    """Return the groups of a rule file.

    Raises Unreadable where its shape is not that of a rule file
    (prometheus.io/docs/prometheus/latest/configuration/recording_rules).
    """
    groups, problems = groups_at(Part.whole(document))
    for problem in problems:
        raise problem
    return groups


def groups_at(part: Part) -> tuple[tuple[Group, ...], tuple[Unreadable, ...]]:
    """Return the groups below a part of a document, as far as they can be read, and what keeps others from it.

    The part is the whole of a rule file, or the `spec` of a PrometheusRule object.
    """
    if not isinstance(part.get("groups").value, list):
        but = "; the rules of a PrometheusRule object stand under `spec`"
        said = f"is not a rule file: it has no list `groups`{but if part.string('kind') == 'PrometheusRule' else ''}"
        return (), (Unreadable(part.place, said),)
    problems: list[Unreadable] = []
    found = (_group(group, problems) for group in part.list("groups"))
    return tuple(group for group in found if group is not None), tuple(problems)


def _group(part: Part, problems: list[Unreadable]) -> Group | None:
    name = part.get("name")
    if not isinstance(part.value, dict) or not name or isinstance(name.value, (dict, list)):
        problems.append(Unreadable(part.place, "is a rule group without a name"))
        return None
    _duration(part, "query_offset", problems)
    rules = (_rule(rule, name.text, problems) for rule in part.list("rules"))
    return Group(
        name=name.text,
        file=part.file,
        interval_seconds=_duration(part, "interval", problems) or None,
        rules=tuple(rule for rule in rules if rule is not None),
        part=part,
    )


def _rule(part: Part, group: str, problems: list[Unreadable]) -> Rule | None:
    if not isinstance(part.value, dict) or not part.get("expr") or isinstance(part.get("expr").value, (dict, list)):
        problems.append(Unreadable(part.place, "is a rule without `expr`"))
        return None
    name = part.string("alert") or part.string("record")
    if not name:
        problems.append(Unreadable(part.place, "is a rule with neither `alert` nor `record`"))
        return None
    return Rule(
        name=name,
        alerting="alert" in part,
        expression=part.string("expr"),
        labels=part.strings("labels"),
        annotations=part.strings("annotations"),
        hold_seconds=_duration(part, "for", problems) or 0.0,
        keep_firing_seconds=_duration(part, "keep_firing_for", problems) or 0.0,
        group=group,
        file=part.file,
        part=part,
    )


def _duration(part: Part, key: str, problems: list[Unreadable]) -> float | None:
    raw = part.string(key)
    if not raw:
        return None
    try:
        return parse_duration(raw)
    except ValueError as error:
        problems.append(Unreadable(part.get(key).place, f"{key}: {error}"))
        return None


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
