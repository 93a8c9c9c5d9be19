"""A cluster seen through its API: the watcher of pods, of events, of probe counts.

It reads, and changes nothing. What it needs is in deploy/rbac-observer.yaml.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import requests
from urllib3.exceptions import InsecureRequestWarning

from tocsin.engines.kubernetes_api import READ_SECONDS, WATCH_SECONDS, ClusterUnreadable, KubernetesApi, answer_of
from tocsin.probes.observation import EventSeen, ProbeCount, Snapshot, event_seen, probe_counts


class Cluster(KubernetesApi):
    """A cluster's API, for what it says of pods and of their probes."""

    def events(self, namespace: str, pod: str, uid: str = "") -> tuple[EventSeen, ...]:
        """Return the events of a pod that are kept so far; without its `uid`, of all that had its name.

        A kubelet tells a few a second and queues the rest: they may come minutes late, and after the pod is gone.
        """
        chosen = f"involvedObject.name={pod}" + (f",involvedObject.uid={uid}" if uid else "")
        found = self.get(f"/api/v1/namespaces/{namespace}/events", fieldSelector=chosen)
        return tuple(event_seen(each) for each in found["items"])

    def version(self) -> str:
        """Return the version of the API server, as `v1.20.2`."""
        return str(self.get("/version")["gitVersion"])

    def probe_counts(self, namespace: str, authority: str | None = None) -> tuple[ProbeCount, ...]:
        """Return what the kubelets count of a namespace's probes; it takes `get` on nodes/metrics.

        `authority` is the file with the certificates that vouch for the kubelets. Without it a kubelet is believed
        (its own certificate is self-signed as a rule), and for that reason a token is not shown to it.
        Raises ClusterUnreadable.
        """
        found: list[ProbeCount] = []
        for node in self.get("/api/v1/nodes")["items"]:
            found += probe_counts(self._kubelet_metrics(node, authority), namespace)
        return tuple(found)

    def _kubelet_metrics(self, node: Mapping[str, Any], authority: str | None) -> str:
        name = node["metadata"]["name"]
        if authority is None and self.access.token:
            cure = "give the certificates that vouch for kubelets, or a kubeconfig with a client certificate"
            raise ClusterUnreadable(f"node {name}: a token would be shown to a kubelet that nobody vouches for; {cure}")
        address = next(each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP")
        where = f"[{address}]" if ":" in address else address
        port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]
        with self.session() as session, warnings.catch_warnings():
            warnings.simplefilter("ignore", InsecureRequestWarning)
            session.verify = authority or False
            return answer_of(session, f"https://{where}:{port}/metrics/probes", {}).text


class PodWatch(threading.Thread):
    """Keeps what is told of a namespace's pods, or of some of them, until it is ended; a context manager.

    A pod of a StatefulSet is followed by one of the same name: the second is known as `NAME#2`, and so on.
    """

    def __init__(self, cluster: Cluster, namespace: str, selector: str = "") -> None:
        super().__init__(name=f"watch of {namespace}", daemon=True)
        self._cluster = cluster
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._query = {"labelSelector": selector} if selector else {}
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._kept: dict[str, list[Snapshot]] = {}
        self._known: dict[str, list[str]] = {}
        """By name, the uids of the pods that had it."""
        self.error: Exception | None = None
        """Why it ended by itself."""

    def run(self) -> None:
        """Watch until the end."""
        try:
            for at, _, pod in self._cluster.watch(self._path, self._over, **self._query):
                self.keep(at, pod)
        except (ClusterUnreadable, requests.RequestException, ValueError) as error:
            self.error = error

    def keep(self, at: float, pod: Mapping[str, Any]) -> None:
        """Keep what was received of a pod, and when (Unix time)."""
        with self._lock:
            self._kept.setdefault(self._known_as(pod["metadata"]), []).append(Snapshot(at, pod))

    def _known_as(self, meta: Mapping[str, Any]) -> str:
        name, uid = str(meta["name"]), str(meta.get("uid", ""))
        known = self._known.setdefault(name, [])
        if uid not in known:
            known.append(uid)
        number = known.index(uid) + 1
        return name if number == 1 else f"{name}#{number}"

    def snapshots(self, pod: str) -> tuple[Snapshot, ...]:
        """Return what was received of a pod so far. Raises ClusterUnreadable if the watch has broken."""
        if self.error is not None:
            raise ClusterUnreadable(f"{self._path}: the watch ended: {self.error}") from self.error
        with self._lock:
            return tuple(self._kept.get(pod, ()))

    def names(self) -> tuple[str, ...]:
        """Return the names of the pods that were seen so far."""
        with self._lock:
            return tuple(self._kept)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self.join(WATCH_SECONDS + READ_SECONDS)
