"""Operators between two vectors (Prometheus, promql/engine.go: VectorBinop, VectorAnd, VectorOr, VectorUnless)."""

from __future__ import annotations

from collections.abc import Callable

from tocsin.promql.evaluation.arithmetic import ARITHMETIC, COMPARISON
from tocsin.promql.evaluation.store import (
    NAME,
    EvaluationError,
    Generation,
    Labels,
    Vector,
    drop,
    get,
    keep,
    without_name,
)
from tocsin.promql.nodes import Binary, Matching

Signature = Callable[[Labels], Labels]


def signature(matching: Matching | None) -> Signature:
    """Return what gives the labels by which series are paired."""
    if matching is None:
        return without_name
    names = frozenset(matching.labels)
    if matching.on:
        return lambda labels: keep(labels, names)
    return lambda labels: drop(labels, names | {NAME})


def set_operation(node: Binary, left: Vector, right: Vector) -> Vector:
    """Return left `and`, `or` or `unless` right."""
    sign = signature(node.matching)
    if node.op == "or":
        known = {sign(labels) for labels in left}
        return left | {labels: value for labels, value in right.items() if sign(labels) not in known}
    there = {sign(labels) for labels in right}
    wanted = node.op == "and"
    return {labels: value for labels, value in left.items() if (sign(labels) in there) is wanted}


def vector_operation(node: Binary, left: Vector, right: Vector, generation: Generation) -> Vector:
    """Return the result of arithmetic or of a comparison between vectors. Raises EvaluationError at wrong pairs."""
    if not left or not right:
        return {}
    sign = signature(node.matching)
    group = node.matching.group if node.matching else None
    many, one = (right, left) if group == "right" else (left, right)
    ones: dict[Labels, tuple[Labels, float]] = {}
    for labels, value in one.items():
        key = sign(labels)
        if key in ones:
            raise EvaluationError("found duplicate series for the match group on the one side")
        ones[key] = (labels, value)
    result = _Result(node, group is not None, named=generation.named_atan2 and node.op == "atan2")
    for labels, value in many.items():
        key = sign(labels)
        if key in ones:
            other, second = ones[key]
            result.pair(key, labels, other, *((second, value) if group == "right" else (value, second)))
    return result.vector


class _Result:
    """The pairs of an operation, put together."""

    def __init__(self, node: Binary, grouped: bool, *, named: bool) -> None:
        self.vector: Vector = {}
        self._node = node
        self._grouped = grouped
        self._seen: dict[Labels, set[Labels]] = {}
        self._compare = COMPARISON.get(node.op)
        self._calculate = ARITHMETIC.get(node.op)
        self._unnamed = node.bool_ or (self._calculate is not None and not named)

    def pair(self, key: Labels, labels: Labels, other: Labels, left: float, right: float) -> None:
        """Add what a pair gives; `labels` are of the side that may be many."""
        if self._compare is not None:
            holds = self._compare(left, right)
            if not self._node.bool_ and not holds:
                return
            value = float(holds) if self._node.bool_ else left
        else:
            assert self._calculate is not None  # noqa: S101 an operator is one or the other
            value = self._calculate(left, right)
        metric = self._labels(labels, other)
        seen = self._seen.get(key)
        if seen is not None and (not self._grouped or metric in seen):
            said = "multiple matches for labels: " + (
                "grouping labels must ensure unique matches" if self._grouped else "many-to-one must be explicit"
            )
            raise EvaluationError(said)
        self._seen.setdefault(key, set()).add(metric)
        if metric in self.vector:
            raise EvaluationError("vector cannot contain metrics with the same labelset")
        self.vector[metric] = value

    def _labels(self, labels: Labels, other: Labels) -> Labels:
        matching = self._node.matching
        if self._unnamed:
            labels = without_name(labels)
        if matching is None:
            return labels
        if matching.group is None:
            names = frozenset(matching.labels)
            return keep(labels, names) if matching.on else drop(labels, names)
        if matching.include:
            added = dict(labels)
            for name in matching.include:
                value = get(other, name)
                if value:
                    added[name] = value
                else:
                    added.pop(name, None)
            labels = tuple(sorted(added.items()))
            if self._node.bool_:
                labels = without_name(labels)
        return labels
