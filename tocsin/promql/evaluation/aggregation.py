"""Aggregations (Prometheus, promql/engine.go, aggregation)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal

from tocsin.promql.evaluation.arithmetic import deviation, mean, quantile, total
from tocsin.promql.evaluation.store import NAME, EvaluationError, Generation, Labels, Vector, drop, keep
from tocsin.promql.nodes import Aggregation

Members = list[tuple[Labels, float]]


def groups(node: Aggregation, vector: Vector) -> dict[Labels, Members]:
    """Return the members of each group, by the labels that the group has."""
    names = frozenset(node.grouping or ())
    found: dict[Labels, Members] = {}
    if node.without:
        names |= {NAME}
        for labels, value in vector.items():
            found.setdefault(drop(labels, names), []).append((labels, value))
    elif not names:
        return {(): list(vector.items())} if vector else {}
    else:
        for labels, value in vector.items():
            found.setdefault(keep(labels, names), []).append((labels, value))
    return found


def aggregate(node: Aggregation, vector: Vector, parameter: float | str | None, generation: Generation) -> Vector:
    """Return an aggregation of a vector."""
    grouped = groups(node, vector)
    match node.op:
        case "topk" | "bottomk":
            return _chosen(grouped, float(parameter or 0), greatest=node.op == "topk")
        case "count_values":
            return _counted(grouped, str(parameter))
        case "quantile":
            fraction = float(parameter or 0)
            return {labels: quantile(fraction, (v for _, v in members)) for labels, members in grouped.items()}
    reduce = _REDUCTIONS.get(node.op)
    if reduce is None:
        raise EvaluationError(f"{node.op} is not evaluated here")
    return {labels: reduce([v for _, v in members], generation) for labels, members in grouped.items()}


def _chosen(grouped: Mapping[Labels, Members], count: float, *, greatest: bool) -> Vector:
    if math.isnan(count) or abs(count) >= 2**63:
        raise EvaluationError("the number of topk or bottomk overflows a whole number")
    found: Vector = {}
    for members in grouped.values():
        ordered = sorted(members, key=lambda m: (math.isnan(m[1]), -m[1] if greatest else m[1]))
        found.update(ordered[: max(0, int(count))])
    return found


def _counted(grouped: Mapping[Labels, Members], label: str) -> Vector:
    found: Vector = {}
    for labels, members in grouped.items():
        for _, value in members:
            added = {**dict(labels), label: written(value)}
            key = tuple(sorted((name, text) for name, text in added.items() if text))
            found[key] = found.get(key, 0.0) + 1
    return found


def written(value: float) -> str:
    """Return a number as Go's FormatFloat(v, 'f', -1, 64) writes it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return f"{Decimal(repr(value)):f}".removesuffix(".0")


def _greatest(values: list[float], _: Generation) -> float:
    result = values[0]
    for value in values[1:]:
        if result < value or math.isnan(result):
            result = value
    return result


def _least(values: list[float], _: Generation) -> float:
    result = values[0]
    for value in values[1:]:
        if result > value or math.isnan(result):
            result = value
    return result


def _variance(values: list[float], generation: Generation) -> float:
    """Return the variance of a group; a value that is alone was once never looked at."""
    return 0.0 if len(values) == 1 and generation.lone_is_zero else deviation(values)


_REDUCTIONS: Mapping[str, Callable[[list[float], Generation], float]] = {
    "sum": lambda values, generation: total(values, compensated=generation.compensated),
    "avg": lambda values, generation: mean(values, compensated=generation.compensated),
    "count": lambda values, _: float(len(values)),
    "group": lambda _, __: 1.0,
    "max": _greatest,
    "min": _least,
    "stdvar": _variance,
    "stddev": lambda values, generation: math.sqrt(_variance(values, generation)),
}
