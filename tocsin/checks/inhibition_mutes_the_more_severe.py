"""Inhibit rules by which an alert mutes a more severe one."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.alertmanager import AlertmanagerConfig, WrittenMatcher
from tocsin.checks import Example, Remark, at_key, check
from tocsin.finding import Severity
from tocsin.model.routing import LADDER, narrowed
from tocsin.promql.labels import LabelFacts

_CONFIG = """route: {receiver: chat}
inhibit_rules:
- source_matchers: ['severity="warning"']
  target_matchers: ['severity=~"%s"']
  equal: [alertname, service]
receivers:
- {name: chat, webhook_configs: [{url: "http://chat/"}]}
"""


@check(
    severity=Severity.ERROR,
    fix="Let the more severe alert be the source, and the less severe ones the targets.",
    bad=Example({"alertmanager.yml": _CONFIG % "info|critical"}, at="info|critical"),
    good=Example({"alertmanager.yml": _CONFIG % "info|none"}),
)
def inhibition_mutes_the_more_severe(alertmanager: AlertmanagerConfig) -> Iterator[Remark]:
    """Nobody is told of the worse alert: while the lesser one fires, which it mostly does first, it is muted.

    (Alertmanager: docs/configuration.md, inhibit_rule: the source mutes the target.)
    """
    for rule in alertmanager.inhibit_rules:
        if any(each.matcher.label != "severity" for each in rule.source):
            continue
        source, target = _severities(rule.source), _severities(rule.target)
        worse = [value for value in target if source and LADDER[value.lower()] > max(map(_rung, source))]
        if worse:
            yield at_key(
                rule.side("target"),
                f"An alert of severity {' or '.join(sorted(source))} mutes those of severity "
                f"{' and '.join(sorted(worse))}",
                subject=rule.subject,
            )


def _rung(value: str) -> int:
    return LADDER[value.lower()]


def _severities(side: tuple[WrittenMatcher, ...]) -> frozenset[str]:
    """Return the severities that matchers list; nothing if they list none, or one of no known rung."""
    facts = narrowed(LabelFacts(), [each.matcher for each in side])
    only = facts.possible_values("severity")
    return only if only and all(value.lower() in LADDER for value in only) else frozenset()
