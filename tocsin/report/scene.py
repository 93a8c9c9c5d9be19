"""What a picture of a drill shows, before anything is drawn; pure. Times are seconds since the drill's stimulus."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.drill.judge import DrillResult, ExpectedResult, Undeclared
from tocsin.drill.timeline import STEP, AlertInstance, Stages, alert_instances, rule_of
from tocsin.evidence import Evidence, Expression, Manifest, RuleFacts, Sample

MOST_POINTS = 1600
"""Points of a curve above which it is thinned: two for each dot of a picture."""
MOST_OTHERS = 8
"""Further series of an alert's value that are drawn beside its own."""
MOST_PICTURES = 6
"""Pictures of one drill; alerts beyond them have their lanes, and their tables."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stage that lasted, in seconds since the stimulus."""

    band: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Track:
    """What an alert did: its rule, its stages, and the moments to be marked; all in seconds since the stimulus."""

    name: str
    rule: RuleFacts | None
    labels: Mapping[str, str]
    stretches: tuple[Stretch, ...]
    moments: Mapping[str, float]
    crossed: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """A value over time; each piece is a stretch without a gap."""

    pieces: tuple[tuple[Sample, ...], ...]

    def values(self, since: float = -math.inf, until: float = math.inf) -> list[Sample]:
        """Return what was seen in a stretch of time."""
        return [s for piece in self.pieces for s in piece if since <= s[0] <= until]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of the alerts' expression: the value, and what it is held against for each alert."""

    text: str
    operator: str
    own: Curve
    others: tuple[Curve, ...]
    thresholds: tuple[tuple[str, Curve], ...]


@dataclass(frozen=True, slots=True)
class Clock:
    """The part of the run's time that a picture shows."""

    origin: float
    """The stimulus, in seconds since the run's start."""
    start: float
    injected: float
    recovered: float
    end: float

    @classmethod
    def of(cls, manifest: Manifest) -> Clock | None:
        """Return the time to show of a drill: all after its stimulus, and a little before; None without a stimulus."""
        moments = manifest.moments
        if moments.injected is None:
            return None
        origin = moments.injected
        end = (moments.ended or moments.recovered or origin + 1.0) - origin
        end = max(end, 0.5)
        first = (moments.armed if moments.armed is not None else moments.started) - origin
        recovered = end if moments.recovered is None else moments.recovered - origin
        return cls(origin, max(first, -0.2 * end), 0.0, recovered, end)


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests or failures of a part of the load, a second, in steps."""

    part: str
    what: str
    steps: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """All that one picture shows."""

    stimulus: str
    factor: float
    clock: Clock
    recovered: bool
    """Whether the stimulus was undone before the drill ended."""
    tracks: Sequence[Track]
    """The alerts that watch the same value; the first one's stages are the bands behind it."""
    extra: Sequence[Track]
    """Alerts that have a lane and no value here."""
    comparisons: Sequence[Comparison]
    truth: Sequence[tuple[float, float]] | None
    """When the expression held, where no single comparison shows it."""
    rates: Sequence[Rate]

    @property
    def lead(self) -> Track | None:
        """The alert whose stages are the bands."""
        return self.tracks[0] if self.tracks else None

    def moments(self) -> dict[str, float]:
        """Return what is marked by a line."""
        if self.lead and self.lead.moments:
            return dict(self.lead.moments)
        found = {"injected": self.clock.injected}
        return found | ({"recovered": self.clock.recovered} if self.recovered else {})

    def lane_name(self, track: Track) -> str:
        """Return how an alert is called beside its lane: by its rung where all are rungs of one ladder."""
        names = {t.labels.get("alertname") for t in self.tracks}
        rungs = {_rung(t) for t in self.tracks}
        ladder = track in self.tracks and len(names) == 1 and len(rungs) == len(self.tracks) > 1
        return _rung(track) + track.name[len(track.name.partition(" (")[0]) :] if ladder else track.name

    def caption(self) -> str:
        """Return what a reader must know to read the picture; nothing, if it speaks for itself."""
        said = []
        if self.lead and len(self.tracks) > 1:
            said.append(f"Bands and lines are those of {self.lead.name}; the others have their lanes.")
        if any(comparison.others for comparison in self.comparisons):
            said.append("The faint lines are the expression's other series.")
        if not self.rates:
            said.append("This drill applied no load.")
        return " ".join(said)

    def summary(self) -> str:
        """Return what the picture shows, for those who cannot see it."""
        said = ", ".join(f"{name} at {at:.2f} s" for name, at in self.moments().items())
        lanes = "; ".join(
            f"{track.name}: "
            + (", ".join(f"{s.band} {s.begin:.2f} to {s.end:.2f} s" for s in track.stretches) or "nothing")
            for track in (*self.tracks, *self.extra)
        )
        return f"Seconds since the stimulus: {said}. {lanes}".rstrip(" .") + "."


def scenes(result: DrillResult) -> list[Scene]:
    """Return the scenes of a drill: one for each value that its alerts watch, else one of load and stages.

    There is none of a drill without a stimulus, or whose evidence cannot be read.
    """
    manifest = result.evidence.manifest
    clock = Clock.of(manifest) if manifest else None
    if manifest is None or clock is None or result.evidence.problem:
        return []
    tracks = list(_tracks(result, manifest, clock))
    watched = [t for t in tracks if t.rule is not None]
    groups = list(_by_value(result.evidence, watched).values())[:MOST_PICTURES] or [[]]
    extra = [t for t in tracks if not any(t in group for group in groups)]
    return [_scene(result.evidence, manifest, clock, group, extra if i == 0 else []) for i, group in enumerate(groups)]


def _scene(
    evidence: Evidence, manifest: Manifest, clock: Clock, tracks: Sequence[Track], extra: Sequence[Track]
) -> Scene:
    comparisons = _comparisons(evidence, tracks, clock) if tracks else []
    return Scene(
        stimulus=said_of_stimulus(manifest.stimulus),
        factor=manifest.factor,
        clock=clock,
        recovered=manifest.moments.recovered is not None,
        tracks=tracks,
        extra=extra,
        comparisons=comparisons,
        truth=_truth(evidence, tracks[0], clock) if tracks and len(comparisons) != 1 else None,
        rates=_rates(evidence, clock),
    )


def said_of_stimulus(stimulus: Mapping[str, Any]) -> str:
    """Return a stimulus as a drill declares it, in words: `kill backend`, `load errors on backend, 10 users`."""
    said = []
    for kind, argument in stimulus.items():
        if not isinstance(argument, Mapping):
            listed = " and ".join(map(str, argument)) if isinstance(argument, (list, tuple)) else argument
            said.append(f"{kind.replace('_', ' ')} {listed}")
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


def _tracks(result: DrillResult, manifest: Manifest, clock: Clock) -> Iterator[Track]:
    """Yield the expected alerts, those to be told of first, then the unexpected, then the allowed."""
    instances = alert_instances(result.evidence)
    for expected in sorted(result.expected, key=lambda e: e.expected.outcome != "notified"):
        yield _expected_track(expected, instances, clock)
    for kind, undeclared in [("unexpected", u) for u in result.unexpected] + [("allowed", a) for a in result.allowed]:
        yield _undeclared_track(kind, undeclared, instances, manifest, clock)


def _expected_track(result: ExpectedResult, instances: Iterable[AlertInstance], clock: Clock) -> Track:
    name = " ".join([result.expected.alert, *result.expected.labels.values()])
    told = result.expected.outcome
    return Track(
        name=name if told == "notified" else f"{name} ({told})",
        rule=result.rule,
        labels=result.labels,
        stretches=tuple(_stretches(instances, result.labels, result.stages, clock)),
        moments=_moments(result.stages, clock),
        crossed=result.stages.crossed is not None,
    )


def _undeclared_track(
    kind: str, undeclared: Undeclared, instances: Iterable[AlertInstance], manifest: Manifest, clock: Clock
) -> Track:
    alert = undeclared.labels.get("alertname", undeclared.alert_id)
    return Track(
        name=f"{alert} ({kind})",
        rule=rule_of(manifest, alert, undeclared.labels) if kind == "unexpected" else None,
        labels=undeclared.labels,
        stretches=tuple(_stretches(instances, undeclared.labels, None, clock)),
        moments={},
        crossed=True,
    )


def _stretches(
    instances: Iterable[AlertInstance], labels: Mapping[str, str], stages: Stages | None, clock: Clock
) -> Iterator[Stretch]:
    spans = [s for i in instances if dict(i.labels) == dict(labels) for s in i.spans]
    if stages is not None:
        reached = stages.crossed if stages.crossed is not None else stages.pending
        begun = [reached - clock.origin] if reached is not None else [s.began - clock.origin for s in spans][:1]
        yield Stretch("steady", clock.start, clock.injected)
        yield Stretch("reaching", clock.injected, min([*begun, clock.recovered]))
    for span in spans:
        end = clock.end if span.ended is None else span.ended - clock.origin
        firing = end if span.firing is None else span.firing - clock.origin
        gone = min(max(clock.recovered, firing), end)
        if span.pending is not None:
            yield Stretch("pending", span.pending - clock.origin, firing)
        yield Stretch("firing", firing, gone)
        yield Stretch("resolving", gone, end)


def _moments(stages: Stages, clock: Clock) -> dict[str, float]:
    """Return the moments that are marked, in their order, with the names that they are marked by."""
    names = ("injected", "crossed", "notified", "recovered", "resolved", "resolution_notified")
    found = {name: getattr(stages, name) for name in names}
    return {name.replace("_", " "): at - clock.origin for name, at in found.items() if at is not None}


def _by_value(evidence: Evidence, tracks: Iterable[Track]) -> dict[tuple[str, ...], list[Track]]:
    """Group alerts by what they watch: the rungs of a ladder share a picture."""
    groups: dict[tuple[str, ...], list[Track]] = {}
    for track in tracks:
        assert track.rule is not None  # noqa: S101 the caller leaves out tracks without a rule
        lefts = {e.comparison: e.text for e in _sides(evidence, track.rule, "left")}
        key = tuple(lefts[c] for c in sorted(lefts)) or (track.rule.expression,)
        groups.setdefault(key, []).append(track)
    return groups


def _sides(evidence: Evidence, rule: RuleFacts, side: str) -> list[Expression]:
    return [e for e in evidence.expressions if e.rule == rule.id and e.side == side]


def _comparisons(evidence: Evidence, tracks: Sequence[Track], clock: Clock) -> list[Comparison]:
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
            Comparison(
                text=lefts[0].text,
                operator=lefts[0].operator,
                own=_curve(own[0].samples, step, clock),
                others=tuple(_curve(e.samples, step, clock) for e in others),
                thresholds=tuple(_thresholds(evidence, tracks, index, clock)),
            )
        )
    return found


def _thresholds(evidence: Evidence, tracks: Sequence[Track], index: int, clock: Clock) -> Iterator[tuple[str, Curve]]:
    for track in tracks:
        rights = [e for e in _sides(evidence, track.rule, "right") if e.comparison == index] if track.rule else []
        own = [e for e in rights if _is_of(e.labels, track.labels)] or rights
        if own:
            named = _rung(track) if len(tracks) > 1 else "threshold"
            yield f"{named} {own[0].operator}", _curve(own[0].samples, _step(evidence), clock)


def _rung(track: Track) -> str:
    return track.labels.get("severity") or track.name


def _is_of(result: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Tell whether a resulting series belongs to an alert: what both name, both name alike."""
    return all(labels[k] == v for k, v in result.items() if k in labels)


def _step(evidence: Evidence) -> float:
    return evidence.manifest.coarse_step if evidence.manifest else STEP


def _curve(samples: Sequence[Sample], step: float, clock: Clock) -> Curve:
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
    return Curve(tuple(tuple(thin(piece, max(8, share))) for piece in pieces))


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


def _truth(evidence: Evidence, track: Track, clock: Clock) -> list[tuple[float, float]]:
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


def _rates(evidence: Evidence, clock: Clock) -> list[Rate]:
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
                found.append(Rate(part, what, tuple(steps)))
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
