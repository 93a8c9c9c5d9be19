"""What a watcher makes of the API's objects, and how it gets at them."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.kubeconfigs import write_kubeconfig
from tocsin.deadline import Unmet, wait_until
from tocsin.engines.kubernetes_api import ClusterUnreadable, in_cluster, read_kubeconfig
from tocsin.probes.behaviour.tape import Tape
from tocsin.probes.cluster import Cluster, PodWatch
from tocsin.probes.incluster.watching import Watch
from tocsin.probes.observation import Snapshot, event_seen, moment, observed, probe_counts

START = "2026-11-26T08:00:00Z"
END = "2026-11-26T08:00:20Z"
ZERO = moment(START) or 0.0


def pod(*, ready: bool | None, state: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    """Return a pod with one container."""
    conditions = [] if ready is None else [{"type": "Ready", "status": str(ready), "lastTransitionTime": START}]
    container = {"name": "app", "restartCount": 0, "state": state or {"waiting": {"reason": "ContainerCreating"}}}
    statuses = [{**container, **status}]
    metadata = {"name": "p", "uid": "u", "resourceVersion": "1"}
    return {"metadata": metadata, "status": {"conditions": conditions, "containerStatuses": statuses}}


RUNNING = {"running": {"startedAt": START}}
GONE = {"terminated": {"startedAt": START, "finishedAt": END, "exitCode": 3, "reason": "Error", "containerID": "c://a"}}


def test_a_life_is_read_from_snapshots() -> None:
    """Changes of Ready count once each; an instance keeps when it was first seen, and gets its end later."""
    seen = observed(
        (
            Snapshot(ZERO, pod(ready=None)),
            Snapshot(ZERO + 1, pod(ready=False)),
            Snapshot(ZERO + 2, pod(ready=True, state=RUNNING, containerID="c://a", started=True)),
            Snapshot(ZERO + 3, pod(ready=True, state=RUNNING, containerID="c://a", started=True)),
            Snapshot(ZERO + 21, pod(ready=False, state=GONE, containerID="c://a", started=False)),
            Snapshot(
                ZERO + 22,
                pod(ready=False, state=RUNNING, lastState=GONE, containerID="c://b", restartCount=1, started=True),
            ),
        )
    )
    assert [(each.at - ZERO, each.ready) for each in seen.ready] == [(1, False), (2, True), (21, False)]
    first, second = seen.container("app").incarnations
    assert (first.container_id, first.restarts, first.seen - ZERO, first.exit_code) == ("c://a", 0, 2, 3)
    assert first.finished == moment(END)
    assert (second.container_id, second.restarts, second.exit_code) == ("c://b", 1, None)
    assert [(each.at - ZERO, each.started) for each in seen.container("app").started] == [
        (0, False),
        (2, True),
        (21, False),
        (22, True),
    ]
    assert seen.container("app").waits == ("ContainerCreating",)


def test_snapshots_are_of_one_pod() -> None:
    """None, or some of two pods, are refused; so is a container that is not there."""
    with pytest.raises(ValueError, match="not of 0"):
        observed(())
    other = pod(ready=True)
    other["metadata"] = {"name": "q", "uid": "v"}
    with pytest.raises(ValueError, match="not of 2"):
        observed((Snapshot(0, pod(ready=True)), Snapshot(1, other)))
    with pytest.raises(KeyError, match="never seen with a container 'web'"):
        observed((Snapshot(0, pod(ready=True)),)).container("web")


def test_an_event_names_its_container() -> None:
    """By the field path; an event of the newer API has no count and one time."""
    involved = {"fieldPath": "spec.containers{app}"}
    old = event_seen({"reason": "Unhealthy", "involvedObject": involved, "count": 4, "lastTimestamp": END})
    assert (old.container, old.count, old.last) == ("app", 4, moment(END))
    new = event_seen({"reason": "Scheduled", "eventTime": START, "count": None})
    assert (new.container, new.count, new.first) == ("", 1, moment(START))


def test_counts_are_those_of_a_namespace() -> None:
    """Other namespaces and other metrics are left alone."""
    text = """# TYPE prober_probe_total counter
prober_probe_total{container="app",namespace="a",pod="p",pod_uid="u",probe_type="Readiness",result="failed"} 3
prober_probe_total{container="app",namespace="b",pod="p",pod_uid="u",probe_type="Readiness",result="failed"} 4
prober_probe_duration_seconds_count{namespace="a"} 5
"""
    assert [(each.kind, each.result, each.value) for each in probe_counts(text, "a")] == [("readiness", "failed", 3)]


class _Api(BaseHTTPRequestHandler):
    """A server that speaks as the API does of pods: a list, a watch that goes stale, a list anew, a quiet watch."""

    protocol_version = "HTTP/1.0"
    asked: list[str]

    def do_GET(self) -> None:
        """Answer by what was asked before."""
        split = urlsplit(self.path)
        query = parse_qs(split.query)
        self.asked.append(self.path)
        if split.path != "/api/v1/namespaces/n/pods":
            self._say(403, {"message": "pods is forbidden"})
        elif "watch" not in query:
            version = "5" if len(self.asked) == 1 else "9"
            self._say(200, {"kind": "PodList", "metadata": {"resourceVersion": version}, "items": [pod(ready=False)]})
        elif query["resourceVersion"] == ["5"]:
            changed = {"type": "MODIFIED", "object": pod(ready=True)}
            gone = {"type": "ERROR", "object": {"code": 410}}
            self._say(200, changed, gone)
        else:
            self._say(200, {"type": "BOOKMARK", "object": pod(ready=False)})

    def _say(self, status: int, *lines: dict[str, Any]) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def api(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Serve the API on loopback; give a kubeconfig for it and what was asked."""
    asked: list[str] = []
    handler = type("Api", (_Api,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield kubeconfig(folder, server=f"http://127.0.0.1:{server.server_address[1]}"), asked
        finally:
            server.shutdown()
            thread.join()


def kubeconfig(folder: Path, *, user: dict[str, Any] | None = None, **cluster: Any) -> Path:
    """Write a kubeconfig."""
    return write_kubeconfig(folder / "kubeconfig", cluster=cluster, user={"token": "t"} if user is None else user)


def test_a_watch_goes_on_over_a_version_that_is_not_kept(tmp_path: Path) -> None:
    """What was there, what changed, and after the gap what is there now."""
    with api(tmp_path) as (path, _), Cluster(path) as cluster, PodWatch(cluster, "n") as watch:
        wait_until(partial(_received, watch, 3), seconds=20, what="three snapshots")
        changes = observed(watch.snapshots("p")[:3]).ready
    assert [each.ready for each in changes] == [False, True, False]


def test_a_pod_of_the_same_name_is_another_one(tmp_path: Path) -> None:
    """As of a StatefulSet: what it does is not what the one before it did."""
    with api(tmp_path) as (path, _), Cluster(path) as cluster:
        watch = PodWatch(cluster, "n")
        for uid, ready in (("a", True), ("b", False), ("a", False), ("c", True)):
            told = pod(ready=ready)
            watch.keep(1.0, {**told, "metadata": {**told["metadata"], "uid": uid}})
    assert watch.names() == ("p", "p#2", "p#3")
    assert [each.ready for each in observed(watch.snapshots("p")).ready] == [True, False]
    assert (observed(watch.snapshots("p#2")).uid, observed(watch.snapshots("p#3")).uid) == ("b", "c")


AFTER_ONE = {"restartCount": 1, "containerID": "c://b", "lastState": GONE, "state": RUNNING}
AFTER_TWO = {
    "restartCount": 2,
    "containerID": "c://c",
    "lastState": {"terminated": {**GONE["terminated"], "containerID": "c://b"}},
}


@pytest.mark.parametrize(
    ("told", "restarts"),
    [
        ([{"state": RUNNING, "containerID": "c://a"}], 0),
        ([AFTER_ONE], 0),
        ([AFTER_ONE, {**AFTER_TWO, "state": RUNNING}], 1),
        ([{**AFTER_ONE, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}, AFTER_ONE], 1),
    ],
    ids=["never", "before it was watched", "again while it is watched", "held back when it was first seen"],
)
def test_only_restarts_that_were_watched_count(tmp_path: Path, told: list[dict[str, Any]], restarts: int) -> None:
    """A pod's status keeps the end of the instance before, however long ago that was."""
    live: Any = SimpleNamespace(container="app")
    with api(tmp_path) as (path, _), Cluster(path) as cluster:
        pods = PodWatch(cluster, "n")
        for number, status in enumerate(told):
            pods.keep(float(number), pod(ready=True, **status))
        seen = Watch(live, Tape("watch", "shop/app"), pods, frozenset({"u"})).seen("p")
    assert (seen.before, seen.restarts) == (True, restarts)


def _received(watch: PodWatch, number: int) -> bool | Unmet:
    got = len(watch.snapshots("p"))
    return got >= number or Unmet(f"{got} so far")


def test_what_is_forbidden_is_said_with_the_cure(tmp_path: Path) -> None:
    """With the API's own reason, and where the grant stands."""
    with api(tmp_path) as (path, _), Cluster(path) as cluster:
        with pytest.raises(ClusterUnreadable, match=r"403: pods is forbidden; deploy/rbac-observer\.yaml"):
            cluster.get("/api/v1/namespaces/other/pods")
        with PodWatch(cluster, "other") as watch:
            wait_until(lambda: watch.error is not None, seconds=20, what="the watch to end")
            with pytest.raises(ClusterUnreadable, match="the watch ended"):
                watch.snapshots("p")


def test_inline_credentials_are_written_for_their_user_alone(tmp_path: Path) -> None:
    """Certificate and key become files that nobody else may read; paths are taken from beside the kubeconfig."""
    data = base64.b64encode(b"secret").decode()
    user = {"client-certificate-data": data, "client-key-data": data}
    path = kubeconfig(tmp_path, user=user, server="https://h:1/", **{"certificate-authority": "ca.crt"})
    folder = tmp_path / "held"
    folder.mkdir()
    access = read_kubeconfig(path, folder)
    assert (access.server, access.authority) == ("https://h:1", str(tmp_path / "ca.crt"))
    assert access.certificate is not None
    for name in access.certificate:
        assert Path(name).read_bytes() == b"secret"
        assert Path(name).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "cannot be read as a kubeconfig"),
        ("- 1", "it is list, not a mapping"),
        ("{}", "has no context '' under contexts; there are: none"),
        ("current-context: y\ncontexts: [{name: x, context: {}}]", "has no context 'y' under contexts; there are: x"),
    ],
)
def test_a_bad_kubeconfig_is_explained(tmp_path: Path, text: str, says: str) -> None:
    """It says which file, what is wrong, and what there is."""
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(ClusterUnreadable, match="kubeconfig") as raised:
        read_kubeconfig(path, tmp_path)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("user", "cluster", "says"),
    [
        ({"exec": {"command": "aws"}}, {}, "gets credentials from a program"),
        ({}, {"insecure-skip-tls-verify": True}, "would show credentials to anybody"),
    ],
)
def test_what_is_not_safe_is_refused(tmp_path: Path, user: Any, cluster: Any, says: str) -> None:
    """Programs are not run, and servers that nobody vouches for get no credentials."""
    path = kubeconfig(tmp_path, user=user, server="https://h", **cluster)
    with pytest.raises(ClusterUnreadable, match=says):
        read_kubeconfig(path, tmp_path)


def test_outside_a_pod_there_is_no_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is said; with one, its token and the API's address are taken."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ClusterUnreadable, match="give a kubeconfig instead"):
        in_cluster(tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    (tmp_path / "token").write_text("t\n")
    access = in_cluster(tmp_path)
    assert (access.server, access.token) == ("https://[fd00::1]:443", "t")
