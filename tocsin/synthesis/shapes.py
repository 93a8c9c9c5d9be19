"""What a series does: the shapes of its values, and tapes on which phases of shapes follow each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from tocsin.promql.evaluation import STALE, Series, Store, labels_of

Bounds = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """What one series, or one family of buckets, does while a phase lasts. What is None is not asked for."""

    gone: bool = False
    missing: bool = False
    """Whether scrapes find nothing for a while, without saying that the series has ended."""
    level: float | None = None
    """The value; of one that grows, the value at the beginning."""
    slope: float = 0.0
    """By how much the level changes in a second of the clock, counted from the reference time."""
    growth: float | None = None
    """By how much the value grows in a second: of a counter, or of a gauge that has a trend."""
    quickening: float = 1.0
    """By how much the growth is multiplied from one sample to the next."""
    wobble: float = 0.0
    """How far the value swings to both sides, from sample to sample."""
    hop: int = 0
    """After how many samples the value changes by 1."""
    drop: int = 0
    """After how many samples the value falls back, having grown in between."""
    every: int = 1
    """There is a sample at every so many scrapes."""
    fraction: float | None = None
    """Of a histogram: the part of the observations at or under `low`; the rest is at or under the next bound."""
    low: float = 0.0


GONE = Shape(gone=True)
MISSING = Shape(missing=True)


@dataclass(frozen=True, slots=True)
class Track:
    """One series of a tape: which identity's shape it follows, and of a bucket, its bound."""

    labels: Mapping[str, str]
    identity: int
    bound: float | None = None
    bounds: Bounds = ()


def part_under(shape: Shape, bound: float, bounds: Bounds) -> float:
    """Return the part of a histogram's observations that are at or under a bound."""
    if shape.fraction is None:
        return 1.0
    if bound <= shape.low:
        return shape.fraction
    above = min((each for each in bounds if each > shape.low), default=bound)
    return 1.0 if bound >= above else shape.fraction


def own(shape: Shape, track: Track) -> Shape:
    """Return the shape of a track: a bucket's is a part of its family's."""
    if track.bound is None or shape.gone:
        return shape
    part = part_under(shape, track.bound, track.bounds)
    growth = shape.growth * part if shape.growth is not None else None
    level = shape.level * part if shape.level is not None else None
    return replace(shape, growth=growth, level=level)


@dataclass(slots=True)
class Piece:
    """A run of samples in promtool's notation: each `step` more than the one before; `value` None is no sample."""

    value: float | None
    step: float
    count: int
    stale: bool = False


class Tape:
    """Series that are written phase by phase, sample by sample, exactly as promtool expands what is written of them."""

    def __init__(self, tracks: Sequence[Track], interval: int, reference: int, start: int = 0, settle: int = 0) -> None:
        self.tracks = tracks
        self.settle = settle
        """After how many milliseconds of its phase a series that grows from a level is at that level."""
        self.interval = interval
        self.reference = reference
        """The time at which a level with a slope is what it says, in milliseconds."""
        self.end = -(-start // interval) * interval
        """The time of the next sample."""
        self.start = self.end
        self.series = [Series(labels_of(track.labels), [], []) for track in tracks]
        self.store = Store(self.series)
        self.pieces: list[list[Piece]] = [[] for _ in tracks]
        self.steps: dict[int, float] = {}
        """By the number of a track whose growth changes, its last step."""
        self.last: list[float | None] = [None for _ in tracks]
        """The last value; None where the series has not begun, or is gone."""
        if self.end:
            for pieces in self.pieces:
                pieces.append(Piece(None, 0.0, self.end // interval))

    def copy(self) -> Tape:
        """Return a tape that can be written on without changing this one."""
        made = Tape(self.tracks, self.interval, self.reference, settle=self.settle)
        made.steps = dict(self.steps)
        made.end, made.start, made.last = self.end, self.start, [*self.last]
        made.series = [Series(each.labels, [*each.times], [*each.values]) for each in self.series]
        made.store = Store(made.series)
        made.pieces = [[replace(piece) for piece in pieces] for pieces in self.pieces]
        return made

    def write(self, shapes: Sequence[Shape], until: int, *, fresh: bool, reset: bool = False) -> None:
        """Write samples at every time before `until`; `fresh`: a phase begins here, `reset`: counters begin anew."""
        count = -((self.end - until) // self.interval)
        if count <= 0:
            return
        times = range(self.end, self.end + count * self.interval, self.interval)
        for number, track in enumerate(self.tracks):
            self._track(number, own(shapes[track.identity], track), times, fresh, reset)
        self.end += count * self.interval

    def _track(self, number: int, shape: Shape, times: range, fresh: bool, reset: bool) -> None:
        last = self.last[number]
        if shape.gone:
            self._gone(number, times)
            return
        if shape.missing:
            _append(self.pieces[number], Piece(None, 0.0, len(times)))
            return
        if shape.every > 1:
            self._sparse(number, shape, times)
            return
        if shape.quickening != 1 and shape.growth:
            self._quickening(number, shape, times, fresh)
            return
        if shape.hop or shape.drop:
            self._stepping(number, shape, times)
            return
        start, step = self._line(shape, last, times[0], fresh)
        if reset and shape.growth is not None and shape.level is None:
            start = 0.0
        if shape.wobble:
            for i in range(len(times)):
                away = shape.wobble if (times[i] // self.interval) % 2 else -shape.wobble
                self._put(number, Piece(start + away, 0.0, 1), times[i : i + 1])
            return
        self._put(number, Piece(start, step, len(times)), times)

    def _line(self, shape: Shape, last: float | None, time: int, fresh: bool) -> tuple[float, float]:
        seconds = self.interval / 1000
        if shape.growth is not None:
            step = shape.growth * seconds
            if shape.level is not None and (last is None or fresh):
                return shape.level - shape.growth * self.settle / 1000, step
            return (0.0 if last is None else last + step), step
        level = 1.0 if shape.level is None else shape.level
        if shape.slope:
            return level + shape.slope * (time - self.reference) / 1000, shape.slope * seconds
        return level, 0.0

    def _quickening(self, number: int, shape: Shape, times: range, fresh: bool) -> None:
        step = (shape.growth or 0.0) * self.interval / 1000
        if not fresh and number in self.steps:
            step = self.steps[number] * shape.quickening
        for i in range(len(times)):
            last = self.last[number]
            self._put(number, Piece(step if last is None else last + step, 0.0, 1), times[i : i + 1])
            self.steps[number] = step
            step *= shape.quickening

    def _stepping(self, number: int, shape: Shape, times: range) -> None:
        for i in range(len(times)):
            count = times[i] // self.interval
            period = shape.hop or shape.drop
            last = self.last[number]
            base = last if last is not None else (shape.level or 0.0)
            turn = count % period == 0
            value = base + 1 if turn and shape.hop else base
            if shape.drop:
                value = 0.0 if turn else base + 1
            self._put(number, Piece(value, 0.0, 1), times[i : i + 1])

    def _sparse(self, number: int, shape: Shape, times: range) -> None:
        for i in range(len(times)):
            if (times[i] // self.interval) % shape.every == 0:
                self._put(number, Piece(1.0 if shape.level is None else shape.level, 0.0, 1), times[i : i + 1])
            else:
                _append(self.pieces[number], Piece(None, 0.0, 1))

    def _gone(self, number: int, times: range) -> None:
        count = len(times)
        if self.last[number] is not None:
            self.pieces[number].append(Piece(None, 0.0, 1, stale=True))
            self.series[number].times.append(times[0])
            self.series[number].values.append(STALE)
            self.last[number] = None
            count -= 1
        if count:
            _append(self.pieces[number], Piece(None, 0.0, count))

    def _put(self, number: int, piece: Piece, times: range) -> None:
        value = piece.value or 0.0
        values: list[float | None] = []
        for _ in range(piece.count):
            values.append(value)
            value += piece.step
        self.series[number].times.extend(times)
        self.series[number].values.extend(values)
        _append(self.pieces[number], piece, self.last[number])
        self.last[number] = values[-1]

    def texts(self) -> list[tuple[Mapping[str, str], str]]:
        """Return every series as promtool reads it: labels, and values."""
        return [
            (track.labels, " ".join(map(_written, pieces)))
            for track, pieces in zip(self.tracks, self.pieces, strict=True)
            if any(piece.value is not None for piece in pieces)
        ]


def _append(pieces: list[Piece], piece: Piece, end: float | None = None) -> None:
    """Add a piece, as a part of the one before (whose last value is `end`) where it goes on as that does."""
    if pieces and not pieces[-1].stale:
        last = pieces[-1]
        if piece.value is None:
            if last.value is None:
                last.count += piece.count
                return
        elif last.value is not None and end is not None and last.step == piece.step and end + piece.step == piece.value:
            last.count += piece.count
            return
    pieces.append(piece)


def _written(piece: Piece) -> str:
    if piece.stale:
        return "stale"
    if piece.value is None:
        return "_" if piece.count == 1 else f"_x{piece.count}"
    if piece.count == 1:
        return number_text(piece.value)
    sign = "-" if piece.step < 0 else "+"
    step = f"{sign}{number_text(abs(piece.step))}" if piece.step else ""
    return f"{number_text(piece.value)}{step}x{piece.count - 1}"


def number_text(value: float) -> str:
    """Return a number without an exponent, which reads back as the same."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{Decimal(repr(value)):f}"
