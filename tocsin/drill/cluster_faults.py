"""What a drill does to the workloads of a cluster, waited for until it is done, and undone whatever happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tocsin.deadline import DeadlineExceeded, Unmet, wait_until
from tocsin.drill.workloads import opened, told
from tocsin.engines.kubernetes_api import ClusterUnreadable
from tocsin.engines.kubernetes_changes import Changes, Workload
from tocsin.engines.kubernetes_exec import ContainerOfPod, NotRun, tell_to_end
from tocsin.engines.kubernetes_pods import has_ended, is_leaving, is_ready, selector_of, state_of, unsettled
from tocsin.engines.trouble import EngineTrouble
from tocsin.supervisor import Kind, Supervisor
from tocsin.system import InCluster, System

CALM_WITHIN = 60.0
"""Seconds for a rollout that goes on when a drill begins."""
GONE_WITHIN = 300.0
"""Seconds in which the pods of a workload that is scaled to none must be gone: their grace, and the API's time."""
WELL_WITHIN = 600.0
"""Seconds in which all pods must be ready again; a kubelet waits five minutes before it restarts what ended often."""
TOLD_WITHIN = 20.0
"""Seconds for a command that tells a process to end."""
TOLD_AGAIN_AFTER = 10.0
"""Seconds: a process that has just begun may not listen yet, and what it was told then is lost."""
ENDS_WITHIN = 120.0
"""Seconds in which a process that is told to must end, however it drains."""
RUNS_WITHIN = 480.0
"""Seconds in which it must run again: the kubelet's longest wait (300 s), and what making a container takes."""
EVERY = 0.25
"""Seconds between two looks at the cluster."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Life:
    """A container from its start to its restart, as its pod's status tells."""

    identity: str
    running: bool
    said: str
    """What the status says of it."""


class ClusterFaults:
    """Faults of one drill; a context manager that puts everything back at its end.

    Every method raises EngineTrouble, and Stopped. Moments are Unix time by our own clock, in seconds.
    """

    def __init__(
        self,
        system: System,
        environment: tuple[str, InCluster],
        workloads: Mapping[str, Workload],
        *,
        stop: threading.Event,
        look: Callable[[], object],
        tell: Callable[[str, str], object],
    ) -> None:
        self._system = system
        self._environment = environment
        self._workloads = workloads
        self._stop = stop
        self._look = look
        """Called at every look while something is waited for; it may raise."""
        self._tell = tell
        """Told what was done, and to what."""
        self._held = ExitStack()
        self._touched: set[str] = set()

    def open(self, supervisor: Supervisor, folder: Path) -> None:
        """Connect to the cluster; `folder` is for what gives access, so nobody else may read it."""
        with ExitStack() as held:
            self._api = held.enter_context(opened(self._system, *self._environment, folder))
            self._changes = held.enter_context(Changes(self._api, supervisor, folder))
            self._held = held.pop_all()

    def close(self) -> None:
        """Put back everything that was changed. Idempotent. Raises ClusterUnreadable with what could not be."""
        self._held.close()

    def expect_well(self, name: str) -> None:
        """Make sure that all pods are ready before anything is done to them."""
        self._await_well(name, CALM_WITHIN)

    def scale_to_zero(self, name: str) -> float:
        """Have a workload run no pods; return when that was asked for, once the last one is gone."""
        workload = self._workloads[name]
        self._touched.add(name)
        began = time.time()
        with told(self._api):
            self._changes.scale(workload, 0)
        self._tell("scaled to no pods", str(workload))
        self._await(lambda: self._gone(workload), GONE_WITHIN, f"the pods of {workload} are not gone")
        self._tell("has no pods", str(workload))
        return began

    def end_container(self, name: str, container: str, times: int) -> float:
        """End a container's main process so many times; return when it was first told to, once it runs again."""
        workload = self._workloads[name]
        self._touched.add(name)
        pod = self._await(lambda: self._first_ready(workload), CALM_WITHIN, f"no pod of {workload} is ready")
        chosen = container or str(pod["spec"]["containers"][0]["name"])
        place = ContainerOfPod(self._api.access, workload.namespace, pod["metadata"]["name"], chosen)
        began = [self._end(place) for _ in range(times)]
        return began[0]

    def restore(self, name: str) -> None:
        """Put a workload back as it was, and wait until all its pods are ready. Harmless if nothing was done to it."""
        if name not in self._touched:
            return
        self._touched.discard(name)  # first: what cannot get well is waited for once
        with told(self._api):
            self._changes.put_back()
        self._await_well(name, WELL_WITHIN)
        self._tell("has all its pods again", str(self._workloads[name]))

    def _end(self, container: ContainerOfPod) -> float:
        """End a container's main process once, and wait until it runs again; return when it was told to."""
        where = f"container {container.container} of pod {container.namespace}/{container.pod}"
        first = self._await(lambda: self._running(container), RUNS_WITHIN, f"{where} does not run")
        telling = _Telling(container, where)
        telling.tell()
        began = telling.began

        def again() -> bool | Unmet:
            now = self._life(container)
            if now.identity != first.identity:
                return now.running or Unmet(now.said)
            if now.running:
                telling.insist()
            return Unmet(f"it has not been restarted; {now.said}")

        self._tell("told to end", where)
        self._await(again, RUNS_WITHIN, f"{where} does not run again")
        self._tell("runs again", where)
        return began

    # -- what is seen

    def _life(self, container: ContainerOfPod) -> _Life:
        path = f"/api/v1/namespaces/{container.namespace}/pods/{container.pod}"
        statuses = self._api.get(path)["status"].get("containerStatuses") or ()
        status: Mapping[str, Any] = next((each for each in statuses if each["name"] == container.container), {})
        state: Mapping[str, Any] = status.get("state") or {}
        kind = next(iter(state), "not there")
        reason = str((state.get(kind) or {}).get("reason") or "")
        said = f"it is {kind}{f' ({reason})' if reason else ''}, restarted {status.get('restartCount', 0)} times"
        return _Life(str(status.get("containerID") or ""), kind == "running", said)

    def _running(self, container: ContainerOfPod) -> _Life | Unmet:
        life = self._life(container)
        return life if life.running else Unmet(life.said)

    def _pods(self, workload: Workload) -> list[Mapping[str, Any]]:
        """Return the pods of a workload that have not done their work, those that leave too."""
        selector = selector_of(self._api.get(workload.path))
        items = self._api.get(f"/api/v1/namespaces/{workload.namespace}/pods", labelSelector=selector)["items"]
        return [each for each in items if not has_ended(each)]

    def _gone(self, workload: Workload) -> bool | Unmet:
        left = [str(each["metadata"]["name"]) for each in self._pods(workload)]
        return not left or Unmet(f"there are still {', '.join(left)}")

    def _first_ready(self, workload: Workload) -> Mapping[str, Any] | Unmet:
        ready = [each for each in self._pods(workload) if _stays_ready(each)]
        return min(ready, key=lambda each: str(each["metadata"]["name"]), default=Unmet("none is"))

    def _well(self, workload: Workload) -> bool | Unmet:
        """Tell whether as many pods as are wanted are there, all of them ready, and no other."""
        pods = self._pods(workload)
        found = {str(each["metadata"]["name"]): "" if _stays_ready(each) else state_of(each) for each in pods}
        why = unsettled(self._api.get(workload.path), found)
        return Unmet(why) if why else True

    def _await_well(self, name: str, seconds: float) -> None:
        workload = self._workloads[name]
        self._await(lambda: self._well(workload), seconds, f"not all pods of {workload} are ready")

    def _await(self, condition: Callable[[], T | Unmet], seconds: float, otherwise: str) -> T:
        """Wait for a condition of the cluster; a silence of its API is a reason to look again, to the deadline."""

        def guarded() -> T | Unmet:
            self._look()
            try:
                return condition()
            except ClusterUnreadable as error:
                return Unmet(str(error))

        try:
            return wait_until(guarded, seconds=seconds, what=otherwise, every=EVERY, stop=self._stop)
        except DeadlineExceeded as error:
            detail = f"after {seconds:g} s: {error.reason}"
            raise EngineTrouble(otherwise, self._api.access.server, detail, Kind.TIMED_OUT) from error


@dataclass(slots=True)
class _Telling:
    """The main process of a container is told to end, until it does."""

    container: ContainerOfPod
    where: str
    began: float = 0.0
    """Unix time at which it was first told."""
    _since: float = 0.0
    _last: float = 0.0
    _refused: str = ""

    def tell(self) -> None:
        """Tell it. That no command could run is believed when it goes on running: it may be ending already."""
        now = time.monotonic()
        if not self.began:
            self.began, self._since = time.time(), now
        try:
            tell_to_end(self.container, TOLD_WITHIN)
            self._refused = ""
        except NotRun as error:
            self._refused = str(error)
        self._last = time.monotonic()

    def insist(self) -> None:
        """Tell it again if it goes on running. Raises EngineTrouble if that is of no use."""
        now = time.monotonic()
        if now - self._last < TOLD_AGAIN_AFTER:
            return
        if self._refused:
            cure = "its image needs `kill`, a shell or python3, and we need `create` on pods/exec"
            detail = f"{self._refused}; {cure} (deploy/rbac-prober.yaml)"
            raise EngineTrouble("cannot be told to end", self.where, detail, Kind.ANSWERED)
        if now - self._since > ENDS_WITHIN:
            detail = (
                f"told for {ENDS_WITHIN:g} s: as the first process of its container it hears SIGTERM only if it has a "
                "handler for it (pid_namespaces(7)); give it one, or an init that passes signals on"
            )
            raise EngineTrouble("does not end when it is told to", self.where, detail, Kind.TIMED_OUT)
        self.tell()


def _stays_ready(pod: Mapping[str, Any]) -> bool:
    return is_ready(pod) and not is_leaving(pod)
