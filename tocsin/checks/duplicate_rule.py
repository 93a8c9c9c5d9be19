"""Rules that raise the same alert, or write the same series."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import Binary, Expr, NumberLiteral, selectors, unwrapped
from tocsin.promql.labels import NAME

_RULES = (
    "groups:\n- name: a\n  rules:\n  - alert: Full\n    expr: used_ratio > 0.7\n    labels:\n      severity: warning\n"
    "  - alert: Full\n    expr: used_ratio > 0.9\n    labels:\n      severity: {}\n"
)

_HOLDS: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge
}  # fmt: skip
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@check(
    severity=Severity.ERROR,
    fix="Give one of them another name or another label, or take it away.",
    bad=Example({"rules.yml": _RULES.format("warning")}, at="used_ratio > 0.9"),
    good=Example({"rules.yml": _RULES.format("critical")}),
    origin="promtool, pint rule/duplicate",
)
def duplicate_rule(model: Model) -> Iterator[Remark]:
    """Two alerts of the same labels are one alert to Alertmanager, which the one resolves while the other still fires.

    Two recordings of the same series overwrite each other. (Prometheus, cmd/promtool, the lint duplicate-rules;
    Alertmanager knows an alert by its labels alone.)
    """
    named: dict[tuple[str, bool, tuple[tuple[str, str], ...]], list[Rule]] = {}
    for rule in model.rules:
        if rule.part.string("alert") and rule.part.string("record"):
            continue
        key = rule.name, rule.alerting, tuple(sorted(rule.labels.items()))
        named.setdefault(key, []).append(rule)
    for rules in named.values():
        for i, rule in enumerate(rules[1:20], 1):
            first = next((other for other in rules[:i] if _together(other, rule, model)), None)
            if first is not None:
                yield from _same(first, rule, model)


def _together(one: Rule, other: Rule, model: Model) -> bool:
    """Whether one Prometheus loads both."""
    if one.file == other.file:
        return _document(one) is _document(other)
    return any({one.file, other.file} <= {group.file for group in stack.groups} for stack in model.stacks)


def _document(rule: Rule) -> object:
    return rule.part.document


def _same(first: Rule, rule: Rule, model: Model) -> Iterator[Remark]:
    one, other = model.tree(first), model.tree(rule)
    if one is None or other is None:
        return
    labels = ", ".join(f"{k}={v!r}" for k, v in sorted(rule.labels.items())) or "none"
    where = f"{first.place.file}:{first.expression_place.line}" if first.file != rule.file else (
        f"line {first.expression_place.line}"
    )  # fmt: skip
    what = "alert" if rule.alerting else "series"
    if one == other:
        said = f"the {what} {rule.name} stands twice, with the same expression and labels; the first is in {where}"
        yield at_key(rule.part.get("expr"), said, subject=rule.subject, severity=Severity.WARNING,
                     related=(first.expression_place,),
                     fix="Take one of them away.")  # fmt: skip
        return
    if rule.alerting and _both_hold(one, other):
        said = (
            f"two rules raise {rule.name} for the same series, with the same labels ({labels}): the other is in {where}"
        )
    elif _one_series(first, rule, model):
        does = "raise the alert" if rule.alerting else "write the series"
        said = f"two rules {does} {rule.name} with the very same labels ({labels}): the other is in {where}"
    else:
        return
    yield at_key(rule.part.get("expr"), said, subject=rule.subject, related=(first.expression_place,))


def _both_hold(one: Expr, other: Expr) -> bool:
    """Whether both compare the same with numbers, and some value passes both comparisons."""
    first, second = _compared(one), _compared(other)
    if first is None or second is None or first[0] != second[0]:
        return False
    numbers = {first[2], second[2]}
    tried = [number + step for number in numbers for step in (-1e-6 * max(1.0, abs(number)), 0.0, 1e-6)]
    tried += [min(numbers) - 1, sum(numbers) / len(numbers), max(numbers) + 1]
    return any(_HOLDS[first[1]](value, first[2]) and _HOLDS[second[1]](value, second[2]) for value in tried)


def _compared(expr: Expr) -> tuple[Expr, str, float] | None:
    """Return what is compared with a number, the operator and the number, if an expression is no more than that."""
    inner = unwrapped(expr)
    if isinstance(inner, Binary) and inner.op in _HOLDS and not inner.bool_:
        left, right = unwrapped(inner.left), unwrapped(inner.right)
        if isinstance(right, NumberLiteral) and selectors(left):
            return left, inner.op, right.value
        if isinstance(left, NumberLiteral) and selectors(right):
            return right, _TURNED.get(inner.op, inner.op), left.value
    return None


def _one_series(first: Rule, rule: Rule, model: Model) -> bool:
    """Whether both results are one series that is the same: all labels fixed, and none other possible."""
    if any("{{" in text for text in rule.labels.values()):
        return False
    one, other = (model.rule_labels.of_result(each).without([NAME, *rule.labels]) for each in (first, rule))
    names = {*one.named, *other.named}
    return (
        one.closed
        and other.closed
        and not one.nothing
        and not other.nothing
        and all(one.fixed(name) is not None and one.fixed(name) == other.fixed(name) for name in names)
    )
