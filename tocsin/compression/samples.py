"""What a drill's scrapes find of series that were written for production's time.

Both are shown the same samples, one a scrape; a drill only scrapes sooner. What that does not do alone is done here:
under the same traffic a counter gains a factor's part from scrape to scrape, and a moment in time is a factor's part
of production's, because a test starts at 0 on the clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tocsin.artefacts.promtool_tests import Gap, Piece, Samples, Stale, parse_values, values_text
from tocsin.compression.scaling import Recorded, Traffic, compares_clocks, comparison_nodes, constant, is_clock, terms
from tocsin.promql import Binary, Call, Expr, PromQLError, VectorSelector, children, parse

LOOKBACK_SECONDS = 300.0
"""How long Prometheus takes a series for alive after its last sample; promtool has it so at any pace."""

_OF_CHANGE = frozenset({"rate", "increase", "irate", "delta", "idelta", "deriv"})
"""Functions of what a series gains in a window, or in a second."""
_OF_EVENTS = frozenset({"changes", "resets"})
"""Functions of how often something happens, which no division of the values makes rarer."""

InputSeries = tuple[str, str]
"""A series (`errors{job="api"}`) and its samples, one a scrape, in promtool's notation (`0+1x100`)."""


class NotKnown(Exception):
    """What a drill's scrapes find cannot be told from the series; the message says why."""


def in_drill(
    series: Sequence[InputSeries], expr: Expr, recorded: Recorded, factor: float, traffic: Traffic
) -> tuple[InputSeries, ...]:
    """Return the series as a drill's scrapes find them; `expr` is the alert's, `recorded` what it may read.

    Raises NotKnown, and ValueError for values that are not promtool's.
    """
    roles = _Roles(expr, recorded)
    divided = roles.moments | (roles.changing() if traffic == "same" else frozenset())
    return tuple((name, _divided(values, factor) if _metric(name) in divided else values) for name, values in series)


def going_stale(series: Sequence[InputSeries], scrape_seconds: float) -> tuple[InputSeries, ...]:
    """Return the series with the end of each written out, so many scrapes after its last sample as it lives on.

    In a drill's time it would go on for a factor's worth of scrapes instead, since promtool's lookback stays as it is.
    Raises NotKnown if samples are so far apart that production loses sight of the series between them.
    """
    if scrape_seconds > LOOKBACK_SECONDS:
        raise NotKnown(f"its samples are {scrape_seconds:g} s apart, and Prometheus looks back {LOOKBACK_SECONDS:g} s")
    kept = int(LOOKBACK_SECONDS // scrape_seconds) - 1
    return tuple((name, values_text(tuple(_with_ends(parse_values(values), kept)))) for name, values in series)


def _with_ends(pieces: Sequence[Piece], kept: int) -> Iterator[Piece]:
    alive, missed = False, 0
    for piece in pieces:
        if isinstance(piece, Gap):
            missed += piece.count
            continue
        yield from _gap(missed, kept, alive=alive)
        alive, missed = isinstance(piece, Samples), 0
        yield piece
    if alive:
        yield from _gap(max(missed, kept + 1), kept, alive=True)


def _gap(missed: int, kept: int, *, alive: bool) -> Iterator[Piece]:
    if alive and missed > kept:
        yield from (Gap(kept), Stale()) if kept else (Stale(),)
        missed -= kept + 1
    if missed:
        yield Gap(missed)


def _divided(values: str, factor: float) -> str:
    def divided(piece: Piece) -> Piece:
        if not isinstance(piece, Samples):
            return piece
        return replace(piece, start=piece.start / factor, step=piece.step / factor)

    return values_text(tuple(map(divided, parse_values(values))))


def _metric(series: str) -> str:
    try:
        found = parse(series)
    except PromQLError as error:
        raise NotKnown(f"{series} is no name of a series: {error.message}") from error
    if not isinstance(found, VectorSelector) or found.name is None:
        raise NotKnown(f"{series} is no name of a series")
    return found.name


@dataclass(frozen=True, slots=True)
class _Read:
    """A metric that is read, and the function that reads its change; none for its value."""

    metric: str
    function: str


class _Roles:
    """What the metrics that an expression reads stand for, through recording rules too."""

    def __init__(self, expr: Expr, recorded: Recorded) -> None:
        self.recorded = recorded
        self.expressions = (expr, *recorded.read_by(expr).values())
        self.moments = frozenset(self._moments())

    def changing(self) -> frozenset[str]:
        """Return the metrics whose change from scrape to scrape is what counts; raises NotKnown."""
        reads = {read for expression in self.expressions for read in _reads(expression)}
        changing = {read.metric for read in reads if read.function in _OF_CHANGE}
        for read in sorted(reads, key=lambda read: (read.metric, read.function)):
            if read.function in _OF_EVENTS:
                raise NotKnown(f"what {read.function}() finds of {read.metric} in a drill cannot be told from it")
            if read.metric in changing and read.function not in _OF_CHANGE:
                raise NotKnown(f"{read.metric} is read both for its change and for its value")
        return frozenset(changing)

    def _moments(self) -> Iterator[str]:
        for expression in self.expressions:
            for comparison in comparison_nodes(expression):
                if compares_clocks(comparison, self.recorded):
                    yield from self._moments_in(comparison)

    def _moments_in(self, comparison: Binary) -> Iterator[str]:
        added = [*self._terms(comparison.left), *self._terms(comparison.right)]
        clocks = [term for term in added if is_clock(term, self.recorded)]
        others = [term for term in added if constant(term) is None and term not in clocks]
        if len(others) > len(clocks):
            raise NotKnown("a time that has passed is compared with a measured duration")
        yield from (term.name for term in others if isinstance(term, VectorSelector) and term.name)

    def _terms(self, side: Expr, steps: int = Recorded.MOST_STEPS) -> Iterator[Expr]:
        """Yield the terms of a side, a recorded one replaced by those of its rule."""
        for term in terms(side):
            source = self.recorded.expression(term.name) if isinstance(term, VectorSelector) else None
            if source is None or steps == 0:
                yield term
            else:
                yield from self._terms(source, steps - 1)


def _reads(expr: Expr) -> Iterator[_Read]:
    waiting = [(expr, "")]
    while waiting:
        node, function = waiting.pop()
        if isinstance(node, VectorSelector) and node.name is not None:
            yield _Read(node.name, function)
        if isinstance(node, Call):
            function = node.function if node.function in _OF_CHANGE | _OF_EVENTS else ""
        waiting.extend((child, function) for child in children(node))
