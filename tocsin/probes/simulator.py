"""A probed container's life, event by event, as far as moments are known: what may be either is followed both ways.

Given exact moments it follows one life. Given windows it follows every life that they allow: where two events may come
in either order, or a moment may lie on either side of a limit, it goes on with both. So what it finds holds for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tocsin.probes.backoff import Backoff
from tocsin.probes.economy import Economy
from tocsin.probes.frontier import Frontier
from tocsin.probes.ground import IDEAL, Chance
from tocsin.probes.journal import Journal
from tocsin.probes.marks import Mark
from tocsin.probes.setup import Setup
from tocsin.probes.specification import ProbeKind
from tocsin.probes.state import Event, Happening, State, Track
from tocsin.probes.steps import Steps
from tocsin.probes.window import ZERO, Window
from tocsin.probes.worker import Worker

ORDER = (ProbeKind.STARTUP, ProbeKind.LIVENESS, ProbeKind.READINESS)
MOST_STATES = 40_000
"""How many are followed before the search is ended there, for want of time."""


def initial(setup: Setup, origins: Mapping[ProbeKind, Window] | None = None, start: Window = ZERO) -> State:
    """Return a container that is about to start; `origins` holds a tick of each worker, by default at 0."""
    container = setup.container
    tracks = []
    for kind in ORDER:
        spec = container.probe(kind)
        if spec is not None:
            worker = Worker(spec, setup.version, sidecar=container.sidecar)
            tracks.append(Track(worker, (origins or {}).get(kind, ZERO)))
    backoff = Backoff(setup.pace)
    return State(tuple(tracks), (Event(Happening.START, start),), backoff=backoff)


def simulate(
    setup: Setup,
    horizon: float,
    *,
    origins: Mapping[ProbeKind, Window] | None = None,
    chance: Chance = IDEAL.whole,
    within: Mapping[Mark, Window] | None = None,
    trace: bool = False,
    journal: Journal | None = None,
    most: int = MOST_STATES,
) -> Journal:
    """Follow a container from its start, at 0, to the horizon in seconds.

    `within` holds what was observed: lives in which a mark falls outside its window are given up. `trace` keeps each
    attempt. With a `journal`, what is found is added to it. More than `most` states are not followed: see `reached`.
    """
    found = journal if journal is not None else Journal()
    if trace:
        found.attempts = found.attempts if found.attempts is not None else []
    steps = Steps(setup, chance, found, within or {})
    economy = None if trace else Economy(setup, chance)
    frontier = Frontier()
    frontier.add(initial(setup, origins))
    while (state := frontier.pop()) is not None:
        if frontier.count > most:
            _given_up(found, [state, *frontier.left()])
            break
        events = [(event, clipped) for event, clipped in branches(state) if event.when.earliest <= horizon]
        for event, clipped in events:
            agreed = steps.agreeing(clipped, event)
            after = [] if agreed is None else steps.after(clipped, agreed)
            for each in economy.after(clipped, agreed, after) if economy and agreed else after:
                frontier.add(each)
        if not events:
            found.ended(state)
    return found


def _given_up(journal: Journal, left: Iterable[State]) -> None:
    """Keep up to when the lives were followed that are given up, and what they came to by then."""
    for state in left:
        journal.ended(state)
        moments = [event.when.earliest for event, _ in branches(state)]
        journal.reached = min([journal.reached, *moments])


def branches(state: State) -> Iterator[tuple[Event, State]]:
    """Yield each event that may be the next, with what remains to happen after it."""
    events = [*state.agenda, *(track.next(number) for number, track in enumerate(state.tracks))]
    if not events:
        return
    first = min(events, key=_in_order)
    rivals = [each for each in events if each is not first and _rivals(state, first, each)]
    yield first, _delayed(state, first, rivals, first.when.earliest)
    for rival in rivals:
        others = [first, *(each for each in rivals if each is not rival)]
        when = rival.when.clipped(latest=first.when.latest)
        if when is not None:
            yield rival._replace(when=when), _delayed(state, rival, others, when.earliest, latest=first.when.latest)


def _in_order(event: Event) -> tuple[float, int, int]:
    return (event.when.latest, event.what, event.track)


def _rivals(state: State, first: Event, other: Event) -> bool:
    """Tell whether another event may come first, and whether that would make a difference."""
    if other.when.earliest > first.when.latest or (first.when.exact and other.when.exact):
        return False
    if first.track >= 0 and other.track >= 0:
        kinds = {state.tracks[each.track].worker.kind for each in (first, other)}
        return ProbeKind.STARTUP in kinds and not state.started
    if first.track < 0 and other.track < 0:
        return True
    tracked, planned = (first, other) if first.track >= 0 else (other, first)
    kind = state.tracks[tracked.track].worker.kind
    if planned.what is Happening.KILL:
        return kind is planned.kind
    if planned.what is Happening.SYNC:
        return kind is ProbeKind.READINESS
    return True


def _delayed(
    state: State, event: Event, others: Iterable[Event], earliest: float, latest: float | None = None
) -> State:
    """Return the state without an event, the others not before it; of a worker's own event, the ticks are narrowed."""
    agenda = list(state.agenda)
    if event.track < 0:
        agenda = [each for each in agenda if each is not event]
    tracks = list(state.tracks)
    for other in others:
        if other.when.earliest >= earliest:
            continue
        if other.track < 0:
            agenda = [_later(each, earliest) if each is other else each for each in agenda]
        else:
            tracks[other.track] = narrowed(tracks[other.track], other, earliest=earliest)
    if event.track >= 0 and latest is not None:
        tracks[event.track] = narrowed(tracks[event.track], event, latest=latest)
    return state._replace(agenda=tuple(agenda), tracks=tuple(tracks))


def _later(event: Event, earliest: float) -> Event:
    when = event.when.clipped(earliest=earliest)
    return event._replace(when=when or Window.at(earliest))


def narrowed(track: Track, event: Event, *, earliest: float | None = None, latest: float | None = None) -> Track:
    """Return a track whose next event is known to be no earlier, or no later."""
    offset = track.ends if event.what is Happening.RESULT and track.ends is not None else track.due
    origin = track.origin
    if earliest is not None:
        origin = origin.clipped(earliest=earliest - offset.latest) or Window.at(origin.latest)
    if latest is not None:
        origin = origin.clipped(latest=latest - offset.earliest) or Window.at(origin.earliest)
    return track._replace(origin=origin)
