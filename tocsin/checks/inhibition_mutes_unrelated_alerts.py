"""Inhibit rules by which an alert mutes others that have nothing to do with it."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.alertmanager import AlertmanagerConfig, InhibitPart
from tocsin.checks import Example, Remark, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.routing import Inhibition, RoutedAlerts, Sent

_CONFIG = """route: {receiver: chat}
inhibit_rules:
- source_matchers: ['severity="critical"']
  target_matchers: ['severity="warning"']
%sreceivers:
- {name: chat, webhook_configs: [{url: "http://chat/"}]}
"""
SEVERITIES = frozenset({"severity", "level", "priority", "sev", "urgency", "criticality", "alert_severity"})
"""Labels that say how bad an alert is, and nothing of what it is about."""


@check(
    severity=Severity.ERROR,
    fix="Name labels in `equal` that every source and every target has, such as [alertname, service].",
    bad=Example({"alertmanager.yml": _CONFIG % ""}, at="target_matchers"),
    good=Example({"alertmanager.yml": _CONFIG % "  equal: [alertname, service]\n"}),
)
def inhibition_mutes_unrelated_alerts(alertmanager: AlertmanagerConfig, model: Model) -> Iterator[Remark]:
    """Nobody is told of alerts that have nothing to do with the one that mutes them, for as long as that one fires.

    Source and target must have equal values of the labels under `equal`; without any, all are equal, and a label that
    both lack is equal too.
    (Alertmanager: docs/configuration.md, inhibit_rule; inhibit/inhibit.go.)
    """
    if not alertmanager.readable:
        return
    routed = model.routing.of(alertmanager)
    for rule in alertmanager.inhibit_rules:
        if not rule.equal:
            yield from _without_equal(rule, routed)
        elif routed is not None and "alertname" not in {part.text for part in rule.equal}:
            yield from _nothing_in_common(rule, routed, model)


def _without_equal(rule: InhibitPart, routed: RoutedAlerts | None) -> Iterator[Remark]:
    """Yield a rule without `equal` whose sources are alerts of all kinds: only their severity is asked for."""
    if any(each.matcher.label not in SEVERITIES for each in rule.source):
        return
    if any(each.matcher.operator == "=" and each.matcher.label == "alertname" for each in rule.target):
        return
    source = " and ".join(each.shown for each in rule.source) or "any labels at all"
    target = " and ".join(each.shown for each in rule.target) or "any labels at all"
    many = ""
    if routed is not None:
        both = Inhibition(rule, routed)
        sources, targets = {s.rule.name for s in both.sources}, {s.rule.name for s in both.targets}
        if routed.whole and (not sources or not targets - sources):
            return
        many = f": any of {len(sources)} alerts mutes {len(targets)}" if len(sources) > 1 and targets else ""
    yield at_key(
        rule.side("target"),
        f"One alert with {source} mutes every alert with {target}, whatever each is about, as `equal` is missing{many}",
        subject=rule.subject,
    )


def _nothing_in_common(rule: InhibitPart, routed: RoutedAlerts, model: Model) -> Iterator[Remark]:
    """Yield a rule by which alerts mute others that lack all labels which are to be equal, as they do themselves."""
    labels = [part.text for part in rule.equal]
    both = Inhibition(rule, routed)
    sources = _first_of_each([s for s in both.sources if all(model.routing.lacks(s, label) for label in labels)])
    targets = _first_of_each([t for t in both.targets if all(model.routing.lacks(t, label) for label in labels)])
    pairs = [(s, t) for s in sources[:50] for t in targets[:50] if s.rule.name != t.rule.name]
    if not pairs:
        return
    source, target = pairs[0]
    named = " and ".join(f"`{label}`" for label in labels)
    yield at_key(
        rule.part.get("equal"),
        f"{source.rule.name} mutes {target.rule.name}, for both lack {named}, and what both lack is equal"
        + (f"; so {len(sources)} alerts mute {len(targets)}" if len(pairs) > 1 else ""),
        subject=rule.subject,
        related=(source.rule.place, target.rule.place),
        fix=f'Name labels that both have, or ask for them in the matchers: {labels[0]}!="".',
    )


def _first_of_each(alerts: list[Sent]) -> list[Sent]:
    """Return the alerts, each name once."""
    return list({alert.rule.name: alert for alert in reversed(alerts)}.values())[::-1]
