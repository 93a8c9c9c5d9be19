"""The picture of a proof: a test's input, the value against its threshold, and what the alert does, on one axis."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from tocsin.artefacts.promtool_tests import Gap, Samples, parse_values
from tocsin.promql import PromQLError, comparisons, type_of
from tocsin.promql.evaluation import EvaluationError, Generation, Store
from tocsin.simulation.problems import Subject
from tocsin.simulation.proofs import AlertProof, Ground
from tocsin.synthesis import InputSeries, Problem, Property, State, Test
from tocsin.synthesis.replaying import Replay, Scene, scene_of

WIDTH, PANEL, LANES = 10.0, 2.2, 0.9
"""Inches."""
MOST_SERIES = 8
MOST_POINTS = 1500
LONGEST = 110
"""Characters of an expression that are shown."""
_STRETCHES = {"quiet": "#eef2f6", "under": "#e3eef8", "blip": "#fdf0da", "over": "#fae1df", "resolved": "#e6f2e6"}
_PAINTS = {"firing": "#b3261e", "pending": "#e08a00", "silent": "#33691e"}
_MARKERS = {State.FIRING: ("^", "firing"), State.PENDING: ("D", "pending")}
_INK, _MUTED = "#22262b", "#6b7480"


class Compared(NamedTuple):
    """A value against its threshold."""

    said: str
    points: list[tuple[float, float]]
    """Minutes, and the value."""
    threshold: float


class _Played(NamedTuple):
    """What the rule does on a test, by our own evaluation."""

    compared: Compared | None
    bands: tuple[tuple[float, float, str], ...]
    """From and to in minutes, and the state."""


def picture_of(subject: Subject, proof: AlertProof, generation: Generation) -> str:
    """Return the picture of an alert's proof, as SVG, on the input that proved most; nothing if there is no test."""
    if subject.alert is None:
        return ""
    grounded = proof.grounded is Ground.PROVEN
    return draw(proof, subject.grounded(generation) if grounded else subject.free(generation))


def draw(proof: AlertProof, problem: Problem) -> str:
    """Return the picture of the test in which an alert fires, as SVG; nothing if it has no such test."""
    test = next((t for t in proof.tests if any(a.proves is Property.FIRES for a in t.assertions)), None)
    if test is None:
        return ""
    played = _play(problem, test)
    heights = [PANEL, *([PANEL] if played.compared else []), LANES]
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "tocsin", "text.parse_math": False, "font.size": 9}):
        figure = Figure(figsize=(WIDTH, sum(heights) + 0.8), layout="constrained")
        FigureCanvasSVG(figure)
        axes = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0])
        figure.suptitle(f"{proof.name}: {_short(proof.expression)}", x=0.01, ha="left", color=_INK, fontsize=11)
        _inputs(axes[0], test)
        if played.compared:
            _value(axes[1], played.compared)
        _states(axes[-1], test, played.bands)
        for each in axes:
            _background(each, test, named=each is axes[-1])
        axes[-1].set_xlabel("minutes of virtual time", color=_MUTED)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _play(problem: Problem, test: Test) -> _Played:
    """Return what the rule does on a test; nothing of it where it cannot be evaluated here."""
    try:
        scene = scene_of(test)
        replay = Replay(problem)
        store = replay.store(scene)
        moments = replay.moments(scene, store)
        compared = _compared(replay, scene, store)
    except (EvaluationError, PromQLError, ValueError):
        return _Played(None, ())
    states = ["firing" if each.firing else "pending" if each.pending else "" for each in moments]
    bands = []
    start = 0
    for number in range(1, len(states) + 1):
        if number == len(states) or states[number] != states[start]:
            if states[start]:
                times = (scene.ticks[start] / 60_000, scene.ticks[min(number, len(states) - 1)] / 60_000)
                bands.append((*times, states[start]))
            start = number
    return _Played(compared, tuple(bands))


def _inputs(axes: Axes, test: Test) -> None:
    for each in test.series[:MOST_SERIES]:
        moments, values = _samples(each, test.interval)
        if moments:
            axes.step([m / 60 for m in moments], values, where="post", linewidth=1.2, label=_short(each.selector))
    left = len(test.series) - MOST_SERIES
    axes.set_ylabel("input", color=_MUTED)
    axes.set_title(f"and {left} more series" if left > 0 else "", fontsize=8, color=_MUTED, loc="right")
    if test.series:
        axes.legend(fontsize=7, loc="upper left", frameon=False)


def _value(axes: Axes, compared: Compared) -> None:
    axes.plot([m for m, _ in compared.points], [v for _, v in compared.points], color="#1f5fa8", linewidth=1.2)
    axes.axhline(compared.threshold, color="#b3261e", linestyle="--", linewidth=1)
    axes.annotate(
        f"{compared.threshold:g}",
        (0.995, compared.threshold),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="bottom",
        color="#b3261e",
        fontsize=8,
    )
    axes.set_ylabel("value", color=_MUTED)
    axes.set_title(_short(compared.said), fontsize=8, color=_MUTED, loc="left")


def _states(axes: Axes, test: Test, bands: Sequence[tuple[float, float, str]]) -> None:
    for start, end, state in bands:
        axes.axvspan(start, end, ymin=0.35, ymax=0.65, color=_PAINTS[state], alpha=0.75, linewidth=0, zorder=1)
    for each in test.assertions:
        marker, state = _MARKERS.get(each.state, ("o", "silent"))
        axes.plot([each.at / 60], [0.8], marker=marker, color=_PAINTS[state], markersize=5, linestyle="none")
    for marker, state in (*_MARKERS.values(), ("o", "silent")):
        axes.plot([], [], marker=marker, color=_PAINTS[state], linestyle="none", label=state)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.set_ylabel("alert", color=_MUTED)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def _background(axes: Axes, test: Test, *, named: bool) -> None:
    for each in test.stretches:
        colour = next((paint for word, paint in _STRETCHES.items() if word in each.name), "#f2f3f5")
        axes.axvspan(each.start / 60, each.end / 60, color=colour, zorder=0, linewidth=0)
        if named:
            axes.annotate(each.name, (each.start / 60, 0.06), fontsize=7, color=_MUTED, annotation_clip=True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(colors=_MUTED, labelsize=8)


def _samples(series: InputSeries, interval: float) -> tuple[list[float], list[float]]:
    """Return times in seconds and values; where a series is gone, NaN, so that its line breaks."""
    moments: list[float] = []
    values: list[float] = []
    at = 0
    try:
        pieces = parse_values(series.values)
    except ValueError:
        return [], []
    for piece in pieces:
        if isinstance(piece, Samples):
            moments += [(at + k) * interval for k in range(piece.count)]
            values += [piece.start + piece.step * k for k in range(piece.count)]
        elif values and (isinstance(piece, Gap) or not math.isnan(values[-1])):
            moments.append(at * interval)
            values.append(math.nan)
        at += piece.count
    return moments, values


def _compared(replay: Replay, scene: Scene, store: Store) -> Compared | None:
    """Return the first comparison with a number: its text, its left side's values over time, the number.

    Of several series the one that is nearest to the threshold's other side is drawn.
    """
    alert = replay.problem.alert
    for found in comparisons(alert.tree):
        if type_of(found.right) != "scalar" or type_of(found.left) != "vector":
            continue
        limit = replay.compiled(found.right, scene.evaluation).at(store, 0).get((), math.nan)
        compiled = replay.compiled(found.left, scene.evaluation)
        most = min if found.op in ("<", "<=") else max
        points = []
        for tick in scene.ticks[:: max(1, len(scene.ticks) // MOST_POINTS)]:
            values = [value for value in compiled.at(store, tick).values() if math.isfinite(value)]
            points.append((tick / 60_000, most(values) if values else math.nan))
        if math.isfinite(limit) and any(math.isfinite(value) for _, value in points):
            return Compared(alert.expression[found.node.span.start : found.node.span.end], points, limit)
    return None


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
