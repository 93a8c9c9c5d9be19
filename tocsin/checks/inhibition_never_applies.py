"""Inhibit rules that never mute anything."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.alertmanager import AlertmanagerConfig, InhibitPart, WrittenMatcher
from tocsin.checks import Example, Remark, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.routing import RoutedAlerts, all_met, narrowed
from tocsin.promql.labels import LabelFacts

_CONFIG = """route: {receiver: chat}
inhibit_rules:
- source_matchers: ['severity="critical"']
  target_matchers: ['severity="warning"']
  equal: [%s]
receivers:
- {name: chat, webhook_configs: [{url: "http://chat/"}]}
"""


@check(
    severity=Severity.WARNING,
    fix="Let source and target differ in a label that is not under `equal`, or remove the rule.",
    bad=Example({"alertmanager.yml": _CONFIG % "service, severity"}, at="equal"),
    good=Example({"alertmanager.yml": _CONFIG % "service"}),
)
def inhibition_never_applies(alertmanager: AlertmanagerConfig, model: Model) -> Iterator[Remark]:
    """Alerts that were to be muted are told all the same, as no alert ever meets what the rule asks for.

    An alert that matches both sides is not muted by another that does, so a rule with equal sides mutes nothing.
    (Alertmanager: docs/configuration.md, inhibit_rule; inhibit/inhibit.go.)
    """
    if not alertmanager.readable:
        return
    routed = model.routing.of(alertmanager)
    for rule in alertmanager.inhibit_rules:
        found = _contradiction(rule) or (_unmet(rule, routed) if routed is not None and routed.whole else None)
        if found is not None:
            yield found


def _contradiction(rule: InhibitPart) -> Remark | None:
    source = narrowed(LabelFacts(), [each.matcher for each in rule.source])
    target = narrowed(LabelFacts(), [each.matcher for each in rule.target])
    for name, side, facts in (("source", rule.source, source), ("target", rule.target, target)):
        if facts.nothing:
            return at_key(rule.side(name), f"No alert can meet {_shown(side)} at once", subject=rule.subject)
    for label in rule.equal:
        if not source.of(label.text).both(target.of(label.text)).any:
            return at_key(
                rule.part.get("equal"),
                f"`{label.text}` must be equal, and can never be: the source has {_of(label.text, rule.source)}, "
                f"the target {_of(label.text, rule.target)}",
                subject=rule.subject,
            )
    if rule.source and rule.target and _implies(rule.source, rule.target) and _implies(rule.target, rule.source):
        return at_key(
            rule.side("target"),
            f"Source and target are the same, {_shown(rule.source)}, and such alerts do not mute each other",
            subject=rule.subject,
        )
    return None


def _implies(one: tuple[WrittenMatcher, ...], other: tuple[WrittenMatcher, ...]) -> bool:
    facts = narrowed(LabelFacts(), [each.matcher for each in one])
    return all_met([each.matcher for each in other], facts) is True


def _unmet(rule: InhibitPart, routed: RoutedAlerts) -> Remark | None:
    for name, side in (("source", rule.source), ("target", rule.target)):
        if side and not routed.ever(side):
            does = "mutes" if name == "source" else "is muted"
            return at_key(
                rule.side(name),
                f"No rule makes an alert with {_shown(side)}, so nothing ever {does} by this inhibit rule",
                subject=rule.subject,
            )
    return None


def _shown(side: tuple[WrittenMatcher, ...]) -> str:
    return " and ".join(each.shown for each in side)


def _of(label: str, side: tuple[WrittenMatcher, ...]) -> str:
    return " and ".join(each.shown for each in side if each.matcher.label == label)
