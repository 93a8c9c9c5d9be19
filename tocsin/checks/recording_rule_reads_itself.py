"""Recording rules that add up their own results."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import Aggregation, VectorSelector, unwrapped, walk
from tocsin.promql.labels import matched

_RULES = "groups:\n- name: a\n  rules:\n  - record: {}\n    expr: sum(requests_in_flight)\n"


@check(
    severity=Severity.ERROR,
    fix="Record under a name of its own, such as `job:x:sum`.",
    bad=Example({"rules.yml": _RULES.format("requests_in_flight")}, at="sum(requests_in_flight)"),
    good=Example({"rules.yml": _RULES.format("job:requests_in_flight:sum")}),
)
def recording_rule_reads_itself(recording_rule: Rule, model: Model) -> Iterator[Remark]:
    """Each evaluation adds the result of the one before, so that the value grows without end.

    (Prometheus, rules/recording.go: the result is stored under the rule's name, beside what is scraped under it.)
    """
    tree = model.tree(recording_rule)
    if tree is None:
        return
    written = model.rule_labels.of_recorded(recording_rule)
    for node in walk(tree):
        if not isinstance(node, Aggregation) or node.op not in ("sum", "count"):
            continue
        inner = unwrapped(node.expr)
        if isinstance(inner, VectorSelector) and inner.name == recording_rule.name:
            asked = matched(inner.matchers, inner.metric)
            if not asked.nothing and not asked.both(written).nothing:
                place, width = model.piece(recording_rule.part.get("expr"), inner.span)
                yield Remark(place, f"{node.op}() of {inner.name} counts what this rule itself has recorded as"
                             f" {recording_rule.name}", width=width)  # fmt: skip
