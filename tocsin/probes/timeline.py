"""A container's life beside a scale of seconds: what was foreseen or seen, as values and as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from tocsin.probes.attempt import Outcome
from tocsin.probes.journal import Journal
from tocsin.probes.marks import Made, Mark, MarkKind
from tocsin.probes.prediction import Prediction
from tocsin.probes.specification import ProbeKind
from tocsin.probes.window import Window

ROWS = (ProbeKind.STARTUP, ProbeKind.LIVENESS, ProbeKind.READINESS)
COLOURS = {
    Outcome.SUCCESS: "#2e7d32",
    Outcome.WARNING: "#f9a825",
    Outcome.FAILURE: "#c62828",
    Outcome.ERROR: "#757575",
}
"""Of an attempt, by its outcome; an error is hollow besides, so that no reader needs to tell colours apart."""
LEFT, TOP, ROW, BAR = 84, 22, 22, 10
"""Pixels: of the names, above the first row, of a row, of a bar in it."""
NOTE = 14
"""Pixels of a line of words."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One change of Ready, kill or restart, within bounds; both are the same where it was seen."""

    mark: Mark
    when: Window
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is drawn: all in seconds after the container's first start."""

    title: str
    until: float
    moments: tuple[Moment, ...]
    attempts: tuple[Made, ...] = ()
    notes: tuple[tuple[float, str], ...] = ()
    """What was done, and when."""

    @classmethod
    def of_prediction(cls, title: str, prediction: Prediction) -> Timeline:
        """Return what is foreseen."""
        moments = (Moment(each.mark, each.interval, each.certain) for each in prediction.expected)
        return cls(title, prediction.horizon, tuple(moments))

    @classmethod
    def of_life(cls, title: str, journal: Journal, until: float) -> Timeline:
        """Return one life that was followed with exact moments. Raises ValueError if it was not one."""
        if any(len(windows) != 1 for windows in journal.marks.values()):
            raise ValueError(f"{title}: several lives were followed; a timeline of attempts is of one")
        moments = (Moment(mark, next(iter(windows))) for mark, windows in sorted(journal.marks.items()))
        return cls(title, until, tuple(moments), tuple(journal.attempts or ()))

    @classmethod
    def of_observation(cls, title: str, seen: Iterable[tuple[Mark, Window]], until: float) -> Timeline:
        """Return what was observed."""
        return cls(title, until, tuple(Moment(mark, when) for mark, when in sorted(seen)))

    def of(self, kind: MarkKind) -> tuple[Moment, ...]:
        """Return the moments of a kind, in the order of their numbers."""
        return tuple(each for each in self.moments if each.mark.kind is kind)

    @property
    def ready(self) -> tuple[tuple[float, float], ...]:
        """The stretches in which it is certainly ready."""
        changes = self.of(MarkKind.READINESS)
        found = []
        for change, following in zip(changes, (*changes[1:], None), strict=False):
            end = self.until if following is None else following.when.earliest
            if change.mark.ready and change.certain and end > change.when.latest:
                found.append((change.when.latest, end))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class _Scale:
    width: int
    until: float

    def x(self, second: float) -> float:
        """Return the pixel of a second."""
        return round(LEFT + (self.width - LEFT - 12) * min(max(second, 0.0), self.until) / self.until, 1)


def svg(timeline: Timeline, *, width: int = 720) -> str:
    """Return a timeline as an SVG of its own, about so many pixels wide."""
    return sheet("", [timeline], width=width)


def sheet(title: str, timelines: Sequence[Timeline], *, width: int = 720) -> str:
    """Return several timelines as one SVG, one under the other, on one scale."""
    scale = _Scale(width, max(1.0, *(each.until for each in timelines)))
    top = TOP if title else 0
    bodies: list[str] = []
    for each in timelines:
        lines, height = _body(each, scale)
        bodies += [f'<g transform="translate(0 {top})">', *lines, "</g>"]
        top += height
    shown = title or timelines[0].title
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" '
            f'viewBox="0 0 {width} {top}" font-family="sans-serif" font-size="11" role="img">'
        ),
        f"<title>{escape(shown)}</title>",
        f'<rect width="{width}" height="{top}" fill="#ffffff"/>',
    ]
    lines += [f'<text x="4" y="13" font-size="13" font-weight="bold">{escape(title)}</text>'] if title else []
    return "\n".join([*lines, *bodies, "</svg>", ""])


def _body(timeline: Timeline, scale: _Scale) -> tuple[list[str], int]:
    """Return the rows of a timeline, and how many pixels they take."""
    kinds = [kind for kind in ROWS if any(each.kind is kind for each in timeline.attempts)]
    changes = {
        "ready": timeline.of(MarkKind.READINESS),
        "restarts": (*timeline.of(MarkKind.RESTART), *timeline.of(MarkKind.KILL)),
    }
    names = [*kinds, *(name for name, moments in changes.items() if moments or not kinds)]
    noted = TOP + NOTE * len(timeline.notes)
    lines = [f'<text x="4" y="13" font-weight="bold">{escape(timeline.title)}</text>']
    lines += _notes(timeline, scale, noted + ROW * len(names))
    for number, name in enumerate(names):
        lines.append(f'<text x="4" y="{noted + ROW * number + 14}">{name}</text>')
    for number, kind in enumerate(kinds):
        lines += _dots([each for each in timeline.attempts if each.kind is kind], scale, noted + ROW * number)
    if "ready" in names:
        lines += _readiness(timeline, scale, noted + ROW * names.index("ready"))
    if "restarts" in names:
        lines += _restarts(timeline, scale, noted + ROW * names.index("restarts"))
    lines += _axis(scale, noted + ROW * len(names))
    return lines, noted + ROW * len(names) + 26


def _notes(timeline: Timeline, scale: _Scale, bottom: float) -> Iterator[str]:
    """Yield what was done: a line down from its words, which stand one under the other so that none collide."""
    for number, (second, text) in enumerate(timeline.notes):
        x, y = scale.x(second), TOP + NOTE * number
        right = x > (LEFT + scale.width) / 2
        anchor, at = ("end", x - 4) if right else ("start", x + 4)
        yield f'<line x1="{x}" x2="{x}" y1="{y}" y2="{bottom}" stroke="#9e9e9e" stroke-dasharray="2 2"/>'
        words = escape(f"{second:.1f} s {text}")
        yield f'<text x="{at}" y="{y + 10}" text-anchor="{anchor}" fill="#616161">{words}</text>'


def _dots(attempts: Sequence[Made], scale: _Scale, top: float) -> Iterator[str]:
    """Yield an attempt as a dot where it ended, with a line from where it began."""
    for each in attempts:
        colour, y = COLOURS[each.outcome], top + BAR
        begins, ends = scale.x(each.began), scale.x(each.began + each.seconds)
        if ends > begins:
            yield f'<line x1="{begins}" x2="{ends}" y1="{y}" y2="{y}" stroke="{colour}"/>'
        fill = "none" if each.outcome is Outcome.ERROR else colour
        tip = escape(f"{each.kind} at {each.began:g} s: {each.outcome}")
        yield f'<circle cx="{ends}" cy="{y}" r="3" fill="{fill}" stroke="{colour}"><title>{tip}</title></circle>'


def _readiness(timeline: Timeline, scale: _Scale, top: float) -> Iterator[str]:
    """Yield where it is ready, and hatched where it may change."""
    for begins, ends in timeline.ready:
        yield _bar(scale, Window(begins, ends), top, "#66bb6a", f"ready from {begins:g} s to {ends:g} s")
    for each in timeline.of(MarkKind.READINESS):
        colour = "#2e7d32" if each.mark.ready else "#c62828"
        yield _bar(scale, each.when, top, colour, _tip(each), opacity=0.55 if each.certain else 0.25)


def _restarts(timeline: Timeline, scale: _Scale, top: float) -> Iterator[str]:
    """Yield kills as crosses in the middle of their bars, restarts as bars."""
    for each in timeline.of(MarkKind.RESTART):
        yield _bar(scale, each.when, top, "#1565c0", _tip(each), opacity=0.6 if each.certain else 0.25)
    for each in timeline.of(MarkKind.KILL):
        x = scale.x((each.when.earliest + each.when.latest) / 2)
        cross = f"M{x - 3} {top + 2}l6 6m0 -6l-6 6"
        yield f'<path d="{cross}" stroke="#c62828" fill="none"><title>{escape(_tip(each))}</title></path>'


def _tip(moment: Moment) -> str:
    when = moment.when
    text = f"{when.earliest:g} s" if when.exact else f"{when.earliest:g} s to {when.latest:g} s"
    return f"{moment.mark}: {text}{'' if moment.certain else ', if at all'}"


def _bar(scale: _Scale, window: Window, top: float, colour: str, tip: str, *, opacity: float = 1.0) -> str:
    begins, ends = scale.x(window.earliest), scale.x(window.latest)
    return (
        f'<rect x="{begins}" y="{top + 4}" width="{max(round(ends - begins, 1), 2)}" height="{BAR}" fill="{colour}" '
        f'fill-opacity="{opacity:g}"><title>{escape(tip)}</title></rect>'
    )


def _axis(scale: _Scale, top: float) -> Iterator[str]:
    """Yield a line with about ten round numbers of seconds."""
    steps = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
    step = next((each for each in steps if scale.until / each <= 10), round(scale.until / 10))
    yield f'<line x1="{scale.x(0)}" x2="{scale.x(scale.until)}" y1="{top}" y2="{top}" stroke="#9e9e9e"/>'
    for number in range(int(scale.until // step) + 1):
        x = scale.x(number * step)
        yield f'<line x1="{x}" x2="{x}" y1="{top}" y2="{top + 4}" stroke="#9e9e9e"/>'
        yield f'<text x="{x}" y="{top + 16}" text-anchor="middle">{number * step} s</text>'
