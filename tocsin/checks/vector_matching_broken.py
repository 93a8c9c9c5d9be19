"""Operators between vectors whose sides can never match, or match by less than is meant."""

from collections.abc import Iterator

from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.expressions import PlacedExpression, expressions
from tocsin.promql import Aggregation, Binary, Call, Expr, VectorSelector, type_of, unwrapped, walk
from tocsin.promql.label_values import Values
from tocsin.promql.labels import SELECTING, Mismatch

_RULES = "groups:\n- name: a\n  rules:\n  - alert: Slow\n    expr: {}\n"


@check(
    severity=Severity.ERROR,
    fix="Aggregate both sides by the same labels, or name the labels that both have with on() or ignoring().",
    bad=Example(
        {"rules.yml": _RULES.format("sum by (job) (rate(errors_total[5m])) / rate(requests_total[5m]) > 0.1")},
        at="sum by (job)",
    ),
    good=Example(
        {"rules.yml": _RULES.format("sum by (job) (rate(e_total[5m])) / sum by (job) (rate(r_total[5m])) > 0.1")}
    ),
    origin="pint promql/vector_matching, pint promql/impossible",
)
def vector_matching_broken(model: Model) -> Iterator[Remark]:
    """No series of the one side is ever paired with one of the other, so the expression yields nothing.

    After `unless` it is the other way round: nothing is ever taken away. (Prometheus, documentation of operators,
    vector matching: series match that have the same labels, or the same of those that on() names.)
    """
    for each in expressions(model):
        for node in walk(each.tree):
            if isinstance(node, Binary) and node.op != "or" and not each.varies(node):
                yield from _broken(each, node)


def _broken(each: PlacedExpression, node: Binary) -> Iterator[Remark]:
    if type_of(node.left) != "vector" or type_of(node.right) != "vector" or node.fill_left or node.fill_right:
        return
    mismatch = each.reader.mismatch(node)
    if mismatch is not None:
        place, width = each.piece(node.left.span if node.matching is None else node.matching.span)
        follows = "takes nothing away" if node.op == "unless" else "yields nothing"
        said = f"`{each.said(node)}` {follows}: {_why(each, node, mismatch)}"
        yield Remark(place, said, width=width, subject=each.subject, severity=each.severity)
    elif (tellers := _told_by_others(each, node)) is not None:
        place, width = each.piece(node.left.span if node.matching is None else node.matching.span)
        follows = "takes nothing away" if node.op == "unless" else "yields nothing"
        said = f"`{each.said(node)}` {follows}: the left side is of {tellers[0]} and the right side of {tellers[1]}"
        said += ", so no two series have the same `instance`"
        fix = "Sum both sides up by labels that they share, or name with on() one that both have."
        yield Remark(place, said, width=width, subject=each.subject, severity=each.severity, fix=fix)
    elif node.matching is None:
        yield from _grouped_otherwise(each, node)
    elif node.matching.on:
        yield from _on_lost(each, node)


def _told_by_others(each: PlacedExpression, node: Binary) -> tuple[str, str] | None:
    """Return who exports the two sides, where these are surely two, each with an address of its own; else None."""
    matching = node.matching
    by_instance = matching is None or ("instance" in matching.labels) == bool(matching.on)
    if not by_instance or not each.model.lineage.one_instance_each:
        return None
    tellers = []
    for side in (node.left, node.right):
        found = {each.model.lineage.exporter_of(s.name) for s in walk(side) if isinstance(s, VectorSelector) and s.name}
        written = any(isinstance(inner, Call) and inner.function.startswith("label_") for inner in walk(side))
        if len(found) != 1 or written or not each.reader.facts(side).surely_present("instance"):
            return None
        tellers.append(next(iter(found)))
    left, right = tellers
    return (left, right) if left and right and left != right else None


def _grouped_otherwise(each: PlacedExpression, node: Binary) -> Iterator[Remark]:
    """A label that the one side is grouped by, and that the other side has lost."""
    left, right = each.reader.facts(node.left), each.reader.facts(node.right)
    if left.nothing or right.nothing:
        return
    for side, facts, other in ((node.left, left, right), (node.right, right, left)):
        grouped = _grouped_by(side)
        names = [
            name for name in grouped if other.surely_absent(name) and facts.may_have(name) and name not in _OPTIONAL
        ]
        if names and facts.closed:
            lost = each.reader.lost_at(node.right if side is node.left else node.left, names[0])
            how = f" in {lost.op}{_grouping(lost)}" if isinstance(lost, Aggregation) else ""
            said = f"one side of `{each.said(node)}` is grouped by `{names[0]}`, which the other has lost{how}"
            place, width = each.piece(node.left.span)
            follows = "nothing is ever taken away" if node.op == "unless" else "they never match"
            yield Remark(place, f"{said}: {follows}", width=width, subject=each.subject, severity=each.severity)
            return


_OPTIONAL = frozenset({"cluster", "tenant", "region", "environment", "env", "datacenter", "dc", "stage", "site"})
"""Labels that many rules group by for systems that have them, and that other systems have not."""


def _grouped_by(side: Expr) -> tuple[str, ...]:
    """Return the labels that the result of a side is grouped by."""
    inner = unwrapped(side)
    while isinstance(inner, Binary) and type_of(inner.right) == "scalar":
        inner = unwrapped(inner.left)
    if isinstance(inner, Aggregation) and not inner.without and inner.op not in SELECTING:
        return inner.grouping or ()
    return ()


def _why(each: PlacedExpression, node: Binary, mismatch: Mismatch) -> str:
    name = mismatch.label
    left, right = (_has(each, side, name, values) for side, values in
                   ((node.left, mismatch.left), (node.right, mismatch.right)))  # fmt: skip
    return f"the left side {left}, and the right side {right}"


def _has(each: PlacedExpression, side: Expr, name: str, values: Values) -> str:
    if values.only == frozenset({""}):
        lost = each.reader.lost_at(side, name)
        if isinstance(lost, Aggregation):
            return f"has lost `{name}` in {lost.op}{_grouping(lost)}"
        if isinstance(lost, Call):
            return f"has no `{name}` ({lost.function}() gives none)"
        return f"has no `{name}`"
    if values.only is not None:
        return f"has {name}={values}"
    return f"has `{name}`" if not values.possible("") else f"has {name}≠{' or '.join(map(repr, sorted(values.never)))}"


def _grouping(node: Aggregation) -> str:
    if node.grouping is None:
        return "()"
    return f" {'without' if node.without else 'by'} ({', '.join(node.grouping)})"


def _on_lost(each: PlacedExpression, node: Binary) -> Iterator[Remark]:
    """Labels by which both sides shall match, and which neither side has."""
    assert node.matching is not None  # noqa: S101 the caller has looked
    left, right = each.reader.facts(node.left), each.reader.facts(node.right)
    if left.nothing or right.nothing:
        return
    for name in node.matching.labels:
        if left.surely_absent(name) and right.surely_absent(name):
            enough = all(facts.closed and facts.names <= {*node.matching.labels} for facts in (left, right))
            said = f"`on ({', '.join(node.matching.labels)})` names `{name}`, which neither side has"
            place, width = each.piece(node.matching.span)
            yield Remark(place, said, width=width, subject=f"{each.subject}/{name}", severity=Severity.WARNING if enough
                         else each.severity, fix="Name labels that both sides still have.")  # fmt: skip
            continue
        meant = _misspelt(each, node, name)
        if meant:
            place, width = each.piece(node.matching.span)
            said = (
                f"`on ({', '.join(node.matching.labels)})` names `{name}`, which no series of this system has:"
                f" the two sides match without it; did you mean `{meant}`?"
            )
            yield Remark(place, said, width=width, subject=f"{each.subject}/{name}", severity=each.severity,
                         fix=f"Write `{meant}`.")  # fmt: skip


def _misspelt(each: PlacedExpression, node: Binary, name: str) -> str | None:
    """Return the label that is meant by one that stands nowhere else, if one is clearly meant."""
    sides = (unwrapped(node.left), unwrapped(node.right))
    metrics = {found.name for side in sides for found in walk(side) if isinstance(found, VectorSelector) and found.name}
    return each.model.rule_labels.misspelt(name, metrics, each.subject)
