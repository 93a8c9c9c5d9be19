"""The pictures of a drill: an alert's value against its threshold, the stages and the load, on one time axis.

Colours are named, not fixed: the page that a picture stands in decides them (a custom property of CSS, `--paint-NAME`,
for each name of `PAINTS`), so that one picture serves light, dark and paper.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tocsin.drill.judge import DrillResult
from tocsin.drill.timeline import STEP
from tocsin.evidence import Sample
from tocsin.report.scene import Comparison, Curve, Scene, Stretch, Track, scenes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAINTS = (
    *("ink", "muted", "rule", "value", "other", "threshold", "requests", "background", "failures"),
    *("steady", "reaching", "pending", "firing", "resolving", "stimulus"),
)
"""The names of the colours."""

BANDS = {
    "steady": "steady",
    "reaching": "stimulus on, not crossed yet",
    "pending": "pending",
    "firing": "firing",
    "resolving": "stimulus gone, still firing",
}
"""The stages that are a stretch of time, as the legend names them."""

WIDTH, LEFT, RIGHT = 960.0, 154.0, 162.0
LANE, ROW, PANEL, TRUTH, LOAD, HEADER, AXIS = 22.0, 15.0, 150.0, 56.0, 84.0, 24.0, 40.0
"""Measures of a picture, in its own units; a picture scales as a whole."""
FONT = 10.0
CHARACTER = 0.56
"""The width of a character, in font sizes: wide enough for any font that a page may choose."""

_STAND_INS = {name: f"#fe0a{index:02x}" for index, name in enumerate(PAINTS)}
"""What Matplotlib writes where a named colour will stand."""
_STRENGTHS = {"steady": 0.22, "reaching": 0.36, "pending": 0.46, "firing": 0.46, "resolving": 0.38, "stimulus": 0.4}
_IN_LANE = {
    "steady": "steady",
    "reaching": "not crossed",
    "pending": "pending",
    "firing": "firing",
    "resolving": "resolving",
    "truth": "true",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture, as SVG to stand in a page."""

    caption: str
    """What a reader must know to read it; nothing, if it speaks for itself."""
    svg: str


def draw(result: DrillResult, prefix: str) -> list[Picture]:
    """Draw a drill; `prefix` makes the ids in its pictures unique in their page.

    Nothing is drawn of a drill without a stimulus, or whose evidence cannot be read.
    """
    found = []
    for number, scene in enumerate(scenes(result), 1):
        with mpl.rc_context(_style()):
            svg = _Sheet(scene).svg()
        found.append(Picture(scene.caption(), _inline(svg, f"{prefix}-{number}", scene.summary())))
    return found


def shown(value: float) -> str:
    """Return a number as a reader takes it in: four digits at the most, thousands as k, M, G, T."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else size):.4g}{unit}"
    return f"{value:.4g}"


_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """Return a text without what no XML may hold (XML 1.0, section 2.2)."""
    return _UNWRITABLE.sub("\ufffd", text)


def _paint(name: str) -> str:
    return _STAND_INS[name]


def _style() -> dict[Any, Any]:
    """Return Matplotlib's settings, in force while a picture is drawn."""
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "tocsin",
        "text.parse_math": False,
        "font.size": FONT,
        "font.family": "sans-serif",
        "axes.edgecolor": _paint("rule"),
        "axes.labelcolor": _paint("muted"),
        "axes.linewidth": 0.8,
        "xtick.color": _paint("muted"),
        "ytick.color": _paint("muted"),
        "hatch.linewidth": 0.6,
        "path.simplify": True,
    }


class _Sheet:
    """The drawing of a scene, from top to bottom: moments, lanes, values, load, time axis."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.clock = scene.clock
        self.marks = self._staircase(scene.moments())
        rows = 1 + max((row for _, _, row in self.marks), default=0)
        alone = scene.truth is not None and not scene.comparisons
        lanes = 1 + len(scene.tracks) + len(scene.extra) + (scene.truth is not None and not alone)
        self.height = rows * ROW + 8 + lanes * LANE + len(scene.comparisons) * (HEADER + PANEL) + AXIS
        self.height += (HEADER + TRUTH if alone else 0) + (HEADER + LOAD if scene.rates else 0)
        self.figure = Figure(figsize=(WIDTH / 72, self.height / 72), facecolor="none")
        FigureCanvasSVG(self.figure)
        self.top = 0.0
        self._draw_moments(rows)
        self._draw_lanes(lanes)
        for comparison in scene.comparisons:
            self._draw_comparison(comparison)
        if alone:
            self._draw_truth(scene.truth or ())
        if scene.rates:
            self._draw_load()
        self._draw_time()

    def svg(self) -> str:
        """Return it as Matplotlib writes it."""
        buffer = io.StringIO()
        self.figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, facecolor="none")
        return buffer.getvalue()

    # Places on the sheet

    def _x(self, moment: float) -> float:
        share = (moment - self.clock.start) / (self.clock.end - self.clock.start)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def _inside(self, stretch: Stretch) -> tuple[float, float] | None:
        """Return the part of a stretch that the picture shows."""
        begin, end = max(stretch.begin, self.clock.start), min(stretch.end, self.clock.end)
        return (begin, end) if end > begin else None

    def _staircase(self, moments: Mapping[str, float]) -> list[tuple[str, float, int]]:
        """Return each moment with the row of its label: none lies on another, or on the line of a later moment."""
        placed: list[tuple[str, float, int]] = []
        for name, moment in sorted(moments.items(), key=lambda m: -m[1]):
            reach = self._x(moment) + 8 + CHARACTER * FONT * (len(name) + 6)
            under = [row for _, later, row in placed if self._x(later) <= reach]
            placed.append((name, moment, 1 + max(under) if under else 0))
        return placed

    def _axes(self, height: float, *, header: str | None = None, lines: bool = True) -> Axes:
        """Take the next so many units of the sheet, under what is drawn already."""
        self.top += HEADER if header is not None else 0
        bottom = self.height - self.top - height
        share = (LEFT / WIDTH, bottom / self.height, (WIDTH - LEFT - RIGHT) / WIDTH, height / self.height)
        axes = self.figure.add_axes(share, facecolor="none")
        axes.set_xlim(self.clock.start, self.clock.end)
        axes.tick_params(bottom=False, labelbottom=False, length=0)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        self.top += height
        for name, moment, _ in self.marks if lines else ():
            axes.axvline(moment, **_line(name), zorder=2.4)
        if header is not None:
            text = _short(" ".join(header.split()), WIDTH - LEFT - 20, FONT * 1.12)
            _write(axes, text, (0, 1 + 11 / height), where="axes fraction", family="monospace")
        return axes

    # Its parts

    def _draw_moments(self, rows: int) -> None:
        axes = self._axes(rows * ROW + 8, lines=False)
        axes.set_ylim(0, rows * ROW + 8)
        axes.axis("off")
        for name, moment, row in self.marks:
            height = row * ROW + ROW / 2 + 4
            axes.plot([moment, moment], [0, height], **_line(name), clip_on=False)
            said = "injected 0" if name == "injected" else f"{name} {moment:.2f}"
            _write(axes, said, (moment, height), offset=4, bold="notified" in name)

    def _draw_lanes(self, lanes: int) -> None:
        axes = self._axes(lanes * LANE)
        axes.set_ylim(lanes, 0)
        axes.set_yticks([])
        axes.spines["bottom"].set_visible(False)
        stimulus = Stretch("stimulus", self.clock.injected, self.clock.recovered)
        self._draw_lane(axes, 0, "stimulus", [stimulus])
        tracks = [*self.scene.tracks, *self.scene.extra]
        for row, track in enumerate(tracks, 1):
            self._draw_lane(axes, row, self.scene.lane_name(track), track.stretches)
            self._draw_told(axes, row, track)
        if lanes > len(tracks) + 1:
            truths = [Stretch("truth", begin, end) for begin, end in self.scene.truth or ()]
            self._draw_lane(axes, lanes - 1, "expression true", truths)

    def _draw_lane(self, axes: Axes, row: int, name: str, stretches: Iterable[Stretch]) -> None:
        _write(axes, _short(name, LEFT - 10, FONT), (0, row + 0.5), where=("axes fraction", "data"), offset=-8)
        axes.plot([self.clock.start, self.clock.end], [row + 0.5] * 2, color=_paint("rule"), linewidth=0.6, zorder=0.5)
        for stretch in stretches:
            inside = self._inside(stretch)
            if inside is None:
                continue
            paint = _paint("value" if stretch.band == "truth" else stretch.band)
            strength = _STRENGTHS.get(stretch.band, 0.6)
            axes.barh(row + 0.5, inside[1] - inside[0], 0.72, left=inside[0], color=paint, alpha=strength)
            begin, end = self._free(*inside)
            width = self._x(end) - self._x(begin) - 8
            said = next((text for text in self._in_lane(stretch.band) if _short(text, width, FONT) == text), "")
            _write(axes, said, ((begin + end) / 2, row + 0.53))

    def _in_lane(self, band: str) -> list[str]:
        """Return what may be written into a stretch, the fullest text first."""
        if band != "stimulus":
            return [_IN_LANE[band]]
        full = clean(self.scene.stimulus)
        return [full, full.partition(",")[0], full.partition(" on ")[0]]

    def _free(self, begin: float, end: float) -> tuple[float, float]:
        """Return the widest part of a stretch that no moment's line goes through."""
        cuts = sorted({begin, end, *(moment for _, moment, _ in self.marks if begin < moment < end)})
        return max(pairwise(cuts), key=lambda part: part[1] - part[0])

    def _draw_told(self, axes: Axes, row: int, track: Track) -> None:
        for name, marker in (("notified", "v"), ("resolution notified", "^")):
            if name in track.moments:
                at = track.moments[name]
                axes.plot([at], [row + 0.5], marker=marker, markersize=6, color=_paint("ink"), zorder=4, clip_on=False)

    def _draw_comparison(self, comparison: Comparison) -> None:
        axes = self._axes(PANEL, header=comparison.text)
        self._draw_bands(axes)
        for curve in comparison.others:
            _plot(axes, curve, color=_paint("other"), linewidth=1.0)
        _plot(axes, comparison.own, color=_paint("value"), linewidth=2.0)
        for _, curve in comparison.thresholds:
            _plot(axes, curve, color=_paint("threshold"), linewidth=1.3, linestyle=(0, (5, 3)))
        axes.set_ylim(*_limits(comparison))
        _scale(axes, MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        self._draw_unknown(axes, comparison)
        self._name_curves(axes, comparison)
        self._draw_distance(axes, comparison)

    def _draw_truth(self, truth: Sequence[tuple[float, float]]) -> None:
        """Draw an expression without a comparison: it holds or it does not."""
        rule = self.scene.lead.rule if self.scene.lead else None
        axes = self._axes(TRUTH, header=rule.expression if rule else "")
        self._draw_bands(axes)
        edges = [(self.clock.start, 0.0), *((t, v) for a, b in truth for t, v in ((a, 1.0), (b + STEP, 0.0)))]
        edges.append((self.clock.end, edges[-1][1]))
        times, values = [t for t, _ in edges], [v for _, v in edges]
        axes.plot(times, values, drawstyle="steps-post", color=_paint("value"), linewidth=2.0, zorder=3)
        axes.set_ylim(-0.25, 1.25)
        axes.set_yticks([0, 1], ["not true", "true"])

    def _draw_bands(self, axes: Axes) -> None:
        for stretch in self.scene.lead.stretches if self.scene.lead else ():
            if inside := self._inside(stretch):
                strength = 0.55 * _STRENGTHS[stretch.band]
                axes.axvspan(*inside, facecolor=_paint(stretch.band), edgecolor="none", alpha=strength, zorder=0.3)

    def _draw_unknown(self, axes: Axes, comparison: Comparison) -> None:
        """Hatch where the value was none: nothing selected, stale, or NaN."""
        last = self.clock.start
        pieces = [(p[0][0], p[-1][0]) for p in comparison.own.pieces]
        for begin, end in [*pieces, (self.clock.end, self.clock.end)]:
            if begin - last > max(0.004 * (self.clock.end - self.clock.start), 3 * STEP):
                style = {"facecolor": "none", "edgecolor": _paint("rule"), "hatch": "////", "linewidth": 0}
                axes.axvspan(last, begin, 0, 1, **style)
                if self._x(begin) - self._x(last) > 60:
                    middle = ((last + begin) / 2, 0.09)
                    _write(axes, "no value", middle, where=("data", "axes fraction"), paint="muted")
            last = end

    def _name_curves(self, axes: Axes, comparison: Comparison) -> None:
        """Name the curves at the right, each at its own height, none on top of another."""
        named = [
            (piece[-1][1], f"{name} {shown(piece[-1][1])}", "threshold")
            for name, curve in comparison.thresholds
            for piece in curve.pieces[-1:]
        ]
        named += [(piece[-1][1], "value", "value") for piece in comparison.own.pieces[-1:]]
        low, high = _limits(comparison)
        height = -math.inf
        for value, text, paint in sorted(named):
            height = max(value, height + (high - low) * 13 / PANEL)
            at = (1, min(height, high))
            _write(axes, _short(text, RIGHT - 10, FONT), at, where=("axes fraction", "data"), offset=6, paint=paint)

    def _draw_distance(self, axes: Axes, comparison: Comparison) -> None:
        """Show how close a value came to a threshold that it never crossed."""
        values = comparison.own.values(self.clock.injected, self.clock.recovered)
        limits = [piece[-1][1] for _, curve in comparison.thresholds[:1] for piece in curve.pieces[-1:]]
        if self.scene.lead is None or self.scene.lead.crossed or not values or not limits:
            return
        moment, value = _closest(values, comparison.operator, limits[0])
        arrow = {"arrowstyle": "<->", "color": _paint("ink"), "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (moment, value), (moment, limits[0]), arrowprops=arrow, zorder=4)
        early = moment < (self.clock.start + self.clock.end) / 2
        missing = shown(abs(limits[0] - value))
        said = f"closest {shown(value)}: {missing} away from {comparison.operator} {shown(limits[0])}"
        _write(axes, said, (moment, (value + limits[0]) / 2), offset=7 if early else -7, bold=True)

    def _draw_load(self) -> None:
        axes = self._axes(LOAD, header="load, per second")
        for row, rate in enumerate(self.scene.rates):
            times, values = [t for t, _ in rate.steps], [v for _, v in rate.steps]
            failing, driving = rate.what == "failures", rate.part == "stimulus"
            paint = "failures" if failing else "requests" if driving else "background"
            dashes: Any = "-" if driving else (0, (2, 1.5))
            axes.step(times, values, where="post", color=_paint(paint), linewidth=1.5, linestyle=dashes, zorder=2.6)
            if driving or failing:
                axes.fill_between(times, values, step="post", color=_paint(paint), alpha=0.22, linewidth=0)
            name = f"{'─' if driving else '┄'} {rate.what}, {rate.part}"
            _write(axes, name, (1, 0.9 - row * 14 / LOAD), where="axes fraction", offset=6, paint=paint)
        axes.set_ylim(0, 1.12 * max([v for rate in self.scene.rates for _, v in rate.steps] + [1.0]))
        _scale(axes, MaxNLocator(3, steps=[1, 2, 5, 10]))

    def _draw_time(self) -> None:
        axes = self.figure.axes[-1]
        axes.spines["bottom"].set_visible(True)
        axes.tick_params(bottom=True, labelbottom=True, length=4)
        axes.xaxis.set_major_locator(MaxNLocator(12, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        factor = self.scene.factor
        pace = f" (1 s here is {factor:g} s in production)" if factor != 1 else ""
        axes.set_xlabel(f"seconds since the stimulus{pace}", labelpad=4)


def _line(name: str) -> dict[str, Any]:
    """Return how a moment's line is drawn: what we did solid, what the rule did dashed, what was told bold."""
    if "notified" in name:
        return {"color": _paint("ink"), "linewidth": 1.7, "linestyle": "-"}
    if name in ("injected", "recovered"):
        return {"color": _paint("muted"), "linewidth": 1.1, "linestyle": "-"}
    return {"color": _paint("muted"), "linewidth": 1.1, "linestyle": (0, (2, 2))}


def _write(
    axes: Axes,
    text: str,
    at: tuple[float, float],
    *,
    where: Any = "data",
    offset: float | None = None,
    paint: str = "ink",
    bold: bool = False,
    family: str | None = None,
) -> None:
    """Write a text: to the right of a point, or to its left if `offset` is negative; around it without one."""
    monospaced = family is not None
    align = "left" if monospaced else "center" if offset is None else "left" if offset > 0 else "right"
    axes.annotate(
        text,
        at,
        xycoords=where,
        xytext=(offset or 0, 0),
        textcoords="offset points",
        ha=align,
        va="center",
        color=_paint(paint),
        fontsize=FONT,
        fontweight="bold" if bold else "normal",
        family=family or "sans-serif",
        annotation_clip=False,
        zorder=5,
    )


def _plot(axes: Axes, curve: Curve, **style: Any) -> None:
    times: list[float] = []
    values: list[float] = []
    for piece in curve.pieces:
        times += [*(t for t, _ in piece), piece[-1][0] + STEP, math.nan]
        values += [*(v for _, v in piece), piece[-1][1], math.nan]
    axes.plot(times, values, solid_joinstyle="miter", zorder=3, **style)


def _scale(axes: Axes, ticks: MaxNLocator) -> None:
    axes.yaxis.set_major_locator(ticks)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value)))
    axes.grid(axis="y", color=_paint("rule"), linewidth=0.5, alpha=0.7)
    axes.set_axisbelow(True)


def _limits(comparison: Comparison) -> tuple[float, float]:
    """Return the range of values that is shown: all of them and every threshold, with some air."""
    curves = (comparison.own, *comparison.others, *(c for _, c in comparison.thresholds))
    values = [v for curve in curves for _, v in curve.values()] or [0.0, 1.0]
    low, high = min(values), max(values)
    if 0 < low < 0.5 * high:
        low = 0.0
    spread = (high - low) or abs(high) or 1.0
    return low - 0.1 * spread, high + 0.12 * spread


def _closest(values: Sequence[Sample], operator: str, limit: float) -> Sample:
    if operator in (">", ">="):
        return max(values, key=lambda s: s[1])
    if operator in ("<", "<="):
        return min(values, key=lambda s: s[1])
    return min(values, key=lambda s: abs(s[1] - limit))


def _short(text: str, width: float, size: float) -> str:
    """Return as much of a text as fits a width."""
    text = clean(text)
    most = int(width / (CHARACTER * size))
    if len(text) <= most:
        return text
    return text[: most - 1] + "…" if most > 1 else ""


# From Matplotlib's file to a piece of a page


def _inline(svg: str, prefix: str, summary: str) -> str:
    """Make a picture a piece of a page: named colours, the page's fonts, ids of its own, and any width.

    Only tags are looked at: a text may well read like an attribute, as the expression `up{job="a", id="b"}` does.
    """
    body = re.sub(r"<(metadata|style)\b.*?</\1>\s*", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    used = frozenset(re.findall(r'(?:url\(#|href="#)([^)"]+)', " ".join(re.findall(r"<[^>]*>", body))))
    body = re.sub(r"<[^>]*>", lambda tag: _tag(tag[0], prefix, used), body)
    escaped = clean(summary).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return body.replace("<svg", f'<svg role="img" aria-label="{escaped}"', 1).strip()


def _tag(tag: str, prefix: str, used: frozenset[str]) -> str:
    """Rewrite one tag. A page may hold each id once: those that nothing refers to go, the others get a prefix."""
    if tag.startswith("<svg"):
        tag = re.sub(r' (?:width|height)="[^"]*"', "", tag)
    tag = re.sub(r"#fe0a([0-9a-f]{2})", lambda m: f"var(--paint-{PAINTS[int(m[1], 16)]})", tag)
    tag = re.sub(r"font-family: ([^;\"]*); ", _family, tag)
    tag = re.sub(r' id="([^"]*)"', lambda m: f' id="{prefix}-{m[1]}"' if m[1] in used else "", tag)
    return re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}-", tag)


def _family(match: re.Match[str]) -> str:
    return "font-family: monospace; " if "mono" in match[1].lower() else ""
