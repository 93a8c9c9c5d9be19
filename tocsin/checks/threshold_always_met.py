"""A condition that is met by whatever there is."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model

_RULES = "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: {}\n"
_FREE = "node_filesystem_avail_bytes / node_filesystem_size_bytes {} 10"


@check(
    severity=Severity.ERROR,
    fix="Compare with a value that the healthy system does not have; perhaps a factor (`100 *`) is missing.",
    bad=Example({"rules.yml": _RULES.format(_FREE.format("<"))}, at="< 10"),
    good=Example({"rules.yml": _RULES.format("100 * " + _FREE.format("<"))}),
)
def threshold_always_met(alert: Rule, model: Model) -> Iterator[Remark]:
    """Every value that the expression can have meets the condition, so the alert rings as long as there are data.

    (prometheus.io/docs/prometheus/latest/querying/operators: an alert is active for each series that its expression
    yields, whatever the value; the ranges are those of each function and metric.)
    """
    proof = model.values.always(alert)
    if proof is not None:
        place, width = model.piece(alert.part.get("expr"), proof.span)
        yield Remark(place, f"{proof.argument}: {alert.name} always rings", width=width)
