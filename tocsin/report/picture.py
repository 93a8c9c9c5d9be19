"""The pictures of a drill: an alert's value against its threshold, the stages and the load, on one time axis.

Times in a picture are seconds since the drill's stimulus. Colours are named, not fixed: the page that a picture stands
in decides them (a custom property of CSS for each name of `PAINTS`), so that one picture serves light, dark and paper.
"""

from __future__ import annotations

import io
import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tocsin.drill.judge import DrillResult, ExpectedResult, Undeclared
from tocsin.drill.timeline import STEP, AlertInstance, Stages, alert_instances, rule_of
from tocsin.evidence import Evidence, Expression, Manifest, RuleFacts, Sample

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAINTS = {
    name: f"#fe0a{index:02x}"
    for index, name in enumerate(
        (
            *("ink", "muted", "rule", "value", "other", "threshold", "requests", "background", "failures"),
            *("steady", "reaching", "pending", "firing", "resolving", "stimulus"),
        )
    )
}
"""Stand-ins, one a colour: Matplotlib writes them, and the custom property `--paint-NAME` takes their place."""

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
"""Measures of a picture, in its own units (points; a picture scales as a whole)."""
FONT, SMALL = 11.5, 10.0
CHARACTER = 0.56
"""The width of a character, in font sizes, wide enough for any font that a page may choose."""
MOST_POINTS = 1600
"""Points of a curve above which it is thinned: two for each dot of a picture."""
MOST_OTHERS = 8
"""Further series of an alert's value that are drawn beside its own."""
MOST_PICTURES = 6


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture, as SVG to stand in a page."""

    caption: str
    """What a reader must know to read it; nothing, if it speaks for itself."""
    svg: str
    summary: str
    """What it shows, for those who cannot see it."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A stage that lasted, in seconds since the stimulus."""

    band: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class _Track:
    """What an alert did: its rule, its stages, and the moments to be marked; all in seconds since the stimulus."""

    name: str
    rule: RuleFacts | None
    labels: Mapping[str, str]
    stretches: tuple[_Stretch, ...]
    moments: Mapping[str, float]
    crossed: bool


@dataclass(frozen=True, slots=True)
class _Curve:
    """A value over time; each piece is a stretch without a gap."""

    pieces: tuple[tuple[Sample, ...], ...]

    def values(self, since: float = -math.inf, until: float = math.inf) -> list[tuple[float, float]]:
        return [s for piece in self.pieces for s in piece if since <= s[0] <= until]


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A comparison of the alerts' expression: the value, and what it is held against for each alert."""

    text: str
    operator: str
    own: _Curve
    others: tuple[_Curve, ...]
    thresholds: tuple[tuple[str, _Curve], ...]


@dataclass(frozen=True, slots=True)
class _Clock:
    """The part of the run's time that a picture shows."""

    origin: float
    """The stimulus, in seconds since the run's start."""
    start: float
    injected: float
    recovered: float
    end: float

    @classmethod
    def of(cls, manifest: Manifest) -> _Clock | None:
        moments = manifest.moments
        if moments.injected is None:
            return None
        origin = moments.injected
        end = (moments.ended or moments.recovered or origin + 1.0) - origin
        end = max(end, 0.5)
        first = (moments.armed if moments.armed is not None else moments.started) - origin
        recovered = end if moments.recovered is None else moments.recovered - origin
        return cls(origin, max(first, -0.2 * end), 0.0, recovered, end)


def draw(result: DrillResult, prefix: str) -> list[Picture]:
    """Draw a drill: a picture for each value that its alerts watch, one of load and stages if none was drawn else.

    `prefix` makes the ids in the pictures unique in their page. Nothing is drawn of a drill without a stimulus.
    """
    manifest = result.evidence.manifest
    clock = _Clock.of(manifest) if manifest else None
    if manifest is None or clock is None or result.evidence.problem:
        return []
    tracks = list(_tracks(result, manifest, clock))
    watched = [t for t in tracks if t.rule is not None]
    groups = list(_by_value(result.evidence, watched).values())[:MOST_PICTURES] or [[]]
    extra = [t for t in tracks if not any(t in group for group in groups)]
    scenes = [_Scene(result, manifest, clock, group, extra if i == 0 else []) for i, group in enumerate(groups)]
    return [scene.picture(f"{prefix}-{i}") for i, scene in enumerate(scenes, 1)]


# What the picture shows


def _tracks(result: DrillResult, manifest: Manifest, clock: _Clock) -> Iterator[_Track]:
    """Yield the expected alerts, those to be told of first, then the unexpected, then the allowed."""
    instances = alert_instances(result.evidence)
    for expected in sorted(result.expected, key=lambda e: e.expected.outcome != "notified"):
        yield _expected_track(expected, instances, clock)
    for kind, undeclared in [("unexpected", u) for u in result.unexpected] + [("allowed", a) for a in result.allowed]:
        yield _undeclared_track(kind, undeclared, instances, manifest, clock)


def _expected_track(result: ExpectedResult, instances: Iterable[AlertInstance], clock: _Clock) -> _Track:
    name = " ".join([result.expected.alert, *result.expected.labels.values()])
    told = result.expected.outcome
    return _Track(
        name=name if told == "notified" else f"{name} ({told})",
        rule=result.rule,
        labels=result.labels,
        stretches=tuple(_stretches(instances, result.labels, result.stages, clock)),
        moments=_moments(result.stages, clock),
        crossed=result.stages.crossed is not None,
    )


def _undeclared_track(
    kind: str, undeclared: Undeclared, instances: Iterable[AlertInstance], manifest: Manifest, clock: _Clock
) -> _Track:
    alert = undeclared.labels.get("alertname", undeclared.alert_id)
    name = f"{alert} {undeclared.labels.get('severity', '')}".strip()
    return _Track(
        name=f"{name} ({kind})",
        rule=rule_of(manifest, alert, undeclared.labels) if kind == "unexpected" else None,
        labels=undeclared.labels,
        stretches=tuple(_stretches(instances, undeclared.labels, None, clock)),
        moments={},
        crossed=True,
    )


def _stretches(
    instances: Iterable[AlertInstance], labels: Mapping[str, str], stages: Stages | None, clock: _Clock
) -> Iterator[_Stretch]:
    spans = [s for i in instances if dict(i.labels) == dict(labels) for s in i.spans]
    if stages is not None:
        reached = stages.crossed if stages.crossed is not None else stages.pending
        begun = [reached - clock.origin] if reached is not None else [s.began - clock.origin for s in spans][:1]
        yield _Stretch("steady", clock.start, clock.injected)
        yield _Stretch("reaching", clock.injected, min([*begun, clock.recovered]))
    for span in spans:
        end = clock.end if span.ended is None else span.ended - clock.origin
        firing = end if span.firing is None else span.firing - clock.origin
        gone = min(max(clock.recovered, firing), end)
        if span.pending is not None:
            yield _Stretch("pending", span.pending - clock.origin, firing)
        yield _Stretch("firing", firing, gone)
        yield _Stretch("resolving", gone, end)


def _moments(stages: Stages, clock: _Clock) -> dict[str, float]:
    """Return the moments that are marked, in their order, with the names that they are marked by."""
    names = ("injected", "crossed", "notified", "recovered", "resolved", "resolution_notified")
    found = {name: getattr(stages, name) for name in names}
    return {name.replace("_", " "): at - clock.origin for name, at in found.items() if at is not None}


def _by_value(evidence: Evidence, tracks: Iterable[_Track]) -> dict[tuple[str, ...], list[_Track]]:
    """Group alerts by what they watch: the rungs of a ladder share a picture."""
    groups: dict[tuple[str, ...], list[_Track]] = {}
    for track in tracks:
        assert track.rule is not None  # noqa: S101 the caller leaves out tracks without a rule
        lefts = {e.comparison: e.text for e in _sides(evidence, track.rule, "left")}
        key = tuple(lefts[c] for c in sorted(lefts)) or (track.rule.expression,)
        groups.setdefault(key, []).append(track)
    return groups


def _sides(evidence: Evidence, rule: RuleFacts, side: str) -> list[Expression]:
    return [e for e in evidence.expressions if e.rule == rule.id and e.side == side]


def _comparisons(evidence: Evidence, tracks: Sequence[_Track], clock: _Clock) -> list[_Comparison]:
    """Return the comparisons of a group of alerts that watch the same values."""
    lead = tracks[0]
    if lead.rule is None:
        return []
    step = _step(evidence)
    found = []
    for index in sorted({e.comparison for e in _sides(evidence, lead.rule, "left")}):
        lefts = [e for e in _sides(evidence, lead.rule, "left") if e.comparison == index]
        own = [e for e in lefts if _is_of(e.labels, lead.labels)] or lefts
        others = [e for e in lefts if e not in own[:1]][:MOST_OTHERS]
        found.append(
            _Comparison(
                text=lefts[0].text,
                operator=lefts[0].operator,
                own=_curve(own[0].samples, step, clock),
                others=tuple(_curve(e.samples, step, clock) for e in others),
                thresholds=tuple(_thresholds(evidence, tracks, index, clock)),
            )
        )
    return found


def _thresholds(
    evidence: Evidence, tracks: Sequence[_Track], index: int, clock: _Clock
) -> Iterator[tuple[str, _Curve]]:
    for track in tracks:
        rights = [e for e in _sides(evidence, track.rule, "right") if e.comparison == index] if track.rule else []
        own = [e for e in rights if _is_of(e.labels, track.labels)] or rights
        if own:
            named = _rung(track) if len(tracks) > 1 else "threshold"
            yield f"{named} {own[0].operator}", _curve(own[0].samples, _step(evidence), clock)


def _rung(track: _Track) -> str:
    return track.labels.get("severity") or track.name


def _is_of(result: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Tell whether a resulting series belongs to an alert: what both name, both name alike."""
    return all(labels[k] == v for k, v in result.items() if k in labels)


def _step(evidence: Evidence) -> float:
    return evidence.manifest.coarse_step if evidence.manifest else STEP


def _curve(samples: Sequence[Sample], step: float, clock: _Clock) -> _Curve:
    begin = bisect_left(samples, (clock.origin + clock.start,))
    end = bisect_right(samples, (clock.origin + clock.end, math.inf))
    pieces: list[list[Sample]] = []
    last = -math.inf
    for moment, value in samples[begin:end]:
        if not math.isfinite(value):
            continue
        if moment - last > 1.5 * step:
            pieces.append([])
        pieces[-1].append((moment - clock.origin, value))
        last = moment
    share = MOST_POINTS // max(1, len(pieces))
    return _Curve(tuple(tuple(thin(piece, max(8, share))) for piece in pieces))


def thin(samples: Sequence[Sample], most: int) -> list[Sample]:
    """Return at most about `most` of the samples, the line through them looking the same: no edge or peak is lost.

    Of an unchanging stretch its two ends are kept; of what is still too much, each slice of time keeps its first, its
    last, its lowest and its highest sample (M4: Jugel et al., VLDB 2014).
    """
    last = len(samples) - 1
    kept = [
        s
        for i, s in enumerate(samples)
        if i in (0, last) or not samples[i - 1][1] == s[1] == samples[i + 1][1]  # both neighbours are its equals
    ]
    if len(kept) <= most:
        return kept
    slices: dict[int, list[Sample]] = {}
    width = (kept[-1][0] - kept[0][0]) / max(1, most // 4) or 1.0
    for sample in kept:
        slices.setdefault(int((sample[0] - kept[0][0]) / width), []).append(sample)
    found = []
    for part in slices.values():
        corners = (part[0], part[-1], min(part, key=lambda s: s[1]), max(part, key=lambda s: s[1]))
        found += sorted(set(corners))
    return found


def _truth(evidence: Evidence, track: _Track, clock: _Clock) -> list[tuple[float, float]]:
    """Return when an alert's whole expression held."""
    wholes = _sides(evidence, track.rule, "whole") if track.rule else []
    own = [e for e in wholes if _is_of(e.labels, track.labels)] or wholes
    step = _step(evidence)
    stretches: list[tuple[float, float]] = []
    for moment in sorted({t - clock.origin for e in own for t, _ in e.samples}):
        if stretches and moment - stretches[-1][1] <= 1.5 * step:
            stretches[-1] = (stretches[-1][0], moment)
        else:
            stretches.append((moment, moment))
    return [(max(a, clock.start), min(b, clock.end)) for a, b in stretches if b >= clock.start and a <= clock.end]


@dataclass(frozen=True, slots=True)
class _Rate:
    """Requests or failures of a part of the load, a second, in steps."""

    part: str
    what: str
    steps: tuple[tuple[float, float], ...]


def _rates(evidence: Evidence, clock: _Clock) -> list[_Rate]:
    found = []
    for part in sorted({str(line.get("part", "stimulus")) for line in evidence.load}, reverse=True):
        lines = [
            line
            for line in evidence.load
            if line.get("event") == "interval" and line.get("part", "stimulus") == part and line.get("seconds")
        ]
        for what in ("requests", "failures"):
            steps = [(begin - clock.origin, count / (end - begin)) for begin, end, count in _intervals(lines, what)]
            if steps and (what == "requests" or any(rate for _, rate in steps)):
                steps.append((max(line["time"] for line in lines) - clock.origin, 0.0))
                found.append(_Rate(part, what, tuple(steps)))
    return found


def _intervals(lines: Sequence[Mapping[str, Any]], what: str) -> list[tuple[float, float, float]]:
    """Return begin, end and count of each interval; the stump that a stop leaves is counted to the one before.

    A handful of requests in a hundredth of a second would else look like a storm.
    """
    usual = max((line["seconds"] for line in lines), default=0.0)
    found: list[tuple[float, float, float]] = []
    for line in sorted(lines, key=lambda line: float(line["time"])):
        begin, end, count = line["time"] - line["seconds"], line["time"], line.get(what) or 0
        if found and line["seconds"] < usual / 2:
            begin, count = found[-1][0], count + found[-1][2]
            found.pop()
        found.append((begin, end, count))
    return found


# How it is drawn


@dataclass(frozen=True, slots=True)
class _Scene:
    """One picture in the making."""

    result: DrillResult
    manifest: Manifest
    clock: _Clock
    tracks: Sequence[_Track]
    """The alerts that watch the same value; the first one's stages are the bands behind it."""
    extra: Sequence[_Track]
    """Alerts that have a lane and no value here."""

    def picture(self, prefix: str) -> Picture:
        """Draw it."""
        evidence = self.result.evidence
        comparisons = _comparisons(evidence, self.tracks, self.clock) if self.tracks else []
        truths = [_truth(evidence, track, self.clock) for track in self.tracks[:1] if len(comparisons) != 1]
        rates = _rates(evidence, self.clock)
        with mpl.rc_context(_STYLE):
            sheet = _Sheet(self, comparisons, truths, rates)
            svg = _inline(sheet.svg(), prefix, self._summary())
        return Picture(" ".join(self._caption(comparisons)), svg, self._summary())

    def _caption(self, comparisons: Iterable[_Comparison]) -> Iterator[str]:
        if len(self.tracks) > 1:
            yield f"Bands and lines are those of {self.tracks[0].name}; the others have their lanes."
        if any(comparison.others for comparison in comparisons):
            yield "The faint lines are the expression's other series."
        if not _rates(self.result.evidence, self.clock):
            yield "This drill applied no load."

    def moments(self) -> dict[str, float]:
        """Return what is marked by a line."""
        if self.tracks and self.tracks[0].moments:
            return dict(self.tracks[0].moments)
        found = {"injected": self.clock.injected}
        return found | ({"recovered": self.clock.recovered} if self.manifest.moments.recovered is not None else {})

    def lane_name(self, track: _Track) -> str:
        """Return how an alert is called beside its lane: by its rung where all are rungs of one ladder."""
        names = {t.labels.get("alertname") for t in self.tracks}
        rungs = {_rung(t) for t in self.tracks}
        ladder = track in self.tracks and len(names) == 1 and len(rungs) == len(self.tracks) > 1
        return _rung(track) + track.name[len(track.name.partition(" (")[0]) :] if ladder else track.name

    def _summary(self) -> str:
        said = ", ".join(f"{name} at {at:.2f} s" for name, at in self.moments().items())
        lanes = "; ".join(
            f"{track.name}: "
            + (", ".join(f"{s.band} {s.begin:.2f} to {s.end:.2f} s" for s in track.stretches) or "nothing")
            for track in (*self.tracks, *self.extra)
        )
        return clean(f"Seconds since the stimulus: {said}. {lanes}".rstrip(" .") + ".")


_STYLE: Mapping[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tocsin",
    "text.parse_math": False,
    "font.size": FONT,
    "font.family": "sans-serif",
    "axes.edgecolor": PAINTS["rule"],
    "axes.labelcolor": PAINTS["muted"],
    "axes.linewidth": 0.8,
    "xtick.color": PAINTS["muted"],
    "ytick.color": PAINTS["muted"],
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "hatch.linewidth": 0.6,
    "path.simplify": True,
}


class _Sheet:
    """The drawing of a scene, from top to bottom: moments, lanes, values, load, time axis."""

    def __init__(
        self,
        scene: _Scene,
        comparisons: Sequence[_Comparison],
        truths: Sequence[Sequence[tuple[float, float]]],
        rates: Sequence[_Rate],
    ) -> None:
        self.scene = scene
        self.clock = scene.clock
        self.marks = _staircase(scene.moments(), self._x)
        self.lanes: list[_Track | Sequence[tuple[float, float]] | None] = [None, *scene.tracks, *scene.extra]
        self.lanes += truths if comparisons else []
        rows = 1 + max((row for _, _, row in self.marks), default=0)
        self.height = rows * ROW + 8 + len(self.lanes) * LANE + len(comparisons) * (HEADER + PANEL)
        self.height += (HEADER + TRUTH) * (0 if comparisons else len(truths)) + (HEADER + LOAD if rates else 0) + AXIS
        self.figure = Figure(figsize=(WIDTH / 72, self.height / 72), facecolor="none")
        FigureCanvasSVG(self.figure)
        self.top = 0.0
        self._draw_moments(rows)
        self._draw_lanes()
        for comparison in comparisons:
            self._draw_comparison(comparison)
        for truth in () if comparisons else truths:
            self._draw_truth(truth)
        if rates:
            self._draw_load(rates)
        self._draw_time()

    def svg(self) -> str:
        """Return it as Matplotlib writes it."""
        buffer = io.StringIO()
        self.figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, facecolor="none")
        return buffer.getvalue()

    def _x(self, moment: float) -> float:
        share = (moment - self.clock.start) / (self.clock.end - self.clock.start)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def _axes(self, height: float, *, lines: bool = True) -> Axes:
        """Take the next so many units of the sheet, under what is drawn already."""
        bottom = self.height - self.top - height
        share = (LEFT / WIDTH, bottom / self.height, (WIDTH - LEFT - RIGHT) / WIDTH, height / self.height)
        axes = self.figure.add_axes(share, facecolor="none")
        axes.set_xlim(self.clock.start, self.clock.end)
        axes.tick_params(bottom=False, labelbottom=False, length=0)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        self.top += height
        if lines:
            for name, moment, _ in self.marks:
                axes.axvline(moment, **_line(name), zorder=2.4)
        return axes

    def _draw_moments(self, rows: int) -> None:
        axes = self._axes(rows * ROW + 8, lines=False)
        axes.set_ylim(0, rows * ROW + 8)
        axes.axis("off")
        for name, moment, row in self.marks:
            height = row * ROW + ROW / 2 + 4
            axes.plot([moment, moment], [0, height], **_line(name), clip_on=False)
            weight = "bold" if "notified" in name else "normal"
            said = f"{name} {moment:.2f}" if name != "injected" else "injected 0"
            axes.annotate(
                said,
                (moment, height),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                color=PAINTS["ink"],
                fontsize=SMALL,
                fontweight=weight,
                annotation_clip=False,
            )

    def _draw_lanes(self) -> None:
        axes = self._axes(len(self.lanes) * LANE)
        axes.set_ylim(len(self.lanes), 0)
        axes.set_yticks([])
        axes.spines["bottom"].set_visible(False)
        for row, lane in enumerate(self.lanes):
            match lane:
                case None:
                    self._draw_lane(axes, row, "stimulus", self._stimulus())
                case _Track():
                    self._draw_lane(axes, row, self.scene.lane_name(lane), lane.stretches)
                    self._draw_told(axes, row, lane)
                case _:
                    self._draw_lane(axes, row, "expression true", [_Stretch("truth", a, b) for a, b in lane])

    def _stimulus(self) -> list[_Stretch]:
        return [_Stretch("stimulus", self.clock.injected, self.clock.recovered)]

    def _draw_lane(self, axes: Axes, row: int, name: str, stretches: Iterable[_Stretch]) -> None:
        self._margin(axes, row + 0.5, _short(name, LEFT - 10, SMALL))
        axes.plot([self.clock.start, self.clock.end], [row + 0.5] * 2, color=PAINTS["rule"], linewidth=0.6, zorder=0.5)
        for stretch in stretches:
            begin, end = max(stretch.begin, self.clock.start), min(stretch.end, self.clock.end)
            if end <= begin:
                continue
            paint = PAINTS.get(stretch.band, PAINTS["value"])
            axes.barh(row + 0.5, end - begin, 0.72, left=begin, color=paint, alpha=_ALPHA.get(stretch.band, 0.6))
            begin, end = self._free(begin, end)
            width = self._x(end) - self._x(begin) - 8
            said = next((text for text in self._in_lane(stretch.band) if _short(text, width, SMALL) == text), "")
            text = {"ha": "center", "va": "center", "color": PAINTS["ink"], "fontsize": SMALL}
            axes.text((begin + end) / 2, row + 0.53, said, zorder=3, **text)

    def _in_lane(self, band: str) -> list[str]:
        """Return what may be written into a stretch, the fullest text first."""
        if band != "stimulus":
            return [_IN_LANE[band]]
        full = clean(said_of_stimulus(self.scene.manifest.stimulus))
        return [full, full.partition(",")[0], full.partition(" on ")[0]]

    def _free(self, begin: float, end: float) -> tuple[float, float]:
        """Return the widest part of a stretch that no moment's line goes through."""
        cuts = sorted({begin, end, *(moment for _, moment, _ in self.marks if begin < moment < end)})
        return max(pairwise(cuts), key=lambda part: part[1] - part[0])

    def _draw_told(self, axes: Axes, row: int, track: _Track) -> None:
        for name, marker in (("notified", "v"), ("resolution notified", "^")):
            if name in track.moments:
                style = {"marker": marker, "markersize": 6, "color": PAINTS["ink"], "zorder": 4, "clip_on": False}
                axes.plot([track.moments[name]], [row + 0.5], **style)

    def _margin(self, axes: Axes, y: float, text: str, *, color: str = "ink") -> None:
        """Write at the left of the axes, at a height of theirs."""
        axes.annotate(
            text,
            (0, y),
            xycoords=("axes fraction", "data"),
            xytext=(-8, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            color=PAINTS[color],
            fontsize=SMALL,
            annotation_clip=False,
        )

    def _header(self, axes: Axes, height: float, text: str) -> None:
        style = {"fontsize": SMALL, "color": PAINTS["ink"], "family": "monospace", "va": "center"}
        axes.text(0, 1 + 11 / height, text, transform=axes.transAxes, **style)

    def _draw_comparison(self, comparison: _Comparison) -> None:
        self.top += HEADER
        axes = self._axes(PANEL)
        self._header(axes, PANEL, _short(" ".join(comparison.text.split()), WIDTH - LEFT - 20, SMALL * 1.12))
        self._draw_bands(axes)
        for curve in comparison.others:
            _plot(axes, curve, color=PAINTS["other"], linewidth=1.0)
        _plot(axes, comparison.own, color=PAINTS["value"], linewidth=2.0)
        for _, curve in comparison.thresholds:
            _plot(axes, curve, color=PAINTS["threshold"], linewidth=1.3, linestyle=(0, (5, 3)))
        low, high = _limits(comparison)
        axes.set_ylim(low, high)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value)))
        axes.grid(axis="y", color=PAINTS["rule"], linewidth=0.5, alpha=0.7)
        axes.set_axisbelow(True)
        self._draw_unknown(axes, comparison)
        self._name_curves(axes, comparison, low, high)
        self._draw_distance(axes, comparison)

    def _draw_truth(self, truth: Sequence[tuple[float, float]]) -> None:
        """Draw an expression without a comparison: it holds or it does not."""
        self.top += HEADER
        axes = self._axes(TRUTH)
        rule = self.scene.tracks[0].rule
        text = " ".join(rule.expression.split()) if rule else ""
        self._header(axes, TRUTH, _short(text, WIDTH - LEFT - 20, SMALL * 1.12))
        self._draw_bands(axes)
        edges = [(self.clock.start, 0.0), *((t, v) for a, b in truth for t, v in ((a, 1.0), (b + STEP, 0.0)))]
        edges.append((self.clock.end, edges[-1][1]))
        style = {"drawstyle": "steps-post", "color": PAINTS["value"], "linewidth": 2.0, "zorder": 3}
        axes.plot([t for t, _ in edges], [v for _, v in edges], **style)
        axes.set_ylim(-0.25, 1.25)
        axes.set_yticks([0, 1], ["not true", "true"])

    def _draw_bands(self, axes: Axes) -> None:
        for stretch in self.scene.tracks[0].stretches if self.scene.tracks else ():
            begin, end = max(stretch.begin, self.clock.start), min(stretch.end, self.clock.end)
            if end > begin:
                paint, alpha = PAINTS[stretch.band], 0.55 * _ALPHA[stretch.band]
                axes.axvspan(begin, end, facecolor=paint, edgecolor="none", alpha=alpha, zorder=0.3)

    def _draw_unknown(self, axes: Axes, comparison: _Comparison) -> None:
        """Hatch where the value was none: nothing selected, stale, or NaN."""
        last = self.clock.start
        pieces = [(p[0][0], p[-1][0]) for p in comparison.own.pieces]
        for begin, end in [*pieces, (self.clock.end, self.clock.end)]:
            if begin - last > max(0.004 * (self.clock.end - self.clock.start), 3 * STEP):
                style = {"facecolor": "none", "edgecolor": PAINTS["rule"], "hatch": "////", "linewidth": 0}
                axes.axvspan(last, begin, zorder=0.4, **style)
                if self._x(begin) - self._x(last) > 60:
                    text = {"ha": "center", "color": PAINTS["muted"], "fontsize": SMALL}
                    axes.text((last + begin) / 2, 0.06, "no value", transform=axes.get_xaxis_transform(), **text)
            last = end

    def _name_curves(self, axes: Axes, comparison: _Comparison, low: float, high: float) -> None:
        """Name the curves at the right, each at its own height, none on top of another."""
        named = [
            (piece[-1][1], f"{name} {shown(piece[-1][1])}", "threshold")
            for name, curve in comparison.thresholds
            for piece in curve.pieces[-1:]
        ]
        named += [(piece[-1][1], "value", "value") for piece in comparison.own.pieces[-1:]]
        least = (high - low) * 13 / PANEL
        height = -math.inf
        for value, text, paint in sorted(named):
            height = max(value, height + least)
            axes.annotate(
                _short(text, RIGHT - 10, SMALL),
                (1, min(height, high)),
                xycoords=("axes fraction", "data"),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                color=PAINTS[paint],
                fontsize=SMALL,
                annotation_clip=False,
            )

    def _draw_distance(self, axes: Axes, comparison: _Comparison) -> None:
        """Show how close a value came to a threshold that it never crossed."""
        lead = self.scene.tracks[0] if self.scene.tracks else None
        values = comparison.own.values(self.clock.injected, self.clock.recovered)
        if lead is None or lead.crossed or not values or not comparison.thresholds:
            return
        limits = comparison.thresholds[0][1].values()
        if not limits:
            return
        limit = limits[-1][1]
        closest = _closest(values, comparison.operator, limit)
        arrow = {"arrowstyle": "<->", "color": PAINTS["ink"], "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0}
        moment, value = closest
        axes.annotate("", (moment, value), (moment, limit), arrowprops=arrow, zorder=4)
        right = moment < (self.clock.start + self.clock.end) / 2
        axes.annotate(
            f"closest {shown(value)}; {shown(abs(limit - value))} short of {comparison.operator} {shown(limit)}",
            (moment, (value + limit) / 2),
            xytext=(7 if right else -7, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
            color=PAINTS["ink"],
            fontsize=SMALL,
            fontweight="bold",
        )

    def _draw_load(self, rates: Sequence[_Rate]) -> None:
        self.top += HEADER
        axes = self._axes(LOAD)
        self._header(axes, LOAD, "load, per second")
        names = []
        for rate in rates:
            times, values = [t for t, _ in rate.steps], [v for _, v in rate.steps]
            failing, driving = rate.what == "failures", rate.part == "stimulus"
            paint = "failures" if failing else "requests" if driving else "background"
            style: dict[str, Any] = {"color": PAINTS[paint], "linewidth": 1.5, "drawstyle": "steps-post"}
            axes.plot(times, values, linestyle="-" if driving else (0, (2, 1.5)), zorder=2.6, **style)
            if driving or failing:
                axes.fill_between(times, values, step="post", color=PAINTS[paint], alpha=0.22, linewidth=0)
            names.append((f"{rate.what}, {rate.part}", paint))
        axes.set_ylim(0, max([v for r in rates for _, v in r.steps] + [1.0]) * 1.12)
        axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value)))
        axes.grid(axis="y", color=PAINTS["rule"], linewidth=0.5, alpha=0.7)
        for row, (name, paint) in enumerate(names):
            style = {"color": PAINTS[paint], "fontsize": SMALL, "va": "center", "clip_on": False}
            dash = "─" if name.endswith("stimulus") else "┄"
            axes.text(
                1 + 6 / (WIDTH - LEFT - RIGHT),
                0.9 - row * 14 / LOAD,
                f"{dash} {name}",
                transform=axes.transAxes,
                **style,
            )

    def _draw_time(self) -> None:
        axes = self.figure.axes[-1]
        axes.spines["bottom"].set_visible(True)
        axes.tick_params(bottom=True, labelbottom=True, length=4)
        axes.xaxis.set_major_locator(MaxNLocator(12, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        factor = self.scene.manifest.factor
        pace = f" (1 s here is {factor:g} s in production)" if factor != 1 else ""
        axes.set_xlabel(f"seconds since the stimulus{pace}", fontsize=SMALL, labelpad=4)


_ALPHA = {"steady": 0.22, "reaching": 0.36, "pending": 0.46, "firing": 0.46, "resolving": 0.38, "stimulus": 0.4}
_IN_LANE = {
    "steady": "steady",
    "reaching": "not crossed",
    "pending": "pending",
    "firing": "firing",
    "resolving": "resolving",
    "truth": "true",
}


def _line(name: str) -> dict[str, Any]:
    """Return how a moment's line is drawn: what we did solid, what the rule did dashed, what was told bold."""
    if "notified" in name:
        return {"color": PAINTS["ink"], "linewidth": 1.7, "linestyle": "-"}
    if name in ("injected", "recovered"):
        return {"color": PAINTS["muted"], "linewidth": 1.1, "linestyle": "-"}
    return {"color": PAINTS["muted"], "linewidth": 1.1, "linestyle": (0, (2, 2))}


def _staircase(moments: Mapping[str, float], x: Any) -> list[tuple[str, float, int]]:
    """Return each moment with the row of its label: no label lies on another, or on the line of a later moment."""
    placed: list[tuple[str, float, int]] = []
    for name, moment in sorted(moments.items(), key=lambda m: -m[1]):
        reach = x(moment) + 8 + CHARACTER * SMALL * (len(name) + 6)
        under = [row for _, later, row in placed if x(later) <= reach]
        placed.append((name, moment, 1 + max(under) if under else 0))
    return placed


def _plot(axes: Axes, curve: _Curve, **style: Any) -> None:
    times: list[float] = []
    values: list[float] = []
    for piece in curve.pieces:
        times += [*(t for t, _ in piece), piece[-1][0] + STEP, math.nan]
        values += [*(v for _, v in piece), piece[-1][1], math.nan]
    axes.plot(times, values, solid_joinstyle="miter", zorder=3, **style)


def _limits(comparison: _Comparison) -> tuple[float, float]:
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


def shown(value: float) -> str:
    """Return a number as a reader takes it in: four digits at the most, thousands as k, M, G, T."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else size):.4g}{unit}"
    return f"{value:.4g}"


def said_of_stimulus(stimulus: Mapping[str, Any]) -> str:
    """Return a stimulus as a drill declares it, in words: `kill backend`, `load errors on backend, 10 users`."""
    said = []
    for kind, argument in stimulus.items():
        if not isinstance(argument, Mapping):
            said.append(f"{kind.replace('_', ' ')} {argument}")
            continue
        known = dict(argument)
        head = f"{kind} {known.pop('profile', '')}".strip()
        target = known.pop("target", None)
        known |= known.pop("options", None) or {}
        users = known.pop("users", None)
        rest = [] if users is None else [f"{users} users" if users != 1 else "1 user"]
        rest += [f"{name} {value}" for name, value in known.items()]
        said.append(", ".join([f"{head} on {target}" if target else head, *rest]))
    return "; ".join(said) or "nothing"


def _short(text: str, width: float, size: float, *, whole: bool = False) -> str:
    """Return as much of a text as fits a width; with `whole`, all of it or nothing."""
    text = clean(text)
    most = int(width / (CHARACTER * size))
    if len(text) <= most:
        return text
    return "" if whole or most < 2 else text[: most - 1] + "…"


_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """Return a text without what no XML may hold (XML 1.0, section 2.2)."""
    return _UNWRITABLE.sub("\ufffd", text)


# From Matplotlib's file to a piece of a page


def _inline(svg: str, prefix: str, summary: str) -> str:
    """Make a picture a piece of a page: named colours, the page's font, ids of its own, and any width."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"#fe0a([0-9a-f]{2})", lambda m: f"var(--paint-{_NAMES[int(m[1], 16)]})", body)
    body = re.sub(r"<style.*?</style>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"font-family: ([^;\"]*); ", _family, body)
    body = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", body, count=1)
    body = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", body, count=1)
    body = _own_ids(body, prefix)
    escaped = summary.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return body.replace("<svg", f'<svg role="img" aria-label="{escaped}"', 1).strip()


_NAMES = tuple(PAINTS)


def _family(match: re.Match[str]) -> str:
    return "font-family: monospace; " if "mono" in match[1].lower() else ""


def _own_ids(svg: str, prefix: str) -> str:
    """Drop the ids that nothing refers to, and give the others a prefix: a page may hold each id once."""
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))

    def own(match: re.Match[str]) -> str:
        return f' id="{prefix}-{match[1]}"' if match[1] in used else ""

    svg = re.sub(r'\sid="([^"]*)"', own, svg)
    return re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}-", svg)
