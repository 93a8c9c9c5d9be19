"""Proofs that no input that a system can give fires an alert: by the spacing of its samples, or by its labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tocsin.promql import (
    Aggregation,
    Binary,
    Call,
    Expr,
    MatrixSelector,
    Paren,
    Span,
    Subquery,
    Unary,
    VectorSelector,
    type_of,
    unwrapped,
)
from tocsin.promql.evaluation import Generation
from tocsin.promql.label_values import ABSENT, ANY, one_of
from tocsin.promql.labels import NAME, LabelFacts, LabelReader
from tocsin.synthesis import Recorded

_TWO = frozenset({"rate", "increase", "irate", "delta", "idelta", "deriv", "predict_linear"})
"""Functions of a range that yield nothing of a single sample (promql/functions.go)."""
_FROM_NOTHING = frozenset({"absent", "absent_over_time", "vector", "scalar"})
_DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Refutation:
    """Why nothing comes of an expression."""

    argument: str
    """A sentence, without the full stop."""
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What is sure of the input."""

    scrape_seconds: float | None
    facts: Mapping[str, LabelFacts]
    """Of the labels of a metric's series, by its name."""
    recorded: Sequence[Recorded] = ()


def refute(tree: Expr, contract: Contract, generation: Generation) -> Refutation | None:
    """Return why an expression yields nothing on input that keeps a contract; None if it may yield something."""
    return _Reader(contract, generation).never(tree)


class _Reader:
    def __init__(self, contract: Contract, generation: Generation) -> None:
        self._contract = contract
        self._generation = generation
        self._rules: dict[str, list[Recorded]] = {}
        for rule in contract.recorded:
            self._rules.setdefault(rule.name, []).append(rule)
        self._depth = 0
        self._labels = LabelReader(self._known)

    def never(self, node: Expr) -> Refutation | None:
        """Return why an expression yields nothing."""
        match node:
            case Binary(op="or", left=left, right=right):
                found = self.never(left)
                return found if found is not None and self.never(right) is not None else None
            case Binary(op="unless", left=left):
                return self.never(left)
            case Binary():
                return self._operator(node)
            case VectorSelector():
                return self._selector(node)
            case Call(function=function) if function in _FROM_NOTHING:
                return None
            case Call(function=function) if function in _TWO and (found := self._window(node)) is not None:
                return found
            case _:
                return next((found for child in _inner(node) if (found := self.never(child)) is not None), None)

    def _selector(self, node: VectorSelector) -> Refutation | None:
        if self._labels.facts(node).nothing:
            said = "this system has no such series" if node.name else "no series has the labels that are asked for"
            known = self._contract.facts.get(node.name or "")
            names = ", ".join(sorted(known.names)) if known is not None else ""
            return Refutation(f"{said}: those of {node.name} have the labels {names}" if names else said, node.span)
        rules = self._rules.get(node.name or "", [])
        if not rules or self._depth >= _DEEPEST:
            return None
        self._depth += 1
        try:
            found = [self.never(rule.tree) for rule in rules]
        finally:
            self._depth -= 1
        if any(each is None for each in found) or found[0] is None:
            return None
        return Refutation(f"{node.name} is never recorded: {found[0].argument}", node.span)

    def _window(self, node: Call) -> Refutation | None:
        """Return the proof that a window never holds two samples."""
        window = next((arg for arg in map(unwrapped, node.args) if isinstance(arg, MatrixSelector)), None)
        pace = self._contract.scrape_seconds
        if window is None or pace is None or window.vector.name in self._rules or window.boundary is not None:
            return None
        seconds = window.range.seconds
        open_ = self._generation.left_open
        most = math.ceil(seconds / pace - 1e-9) if open_ else math.floor(seconds / pace + 1e-9) + 1
        if most >= 2:
            return None
        said = (
            f"{node.function}() needs two samples, and a window of {window.range.raw} never holds two where a sample "
            f"is taken every {pace:g}s"
        )
        return Refutation(said, node.span)

    def _operator(self, node: Binary) -> Refutation | None:
        for side in (node.left, node.right):
            found = self.never(side) if type_of(side) == "vector" else None
            if found is not None:
                return found
        if type_of(node.left) != "vector" or type_of(node.right) != "vector" or node.fill_left or node.fill_right:
            return None
        wrong = self._labels.mismatch(node)
        if wrong is None:
            return None
        said = (
            f"the sides of `{node.op}` are paired by all labels that are not ignored; on the left {wrong.label} is "
            f"{wrong.left}, on the right {wrong.right}, so that nothing is ever paired"
        )
        return Refutation(said, node.span)

    def _known(self, selector: VectorSelector) -> LabelFacts:
        rules = self._rules.get(selector.name or "", [])
        if not rules:
            return self._contract.facts.get(selector.name or "", LabelFacts())
        if self._depth >= _DEEPEST:
            return LabelFacts()
        self._depth += 1
        try:
            found = [self._recorded(rule) for rule in rules]
        finally:
            self._depth -= 1
        result = found[0]
        for other in found[1:]:
            result = result.either(other)
        return result

    def _recorded(self, rule: Recorded) -> LabelFacts:
        facts = self._labels.facts(rule.tree).with_label(NAME, one_of([rule.name]))
        for name, value in rule.labels.items():
            facts = facts.with_label(name, ABSENT if not value else ANY if "{{" in value else one_of([value]))
        return facts


def _inner(node: Expr) -> Iterator[Expr]:
    match node:
        case MatrixSelector(vector=inner) | Paren(expr=inner) | Unary(expr=inner):
            yield inner
        case Subquery(expr=inner) | Aggregation(expr=inner):
            yield inner
        case Call(args=args):
            yield from (arg for arg in args if type_of(arg) in ("vector", "matrix"))
        case _:
            pass
