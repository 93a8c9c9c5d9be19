"""Two conditions of one rule that exclude each other."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model

_RULES = "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: {}\n"


@check(
    severity=Severity.ERROR,
    fix="Turn one of the two comparisons round, or join them with `or`.",
    bad=Example({"rules.yml": _RULES.format("queue_length > 100 and queue_length < 50")}, at="queue_length < 50"),
    good=Example({"rules.yml": _RULES.format("queue_length > 100 and queue_length < 500")}),
    origin="pint promql/impossible",
)
def conditions_contradict(rule: Rule, model: Model) -> Iterator[Remark]:
    """No series can meet both conditions at once, so the rule can never yield anything.

    (prometheus.io/docs/prometheus/latest/querying/operators: `and` keeps the series of its left side that are on its
    right side with the same labels, `unless` those that are not.)
    """
    for proof, whole in model.values.dead(rule):
        if proof.cause != "contradiction":
            continue
        place, width = model.piece(rule.part.get("expr"), proof.span)
        follows = f"{rule.name} can never {'ring' if rule.alerting else 'be recorded'}"
        severity = Severity.ERROR if whole and rule.alerting else Severity.WARNING
        said = f"{proof.argument}: {follows if whole else 'this alternative of `or` yields nothing'}"
        yield Remark(place, said, width=width, subject=rule.subject, severity=severity)
