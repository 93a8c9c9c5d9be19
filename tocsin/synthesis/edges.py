"""Edges: from a proposal that fires to shapes on both sides of each place at which its condition turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tocsin.promql import COMPARISONS, SETS, Aggregation, Binary, Call, Span, VectorSelector, unwrapped, walk
from tocsin.synthesis.found import Found, holds
from tocsin.synthesis.problem import Problem
from tocsin.synthesis.proposing import Proposal
from tocsin.synthesis.setting import (
    CopiesError,
    FinerError,
    ImpossibleError,
    Met,
    WarmError,
)
from tocsin.synthesis.shapes import Shape
from tocsin.synthesis.solution import Edge
from tocsin.synthesis.timelines import Turn

_GAP = 1e-6
"""How near to an edge both sides of it are shown, as a part of the value there."""
_MOST_COMPARED = 6
_MOST = 8
"""Edges of one alert."""


class Edges:
    """Finds the edges of one proposal."""

    def __init__(self, problem: Problem, found: Found) -> None:
        self.problem = problem
        self.found = found

    def _shapes(self, **changes: object) -> tuple[list[Shape], bool | None] | None:
        """Return the shapes of the proposal with a changed wish, and whether the condition holds."""
        wish = replace(self.found.wish, **changes)  # type: ignore[arg-type]
        try:
            present, past = Proposal(self.found.setting, wish).run()
        except (ImpossibleError, CopiesError, FinerError, WarmError, ArithmeticError):
            return None
        return present, holds(self.found, present, past if self.found.way.split else present)

    def turns(self) -> list[Turn]:
        """Return the edges of the condition, each with shapes on both of its sides."""
        if self.found.way.quickening:
            return self._even()
        met = [*self.found.proposal.met.values()]
        found: list[Turn] = []
        for each in met:
            if isinstance(each.node, Binary) and each.node.op in COMPARISONS and len(found) < _MOST_COMPARED:
                found += self._compared(each, str(len(found) + 1))
        covered = [turn.edge.span for turn in found]
        for each in met:
            if self._operand(each) and not any(_inside(span, each.node.span) for span in covered):
                found += self._present(each, str(len(found) + 1)) if len(found) < _MOST else []
        return found or self._by_presence(met)

    def _by_presence(self, met: Sequence[Met]) -> list[Turn]:
        """Return the one edge of what has no values to compare: series that are there, or not."""
        for each in met:
            if isinstance(each.node, VectorSelector | Aggregation | Call):
                turn = self._present(each, "1")
                if turn:
                    return turn
        return self._gone()

    def _even(self) -> list[Turn]:
        """Return the edge between growth that changes and growth that does not."""
        even = [replace(shape, quickening=1.0) for shape in self.found.present]
        if holds(self.found, even, even) is not False:
            return []
        said = "counters that grow evenly"
        return [Turn(Edge(name="1", span=self.problem.alert.tree.span, said=said, discrete=True), even)]

    def _operand(self, met: Met) -> bool:
        """Tell whether a node is an operand of `and`, `or` or `unless` in the alert's own expression."""
        sides = (
            unwrapped(side)
            for node in walk(self.problem.alert.tree)
            if isinstance(node, Binary) and node.op in SETS
            for side in (node.left, node.right)
        )
        return met.outer and any(met.node is side for side in sides)

    def _span(self, met: Met) -> Span:
        return met.node.span if met.outer else self.problem.alert.tree.span

    def _text(self, met: Met) -> str:
        source = self.problem.alert.expression
        if met.outer:
            text = met.node.span.text(source)
        else:
            text = next(
                (
                    met.node.span.text(rule.expression)
                    for rule in self.problem.recorded
                    if any(node is met.node for node in walk(rule.tree))
                ),
                source,
            )
        text = " ".join(text.split())
        return text if len(text) <= 90 else f"{text[:87]}..."

    def _compared(self, met: Met, name: str) -> list[Turn]:
        node = met.node
        if not isinstance(node, Binary) or met.delta is None:
            return []
        discrete = met.whole or node.op in ("==", "!=")
        probes = self._probes(node.op, met)
        for under, over in probes:
            one = self._shapes(deltas={met.place: under})
            if one is None or one[1] is not False:
                continue
            other = self._shapes(deltas={met.place: over}) if over is not None else None
            if over is not None and (other is None or other[1] is not True):
                continue
            boundary = self._boundary(node, met)
            at = None
            if not discrete and abs(under) > 0:
                there = self._shapes(deltas={met.place: 0.0})
                at = there[0] if there is not None and there[1] is not None and self._exact(there[0]) else None
            edge = Edge(name=name, span=self._span(met), said=self._text(met), boundary=boundary, discrete=discrete)
            return [Turn(edge, one[0], at, other[0] if other is not None else None, lambda: self._far(met))]
        return self._bisected(met, name)

    def _far(self, met: Met) -> list[list[Shape]]:
        """Return shapes on which a comparison does not hold by far."""
        found = []
        bound = self._boundary(met.node, met) if isinstance(met.node, Binary) else None
        delta, size = met.delta or 0.0, abs(bound or 0.0)
        sign = -1.0 if delta > 0 else 1.0
        for away in dict.fromkeys((sign * size, -delta, sign * size / 2, -4 * delta, sign * 1.0, sign * size * 10)):
            tried = self._shapes(deltas={met.place: away}) if away else None
            if tried is not None and tried[1] is False:
                found.append(tried[0])
        return found

    def _exact(self, shapes: Sequence[Shape]) -> bool:
        """Tell whether values are what they are to the last bit: none grows."""
        return all(shape.growth is None and not shape.wobble for shape in shapes)

    def _boundary(self, node: Binary, met: Met) -> float | None:
        proposal = self.found.proposal
        for side in (node.right, node.left):
            if proposal._constant(side, met.place[0]):  # noqa: SLF001
                value = proposal.value(side, met.place[0])
                return value.value if value is not None else None
        return None

    def _probes(self, op: str, met: Met) -> list[tuple[float, float | None]]:
        """Return pairs of distances from the bound: on the silent side, and on the other."""
        bound = self._boundary(met.node, met) if isinstance(met.node, Binary) else None
        size = max(abs(bound) if bound else 0.0, abs(met.delta or 0.0) * 1e-2, 1e-3)
        gap = size * _GAP * 10 ** min(self.problem.seed, 4)
        sign = 1.0 if (met.delta or 0.0) > 0 or (op in (">", ">=") and not met.delta) else -1.0
        if op == "==" and not met.delta:
            near = [(gap, 0.0), (-gap, 0.0)]
            return [(1.0, 0.0), (-1.0, 0.0), *near] if bound else [(1.0, 0.0), near[0], (-1.0, 0.0)]
        if op == "!=" and met.delta:
            return [(0.0, met.delta)]
        if met.whole:
            strict = op in (">", "<")
            step = sign * 1.0
            fraction = ((bound or 0.0) % 1) if bound is not None else 0.0
            if fraction:
                low, high = -fraction, 1 - fraction
                return [(low, high)] if sign > 0 else [(high, low)]
            return [(0.0, step)] if strict else [(-step, 0.0)]
        return [(-sign * gap * wide, sign * gap * wide) for wide in (1, 100)]

    def _bisected(self, met: Met, name: str) -> list[Turn]:
        """Find an edge that is not where the comparison says: because what is compared counts itself, or is rounded."""
        good = met.delta or 0.0
        bad: float | None = None
        best: list[Shape] | None = None
        over: list[Shape] | None = None
        for factor in (-1.0, 0.0, -10.0, -0.1, 10.0):
            tried = self._shapes(deltas={met.place: good * factor})
            if tried is not None and tried[1] is False:
                bad, best = good * factor, tried[0]
                break
        if bad is None or best is None:
            return []
        if not met.whole:
            for _ in range(22):
                middle = (good + bad) / 2
                tried = self._shapes(deltas={met.place: middle})
                if tried is None or tried[1] is None:
                    break
                if tried[1]:
                    good, over = middle, tried[0]
                else:
                    bad, best = middle, tried[0]
        edge = Edge(name=name, span=self._span(met), said=self._text(met), discrete=met.whole)
        return [Turn(edge, best, None, over, lambda: self._far(met))]

    def _present(self, met: Met, name: str) -> list[Turn]:
        tried = self._shapes(flipped=frozenset({met.place}))
        if tried is None or tried[1] is not False:
            return []
        said = f"{'absence' if met.truth else 'presence'} of {self._text(met)}"
        return [Turn(Edge(name=name, span=self._span(met), said=said, discrete=True), tried[0])]

    def _gone(self) -> list[Turn]:
        """Return the edge between what fires and nothing at all."""
        count = len(self.found.present)
        gone = [Shape(gone=True) for _ in range(count)]
        if count and holds(self.found, gone, gone) is False:
            edge = Edge(name="1", span=self.problem.alert.tree.span, said="absence of all series", discrete=True)
            return [Turn(edge, gone)]
        return []


def _inside(one: Span, other: Span) -> bool:
    return other.start <= one.start and one.end <= other.end
