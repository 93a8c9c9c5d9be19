"""An alert that alert_relabel_configs drop."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model.stacks import Stack
from tocsin.relabelling import Step, relabel, steps

_CONFIG = """global: {{}}
rule_files: [rules.yml]
alerting:
  alert_relabel_configs:
  - {{source_labels: [severity], regex: {regex}, action: keep}}
  alertmanagers: [{{static_configs: [{{targets: ["alertmanager:9093"]}}]}}]
scrape_configs: []
"""
_RULES = "groups:\n- name: a\n  rules:\n  - {alert: A, expr: up == 0, labels: {severity: critical}}\n"
_ON_PURPOSE = frozenset({"none", "info", "informational", "debug", "notice"})
"""Severities of alerts that may well be for the screen alone."""


@check(
    severity=Severity.ERROR,
    fix="Let the rule pass what is to be told, or take the alert away if nobody is to hear of it.",
    bad=Example({"prometheus.yml": _CONFIG.format(regex="crit"), "rules.yml": _RULES}, at="regex: crit"),
    good=Example({"prometheus.yml": _CONFIG.format(regex="crit.*"), "rules.yml": _RULES}),
)
def alert_dropped_by_relabelling(stack: Stack) -> Iterator[Remark]:
    """Prometheus fires the alert and sends it to nobody.

    (prometheus.io/docs/prometheus/latest/configuration/configuration, alert_relabel_configs: applied to alerts before
    they are sent to the Alertmanager.)
    """
    config = stack.prometheus
    general = steps(config.alert_relabelling)
    ways = [(*general, *steps(manager.list("alert_relabel_configs"))) for manager in config.alertmanagers]
    if not any(rule.sieves for way in ways for rule in way):
        return
    victims: dict[tuple[object, ...], tuple[Step, list[Rule]]] = {}
    for rule in stack.rules:
        culprit = _culprit(rule, ways) if rule.alerting else None
        if culprit is not None:
            victims.setdefault(culprit.part.route, (culprit, []))[1].append(rule)
    for step, rules in victims.values():
        quiet = all(rule.labels.get("severity", "") in _ON_PURPOSE for rule in rules)
        names = list(dict.fromkeys(rule.name for rule in rules))
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        part = step.part.get("regex") or step.part
        severity = Severity.INFO if quiet else Severity.ERROR
        message = (
            f"{', '.join(names[:3])}{more} never reach the Alertmanager"
            if len(names) > 1
            else (f"{names[0]} never reaches the Alertmanager")
        )
        related = tuple(rule.place for rule in rules[:3])
        yield at(part, message, subject=f"alert_relabel_configs/{step.action}", severity=severity, related=related)


def _culprit(rule: Rule, ways: list[tuple[Step, ...]]) -> Step | None:
    """Return the step that drops an alert on every way; None if it may arrive."""
    fixed = {name: value for name, value in rule.labels.items() if value and "{{" not in value}
    unknown = [name for name, value in rule.labels.items() if "{{" in value]
    first: Step | None = None
    for way in ways:
        told = relabel({"alertname": rule.name, **fixed}, way, unknown=unknown, further=True)
        if told.dropped_by is None or not told.certain:
            return None
        first = first or told.dropped_by
    return first
