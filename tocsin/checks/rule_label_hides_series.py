"""Rules whose own label takes the place of the one by which their series differ."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql.labels import NAME

_RULES = (
    "groups:\n- name: a\n  rules:\n  - alert: Errors\n    expr: sum by (service) (rate(errors_total[5m])) > 1\n"
    "    labels:\n      {}: api\n"
)


@check(
    severity=Severity.WARNING,
    fix="Give the rule's label another name.",
    bad=Example({"rules.yml": _RULES.format("service")}, at="service: api"),
    good=Example({"rules.yml": _RULES.format("team")}),
)
def rule_label_hides_series(rule: Rule, model: Model) -> Iterator[Remark]:
    """As soon as two series are there, both would have the same labels, and Prometheus gives the whole rule up.

    (Prometheus, rules/alerting.go and recording.go: `vector contains metrics with the same labelset after applying
    labels` fails the evaluation.)
    """
    static = {name for name, text in rule.labels.items() if "{{" not in text}
    if not static or model.tree(rule) is None:
        return
    facts = model.rule_labels.of_result(rule)
    if not facts.closed or facts.nothing:
        return
    telling = {name for name in facts.names if name != NAME and facts.fixed(name) is None}
    if telling and telling <= static:
        name = min(telling)
        said = (
            f"the series of {rule.name} differ by {', '.join(sorted(telling))} alone, and the rule sets `{name}` itself"
        )
        yield at_key(rule.part.get("labels", name), said, subject=f"{rule.subject}/{name}")
