"""Native histograms: taken apart into the series of a classic one for the search, put together again for the engine.

A rule reads a native histogram as one series whose samples are histograms. For the search each becomes a family of
series of numbers (`x_bucket`, `x_count`, `x_sum`; `x_cell0`, `x_cell1` between the bounds of histogram_fraction()), and
the rule an expression on these. Bounds are powers of two, so that each bucket of the family is one of schema 0, and
quantiles interpolate as those of native histograms do (`Generation.native`). What is found is written in promtool's
notation (prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules, series).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from tocsin.promql import (
    Aggregation,
    Binary,
    Call,
    Expr,
    Matching,
    MatrixSelector,
    NumberLiteral,
    Paren,
    Subquery,
    Unary,
    VectorSelector,
    children,
    selectors,
    type_of,
    unwrapped,
    walk,
)
from tocsin.synthesis.native_samples import BUCKET, CELL, Family, NotTakenApartError
from tocsin.synthesis.problem import Problem, Recorded
from tocsin.synthesis.replaying import NAME, scene_of
from tocsin.synthesis.solution import InputSeries, Solution, Test

READERS = {"histogram_count": "count", "histogram_sum": "sum"}
"""Functions of native histograms alone, by what they read of one."""
ONLY_NATIVE = frozenset({*READERS, "histogram_avg", "histogram_fraction", "histogram_stddev", "histogram_stdvar"})
_THROUGH = frozenset(
    {"rate", "increase", "delta", "irate", "idelta", "avg_over_time", "sum_over_time", "last_over_time"}
    | {"label_replace", "label_join"}
)
"""Functions that make histograms of histograms."""


@dataclass(frozen=True)
class TakenApart:
    """A problem on series of numbers, and which native histograms they stand for."""

    problem: Problem
    members: Mapping[str, tuple[str, str]]
    """By the name of a series, the histogram and the part of it: `bucket`, `count`, `sum`, `cell0`."""
    cuts: tuple[float, ...]
    """Bounds between which histogram_fraction() counts, in order."""

    def put_together(self, solution: Solution) -> Solution:
        """Return a solution whose series are the histograms again. Raises NotTakenApartError."""
        return replace(solution, tests=tuple(self._test(test) for test in solution.tests))

    def _test(self, test: Test) -> Test:
        scene = scene_of(test)
        kept: list[InputSeries] = []
        families: dict[tuple[str, tuple[tuple[str, str], ...]], Family] = {}
        for row, series in zip(scene.rows, test.series, strict=True):
            member = self.members.get(row.labels.get(NAME, ""))
            if member is None:
                kept.append(series)
                continue
            histogram, part = member
            labels = {name: value for name, value in row.labels.items() if name not in (NAME, "le")}
            family = families.setdefault((histogram, tuple(sorted(labels.items()))), Family(histogram, labels))
            family.add(part, row, series.comment)
        return replace(test, series=(*kept, *(each.written(self.cuts) for each in families.values())))


def taken_apart(problem: Problem) -> TakenApart | None:
    """Return a problem without native histograms; None if there are none in it.

    A quantile of what has no label `le` in sight is one of a native histogram where the engine's tests can hold one,
    and else one of a classic histogram. Raises NotTakenApartError.
    """
    return _Parts(problem).whole() if reads_histograms(problem) else None


def reads_histograms(problem: Problem) -> bool:
    """Tell whether a problem reads native histograms, as far as the engine's tests can hold some."""
    parts = _Parts(problem)
    trees = [problem.alert.tree, *(rule.tree for rule in problem.recorded)]
    calls = {node.function for tree in trees for node in walk(tree) if isinstance(node, Call) and parts.reads(node)}
    return bool(calls & ONLY_NATIVE or (calls and problem.generation.notes_histograms))


class _Parts:
    """Takes a problem apart."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.recorded = {rule.name: rule for rule in problem.recorded}
        self.members: dict[str, tuple[str, str]] = {}
        self.cuts: list[float] = []
        self.made: dict[str, Recorded] = {}
        self.histograms: set[str] = set()

    def whole(self) -> TakenApart:
        """Take all of it apart."""
        problem = self.problem
        for tree in (problem.alert.tree, *(rule.tree for rule in problem.recorded)):
            for node in walk(tree):
                self._note(node)
        alert = replace(problem.alert, tree=self.number(problem.alert.tree))
        recorded: list[Recorded] = []
        for rule in problem.recorded:
            if rule.name in self.histograms:
                recorded += [each for name, each in self.made.items() if self.members[name][0] == rule.name]
            else:
                recorded.append(replace(rule, tree=self.number(rule.tree)))
        parts = {part for _, part in self.members.values()}
        if BUCKET in parts and any(part.startswith(CELL) for part in parts):
            raise NotTakenApartError("histogram_quantile() and histogram_fraction() in one rule are not searched here")
        ground = problem.grounding
        known = {
            name: ground.label_sets[histogram]
            for name, (histogram, _) in self.members.items()
            if histogram in ground.label_sets
        }
        changed = replace(
            problem,
            alert=alert,
            recorded=tuple(recorded),
            generation=replace(problem.generation, native=True),
            grounding=replace(ground, label_sets={**ground.label_sets, **known}) if known else ground,
        )
        leaves = {name: member for name, member in self.members.items() if name not in self.made}
        return TakenApart(changed, leaves, tuple(sorted(self.cuts)))

    def reads(self, node: Expr) -> bool:
        """Tell whether a node reads a native histogram."""
        if not isinstance(node, Call):
            return False
        return node.function in ONLY_NATIVE or (
            node.function == "histogram_quantile" and self._native(node.args[1], set())
        )

    def _native(self, node: Expr, seen: set[str]) -> bool:
        """Tell whether what a quantile is taken of has no buckets by `le`."""
        found = False
        for each in _histograms(node):
            if isinstance(each, Aggregation) and "le" in (each.grouping or ()):
                return False
            if isinstance(each, VectorSelector):
                name = each.name or ""
                if not name or "bucket" in name or any(matcher.name == "le" for matcher in each.matchers):
                    return False
                rule = self.recorded.get(name)
                if rule is not None and name not in seen and not self._native(rule.tree, {*seen, name}):
                    return False
                found = True
        return found

    def _note(self, node: Expr) -> None:
        """Keep the names of the histograms that a node reads, and between which bounds their parts are counted."""
        if not isinstance(node, Call) or not self.reads(node):
            return
        waiting = [node.args[-1]]
        while waiting:
            for each in _histograms(waiting.pop()):
                name = each.name if isinstance(each, VectorSelector) else None
                if name and name not in self.histograms:
                    self.histograms.add(name)
                    waiting += [self.recorded[name].tree] if name in self.recorded else []
        if node.function == "histogram_fraction":
            limits = [_constant(arg) for arg in node.args[:2]]
            self.cuts += [limit for limit in limits if 0 < limit < math.inf and limit not in self.cuts]

    # What is a number

    @property
    def cells(self) -> int:
        """Into how many parts the bounds of histogram_fraction() cut what is observed; 0 if there are no bounds."""
        return len(self.cuts) + 1 if self.cuts else 0

    def number(self, node: Expr) -> Expr:
        """Return an expression whose value is a number, on series of numbers."""
        if isinstance(node, Call) and self.reads(node):
            return self._read(node)
        if isinstance(node, VectorSelector) and node.name in self.histograms:
            raise NotTakenApartError(f"{node.name} is read as a native histogram, and as a number too")
        return _with_children(node, self.number)

    def _read(self, node: Call) -> Expr:
        inner = node.args[-1]
        match node.function:
            case "histogram_quantile":
                return replace(node, args=(self.number(node.args[0]), self.part(inner, BUCKET)))
            case "histogram_count":
                return self._count(inner)
            case "histogram_sum":
                return Paren(span=node.span, expr=self.part(inner, "sum"))
            case "histogram_avg":
                return self._share(node, self.part(inner, "sum"), self._count(inner))
            case "histogram_fraction":
                return self._fraction(node)
            case _:
                raise NotTakenApartError(f"{node.function}() is not searched here")

    def _share(self, node: Call, one: Expr, other: Expr) -> Expr:
        return Binary(span=node.span, op="/", left=one, right=other, operator=node.span)

    def _fraction(self, node: Call) -> Expr:
        low, high = (_constant(arg) for arg in node.args[:2])
        inner = node.args[2]
        if high <= low or high <= 0:
            raise NotTakenApartError("a fraction between bounds that hold nothing is not searched here")
        cuts = sorted(self.cuts)
        first = cuts.index(low) + 1 if low > 0 else 0
        last = cuts.index(high) if high < math.inf else len(cuts)
        return self._share(node, self._cells(inner, first, last), self._count(inner))

    def _count(self, inner: Expr) -> Expr:
        """Return how many observations a histogram has."""
        return (
            self._cells(inner, 0, self.cells - 1)
            if self.cells
            else Paren(span=inner.span, expr=self.part(inner, "count"))
        )

    def _cells(self, inner: Expr, first: int, last: int) -> Expr:
        found = self.part(inner, f"{CELL}{first}")
        for number in range(first + 1, last + 1):
            more = self.part(inner, f"{CELL}{number}")
            found = Binary(span=inner.span, op="+", left=found, right=more, operator=inner.span)
        return Paren(span=inner.span, expr=found)

    # What is a histogram

    def part(self, node: Expr, part: str) -> Expr:
        """Return what is left of an expression whose value is a histogram if only a part of that is looked at."""
        match node:
            case VectorSelector():
                return self._selector(node, part)
            case MatrixSelector(vector=inner):
                return replace(node, vector=self._selector(inner, part))
            case Paren(expr=inner) | Subquery(expr=inner):
                return replace(node, expr=self.part(inner, part))
            case Call(function=function, args=args) if function in _THROUGH:
                return replace(node, args=(self.part(args[0], part), *args[1:]))
            case Aggregation(op="sum" | "avg"):
                return self._aggregation(node, part)
            case Binary():
                return self._binary(node, part)
        raise NotTakenApartError(f"native histograms under {_said(node)} are not searched here")

    def _selector(self, node: VectorSelector, part: str) -> VectorSelector:
        name = node.name
        if not name:
            raise NotTakenApartError("native histograms without a name are not searched here")
        made = f"{name}_{part}"
        known = self.members.setdefault(made, (name, part))
        if known != (name, part):
            raise NotTakenApartError(f"{made} stands for two things")
        rule = self.recorded.get(name)
        if rule is not None and made not in self.made:
            self.made[made] = replace(rule, name=made, tree=self.part(rule.tree, part))
        matchers = tuple(matcher for matcher in node.matchers if matcher.name != NAME)
        return replace(node, metric=made, matchers=matchers)

    def _aggregation(self, node: Aggregation, part: str) -> Aggregation:
        inner = self.part(node.expr, part)
        if part != BUCKET or node.without:
            return replace(node, expr=inner)
        return replace(node, expr=inner, grouping=(*(node.grouping or ()), "le"))

    def _binary(self, node: Binary, part: str) -> Binary:
        if node.op in ("*", "/") and type_of(node.right) == "scalar":
            return replace(node, left=self.part(node.left, part), right=self.number(node.right))
        if node.op == "*" and type_of(node.left) == "scalar":
            return replace(node, left=self.number(node.left), right=self.part(node.right, part))
        if node.op in ("+", "-"):
            sides = {"left": self.part(node.left, part), "right": self.part(node.right, part)}
            matching = node.matching
            if part == BUCKET and matching is not None and matching.on:
                matching = replace(matching, labels=(*matching.labels, "le"))
            return replace(node, left=sides["left"], right=sides["right"], matching=matching)
        if node.op in ("and", "unless"):
            return replace(node, left=self.part(node.left, part), right=self._condition(node), matching=_of(node, part))
        raise NotTakenApartError(f"native histograms under `{node.op}` are not searched here")

    def _condition(self, node: Binary) -> Expr:
        if any(selector.name in self.histograms for selector in selectors(node.right)) and not any(
            self.reads(each) for each in walk(node.right)
        ):
            return self._count(node.right)
        return self.number(node.right)


def _histograms(node: Expr) -> Iterator[Expr]:
    """Yield an expression and those inside of it that have its histograms for values: no condition on them."""
    yield node
    match node:
        case Binary(op="and" | "unless"):
            yield from _histograms(node.left)
        case Call(args=args):
            yield from _histograms(args[0]) if args else ()
        case Aggregation():
            yield from _histograms(node.expr)
        case _:
            for inside in children(node):
                yield from _histograms(inside)


def _of(node: Binary, part: str) -> Matching | None:
    """Return the matching of a condition: what a family has more than its histogram is no matter to it."""
    if part != BUCKET or (node.matching is not None and node.matching.on):
        return node.matching
    labels = node.matching.labels if node.matching is not None else ()
    return Matching(span=node.span, on=False, labels=(*labels, "le"))


def _with_children(node: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """Return a node with what is inside of it changed."""
    match node:
        case MatrixSelector(vector=inner):
            vector = change(inner)
            assert isinstance(vector, VectorSelector)  # noqa: S101 a selector stays one
            return replace(node, vector=vector)
        case Subquery() | Unary() | Paren():
            return replace(node, expr=change(node.expr))
        case Call():
            return replace(node, args=tuple(change(arg) for arg in node.args))
        case Aggregation():
            return replace(node, expr=change(node.expr), param=change(node.param) if node.param is not None else None)
        case Binary():
            return replace(node, left=change(node.left), right=change(node.right))
    return node


def _constant(node: Expr) -> float:
    """Return the number that an argument is. Raises NotTakenApartError if it is none that is written there."""
    bare = unwrapped(node)
    if isinstance(bare, Unary):
        return -_constant(bare.expr) if bare.op == "-" else _constant(bare.expr)
    if not isinstance(bare, NumberLiteral):
        raise NotTakenApartError("the bounds of histogram_fraction() are searched only where they are numbers")
    return bare.value


def _said(node: Expr) -> str:
    match node:
        case Call(function=function):
            return f"{function}()"
        case Aggregation(op=op):
            return f"{op}()"
        case _:
            return "this expression"
