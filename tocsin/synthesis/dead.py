"""Proofs that no input fires an alert: by its labels, or by its values."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.promql import (
    Aggregation,
    Binary,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Paren,
    Subquery,
    Unary,
    VectorSelector,
    type_of,
    unwrapped,
)
from tocsin.promql.dead import Proofs
from tocsin.promql.domains import DOMAINS
from tocsin.promql.intervals import FLIPPED, Known
from tocsin.promql.label_values import ABSENT, ANY, one_of
from tocsin.promql.labels import LabelFacts, LabelReader, Mismatch
from tocsin.promql.past import longest_stretch
from tocsin.synthesis.problem import Problem, Recorded
from tocsin.synthesis.solution import Dead

_DEEPEST = 12
_OF_TWO = frozenset(
    {
        *("rate", "irate", "increase", "delta", "idelta", "deriv", "predict_linear", "holt_winters"),
        "double_exponential_smoothing",
    }
)
"""Functions that give nothing for a single sample (promql/functions.go)."""


class _Rules(Known):
    """What a problem's recording rules say of series."""

    def __init__(self, problem: Problem) -> None:
        self._named: dict[str, list[Recorded]] = {}
        for rule in problem.recorded:
            self._named.setdefault(rule.name, []).append(rule)

    def recorded(self, name: str) -> tuple[Expr, ...]:
        """Return the expressions that record a series of that name."""
        return tuple(rule.tree for rule in self._named.get(name, ()))

    def rules(self, name: str) -> list[Recorded]:
        """Return the rules that record a series of that name."""
        return self._named.get(name, [])


def dead(problem: Problem) -> Dead | None:
    """Return a proof that no input fires an alert; None if there is none."""
    rules = _Rules(problem)
    tree = problem.alert.tree
    labels = _Labels(rules, problem.grounding.scrape_seconds)
    found = labels.never(tree)
    if found is not None:
        node, text = found
        cause = "samples" if isinstance(node, Call) else "labels"
        return Dead(argument=text, span=node.span, cause=cause)
    proofs = Proofs(rules)
    proof = proofs.never(tree)
    if proof is not None:
        return Dead(argument=proof.argument, span=proof.span, cause=proof.cause)
    stretch = longest_stretch(tree, proofs)
    if stretch is not None and stretch.sure and stretch.seconds <= problem.alert.hold_seconds:
        said = f"the condition holds for less than {stretch.seconds:g} s ({stretch.argument}), and `for` asks for more"
        return Dead(argument=said, span=stretch.span, cause="hold")
    return None


def always(problem: Problem) -> bool:
    """Tell whether an alert's expression yields something whatever there is."""
    tree = unwrapped(problem.alert.tree)
    proof = Proofs(_Rules(problem)).always(tree)
    if type_of(tree) == "scalar" or (proof is not None and proof.cause == "presence"):
        return True
    return isinstance(tree, Call) and tree.function == "vector"


USUAL_EVALUATION = 60.0
"""Seconds between two evaluations where nothing is said (config/config.go, DefaultGlobalConfig)."""
_EXTREMES = {"max_over_time": (">", ">="), "min_over_time": ("<", "<="), "present_over_time": (">", ">=", "==")}


def never_brief(problem: Problem) -> str | None:
    """Return why an alert's condition never holds for less than `for`; None if it may.

    A sample is in the window from the first evaluation after it, which comes as late as evaluations are apart, until
    its length is over. So what is left of the window after `for` must be as long as evaluations are apart.
    """
    tree, hold = unwrapped(problem.alert.tree), problem.alert.hold_seconds
    op = ""
    if isinstance(tree, Binary) and tree.op in FLIPPED and type_of(tree.right) == "scalar":
        op, tree = _towards(tree), unwrapped(tree.left)
    if not isinstance(tree, Call) or tree.function not in _EXTREMES or not tree.args:
        return None
    if op not in _EXTREMES[tree.function] and (op or tree.function != "present_over_time"):
        return None
    window = unwrapped(tree.args[0])
    if not isinstance(window, MatrixSelector | Subquery):
        return None
    left = window.range.seconds - hold
    if left <= 0 or left < (problem.grounding.evaluation_seconds or USUAL_EVALUATION):
        return None
    return (
        f"one sample is in the window of {tree.function}() for {window.range.seconds:g} s, and `for` waits "
        f"{hold:g} s only, so whatever makes the alert pending fires it if it is evaluated at least every {left:g} s"
    )


def _towards(comparison: Binary) -> str:
    """Return a comparison's operator; of one with the end of what a metric can be, the open one of that side."""
    value, bound = unwrapped(comparison.left), unwrapped(comparison.right)
    inner = unwrapped(value.args[0]) if isinstance(value, Call) and value.args else None
    domain = DOMAINS.get(inner.vector.name or "") if isinstance(inner, MatrixSelector) else None
    if comparison.op != "==" or domain is None or not isinstance(bound, NumberLiteral):
        return comparison.op
    return "<=" if bound.value == domain.low else ">=" if bound.value == domain.high else "=="


class _Labels:
    """Labels that can never be equal where they have to be."""

    def __init__(self, rules: _Rules, scrape: float | None) -> None:
        self._rules = rules
        self._scrape = scrape
        self._depth = 0
        self.reader = LabelReader(self._known)

    def _known(self, selector: VectorSelector) -> LabelFacts:
        rules = self._rules.rules(selector.name or "")
        if not rules or self._depth >= _DEEPEST:
            return LabelFacts()
        self._depth += 1
        try:
            facts = [self._of(rule) for rule in rules]
        finally:
            self._depth -= 1
        result = facts[0]
        for other in facts[1:]:
            result = result.either(other)
        return result

    def _of(self, rule: Recorded) -> LabelFacts:
        facts = self.reader.facts(rule.tree).with_label("__name__", one_of([rule.name]))
        for name, value in rule.labels.items():
            facts = facts.with_label(name, ABSENT if not value else ANY if "{{" in value else one_of([value]))
        return facts

    def never(self, node: Expr) -> tuple[Expr, str] | None:
        """Return the operator whose sides can never meet, and why, if nothing comes of the expression because of it."""
        match node:
            case Binary(op="or", left=left, right=right):
                found = self.never(left)
                return found if found is not None and self.never(right) is not None else None
            case Binary(op="unless", left=left):
                return self.never(left)
            case Binary():
                return self._operator(node)
            case VectorSelector():
                said = f"no series of {node.name} can have the labels that are asked for"
                return (node, said) if self.reader.facts(node).nothing else None
            case Call(function="absent" | "absent_over_time" | "vector" | "scalar"):
                return None
            case Call() if (few := self._too_few(node)) is not None:
                return node, few
            case _:
                return next((found for child in _inner(node) if (found := self.never(child)) is not None), None)

    def _too_few(self, node: Call) -> str | None:
        """Return why a function that needs two samples never has them; None if it may."""
        window = unwrapped(node.args[0]) if node.args and node.function in _OF_TWO else None
        if self._scrape is None or not isinstance(window, MatrixSelector) or window.range.seconds >= self._scrape:
            return None
        if self._rules.rules(window.vector.name or ""):
            return None
        return (
            f"{node.function}() needs two samples, and a window of {window.range.seconds:g} s never holds them where "
            f"a sample is taken every {self._scrape:g} s"
        )

    def _operator(self, node: Binary) -> tuple[Expr, str] | None:
        for side in (node.left, node.right):
            found = self.never(side) if type_of(side) == "vector" else None
            if found is not None:
                return found
        wrong = self.reader.mismatch(node)
        return (node, _said(node, wrong)) if wrong is not None else None


def _inner(node: Expr) -> Iterator[Expr]:
    match node:
        case MatrixSelector(vector=inner) | Subquery(expr=inner) | Paren(expr=inner) | Unary(expr=inner):
            yield inner
        case Aggregation(expr=inner):
            yield inner
        case Call(args=args):
            yield from (arg for arg in args if type_of(arg) in ("vector", "matrix"))
        case _:
            pass


def _said(node: Binary, wrong: Mismatch) -> str:
    return (
        f"the two sides of `{node.op}` are paired by the label {wrong.label}, which is {wrong.left} on the left and "
        f"{wrong.right} on the right, so nothing is ever paired"
    )
