"""Groupings and joins by labels that have been lost before."""

from collections.abc import Iterator

from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.expressions import PlacedExpression, expressions
from tocsin.promql import COMPARISONS, Aggregation, Binary, Call, Expr, type_of, unwrapped, walk
from tocsin.promql.labels import NAME

_RULES = (
    "groups:\n- name: a\n  rules:\n  - alert: Errors\n    expr: sum by (job) (sum by ({}) (rate(e_total[5m]))) > 1\n"
)


@check(
    severity=Severity.WARNING,
    fix="Keep the label in the inner expression, or leave it out here.",
    bad=Example({"rules.yml": _RULES.format("instance")}, at="sum by (job)"),
    good=Example({"rules.yml": _RULES.format("job, instance")}),
    origin="pint promql/impossible",
)
def grouping_label_lost(model: Model) -> Iterator[Remark]:
    """What should come out for each value of the label comes out once for all of them, and without the label.

    (Prometheus, documentation of aggregation operators: `by` keeps of the input's labels those that are named.)
    """
    for each in expressions(model):
        for node in walk(each.tree):
            if isinstance(node, Aggregation) and node.grouping and not node.without:
                yield from _grouped(each, node)
            elif isinstance(node, Binary) and node.matching is not None and node.matching.include:
                yield from _joined(each, node)
            elif isinstance(node, Binary) and node.op in ("and", "unless"):
                yield from _joined_in_vain(each, node)


def _grouped(each: PlacedExpression, node: Aggregation) -> Iterator[Remark]:
    facts = each.reader.facts(node.expr)
    if facts.nothing or each.varies(node):
        return
    for name in dict.fromkeys(node.grouping or ()):
        if name != NAME and facts.surely_absent(name):
            lost = each.reader.lost_at(node.expr, name)
            place, width = each.piece(node.span)
            said = f"`{node.op} by ({', '.join(node.grouping or ())})` finds no `{name}`: {_how(each, lost, name)}"
            yield Remark(place, said, width=width, subject=f"{each.subject}/{name}")


def _joined(each: PlacedExpression, node: Binary) -> Iterator[Remark]:
    assert node.matching is not None  # noqa: S101 the caller has looked
    one = node.right if node.matching.group == "left" else node.left
    facts = each.reader.facts(one)
    if facts.nothing or each.varies(node):
        return
    for name in node.matching.include:
        if name != NAME and facts.surely_absent(name):
            lost = each.reader.lost_at(one, name)
            place, width = each.piece(node.matching.span)
            listed = ", ".join(node.matching.include)
            said = f"`group_{node.matching.group} ({listed})` takes nothing over: {_how(each, lost, name)}"
            yield Remark(place, said, width=width, subject=f"{each.subject}/{name}")


def _joined_in_vain(each: PlacedExpression, node: Binary) -> Iterator[Remark]:
    """Labels taken over on the right side of `and` or `unless`, whose result has the labels of the left side only."""
    inner = unwrapped(node.right)
    while isinstance(inner, Binary) and inner.op in COMPARISONS and type_of(inner.right) == "scalar":
        inner = unwrapped(inner.left)
    if not isinstance(inner, Binary) or inner.matching is None or each.varies(node):
        return
    matched = node.matching
    for name in inner.matching.include:
        used = name in matched.labels if matched is not None and matched.on else matched is None
        if not used and name != NAME:
            place, width = each.piece(inner.matching.span)
            listed = ", ".join(inner.matching.include)
            said = (
                f"`group_{inner.matching.group} ({listed})` takes `{name}` over in vain: it stands on the right side of"
                f" `{node.op}`, whose result has the labels of the left side"
            )
            yield Remark(place, said, width=width, subject=f"{each.subject}/{name}", fix="Put the sides of"
                         f" `{node.op}` in brackets, and join outside of them.")  # fmt: skip


def _how(each: PlacedExpression, lost: Expr | None, name: str) -> str:
    match lost:
        case Aggregation(op=op, grouping=grouping, without=without):
            listed = f" {'without' if without else 'by'} ({', '.join(grouping)})" if grouping is not None else "()"
            return f"`{op}{listed}` in it has dropped `{name}`"
        case Call(function=function):
            return f"{function}() does not give `{name}`"
        case None:
            return f"there is no `{name}`"
        case _:
            return f"`{each.said(lost)}` has no `{name}`"
