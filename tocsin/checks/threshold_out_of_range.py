"""A threshold that the compared value can never pass."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model

_RULES = "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: {}\n"


@check(
    severity=Severity.ERROR,
    fix="Compare with a value that the expression can have; perhaps a factor (`100 *`) or an absent() is missing.",
    bad=Example({"rules.yml": _RULES.format('count(up{job="api"} == 1) == 0')}, at="== 0"),
    good=Example({"rules.yml": _RULES.format('sum(up{job="api"}) == 0')}),
)
def threshold_out_of_range(rule: Rule, model: Model) -> Iterator[Remark]:
    """No value of the expression meets the comparison, so the rule can never yield anything, whatever happens.

    (prometheus.io/docs/prometheus/latest/querying/operators: a comparison drops the series for which it is false, and
    an aggregation of nothing is nothing, not 0; the ranges are those of each function and metric.)
    """
    for proof, whole in model.values.dead(rule):
        if proof.cause not in ("range", "recorded") or "buckets" in proof.grounds:
            continue
        place, width = model.piece(rule.part.get("expr"), proof.span)
        if not whole:
            follows = "this alternative of `or` yields nothing"
        else:
            follows = f"{rule.name} can never ring" if rule.alerting else f"{rule.name} is never recorded"
        severity = Severity.ERROR if whole and rule.alerting else Severity.WARNING
        yield Remark(place, f"{proof.argument}: {follows}", width=width, subject=rule.subject, severity=severity)
