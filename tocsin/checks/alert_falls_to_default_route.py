"""Alerts that no route but the root takes, although the routes are there to tell such alerts apart."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.alertmanager import RoutePart
from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.routing import RoutedAlerts, Sent, values_of
from tocsin.part import Part
from tocsin.promql.regex import matches
from tocsin.source import nearest

_RULES = """groups:
- name: a
  rules:
  - {alert: A, expr: up == 0, labels: {severity: critical}}
  - {alert: B, expr: up == 0, labels: {severity: critical}}
  - {alert: C, expr: up == 0, labels: {severity: warning}}
  - {alert: D, expr: up == 0, labels: {severity: warning}}
  - {alert: E, expr: up == 0, labels: {severity: warning}}
  - alert: F
    expr: up == 0
    labels: {severity: %s}
"""
_PROMETHEUS = """global: {scrape_interval: 15s}
rule_files: [rules.yml]
alerting: {alertmanagers: [{static_configs: [{targets: ["alertmanager:9093"]}]}]}
scrape_configs: []
"""
_ROUTES = """route:
  receiver: chat
  routes:
  - {matchers: ['severity="critical"'], receiver: pager}
  - {matchers: ['severity="warning"'], receiver: chat}
receivers:
- {name: chat, webhook_configs: [{url: "http://chat/"}]}
- {name: pager, webhook_configs: [{url: "http://pager/"}]}
"""
_FEWEST = 5
"""Alerts that the routes must tell apart by a label before one that they do not know stands out."""


@check(
    severity=Severity.ERROR,
    fix="Give the alert a value that a route knows, or give the value a route.",
    bad=Example(
        {"rules.yml": _RULES % "page", "prometheus.yml": _PROMETHEUS, "alertmanager.yml": _ROUTES},
        at="severity: page",
    ),
    good=Example({"rules.yml": _RULES % "critical", "prometheus.yml": _PROMETHEUS, "alertmanager.yml": _ROUTES}),
)
def alert_falls_to_default_route(model: Model) -> Iterator[Remark]:
    """Whoever is meant to hear of the alert does not: it falls through every route and goes to the root's receiver.

    Said only where the routes tell nearly all other alerts apart by the same label, so that the root is a safety net
    and not the usual way.
    (Alertmanager: docs/configuration.md, route; Prometheus: docs/configuration, alert_relabel_configs.)
    """
    for _, routed in model.routing.each():
        root = routed.config.root
        if root is None or not root.children or not routed.whole:
            continue
        falling = {id(taken.rule) for taken in routed.stays(root) if taken.sure}
        for label, known in _told_apart(root).items():
            yield from _lost(label, known, routed, root)
            yield from _unknown(label, known, routed, root, falling)


def _told_apart(root: RoutePart) -> dict[str, frozenset[str]]:
    """Return the labels by which the routes under the root tell alerts apart, with every value that they name."""
    found: dict[str, list[frozenset[str]]] = {}
    for child in root.children:
        for each in child.matchers:
            only = values_of(each.matcher).only
            if only is not None and "" not in only:
                found.setdefault(each.matcher.label, []).append(only)
    named = {label: frozenset[str]().union(*values) for label, values in found.items() if len(values) > 1}
    return {label: values for label, values in named.items() if len(values) > 1 and label != "alertname"}


def _meant(rule: Rule, routed: RoutedAlerts) -> bool:
    """Whether a route was meant for an alert, and spells its name wrongly: that is told of the route."""
    names = {each.name for each in routed.rules}
    for route in routed.config.routes:
        for each in route.matchers:
            only = values_of(each.matcher).only if each.matcher.label == "alertname" else None
            if any(name not in names and nearest(name, [rule.name]) for name in only or ()):
                return True
    return False


def _unknown(
    label: str, known: frozenset[str], routed: RoutedAlerts, root: RoutePart, falling: set[int]
) -> Iterator[Remark]:
    """Yield the few alerts that set a value which no route names."""
    inside = [rule for rule in routed.rules if rule.labels.get(label) in known]
    outside = [
        rule
        for rule in routed.rules
        if id(rule) in falling and label in rule.labels and rule.labels[label] not in known | {""}
    ]
    outside = [rule for rule in outside if "{{" not in rule.labels[label] and not _meant(rule, routed)]
    if len(inside) < _FEWEST or len(outside) * 10 > max(10, len(inside)):
        return
    for rule in outside:
        value = rule.labels[label]
        near = nearest(value, known, most=1)
        meant = f"did you mean {near[0]}? " if near else ""
        message = (
            f"No route knows {label} {value!r}, so {rule.name} goes to {root.receiver!r} by default; "
            f"{meant}the routes know {', '.join(sorted(known))}"
        )
        written = rule.part.get("labels", label)
        yield (
            at(written, message, subject=rule.subject, related=(root.part.place,))
            if written
            else at_key(rule.part, message, subject=rule.subject)
        )


def _lost(label: str, known: frozenset[str], routed: RoutedAlerts, root: RoutePart) -> Iterator[Remark]:
    """Yield the relabellings that take a label from alerts by which the routes tell them apart."""
    lost: dict[tuple[str, tuple[str | int, ...]], tuple[Part, list[Rule]]] = {}
    for sent in routed.sent:
        if sent.rule.labels.get(label) in known and sent.facts.surely_absent(label):
            part = _dropper(sent, label)
            if part is not None:
                lost.setdefault((part.file, part.route), (part, []))[1].append(sent.rule)
    for part, rules in lost.values():
        yield at(
            part,
            f"The alerts of this Prometheus lose `{label}` before they are sent, so no route that asks for it matches: "
            f"{len(rules)} of them, such as {rules[0].name}, go to {root.receiver!r}",
            subject=f"alert_relabel_configs/{part.text}",
            fix=f"Keep `{label}`: drop only what differs between replicas.",
            related=(root.part.place,),
        )


def _dropper(sent: Sent, label: str) -> Part | None:
    if sent.stack is None:
        return None
    for rule in sent.stack.prometheus.part.list("alerting", "alert_relabel_configs"):
        met = matches(rule.string("regex"), label)
        if (rule.string("action") == "labeldrop" and met) or (rule.string("action") == "labelkeep" and met is False):
            return rule.get("regex")
    return None
