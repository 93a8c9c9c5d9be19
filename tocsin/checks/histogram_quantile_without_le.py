"""Quantiles of histograms whose buckets have lost their bounds."""

import re
from collections.abc import Iterator

from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.expressions import PlacedExpression, expressions
from tocsin.promql import Aggregation, Call, selectors, walk

_RULES = (
    "groups:\n- name: a\n  rules:\n  - alert: Slow\n"
    "    expr: histogram_quantile(0.9, sum by ({}) (rate(latency_seconds_bucket[5m]))) > 1\n"
)
_NO_BUCKETS = re.compile(r".+_(?:count|sum|total)")


@check(
    severity=Severity.ERROR,
    fix="Keep `le` beside the other labels: `sum by (job, le) (rate(x_bucket[5m]))`.",
    bad=Example({"rules.yml": _RULES.format("job")}, at="sum by (job)"),
    good=Example({"rules.yml": _RULES.format("job, le")}),
)
def histogram_quantile_without_le(model: Model) -> Iterator[Remark]:
    """Buckets without `le` are no buckets, so the quantile is nothing, and what hangs on it cannot fire.

    (Prometheus, promql/functions.go, funcHistogramQuantile: series without a number in `le` are left out.)
    """
    for each in expressions(model):
        for node in walk(each.tree):
            if isinstance(node, Call) and node.function == "histogram_quantile" and len(node.args) == 2:
                yield from _lost(each, node)


def _buckets(name: str, each: PlacedExpression) -> bool:
    """Whether a metric is one of buckets, or recorded from such."""
    trees = [each.model.tree(rule) for rule in each.model.rule_labels.recorders.get(name, ())]
    read = [selector.name or "" for tree in trees if tree is not None for selector in selectors(tree)]
    return any(each.endswith("_bucket") for each in (name, *read))


def _lost(each: PlacedExpression, node: Call) -> Iterator[Remark]:
    buckets = node.args[1]
    names = [selector.name or "" for selector in selectors(buckets)]
    facts = each.reader.facts(buckets)
    if each.varies(buckets) or facts.nothing:
        return
    if names and all(_NO_BUCKETS.fullmatch(name) and name not in each.model.rule_labels.recorders for name in names):
        if any(matcher.name == "le" for selector in selectors(buckets) for matcher in selector.matchers):
            return
        place, width = each.piece(buckets.span)
        said = f"`{names[0]}` has no `le`: the buckets of a histogram end in `_bucket`"
        yield Remark(place, f"histogram_quantile() yields nothing: {said}", width=width, subject=each.subject,
                     severity=each.severity, fix="Ask the buckets, `..._bucket`.")  # fmt: skip
        return
    if not facts.surely_absent("le") or "vmrange" in facts.names or not any(_buckets(name, each) for name in names):
        return  # of native histograms, the series have no le, and need none
    lost = each.reader.lost_at(buckets, "le")
    place, width = each.piece(buckets.span if lost is None else lost.span)
    how = ""
    if isinstance(lost, Aggregation):
        listed = f" {'without' if lost.without else 'by'} ({', '.join(lost.grouping or ())})" if lost.grouping else ""
        how = f": `{lost.op}{listed}` drops `le`"
    yield Remark(place, f"histogram_quantile() yields nothing{how or ': its series have no `le`'}", width=width,
                 subject=each.subject, severity=each.severity)  # fmt: skip
