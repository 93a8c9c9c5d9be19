"""What is changed in a cluster is put back: at the end, after an error, and when the harness is killed.

The API here is a small server that keeps objects as the real one does (merge patches, resource versions); the real one
is asked in tests/test_probes_cluster.py.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.kubeconfigs import write_kubeconfig
from tocsin.deadline import Unmet, wait_until
from tocsin.engines.kubernetes_api import ClusterUnreadable, KubernetesApi
from tocsin.engines.kubernetes_changes import NOTE, RESTARTED_AT, Changes, Workload, leftovers, put_back
from tocsin.engines.trouble import EngineTrouble
from tocsin.supervisor import Supervisor

SHOP = Workload("Deployment", "n", "shop")
JOBS = "/apis/batch/v1/namespaces/n/jobs"


def merged(value: Any, patch: Any) -> Any:
    """Return a value after a merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    found = dict(value) if isinstance(value, dict) else {}
    for key, each in patch.items():
        if each is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), each)
    return found


@dataclass
class Store:
    """The objects of an API server, by their paths."""

    url: str = ""
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    refuses: set[str] = field(default_factory=set)
    """Methods that are forbidden."""

    def of(self, workload: Workload) -> dict[str, Any]:
        """Return a workload."""
        return self.objects[workload.path]

    @property
    def as_it_was(self) -> bool:
        """Tell whether the shop is as it was, and nothing else is there."""
        shop = self.of(SHOP)
        template = shop["spec"]["template"]["metadata"].get("annotations", {})
        return (shop["spec"]["replicas"], template, notes(shop), len(self.objects)) == (3, {"kept": "yes"}, {}, 1)


def notes(found: dict[str, Any]) -> dict[str, str]:
    """Return an object's annotations."""
    return dict(found["metadata"].get("annotations") or {})


def deployment(name: str) -> dict[str, Any]:
    """Return a Deployment of three pods."""
    template = {"metadata": {"annotations": {"kept": "yes"}}}
    return {"metadata": {"name": name, "resourceVersion": "1"}, "spec": {"replicas": 3, "template": template}}


class _Api(BaseHTTPRequestHandler):
    store: Store

    def do_GET(self) -> None:
        """Give an object, or a list."""
        if self.path in self.store.objects:
            self._say(200, self.store.objects[self.path])
        else:
            items = [each for path, each in self.store.objects.items() if path.rpartition("/")[0] == self.path]
            self._say(200, {"items": items})

    def do_POST(self) -> None:
        """Make an object."""
        made = self._body()
        self._change(f"{self.path}/{made['metadata']['name']}", made)

    def do_DELETE(self) -> None:
        """Delete an object."""
        self._body()
        self._say(200 if self.store.objects.pop(self.path, None) else 404, {})

    def do_PATCH(self) -> None:
        """Change an object, if nobody else has meanwhile."""
        patch, found = self._body(), self.store.objects.get(self.path)
        if found is None:
            self._say(404, {"message": "not found"})
        elif (
            patch["metadata"].get("resourceVersion", found["metadata"]["resourceVersion"])
            != (found["metadata"]["resourceVersion"])
        ):
            self._say(409, {"message": "the object has been modified"})
        else:
            self._change(self.path, merged(found, patch))

    def _change(self, path: str, value: dict[str, Any]) -> None:
        if self.command in self.store.refuses:
            self._say(403, {"message": f"may not {self.command}"})
            return
        version = int(value["metadata"].get("resourceVersion", 0)) + 1
        self.store.objects[path] = merged(value, {"metadata": {"resourceVersion": str(version)}})
        self._say(200, value)

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")

    def _say(self, status: int, value: Any) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served() -> Iterator[Store]:
    """Serve an API on loopback that has the shop."""
    store = Store(objects={SHOP.path: deployment("shop")})
    handler = type("Api", (_Api,), {"store": store})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        store.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield store
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def store() -> Iterator[Store]:
    """Give an API."""
    with served() as found:
        yield found


def kubeconfig(store: Store, folder: Path) -> Path:
    """Write a kubeconfig for it."""
    user = {"token": "secret", "client-key-data": "c2VjcmV0"}
    return write_kubeconfig(folder / "kubeconfig", cluster={"server": store.url}, user=user)


@contextmanager
def changes(store: Store, folder: Path) -> Iterator[Changes]:
    """Give what changes it."""
    private = folder / "private"
    private.mkdir(mode=0o700)
    with (
        KubernetesApi(kubeconfig(store, folder)) as api,
        Supervisor("changes", folder / "logs") as supervisor,
        Changes(api, supervisor, private) as found,
    ):
        yield found
    assert list(private.iterdir()) == []


def everything(made: Changes) -> None:
    """Change all that can be changed, but for what one object can take only once."""
    made.create(JOBS, {"metadata": {"name": "asker"}})
    made.restart(SHOP, "2026-11-26T12:00:00Z")


def test_it_is_put_back_at_the_end(store: Store, tmp_path: Path) -> None:
    """The Job is gone, the template as it was, and the note taken away."""
    with changes(store, tmp_path) as made:
        everything(made)
        assert f"{JOBS}/asker" in store.objects
        template = store.of(SHOP)["spec"]["template"]["metadata"]["annotations"]
        assert template == {"kept": "yes", RESTARTED_AT: "2026-11-26T12:00:00Z"}
        assert json.loads(notes(store.of(SHOP))[NOTE])["by"].endswith(f"/{os.getpid()}")
    assert store.as_it_was


def test_a_part_of_it_is_put_back_before(store: Store, tmp_path: Path) -> None:
    """What was changed before it stays until the end."""
    with changes(store, tmp_path) as made:
        made.create(JOBS, {"metadata": {"name": "asker"}})
        with made.part():
            made.scale(SHOP, 0)
            assert store.of(SHOP)["spec"]["replicas"] == 0
        assert store.of(SHOP)["spec"]["replicas"] == 3
        assert f"{JOBS}/asker" in store.objects
    assert store.as_it_was


def test_it_is_put_back_after_an_error(store: Store, tmp_path: Path) -> None:
    """Whatever ends it."""

    def interrupted() -> None:
        with changes(store, tmp_path) as made:
            everything(made)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert store.as_it_was


KILLED = """
import sys
from pathlib import Path
from tests.test_kubernetes_changes import everything
from tocsin.engines.kubernetes_api import KubernetesApi
from tocsin.engines.kubernetes_changes import Changes
from tocsin.supervisor import Supervisor
folder = Path(sys.argv[1])
with (
    KubernetesApi(folder / "kubeconfig", folder=folder / "private") as api,
    Supervisor("killed", folder / "logs", scratch=folder / "private") as supervisor,
    Changes(api, supervisor, folder / "private") as made,
):
    everything(made)
    print(supervisor.pid, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("who", ["harness", "supervisor first", "both"])
def test_it_is_put_back_if_we_are_killed(store: Store, tmp_path: Path, who: str) -> None:
    """By the process that watches, which outlives the harness, and its supervisor, for as long as that takes."""
    kubeconfig(store, tmp_path)
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as harness:
        assert harness.stdout is not None
        supervisor = int(harness.stdout.readline())
        assert not store.as_it_was
        assert list(private.rglob("client-key"))
        if who == "harness":
            harness.kill()
        else:
            first, second = (supervisor, harness.pid) if who == "supervisor first" else (harness.pid, supervisor)
            os.kill(first, signal.SIGKILL)
            os.kill(second, signal.SIGKILL)
    wait_until(lambda: store.as_it_was or Unmet(str(store.objects)), seconds=30, what="it to be put back")
    if who == "harness":  # nobody is left to delete it otherwise
        wait_until(lambda: not private.exists() or Unmet("it is there"), seconds=30, what="its secrets to be deleted")


def test_nothing_is_changed_that_another_run_has_changed(store: Store, tmp_path: Path) -> None:
    """It is told who has, and how to put it back; and it can be put back."""
    undo = {"spec": {"replicas": 3}, "metadata": {"annotations": {NOTE: None}}}
    note = json.dumps({"by": "elsewhere/1", "at": "yesterday", "undo": undo})
    store.objects[SHOP.path] = merged(
        store.of(SHOP), {"metadata": {"annotations": {NOTE: note}}, "spec": {"replicas": 0}}
    )
    with changes(store, tmp_path) as made:
        with pytest.raises(EngineTrouble, match=r"Tocsin on elsewhere/1 changed it at yesterday .* --put-back"):
            made.scale(SHOP, 0)
        (left,) = leftovers(made.api, "n")
        assert (left.workload, left.abandoned) == (SHOP, False)
        torn = {"metadata": {"annotations": {NOTE: "what is this"}}}
        store.objects[SHOP.path] = merged(store.of(SHOP), torn)
        (unreadable,) = leftovers(made.api, "n")
        with pytest.raises(ClusterUnreadable, match="cannot be read; put it back by hand"):
            put_back(made.api, unreadable)
        put_back(made.api, left)
        assert store.of(SHOP)["spec"]["replicas"] == 3


def test_a_run_on_this_machine_that_is_over_has_abandoned_it(store: Store, tmp_path: Path) -> None:
    """Its note names a process that is not there any more."""
    with changes(store, tmp_path) as made:
        made.scale(SHOP, 0)
        (mine,) = leftovers(made.api, "n")
        assert not mine.abandoned
        told = dict(mine.told) | {"by": str(mine.told["by"]).rpartition("/")[0] + "/4194305"}
        note = {"metadata": {"annotations": {NOTE: json.dumps(told)}}}
        store.objects[SHOP.path] = merged(store.of(SHOP), note)
        (dead,) = leftovers(made.api, "n")
        assert dead.abandoned
        put_back(made.api, dead)
    assert store.as_it_was


def test_who_may_not_change_it_is_told_what_grants_it(store: Store, tmp_path: Path) -> None:
    """Nothing is left behind."""
    store.refuses.add("POST")
    with (
        changes(store, tmp_path) as made,
        pytest.raises(ClusterUnreadable, match=r"403: may not POST; deploy/rbac-prober\.yaml grants what is needed"),
    ):
        made.create(JOBS, {"metadata": {"name": "asker"}})
    assert store.as_it_was


@pytest.mark.parametrize(
    ("workload", "said"),
    [(Workload("DaemonSet", "n", "shop"), "cannot be scaled"), (Workload("Pod", "n", "shop"), "cannot be scaled")],
)
def test_what_has_no_scale_is_not_scaled(store: Store, tmp_path: Path, workload: Workload, said: str) -> None:
    """It says what has."""
    with changes(store, tmp_path) as made, pytest.raises(ValueError, match=said):
        made.scale(workload, 0)
