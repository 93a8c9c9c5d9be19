"""Runs pods in a namespace of a cluster, watches them, and deletes them again."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import requests

from tests.parity import NAME_OF_IMAGE
from tests.parity.recording import Recorded, Run
from tests.parity.scenario import SCRIPTS, Scenario
from tocsin.deadline import Unmet, wait_until
from tocsin.engines.kubernetes_api import ClusterUnreadable
from tocsin.probes.cluster import Cluster, PodWatch
from tocsin.probes.observation import EventSeen, Incarnation, ProbeCount, observed

NAMESPACE = "tocsin-parity"
SERVER = Path(__file__).parent / "server.py"
START_SECONDS = 120.0
APART_SECONDS = 2.0
"""How long after a pod the next is made: a kubelet that starts many at once lists their containers seconds late."""
AFTER_SECONDS = 2.0
"""How long a pod is watched beyond what its scenario says, so that the last moment is in view whole."""


class Workbench:
    """One namespace of a cluster, to make pods in: what the library's own reader cannot do is done here."""

    def __init__(self, cluster: Cluster, image: str = NAME_OF_IMAGE) -> None:
        self.cluster = cluster
        self.image = image
        self.base = f"{cluster.access.server}/api/v1/namespaces"
        self._turn = threading.Lock()
        self._next = 0.0

    def _send(self, method: str, path: str, body: Any = None, *, accepted: Sequence[int] = ()) -> requests.Response:
        with self.cluster.session() as session:
            answer = session.request(method, self.base + path, json=body, timeout=30)
        assert answer.ok or answer.status_code in accepted, (
            f"{method} {path}: {answer.status_code}: {answer.text[:500]}"
        )
        return answer

    def create(self, kind: str, manifest: Mapping[str, Any]) -> None:
        """Make an object in the namespace."""
        self._send("POST", f"/{NAMESPACE}/{kind}", manifest)

    def await_turn(self) -> None:
        """Wait until enough time is gone since the last pod was made."""
        with self._turn:
            due = self._next
            wait_until(
                lambda: time.monotonic() >= due, seconds=2 * APART_SECONDS, what="the next pod's turn", every=0.05
            )
            self._next = time.monotonic() + APART_SECONDS

    def delete_pod(self, name: str) -> None:
        """Delete a pod at once."""
        body = {"gracePeriodSeconds": 0, "propagationPolicy": "Background"}
        self._send("DELETE", f"/{NAMESPACE}/pods/{name}", body, accepted=(404,))

    def log(self, pod: str) -> tuple[Mapping[str, Any], ...]:
        """Return the lines of a pod's container."""
        text = self._send("GET", f"/{NAMESPACE}/pods/{pod}/log?container=app").text
        return tuple(json.loads(line) for line in text.splitlines() if line.startswith("{"))

    def gone(self) -> bool | Unmet:
        """Return whether the namespace is not there any more."""
        answer = self._send("GET", f"/{NAMESPACE}", accepted=(404,))
        return answer.status_code == requests.codes.not_found or Unmet(f"{NAMESPACE}: {answer.json()['status']}")

    @contextmanager
    def namespace(self) -> Iterator[None]:
        """Make the namespace with the server in it, and delete it with all that is in it."""
        wait_until(self._free, seconds=60, what="an earlier namespace to be gone", every=0.5)
        try:
            self._send("POST", "", {"metadata": {"name": NAMESPACE}})
            self.create("configmaps", {"metadata": {"name": SCRIPTS}, "data": {"server.py": SERVER.read_text()}})
            yield
        finally:
            self._send("DELETE", f"/{NAMESPACE}", accepted=(404, 409))
            wait_until(self.gone, seconds=180, what="the namespace to be gone", every=0.5)

    def _free(self) -> bool | Unmet:
        """Return whether no namespace of a run before is in the way; one that its owner left is deleted."""
        gone = self.gone()
        if not gone:
            self._send("DELETE", f"/{NAMESPACE}", accepted=(404, 409))
        return gone


def perform(bench: Workbench, watch: PodWatch, scenario: Scenario) -> Recorded:
    """Run one scenario from its pod's creation to its deletion."""
    bench.await_turn()
    created = time.time()
    bench.create("pods", scenario.manifest(bench.image))
    try:
        first = wait_until(
            lambda: _first(watch, scenario.name), seconds=START_SECONDS, what=f"{scenario.name} to start", every=0.1
        )
        until = (first.started or first.seen) + 1 + scenario.watched + AFTER_SECONDS
        left = max(0.0, until - time.time())
        wait_until(lambda: time.time() >= until, seconds=left + 5, what=f"{scenario.name} to be over", every=0.2)
        return Recorded(
            scenario,
            created,
            time.time(),
            watch.snapshots(scenario.name),
            bench.log(scenario.name),
            (),
            (),
        )
    finally:
        bench.delete_pod(scenario.name)


def _first(watch: PodWatch, name: str) -> Incarnation | Unmet:
    """Return the first instance of a pod's container, once there is one."""
    snapshots = watch.snapshots(name)
    containers = observed(snapshots).containers if snapshots else ()
    found = [one for each in containers if each.name == "app" for one in each.incarnations]
    return found[0] if found else Unmet(f"{len(snapshots)} snapshots, none of a running container")


class Counting(threading.Thread):
    """Reads the kubelet's counts every few seconds: a pod's series vanish with it, so the last seen is kept."""

    EVERY = 3.0

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(daemon=True)
        self._cluster = cluster
        self._over = threading.Event()
        self.last: dict[tuple[str, str, str], ProbeCount] = {}

    def run(self) -> None:
        """Read until it is ended, or until it turns out that nothing can be read."""
        while not self._over.is_set():
            try:
                counts = self._cluster.probe_counts(NAMESPACE)
            except ClusterUnreadable as error:  # not granted, or out of reach: then there are no counts
                print(f"no probe counts: {error}")
                return
            self.last |= {(each.pod, each.kind, each.result): each for each in counts}
            self._over.wait(self.EVERY)

    def of(self, pod: str) -> tuple[ProbeCount, ...]:
        """Return what was last counted of a pod."""
        return tuple(count for (name, *_), count in sorted(self.last.items()) if name == pod)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join(30)


EVENTS_SECONDS = 400.0


def run(
    cluster: Cluster,
    scenarios: Sequence[Scenario] | Callable[[Workbench], Sequence[Scenario]],
    *,
    at_once: int,
    image: str = NAME_OF_IMAGE,
    await_events: bool = False,
) -> Run:
    """Run scenarios side by side, the longest first; if need be, wait until the kubelet has told all their events.

    A function is given the namespace, to make what its scenarios need.
    """
    bench = Workbench(cluster, image)
    began = os.getloadavg()[0]
    with bench.namespace(), PodWatch(cluster, NAMESPACE) as watch, Counting(cluster) as counting:
        wanted = scenarios(bench) if callable(scenarios) else scenarios
        with ThreadPoolExecutor(at_once) as pool:
            ordered = sorted(wanted, key=lambda each: -(each.watched + each.init_seconds))
            found = list(pool.map(lambda each: perform(bench, watch, each), ordered))
        if await_events:
            wait_until(lambda: _all_told(cluster, found), seconds=EVENTS_SECONDS, what="the events", every=3)
        found = [replace(each, counts=counting.of(each.scenario.name), events=_events(cluster, each)) for each in found]
    machine = f"{os.cpu_count()} cores, load {began:.1f} before and {os.getloadavg()[0]:.1f} after, {at_once} at once"
    node = cluster.get("/api/v1/nodes")["items"][0]
    kubelet = node["status"]["nodeInfo"]["kubeletVersion"]
    by_name = sorted(found, key=lambda each: each.scenario.name)
    return Run(kubelet, time.strftime("%Y-%m-%d"), machine, tuple(by_name))


def _events(cluster: Cluster, recorded: Recorded) -> tuple[EventSeen, ...]:
    return cluster.events(NAMESPACE, recorded.scenario.name, recorded.pod.uid)


def _all_told(cluster: Cluster, found: Sequence[Recorded]) -> bool | Unmet:
    """Return whether each pod's last event is there: that its container is ended."""
    waiting = [each.scenario.name for each in found if not any(e.reason == "Killing" for e in _events(cluster, each))]
    return not waiting or Unmet(f"{len(waiting)} pods have not been told of to the end, such as {waiting[0]}")
