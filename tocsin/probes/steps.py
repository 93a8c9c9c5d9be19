"""What follows from each event of a probed container's life.

(Kubernetes: pkg/kubelet/kubelet.go, SyncPod and syncLoopIteration; pkg/kubelet/prober/prober_manager.go,
UpdatePodStatus; pkg/kubelet/kuberuntime/kuberuntime_manager.go, SyncPod and doBackOff.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tocsin.probes.agreement import Agreement
from tocsin.probes.backoff import overshoot
from tocsin.probes.container import Standing, grace_of, kill_seconds, restarts
from tocsin.probes.ground import Chance
from tocsin.probes.journal import Journal
from tocsin.probes.marks import Cause, Mark, MarkKind
from tocsin.probes.probing import Probing
from tocsin.probes.setup import Setup
from tocsin.probes.specification import ProbeKind
from tocsin.probes.state import Event, Happening, Mode, State
from tocsin.probes.versions import MANUAL_TRIGGER, STARTED_INHERITED, STARTUP_SYNCS
from tocsin.probes.window import Window
from tocsin.probes.worker import Result, Worker


@dataclass(slots=True)
class Steps:
    """The rules, for one container."""

    setup: Setup
    chance: Chance
    journal: Journal
    within: Mapping[Mark, Window]

    def after(self, state: State, event: Event) -> list[State]:
        """Return the states that may follow an event, which is no longer on the agenda."""
        match event.what:
            case Happening.START:
                return self._start(state, event.when, event.cause)
            case Happening.SEEN:
                return self._seen(state, event.when)
            case Happening.EXIT:
                return self._exit(state, event.when)
            case Happening.GONE:
                return self._gone(state, event.when, decides=event.decides)
            case Happening.KILL:
                return self._kill(state, event.when, event.kind)
            case Happening.END:
                return self._end(state, event.when, event.cause)
            case Happening.SYNC:
                return self._sync(state, event.when, Cause.STARTED_WITHOUT_READINESS)
            case Happening.TICK:
                return self._probing.tick(state, event.track, event.when)
            case Happening.RESULT:
                return self._probing.result(state, event.track, event.when)

    def agreeing(self, state: State, event: Event) -> Event | None:
        """Return an event at the part of its moment that agrees with what was observed; None if the life does not."""
        if not self.within:
            return event
        if self._agreement.lacks(state, event.when):
            return None
        if event.what is not Happening.START:
            return event
        part = self._agreement.part(Mark(MarkKind.RESTART, state.instance + 1), event.when)
        return None if part is None else event._replace(when=part)

    @property
    def _probing(self) -> Probing:
        return Probing(self.setup, self.chance, self.journal, self.stored)

    @property
    def _agreement(self) -> Agreement:
        return Agreement(self.within, self.chance)

    def _marked(self, kind: MarkKind, number: int, when: Window, cause: Cause) -> Window | None:
        """Keep a mark, and return the part of its moment that agrees with what was observed; None if there is none."""
        agreed = self._agreement.part(Mark(kind, number), when)
        if agreed is not None:
            self.journal.note(kind, number, agreed + self.chance("observed", agreed), cause)
        return agreed

    def _start(self, state: State, when: Window, cause: Cause | None) -> list[State]:
        instance = state.instance + 1
        agreed = self._marked(MarkKind.RESTART, instance, when, cause or Cause.ENDED) if instance else when
        if agreed is None:
            return []
        when = agreed
        running = self.setup.life(instance)
        tracks = tuple(each._replace(asked=0) for each in state.tracks)
        state = state._replace(tracks=tracks, mode=Mode.RUNNING, instance=instance, start=when)
        shown = when + running.post_start + self.chance("seen", when)
        seen = self._agreement.part(Mark(MarkKind.SEEN, instance + 1), shown)
        if seen is None:
            return []
        state = state.planning(Event(Happening.SEEN, seen))
        if running.exits is not None:
            state = state.planning(Event(Happening.EXIT, when + running.exits + self.chance("booted", when)))
        return [state]

    def _seen(self, state: State, when: Window) -> list[State]:
        state = self._begun(state.without(Happening.SYNC), when)  # this is a sync
        inherited = self.setup.version.has(STARTED_INHERITED) and state.started
        started = inherited or state.track_of(ProbeKind.STARTUP) is None
        state = state._replace(seen=state.instance, seen_start=state.start, standing=Standing.RUNNING, started=started)
        shown = self._refreshed(state, when, Cause.STARTED_WITHOUT_READINESS if started else Cause.REPLACED)
        lost = self.chance("poke_lost", when)
        found = []
        if lost.earliest <= 0.5:
            found += [after for each in shown for after in self._poked(each, when)]
        if lost.latest > 0.5:
            found += [after for each in shown for after in self._poked(each, when, lost=True)]
        return found

    def _begun(self, state: State, when: Window) -> State:
        """Return the state with the start of its process narrowed by when it was seen, and its end with it."""
        since = self.chance("seen", state.start) + self.setup.life(state.instance).post_start
        start = state.start.clipped(earliest=when.earliest - since.latest, latest=when.latest - since.earliest)
        exits = self.setup.life(state.instance).exits
        if start is None or start == state.start:
            return state
        state = state._replace(start=start)
        if exits is None:
            return state
        ends = start + exits + self.chance("booted", start)
        agenda = tuple(_clipped(each, ends) if each.what is Happening.EXIT else each for each in state.agenda)
        return state._replace(agenda=agenda)

    def _refreshed(self, state: State, when: Window, cause: Cause) -> list[State]:
        """Return the state with Ready made anew; none if an observation says otherwise."""
        readiness = state.track_of(ProbeKind.READINESS)
        ready = state.started and (readiness is None or _stored(readiness.worker, state) is Result.SUCCESS)
        if ready is state.ready:
            return [state]
        if not ready and cause is Cause.STARTED_WITHOUT_READINESS:
            cause = Cause.REPLACED
        flips = state.flips + 1
        if self._marked(MarkKind.READINESS, flips, when, cause) is None:
            return []
        return [state._replace(ready=ready, flips=flips)]

    def _poked(self, state: State, when: Window, *, lost: bool = False) -> list[State]:
        if not self.setup.version.has(MANUAL_TRIGGER) or not state.started or state.ready:
            return [state]
        for number, track in enumerate(state.tracks):
            if track.worker.kind is ProbeKind.READINESS:
                return self._probing.poked(state, number, when, lost=lost)
        return [state]

    def _sync(self, state: State, when: Window, cause: Cause) -> list[State]:
        if state.standing is not Standing.RUNNING:
            return [state]
        return [after for each in self._refreshed(state, when, cause) for after in self._poked(each, when)]

    def stored(self, state: State, number: int, before: Worker, when: Window) -> list[State]:
        """Return what follows after a worker stored something, or did not."""
        worker = state.tracks[number].worker
        new = worker.identity != before.identity
        if worker.stored is before.stored and not new and worker.resting is before.resting:
            return [state]
        failed = worker.resting and worker.stored is Result.FAILURE and not before.resting
        match worker.kind:
            case ProbeKind.LIVENESS:
                return [self._condemned(state, worker, when) if failed else state]
            case ProbeKind.READINESS:
                return self._readiness_stored(state, worker, when)
        if worker.identity == str(state.seen) and state.standing is Standing.RUNNING:
            state = state._replace(started=worker.stored is Result.SUCCESS)
            started = Mark(MarkKind.STARTED, state.seen + 1)
            if state.started and self._agreement.part(started, when) is None:
                return []
        if failed:
            return [self._condemned(state, worker, when)]
        shown = self._refreshed(state, when, Cause.REPLACED) if not state.started else [state]
        if worker.stored is not Result.SUCCESS:
            return shown
        return [each.planning(Event(Happening.SYNC, when + self._until_sync(when))) for each in shown]

    def _until_sync(self, when: Window) -> Window:
        return self.chance("sync" if self.setup.version.has(STARTUP_SYNCS) else "resync", when)

    def _readiness_stored(self, state: State, worker: Worker, when: Window) -> list[State]:
        if worker.identity != str(state.seen):
            return [state]
        good = worker.stored is Result.SUCCESS
        shown = self._refreshed(state, when, Cause.READINESS_SUCCEEDED if good else Cause.READINESS_FAILED)
        if good or not self.setup.version.has(MANUAL_TRIGGER):
            return shown
        return [each.planning(Event(Happening.SYNC, when + self.chance("sync", when))) for each in shown]

    def _condemned(self, state: State, worker: Worker, when: Window) -> State:
        """Return the state of a container that a probe is about to end."""
        if worker.identity != str(state.instance) or state.mode is not Mode.RUNNING:
            return state
        wait = self._until_sync(when) if worker.kind is ProbeKind.STARTUP else self.chance("sync", when)
        return state.planning(Event(Happening.KILL, when + wait, kind=worker.kind))

    def _kill(self, state: State, when: Window, kind: ProbeKind | None) -> list[State]:
        if state.mode is not Mode.RUNNING or kind is None:
            return [state]
        cause = Cause.failed(kind)
        agreed = self._marked(MarkKind.KILL, state.kills + 1, when, cause)
        if agreed is None:
            return []
        when = agreed
        container = self.setup.container
        grace = grace_of(self.setup.pod, container, kind, self.setup.version)
        running = self.setup.life(state.instance)
        seconds = kill_seconds(grace, pre_stop=container.pre_stop, stops_in=running.stops_in)
        end = Event(Happening.END, when + seconds + self.chance("ended", when), cause=cause)
        state = state._replace(mode=Mode.ENDING, exit_code=running.stop_code, kills=state.kills + 1)
        return [state.planning(end)]

    def _end(self, state: State, when: Window, cause: Cause | None) -> list[State]:
        """Return the states after a container that was told to end: it is started in the same sync, or backed off."""
        previous = state.finished
        state = self._down(state.without(Happening.EXIT), when)
        policy = self.setup.restart_policy
        if policy == "Never":
            return self._over(state, when)
        held = (False,) if previous is None else state.backoff.holds(when, previous)
        found = []
        if False in held:
            start = Event(Happening.START, when + self.chance("restarted", when), cause=cause)
            backoffs = (state.backoff,) if previous is None else state.backoff.started(start.when, previous)
            found += [state._replace(backoff=each).planning(start) for each in backoffs]
        if True in held:
            found += self._held(state, when)
        return found

    def _held(self, state: State, when: Window, *, shown: bool = False) -> list[State]:
        """Return the states of a container that waits out its backoff."""
        if not restarts(self.setup.restart_policy, state.exit_code):
            return self._over(state, when)
        if not shown:
            state = state.planning(Event(Happening.GONE, when + self.chance("seen", when), decides=False))
        finished, delay = state.finished or when, state.backoff.delay or 0.0
        share, most = self.chance("overslept", when), overshoot(delay, self.setup.version)
        late = Window(share.earliest * most, share.latest * most)
        start = Event(Happening.START, finished + delay + late, cause=Cause.BACKED_OFF)
        after = state.backoff.started(start.when, finished)
        return [state._replace(backoff=each).planning(start) for each in after]

    def _exit(self, state: State, when: Window) -> list[State]:
        """Return the states after a process that ended by itself."""
        if state.mode is Mode.ENDING:
            return self._end(state.without(Happening.END), when, Cause.ENDED)
        if state.mode is not Mode.RUNNING:
            return [state]
        state = self._down(state.without(Happening.KILL, Happening.SEEN), when)
        state = state._replace(exit_code=self.setup.life(state.instance).exit_code)
        return [state.planning(Event(Happening.GONE, when + self.chance("seen", when)))]

    @staticmethod
    def _down(state: State, when: Window) -> State:
        """Return the state without its process; what an attempt still waited for is not coming."""
        tracks = tuple(each if each.ends is None else each._replace(outcome=Probing.CUT) for each in state.tracks)
        return state._replace(tracks=tracks, mode=Mode.DOWN, finished=when)

    def _gone(self, state: State, when: Window, *, decides: bool) -> list[State]:
        """Return the states once the pod's status shows that the container does not run."""
        seen = max(state.seen, state.instance)
        state = state.without(Happening.SYNC)._replace(standing=Standing.TERMINATED, started=False, seen=seen)
        shown = self._refreshed(state, when, Cause.ENDED)
        return [after for each in shown for after in self._decided(each, when)] if decides else shown

    def _decided(self, state: State, when: Window) -> list[State]:
        if not restarts(self.setup.restart_policy, state.exit_code):
            return self._over(state, when)
        finished = state.finished or when
        held = state.backoff.holds(when, finished)
        found = []
        if False in held:
            start = Event(Happening.START, when + self.chance("restarted", when), cause=Cause.ENDED)
            found += [
                state._replace(backoff=each).planning(start) for each in state.backoff.started(start.when, finished)
            ]
        if True in held:
            found += self._held(state, when, shown=True)
        return found

    def _over(self, state: State, when: Window) -> list[State]:
        if self._marked(MarkKind.OVER, 1, when, Cause.POLICY) is None:
            return []
        state = state._replace(mode=Mode.OVER)
        if state.standing is Standing.RUNNING:
            state = state.planning(Event(Happening.GONE, when + self.chance("seen", when), decides=False))
        return [state]


def _clipped(event: Event, bounds: Window) -> Event:
    when = event.when.clipped(earliest=bounds.earliest, latest=bounds.latest)
    return event if when is None else event._replace(when=when)


def _stored(worker: Worker, state: State) -> Result | None:
    return worker.stored if worker.identity == str(state.seen) else None
