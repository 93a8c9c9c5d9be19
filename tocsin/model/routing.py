"""Where alerts go: each rule, with the labels that it surely or possibly has, through the tree of routes.

The tree is walked as Alertmanager walks it (dispatch/route.go, Match), with what is known of labels in place of labels:
a matcher is met, not met, or may be met, and what it rules out is remembered on the way. So of an alert that may have
any severity, what is left after the route of `severity="critical"` has another one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from tocsin.artefacts.alertmanager import AlertmanagerConfig, InhibitPart, Matcher, RoutePart, WrittenMatcher
from tocsin.artefacts.rules import Rule
from tocsin.part import Part
from tocsin.promql import regex, selectors
from tocsin.promql.label_values import Values, one_of
from tocsin.promql.labels import LabelFacts

if TYPE_CHECKING:
    from tocsin.model import Model
    from tocsin.model.stacks import Stack

_NEGATED = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}
LADDER = {
    **dict.fromkeys(("none", "info", "informational", "information", "notice", "debug", "low"), 1),
    **dict.fromkeys(("warning", "warn", "minor", "medium"), 2),
    **dict.fromkeys(("error", "err", "major", "high"), 3),
    **dict.fromkeys(("critical", "crit", "page", "pager", "emergency", "disaster", "fatal"), 4),
}
"""How severe the values of a severity are whose order everybody agrees on."""


_OF_TARGETS = frozenset({"job", "instance", "alertname"})
"""Labels that every series that is scraped, or every alert, has."""


@lru_cache(maxsize=4096)
def values_of(matcher: Matcher) -> Values:
    """Return the values of its label that meet a matcher."""
    if matcher.operator == "=":
        return one_of([matcher.value])
    if matcher.operator == "!=":
        return Values(never=frozenset({matcher.value}))
    spelt = regex.alternatives(matcher.value)
    if matcher.operator == "=~":
        if spelt is not None:
            return one_of(spelt)
        never = frozenset({""}) if regex.matches(matcher.value, "") is False else frozenset[str]()
        return Values(patterns=frozenset({matcher.value}), never=never)
    if spelt is not None:
        return Values(never=spelt)
    never = frozenset({""}) if regex.matches(matcher.value, "") else frozenset[str]()
    return Values(refused=frozenset({matcher.value}), never=never)


@lru_cache(maxsize=65536)
def answer(matcher: Matcher, values: Values) -> bool | None:
    """Tell whether a label of which something is known meets a matcher; None: it depends."""
    if not values.both(values_of(matcher)).any:
        return False
    if not values.both(values_of(Matcher(matcher.label, _NEGATED[matcher.operator], matcher.value))).any:
        return True
    return _by_pattern(matcher, values)


def _by_pattern(matcher: Matcher, values: Values) -> bool | None:
    """Tell what follows from the most usual patterns that match without end: `.*` and `.+`."""
    if matcher.operator not in ("=~", "!~"):
        return None
    bare = matcher.value.removeprefix("^").removesuffix("$")
    met = True if bare == ".*" else (not values.possible("") or None) if bare == ".+" else None
    return met if matcher.operator == "=~" or met is None else not met


def narrowed(facts: LabelFacts, matchers: Iterable[Matcher]) -> LabelFacts:
    """Return what is known of an alert that meets matchers."""
    for matcher in matchers:
        values = facts.of(matcher.label).both(values_of(matcher))
        facts = LabelFacts({**facts.named, matcher.label: values}, facts.others, facts.nothing or not values.any)
    return facts


def excluded(facts: LabelFacts, matchers: tuple[Matcher, ...]) -> LabelFacts:
    """Return what is known of an alert that does not meet all of some matchers."""
    open_ones = [m for m in matchers if answer(m, facts.of(m.label)) is not True]
    if len(open_ones) != 1:
        return facts
    only = open_ones[0]
    return narrowed(facts, [Matcher(only.label, _NEGATED[only.operator], only.value)])


def all_met(matchers: Iterable[Matcher], facts: LabelFacts) -> bool | None:
    """Tell whether an alert of which something is known meets all of some matchers; None: it depends."""
    found: bool | None = True
    for matcher in matchers:
        one = answer(matcher, facts.of(matcher.label))
        if one is False:
            return False
        found = found if one else None
    return found


@dataclass(frozen=True)
class Taken:
    """An alert that comes to a route, with what is known of its labels there."""

    rule: Rule
    facts: LabelFacts
    sure: bool
    """Whether every series of the alert takes this way."""


@dataclass(frozen=True)
class Sent:
    """An alert as one Prometheus sends it."""

    rule: Rule
    facts: LabelFacts
    stack: Stack | None


@dataclass
class _Way:
    """What comes to one route."""

    enters: list[Taken] = field(default_factory=list)
    stays: list[Taken] = field(default_factory=list)
    taken_before: list[tuple[Rule, RoutePart]] = field(default_factory=list)
    """Alerts that would have matched, and the sibling that surely took them."""


class RoutedAlerts:
    """The alerts that one Alertmanager is told of, and the way of each through its routes."""

    def __init__(self, config: AlertmanagerConfig, sent: tuple[Sent, ...], *, whole: bool) -> None:
        self.config = config
        self.sent = sent
        self.whole = whole
        """Whether these are all alerts that the Alertmanager is told of, as far as the folder tells."""
        self._ways: dict[tuple[str | int, ...], _Way] = {}
        if config.root is not None:
            for alert in sent:
                if not alert.facts.nothing:
                    self._walk(config.root, alert.rule, alert.facts, sure=True, depth=0)

    def enters(self, route: RoutePart) -> tuple[Taken, ...]:
        """Return the alerts that may match a route, whoever tells of them in the end."""
        return tuple(self._way(route).enters)

    def stays(self, route: RoutePart) -> tuple[Taken, ...]:
        """Return the alerts that a route itself may tell of."""
        return tuple(self._way(route).stays)

    def taken_before(self, route: RoutePart) -> tuple[tuple[Rule, RoutePart], ...]:
        """Return the alerts that a route's matchers may want and an earlier sibling surely takes, and that sibling."""
        return tuple(self._way(route).taken_before)

    def below(self, route: RoutePart) -> Iterator[RoutePart]:
        """Yield a route and those under it."""
        yield route
        for child in route.children:
            yield from self.below(child)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, each once."""
        return tuple({id(alert.rule): alert.rule for alert in self.sent}.values())

    @cached_property
    def label_names(self) -> frozenset[str]:
        """Every label that some alert is known to have, or to be asked for."""
        return frozenset(name for alert in self.sent for name in alert.facts.names)

    def values(self, label: str) -> frozenset[str] | None:
        """Return every value that a label has in some alert, left out where it has none; None if not all are known."""
        found: set[str] = set()
        for alert in self.sent:
            only = alert.facts.possible_values(label)
            if only is None:
                return None
            found |= only
        return frozenset(found - {""})

    def ever(self, matchers: Iterable[WrittenMatcher]) -> bool:
        """Whether some alert may meet matchers."""
        asked = [each.matcher for each in matchers]
        return any(all_met(asked, alert.facts) is not False for alert in self.sent)

    def meeting(self, matchers: Iterable[WrittenMatcher]) -> tuple[Sent, ...]:
        """Return the alerts that may meet matchers, with what is then known of them."""
        asked = [each.matcher for each in matchers]
        return tuple(
            Sent(alert.rule, narrowed(alert.facts, asked), alert.stack)
            for alert in self.sent
            if all_met(asked, alert.facts) is not False
        )

    def _way(self, route: RoutePart) -> _Way:
        return self._ways.setdefault(route.part.route, _Way())

    def _walk(self, route: RoutePart, rule: Rule, facts: LabelFacts, *, sure: bool, depth: int) -> None:
        """Take an alert into a route that it may match, and on to those under it."""
        self._way(route).enters.append(Taken(rule, facts, sure))
        left: LabelFacts | None = facts
        """What is known of it where no sibling took it for good; None if one surely did."""
        stays: LabelFacts | None = facts
        taker: RoutePart | None = None
        unsure = visited = False
        for child in route.children if depth < _DEEPEST else ():
            asked = tuple(each.matcher for each in child.matchers)
            if left is None:
                if taker is not None and all_met(asked, facts) is not False:
                    self._way(child).taken_before.append((rule, taker))
                continue
            met = all_met(asked, left)
            if met is False:
                if all_met(asked, facts) is not False and taker is not None:
                    self._way(child).taken_before.append((rule, taker))
                continue
            self._walk(child, rule, narrowed(left, asked), sure=sure and met is True and not unsure, depth=depth + 1)
            visited, unsure = True, unsure or (met is None and not child.goes_on)
            stays = None if met or stays is None else excluded(stays, asked)
            if not child.goes_on:
                taker = child
                left = None if met else excluded(left, asked)
                left = None if left is not None and left.nothing else left
        if stays is not None and not stays.nothing:
            self._way(route).stays.append(Taken(rule, stays, sure and not visited))


_DEEPEST = 60
"""Levels of the tree that are walked; nobody has so many."""


class Inhibition:
    """An inhibit rule with the alerts that may mute, and those that may be muted."""

    def __init__(self, rule: InhibitPart, routed: RoutedAlerts) -> None:
        self.rule = rule
        self.sources = routed.meeting(rule.source)
        self.targets = routed.meeting(rule.target)


class AlertRouting:
    """For each Alertmanager configuration of a system the alerts that it is told of."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._found: dict[int, RoutedAlerts | None] = {}
        self._given: dict[int, frozenset[str] | None] = {}

    def of(self, config: AlertmanagerConfig) -> RoutedAlerts | None:
        """Return the alerts of an Alertmanager on their way; None where the folder does not tell, or it is broken."""
        key = id(config.part.document)
        if key not in self._found:
            self._found[key] = self._read(config) if config.readable else None
        return self._found[key]

    def each(self) -> Iterator[tuple[AlertmanagerConfig, RoutedAlerts]]:
        """Yield every configuration of which the alerts are known, with them."""
        for config in self._model.alertmanager_configs:
            routed = self.of(config)
            if routed is not None and routed.sent:
                yield config, routed

    def lacks(self, alert: Sent, label: str) -> bool:
        """Whether an alert surely lacks a label: by its expression, or because nothing that it is made of has it.

        The latter is known where every metric of the expression is, with all of its labels.
        """
        if alert.facts.surely_absent(label):
            return True
        if not alert.facts.of(label).possible("") or label in _OF_TARGETS or alert.stack is None:
            return False
        if label in alert.stack.prometheus.external_labels or label in alert.rule.labels:
            return False
        given = self._given_by(alert.stack)
        return given is not None and label not in given and self._made_without(alert.rule, label)

    def _made_without(self, rule: Rule, label: str) -> bool:
        """Whether every metric of an alert is known, with all of its labels, and none has this one."""
        tree = self._model.tree(rule)
        if tree is None or re.search(rf"\b{re.escape(label)}\b", rule.expression):
            return False
        for selector in selectors(tree):
            if selector.name == "up":
                continue
            known = self._model.metrics.named(selector.name) if selector.name else ()
            exact = [metric for metric in known if metric.origin in ("saved", "application")]
            if not exact or any(label in metric.labels for metric in known):
                return False
        return True

    def _given_by(self, stack: Stack) -> frozenset[str] | None:
        """Return every label that a Prometheus gives to its targets or series; None if that cannot be told."""
        if id(stack) not in self._given:
            found: set[str] | None = set()
            for job in stack.jobs:
                found = None if found is None else _given(job.part, found)
            self._given[id(stack)] = None if found is None or not stack.fragments_known else frozenset(found)
        return self._given[id(stack)]

    def _is_meant(self, config: AlertmanagerConfig) -> bool:
        """Whether a configuration is the only one, or the one that the operator's only Alertmanager object loads."""
        if len(self._model.alertmanager_configs) == 1:
            return True
        objects = self._model.objects_of("Alertmanager")
        if len(objects) != 1:
            return False
        loaded = objects[0].part.string("spec", "configSecret") or f"alertmanager-{objects[0].name}"
        secrets = [secret for secret in self._model.objects_of("Secret") if secret.name == loaded]
        return len(secrets) == 1 and secrets[0].part.file == config.file

    def _read(self, config: AlertmanagerConfig) -> RoutedAlerts | None:
        labels = self._model.rule_labels
        telling = [
            stack
            for stack in self._model.stacks
            if stack.alertmanager is not None and stack.alertmanager.part.document is config.part.document
        ]
        if telling:
            sent = [
                Sent(rule, labels.of_alert_told_by(rule, stack), stack)
                for stack in telling
                for rule in stack.rules
                if rule.alerting
            ]
            whole = all(stack.rules_known for stack in telling) and len(self._model.alertmanager_configs) == 1
            return RoutedAlerts(config, tuple(sent), whole=whole)
        others = [s for s in self._model.stacks if s.object is None or s.alertmanager is not None]
        if others or not self._model.alerts or not self._is_meant(config):
            return None
        alone = [Sent(rule, labels.of_alert(rule), None) for rule in self._model.alerts]
        return RoutedAlerts(config, tuple(alone), whole=False)


_NAMED_SD = frozenset({"static_configs", "kubernetes_sd_configs", "dns_sd_configs"})
"""Ways of discovery that give no labels but those that the job itself, or its relabelling, writes."""


def _given(job: Part, found: set[str]) -> set[str] | None:
    """Add the labels that a scrape job gives to its targets and series; None if it copies some that are not named."""
    for part in job.walk():
        if part.key == "target_label":
            found.add(part.text)
        elif part.key == "labels":
            found |= {key for key, _ in part.items()}
        elif (part.key.endswith("_sd_configs") and part.key not in _NAMED_SD) or part.text == "labelmap":
            return None
    return None if any("$" in name for name in found) else found


def severity_of(facts: LabelFacts, label: str = "severity") -> Mapping[str, int]:
    """Return the severities that an alert may have, with the rung of each; empty where not all are known."""
    only = facts.possible_values(label)
    if only is None or not only or any(value.lower() not in LADDER for value in only):
        return {}
    return {value: LADDER[value.lower()] for value in only}
