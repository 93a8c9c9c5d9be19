"""An expression made into a function of time: each node once, so that a search can ask it thousands of times."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tocsin.promql.analysis import unwrapped, walk
from tocsin.promql.evaluation import clock, elementary, ranges
from tocsin.promql.evaluation.aggregation import aggregate
from tocsin.promql.evaluation.arithmetic import ARITHMETIC, COMPARISON, exponential, guarded, logarithm
from tocsin.promql.evaluation.buckets import bound, bucket_quantile, native_quantile
from tocsin.promql.evaluation.matching import set_operation, vector_operation
from tocsin.promql.evaluation.ranges import Window
from tocsin.promql.evaluation.store import (
    NAME,
    EvaluationError,
    Generation,
    Labels,
    Store,
    Vector,
    get,
    labels_of,
    put,
    renamed,
    without_name,
)
from tocsin.promql.nodes import (
    Aggregation,
    Binary,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    VectorSelector,
)
from tocsin.promql.types import type_of

Evaluated = Callable[[Store, int], Any]
Windows = Callable[[Store, int], list[tuple[Labels, Window]]]


@dataclass(frozen=True, slots=True)
class Compiled:
    """An expression that can be evaluated."""

    expression: Expr
    scalar: bool
    _function: Evaluated

    def at(self, store: Store, time: int) -> Vector:
        """Return its value at a time in milliseconds; a scalar is a vector without labels.

        Raises EvaluationError where an engine would, and for what is not evaluated here.
        """
        value = self._function(store, time)
        found: Vector = {(): value} if self.scalar else value
        return found


def compile_expression(expression: Expr, generation: Generation, *, step: int = 60_000) -> Compiled:
    """Return an expression as a function; `step` is the evaluation interval, in milliseconds, for subqueries.

    Raises EvaluationError for what is not evaluated here, and for strings and ranges by themselves.
    """
    compiler = _Compiler(generation, step)
    kind = type_of(expression)
    if kind not in ("scalar", "vector"):
        raise EvaluationError(f"the value of the expression is a {kind}")
    return Compiled(expression, kind == "scalar", compiler.compile(expression))


class _Compiler:
    def __init__(self, generation: Generation, step: int) -> None:
        self.generation = generation
        self.step = step

    def compile(self, node: Expr) -> Evaluated:
        match node:
            case NumberLiteral(value=value):
                return lambda _, __: value
            case StringLiteral(value=text):
                return lambda _, __: text
            case Paren(expr=inner):
                return self.compile(inner)
            case Unary():
                return self.unary(node)
            case VectorSelector():
                return self.selector(node)
            case Aggregation():
                return self.aggregation(node)
            case Binary():
                return self.binary(node)
            case Call():
                return self.call(node)
            case _:
                raise EvaluationError("a range stands where none can be evaluated")

    # Selectors

    def moved(self, node: VectorSelector | MatrixSelector | Subquery) -> Callable[[int], int]:
        """Return when a selector looks, by when it is evaluated."""
        offset = round(node.offset.seconds * 1000) if node.offset else 0
        if node.at is not None and node.at.kind == "timestamp":
            fixed = round((node.at.timestamp or 0.0) * 1000) - offset
            return lambda _: fixed
        return lambda time: time - offset

    def selector(self, node: VectorSelector) -> Evaluated:
        moved, generation = self.moved(node), self.generation
        metric, matchers = node.metric, node.matchers

        def evaluated(store: Store, time: int) -> Vector:
            when, found = moved(time), {}
            for series in store.select(metric, matchers):
                value = series.at(when, generation)
                if value is not None:
                    found[series.labels] = value
            return found

        return evaluated

    def windows(self, node: Expr) -> Windows:
        match node:
            case Paren(expr=inner):
                return self.windows(inner)
            case MatrixSelector():
                return self.matrix(node)
            case Subquery():
                return self.subquery(node)
            case _:
                raise EvaluationError("a range was expected")

    def matrix(self, node: MatrixSelector) -> Windows:
        if node.boundary is not None:
            raise EvaluationError(f"{node.boundary} is not evaluated here")
        moved, generation = self.moved(node), self.generation
        length = round(node.range.seconds * 1000)
        metric, matchers = node.vector.metric, node.vector.matchers

        def evaluated(store: Store, time: int) -> list[tuple[Labels, Window]]:
            end, found = moved(time), []
            start = end - length
            for series in store.select(metric, matchers):
                times, values = series.between(start, end, generation)
                if values:
                    found.append((series.labels, Window(times, values, start, end, time, generation)))
            return found

        return evaluated

    def subquery(self, node: Subquery) -> Windows:
        moved, generation = self.moved(node), self.generation
        if generation.loses_fixed and any(_predicts_from_fixed(each) for each in walk(node.expr)):
            raise EvaluationError("predict_linear() of a range with @, in a subquery, is not evaluated here")
        length = round(node.range.seconds * 1000)
        step = round(node.step.seconds * 1000) if node.step else self.step
        inner = self.compile(node.expr)
        scalar = type_of(node.expr) == "scalar"

        def evaluated(store: Store, time: int) -> list[tuple[Labels, Window]]:
            end = moved(time)
            start = end - length
            first = step * (start // step)
            if first < start or (generation.left_open and first == start):
                first += step
            collected: dict[Labels, tuple[list[int], list[float]]] = {}
            for at in range(first, end + 1, step):
                value = inner(store, at)
                for labels, each in {(): value}.items() if scalar else value.items():
                    times, values = collected.setdefault(labels, ([], []))
                    times.append(at)
                    values.append(each)
            return [
                (labels, Window(times, values, start, end, time, generation))
                for labels, (times, values) in collected.items()
            ]

        return evaluated

    # Operators

    def unary(self, node: Unary) -> Evaluated:
        inner = self.compile(node.expr)
        if node.op == "+":
            return inner
        if type_of(node.expr) == "scalar":
            return lambda store, time: -inner(store, time)
        return lambda store, time: renamed(inner(store, time), lambda value: -value)

    def binary(self, node: Binary) -> Evaluated:
        if node.fill_left is not None or node.fill_right is not None:
            raise EvaluationError("fill is not evaluated here")
        left, right, generation = self.compile(node.left), self.compile(node.right), self.generation
        kinds = (type_of(node.left), type_of(node.right))
        if node.op in ("and", "or", "unless"):
            return lambda store, time: set_operation(node, left(store, time), right(store, time))
        if kinds == ("vector", "vector"):
            return lambda store, time: vector_operation(node, left(store, time), right(store, time), generation)
        if kinds == ("scalar", "scalar"):
            return _scalars(node.op, left, right)
        if kinds[0] == "vector":
            return lambda store, time: _against(node, left(store, time), right(store, time), generation)
        return lambda store, time: _against(node, right(store, time), left(store, time), generation, swapped=True)

    def aggregation(self, node: Aggregation) -> Evaluated:
        inner = self.compile(node.expr)
        parameter = self.compile(node.param) if node.param is not None else None
        generation = self.generation

        def evaluated(store: Store, time: int) -> Vector:
            given = parameter(store, time) if parameter is not None else None
            return aggregate(node, inner(store, time), given, generation)

        return evaluated

    # Functions

    def call(self, node: Call) -> Evaluated:
        name, args = node.function, node.args
        if name in ranges.FUNCTIONS:
            return self.over_range(ranges.FUNCTIONS[name], self.windows(args[0]), named=name in ranges.KEEPS_NAME)
        if name in _PLAIN:
            inner, plain = self.compile(args[0]), _PLAIN[name]
            return lambda store, time: renamed(inner(store, time), plain)
        if name in clock.FUNCTIONS:
            read = clock.FUNCTIONS[name]
            if not args:
                return lambda _, time: {(): read(time / 1000)}
            inner = self.compile(args[0])
            return lambda store, time: renamed(inner(store, time), read)
        made: Callable[[tuple[Expr, ...]], Evaluated] | None = getattr(self, f"function_{name}", None)
        if made is None:
            raise EvaluationError(f"{name}() is not evaluated here")
        return made(args)

    @staticmethod
    def over_range(function: Callable[[Window], float | None], windows: Windows, *, named: bool = False) -> Evaluated:
        def evaluated(store: Store, time: int) -> Vector:
            found: Vector = {}
            for labels, window in windows(store, time):
                value = function(window)
                if value is not None:
                    put(found, labels if named else without_name(labels), value)
            return found

        return evaluated

    def function_time(self, _: tuple[Expr, ...]) -> Evaluated:
        return lambda _, time: time / 1000

    def function_pi(self, _: tuple[Expr, ...]) -> Evaluated:
        return lambda _, __: math.pi

    def function_vector(self, args: tuple[Expr, ...]) -> Evaluated:
        inner = self.compile(args[0])
        return lambda store, time: {(): inner(store, time)}

    def function_scalar(self, args: tuple[Expr, ...]) -> Evaluated:
        inner = self.compile(args[0])

        def evaluated(store: Store, time: int) -> float:
            values = list(inner(store, time).values())
            return values[0] if len(values) == 1 else math.nan

        return evaluated

    def function_timestamp(self, args: tuple[Expr, ...]) -> Evaluated:
        node = args[0]
        while isinstance(node, Paren):
            node = node.expr
        if not isinstance(node, VectorSelector):
            inner = self.compile(node)
            return lambda store, time: renamed(inner(store, time), lambda _: time / 1000)
        moved, generation = self.moved(node), self.generation
        metric, matchers = node.metric, node.matchers

        def evaluated(store: Store, time: int) -> Vector:
            when: int = moved(time)
            found: Vector = {}
            for series in store.select(metric, matchers):
                if series.at(when, generation) is not None:
                    put(found, without_name(series.labels), series.time_at(when) / 1000)
            return found

        return evaluated

    def function_sort(self, args: tuple[Expr, ...]) -> Evaluated:
        return self.compile(args[0])

    function_sort_desc = function_sort_by_label = function_sort_by_label_desc = function_sort

    def function_absent(self, args: tuple[Expr, ...]) -> Evaluated:
        inner, labels = self.compile(args[0]), absent_labels(args[0])
        return lambda store, time: {} if inner(store, time) else {labels: 1.0}

    def function_absent_over_time(self, args: tuple[Expr, ...]) -> Evaluated:
        windows, labels = self.windows(args[0]), absent_labels(args[0])
        return lambda store, time: {} if windows(store, time) else {labels: 1.0}

    def function_clamp(self, args: tuple[Expr, ...]) -> Evaluated:
        inner, low, high = (self.compile(arg) for arg in args)

        def evaluated(store: Store, time: int) -> Vector:
            vector, least, most = inner(store, time), low(store, time), high(store, time)
            return {} if most < least else renamed(vector, lambda value: _max(least, _min(most, value)))

        return evaluated

    def function_clamp_min(self, args: tuple[Expr, ...]) -> Evaluated:
        inner, low = (self.compile(arg) for arg in args)
        return lambda store, time: _clamped(inner(store, time), low(store, time), _max)

    def function_clamp_max(self, args: tuple[Expr, ...]) -> Evaluated:
        inner, high = (self.compile(arg) for arg in args)
        return lambda store, time: _clamped(inner(store, time), high(store, time), _min)

    def function_round(self, args: tuple[Expr, ...]) -> Evaluated:
        inner = self.compile(args[0])
        nearest = self.compile(args[1]) if len(args) > 1 else lambda _, __: 1.0

        def evaluated(store: Store, time: int) -> Vector:
            inverse = ARITHMETIC["/"](1.0, nearest(store, time))
            return renamed(inner(store, time), lambda value: ARITHMETIC["/"](floor(value * inverse + 0.5), inverse))

        return evaluated

    def function_predict_linear(self, args: tuple[Expr, ...]) -> Evaluated:
        windows, ahead = self.windows(args[0]), self.compile(args[1])

        def evaluated(store: Store, time: int) -> Vector:
            seconds = ahead(store, time)
            function = self.over_range(lambda window: ranges.predict_linear(window, seconds), windows)
            found: Vector = function(store, time)
            return found

        return evaluated

    def function_quantile_over_time(self, args: tuple[Expr, ...]) -> Evaluated:
        fraction, windows = self.compile(args[0]), self.windows(args[1])

        def evaluated(store: Store, time: int) -> Vector:
            wanted = fraction(store, time)
            function = self.over_range(lambda window: ranges.quantile_over_time(window, wanted), windows)
            found: Vector = function(store, time)
            return found

        return evaluated

    def function_holt_winters(self, args: tuple[Expr, ...]) -> Evaluated:
        windows, smoothing, trend = self.windows(args[0]), self.compile(args[1]), self.compile(args[2])

        def evaluated(store: Store, time: int) -> Vector:
            factors = smoothing(store, time), trend(store, time)
            if any(not 0 < factor < 1 for factor in factors):
                raise EvaluationError("a smoothing factor must be between 0 and 1")
            function = self.over_range(lambda window: ranges.smoothed(window, *factors), windows)
            found: Vector = function(store, time)
            return found

        return evaluated

    function_doubleexponential_smoothing = function_holt_winters

    def function_histogram_quantile(self, args: tuple[Expr, ...]) -> Evaluated:
        fraction, inner = self.compile(args[0]), self.compile(args[1])
        quantile: Callable[[float, list[tuple[float, float]]], float] = bucket_quantile
        if self.generation.native:
            quantile = partial(native_quantile, exponential=self.generation.exponential)

        def evaluated(store: Store, time: int) -> Vector:
            wanted = fraction(store, time)
            families: dict[Labels, list[tuple[float, float]]] = {}
            for labels, count in inner(store, time).items():
                upper = bound(get(labels, "le"))
                if upper is not None:
                    family = tuple(pair for pair in labels if pair[0] not in ("le", NAME))
                    families.setdefault(family, []).append((upper, count))
            return {labels: quantile(wanted, buckets) for labels, buckets in families.items()}

        return evaluated

    def function_label_replace(self, args: tuple[Expr, ...]) -> Evaluated:
        inner = self.compile(args[0])
        target, template, source, pattern = (_string(arg) for arg in args[1:])
        try:
            regex = re.compile(pattern, re.ASCII | re.DOTALL)
        except (re.error, OverflowError, RecursionError) as error:
            raise EvaluationError(f"the pattern {pattern!r} cannot be read here: {error}") from error

        def evaluated(store: Store, time: int) -> Vector:
            found: Vector = {}
            for labels, value in inner(store, time).items():
                match = regex.fullmatch(get(labels, source))
                changed = labels if match is None else _with(labels, target, expanded(template, match))
                put(found, changed, value)
            return found

        return evaluated

    def function_label_join(self, args: tuple[Expr, ...]) -> Evaluated:
        inner = self.compile(args[0])
        target, separator, *sources = (_string(arg) for arg in args[1:])

        def evaluated(store: Store, time: int) -> Vector:
            found: Vector = {}
            for labels, value in inner(store, time).items():
                joined = separator.join(get(labels, source) for source in sources)
                put(found, _with(labels, target, joined), value)
            return found

        return evaluated


def _predicts_from_fixed(node: Expr) -> bool:
    """Tell whether a node is a predict_linear() of a range at a fixed time, which changes with the time."""
    window = unwrapped(node.args[0]) if isinstance(node, Call) and node.function == "predict_linear" else None
    return isinstance(window, MatrixSelector) and window.at is not None


def floor(value: float) -> float:
    """Return the greatest whole number that is not above a value; of what is not finite, itself."""
    return float(math.floor(value)) if math.isfinite(value) else value


_PLAIN: dict[str, Callable[[float], float]] = {
    "abs": abs,
    "ceil": lambda value: float(math.ceil(value)) if math.isfinite(value) else value,
    "floor": floor,
    "exp": exponential,
    "sqrt": guarded(math.sqrt),
    "ln": logarithm(elementary.log),
    "log2": logarithm(elementary.log2),
    "log10": logarithm(elementary.log10),
    "sgn": lambda value: 1.0 if value > 0 else -1.0 if value < 0 else value,
    "sin": guarded(math.sin),
    "cos": guarded(math.cos),
    "tan": guarded(math.tan),
    "asin": guarded(math.asin),
    "acos": guarded(math.acos),
    "atan": guarded(math.atan),
    "sinh": guarded(math.sinh),
    "cosh": guarded(math.cosh),
    "tanh": guarded(math.tanh),
    "asinh": guarded(math.asinh),
    "acosh": guarded(math.acosh),
    "deg": lambda value: value * 180 / math.pi,
    "rad": lambda value: value * math.pi / 180,
}
"""Functions that change each value and nothing else."""


def _scalars(op: str, left: Evaluated, right: Evaluated) -> Evaluated:
    if op in COMPARISON:
        compare = COMPARISON[op]
        return lambda store, time: float(compare(left(store, time), right(store, time)))
    calculate = ARITHMETIC[op]
    return lambda store, time: calculate(left(store, time), right(store, time))


def _against(node: Binary, vector: Vector, number: float, generation: Generation, *, swapped: bool = False) -> Vector:
    """Return a vector against a number; `swapped`: the number stands on the left."""
    if node.op in ARITHMETIC:
        calculate = ARITHMETIC[node.op]
        if node.op == "atan2" and generation.named_atan2:
            return {labels: calculate(number, v) if swapped else calculate(v, number) for labels, v in vector.items()}
        return renamed(vector, (lambda v: calculate(number, v)) if swapped else (lambda v: calculate(v, number)))
    compare = COMPARISON[node.op]

    def holds(value: float) -> bool:
        return compare(number, value) if swapped else compare(value, number)

    if node.bool_:
        return renamed(vector, lambda value: float(holds(value)))
    return {labels: value for labels, value in vector.items() if holds(value)}


def absent_labels(node: Expr) -> Labels:
    """Return the labels that absent() gives: those that a selector fixes once (promql/functions.go)."""
    while isinstance(node, Paren):
        node = node.expr
    if isinstance(node, MatrixSelector):
        node = node.vector
    if not isinstance(node, VectorSelector):
        return ()
    fixed: dict[str, str] = {}
    seen: set[str] = set()
    for matcher in node.matchers:
        if matcher.name == NAME:
            continue
        if matcher.op == "=" and matcher.name not in seen:
            seen.add(matcher.name)
            fixed[matcher.name] = matcher.value
        else:
            fixed.pop(matcher.name, None)
    return labels_of(fixed)


def _clamped(vector: Vector, limit: float, choose: Callable[[float, float], float]) -> Vector:
    return renamed(vector, lambda value: choose(limit, value))


def _max(a: float, b: float) -> float:
    """Return the greater, as Go's math.Max: an infinity that is the greatest wins against NaN."""
    if math.inf in (a, b):
        return math.inf
    return math.nan if math.isnan(a) or math.isnan(b) else max(a, b)


def _min(a: float, b: float) -> float:
    return -_max(-a, -b)


def _string(node: Expr) -> str:
    while isinstance(node, Paren):
        node = node.expr
    if not isinstance(node, StringLiteral):
        raise EvaluationError("a text was expected")
    return node.value


def _with(labels: Labels, name: str, value: str) -> Labels:
    changed = dict(labels)
    if value:
        changed[name] = value
    else:
        changed.pop(name, None)
    return tuple(sorted(changed.items()))


_REFERENCE = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))", re.ASCII)


def expanded(template: str, match: re.Match[str]) -> str:
    """Return a replacement with its groups filled in, as Go's Regexp.Expand does; unknown groups are empty."""

    def filled(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        try:
            return match[int(name) if name.isdigit() else name] or ""
        except IndexError:
            return ""

    return _REFERENCE.sub(filled, template)
