"""Selectors that no series can match."""

from collections.abc import Iterator

from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.expressions import PlacedExpression, expressions
from tocsin.promql import VectorSelector, selectors
from tocsin.promql.label_values import Values
from tocsin.promql.labels import matched
from tocsin.source import Place

_RULES = "groups:\n- name: a\n  rules:\n  - alert: Down\n    expr: up{{job=\"api\", job{}\"web\"}} == 0\n"


@check(
    severity=Severity.ERROR,
    fix="Ask for what the series have; alternatives are one matcher, `job=~\"api|web\"`.",
    bad=Example({"rules.yml": _RULES.format("=")}, at="expr: up"),
    good=Example({"rules.yml": _RULES.format("!=")}),
    origin="pint promql/impossible",
)
def series_selector_contradictory(model: Model) -> Iterator[Remark]:
    """No series can have the labels that are asked for, so the selector yields nothing, ever.

    (Prometheus, documentation of selectors: all matchers must hold; of recording rules: a recorded series has the
    labels of the result and those that the rule sets, no others.)
    """
    for each in expressions(model):
        for selector in selectors(each.tree):
            if not each.varies(selector):
                yield from _contradicted(each, selector)


def _contradicted(each: PlacedExpression, selector: VectorSelector) -> Iterator[Remark]:
    own = matched(selector.matchers, selector.metric)
    place, width = each.piece(selector.span)
    if own.nothing:
        label = next(name for name, values in own.named.items() if not values.any)
        asked = ", ".join(f"`{each.said(m)}`" for m in selector.matchers if m.name == label)
        said = f"no series matches {asked} at once" if asked.count("`") > 2 else f"no series matches {asked}"
        yield Remark(place, said, width=width, subject=f"{each.subject}/{label}", severity=each.severity)
        return
    known = each.model.rule_labels.of_selector(selector, each.file)
    for matcher in selector.matchers:
        has = known.of(matcher.name)
        if not own.of(matcher.name).both(has).any:
            place, width = each.piece(matcher.span)
            yield Remark(place, _said(each, selector, matcher.name, has), width=width,
                         subject=f"{each.subject}/{matcher.name}", severity=each.severity,
                         related=_recorders(each, selector), fix="Keep the label in the recording rule, or do not ask"
                         " for it.")  # fmt: skip


def _said(each: PlacedExpression, selector: VectorSelector, label: str, has: Values) -> str:
    recorders = each.model.rule_labels.recorders.get(selector.name or "", ())
    by = f", recorded as `{' '.join(recorders[0].expression.split())[:120]}`" if recorders else ""
    what = f"has no `{label}`" if has.only == frozenset({""}) else f"has {label}={has}"
    return f"`{each.said(selector)}` matches nothing: `{selector.name}`{by}, {what}"


def _recorders(each: PlacedExpression, selector: VectorSelector) -> tuple[Place, ...]:
    return tuple(rule.expression_place for rule in each.model.rule_labels.recorders.get(selector.name or "", ()))
