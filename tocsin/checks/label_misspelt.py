"""Labels that stand once in all of a system, a slip of the hand away from one that its series have."""

import re
from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.alert_templates import alert_templates
from tocsin.model.expressions import PlacedExpression, rule_expressions
from tocsin.promql import Aggregation, Span, VectorSelector, selectors, walk

_RULES = (
    "groups:\n- name: a\n  rules:\n  - alert: Errors\n    expr: sum by ({}) (rate(errors_total[5m])) > 1\n"
    "  - alert: ManyErrors\n    expr: sum by (namespace, pod) (rate(errors_total[5m])) > 10\n"
)


@check(
    severity=Severity.WARNING,
    fix="Write the label as the others do.",
    bad=Example({"rules.yml": _RULES.format("namepsace, pod")}, at="namepsace"),
    good=Example({"rules.yml": _RULES.format("namespace")}),
)
def label_misspelt(model: Model) -> Iterator[Remark]:
    """No series has the label: a matcher on it selects nothing, and a sum by it is one for all.

    (Prometheus, documentation of its data model: a label that a series lacks is the same as an empty one.)
    """
    for each in rule_expressions(model):
        for name, span, metrics in _named(each):
            meant = model.rule_labels.misspelt(name, metrics, each.subject)
            if meant is not None:
                place, width = each.piece(_narrowed(each, span, name))
                said = f"the label `{name}` is named nowhere else; did you mean `{meant}`?"
                yield Remark(place, said, width=width, subject=f"{each.subject}/{name}", fix=f"Write `{meant}`.")
    for rule in model.alerts:
        yield from _shown(rule, model)


def _narrowed(each: PlacedExpression, span: Span, name: str) -> Span:
    """Return where a label is named within an aggregation, which has no place for each label."""
    found = re.compile(rf"\b(?:by|without)\s*\([^)]*?\b({re.escape(name)})\b", re.IGNORECASE).search(
        each.text, span.start, span.end
    )
    return Span(*found.span(1)) if found else span


def _named(each: PlacedExpression) -> Iterator[tuple[str, Span, set[str]]]:
    """Yield the labels of matchers and groupings, those after `on` left out, with the metrics that they are of."""
    for node in walk(each.tree):
        if isinstance(node, VectorSelector) and node.name:
            for matcher in node.matchers:
                yield matcher.name, matcher.span, {node.name}
        elif isinstance(node, Aggregation) and node.grouping:
            metrics = {selector.name for selector in selectors(node.expr) if selector.name}
            for name in node.grouping:
                yield name, node.span, metrics


def _shown(rule: Rule, model: Model) -> Iterator[Remark]:
    tree = model.tree(rule)
    if tree is None:
        return
    metrics = {selector.name for selector in selectors(tree) if selector.name}
    facts = model.rule_labels.of_result(rule)
    for each in alert_templates(rule):
        for use in each.read.uses:
            if use.of != "labels" or facts.surely_absent(use.name) or use.name in facts.named:
                continue
            meant = model.rule_labels.misspelt(use.name, metrics, rule.subject)
            if meant is not None:
                place, width = model.piece(each.part, use.span)
                said = f"the label `{use.name}` is named nowhere else; did you mean `{meant}`?"
                yield Remark(place, said, width=width, subject=f"{rule.subject}/{each.name}/{use.name}",
                             fix=f"Write `{meant}`.")  # fmt: skip
