"""`pytest -m probes` and `tocsin probe` on a real cluster: the sick are found, the healthy pass, all is put back.

TOCSIN_KUBECONFIG names a cluster in which namespaces may be made; the suite itself has no more rights there than
deploy/ grants. The node must hold an image with a python3 (TOCSIN_PARITY_IMAGE; else the one of tests/parity/image.py).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.cluster_account import grant, take_back
from tests.parity import NAME_OF_IMAGE
from tests.sick_processes.system import SERVER
from tocsin.deadline import Unmet, wait_until
from tocsin.engines.kubernetes_api import ClusterUnreadable, KubernetesApi
from tocsin.engines.kubernetes_changes import NOTE, RESTARTED_AT

KUBECONFIG = os.environ.get("TOCSIN_KUBECONFIG", "")
IMAGE = os.environ.get("TOCSIN_PARITY_IMAGE", NAME_OF_IMAGE)
NAMESPACE = "tocsin-probes"
INCONCLUSIVE = 10
"""The exit code of a run that could not see what it was asked."""
EVERYTHING = ["ask", "exec", "rollout", "kill", "outage"]

pytestmark = [
    pytest.mark.xdist_group("exclusive"),
    pytest.mark.skipif(not KUBECONFIG, reason="TOCSIN_KUBECONFIG names no cluster to run probed pods in"),
]


STORE_PORT, SWAMPED_PORT = 18765, 18766
"""On the node's own network: a cluster need not have names, nor Services, for a pod or a client to find it."""
ASKS_STORE = f"http://$(NODE):{STORE_PORT}/live"
POLITE = ("--on-term", "drain", "--drain", "0.3")


def probe(path: str, *, period: int = 1) -> dict[str, Any]:
    """Return a probe that is quick."""
    times = {"periodSeconds": period, "timeoutSeconds": 1, "failureThreshold": 2}
    return {"httpGet": {"path": path, "port": "http"}, **times}


def workload(
    name: str, *arguments: str, kind: str = "Deployment", pre_stop: float = 3, probed: bool = True, **container: Any
) -> dict[str, Any]:
    """Return a workload of two pods of the sick server, which is as healthy as its arguments leave it."""
    host = container.pop("host", None)
    port = host or 8000
    command = ["python3", "-I", "-S", "/srv/server.py", "--host", "0.0.0.0", "--port", str(port), *arguments]
    hook = {"preStop": {"exec": {"command": ["python3", "-c", f"import time; time.sleep({pre_stop})"]}}}
    shop = {
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "resources": {"requests": {"cpu": "50m"}},  # without, what else runs on the node makes its probes late
        "ports": [{"name": "http", "containerPort": port}],
        "env": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}],
        "volumeMounts": [{"name": "server", "mountPath": "/srv"}],
        **({"livenessProbe": probe("/live"), "readinessProbe": probe("/ready")} if probed else {}),
        **({"lifecycle": hook} if pre_stop else {}),
        **container,
    }
    pod = {
        "containers": [shop],
        "terminationGracePeriodSeconds": 10,
        "enableServiceLinks": False,
        "hostNetwork": host is not None,
        "volumes": [{"name": "server", "configMap": {"name": "server"}}],
    }
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec: dict[str, Any] = {"selector": {"matchLabels": labels}, "template": template}
    if kind != "DaemonSet":
        spec["replicas"] = 1 if host else 2
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def alone(deployment: dict[str, Any]) -> dict[str, Any]:
    """Have no second pod beside the first: a port of the node is there once."""
    deployment["spec"]["strategy"] = {"type": "Recreate"}
    return deployment


WORKLOADS = {
    "store": workload("store", *POLITE, host=STORE_PORT, probed=False),
    "swamped": alone(workload("swamped", "--one-thread", "--work", "1.5", host=SWAMPED_PORT)),
    "sound": workload("sound", *POLITE),
    "leaning": workload("leaning", *POLITE, "--live-asks", ASKS_STORE, "--patience", "0.5"),
    "rude": workload("rude", "--on-term", "drain", pre_stop=0),
    "deaf": workload("deaf"),
    "changed": workload("changed", *POLITE),
    "ordered": workload("ordered", *POLITE, kind="StatefulSet"),
    "everywhere": workload("everywhere", *POLITE, kind="DaemonSet"),
}
KINDS = ("deployments", "statefulsets", "daemonsets")
FAILS = {
    "leaning": {"liveness-independent", "readiness-as-declared"},  # what it leans on is gone, and so it is restarted
    "rude": {"no-request-lost"},
    "deaf": {"ends-within-grace", "startup-budget"},  # it does not end, so no start of it can be watched
    "changed": {"runs-as-declared"},
}
"""What must be found, by container; nothing else may be."""
SKIPPED = {"hang-noticed", "no-restart-storm", "probe-cost", "within-timeout-under-load"}
"""What is not asked in a cluster, or not of what no load is declared for."""
ASIDE = {"store", "swamped"}
"""What is no subject, and what has a test of its own: a port of the node leaves no room for a second pod."""


def _is_whole(spec: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """Tell whether all pods are ready, and of the newest template."""
    wanted = spec.get("replicas") or status.get("desiredNumberScheduled")
    seen = (
        status.get("readyReplicas", status.get("numberReady")),
        status.get("replicas", status.get("currentNumberScheduled")),
        status.get("updatedReplicas", status.get("updatedNumberScheduled")),
    )
    return set(seen) == {wanted}


class Space:
    """A namespace of the cluster, made with an administrator's kubeconfig."""

    def __init__(self, api: KubernetesApi, kubeconfig: Path) -> None:
        self.api = api
        self.kubeconfig = kubeconfig
        """Of the account of deploy/, which the suite has."""

    def make(self, path: str, value: Mapping[str, Any]) -> None:
        """Make an object."""
        self.api.send("POST", path, value)

    def workloads(self) -> dict[str, dict[str, Any]]:
        """Return the workloads by name."""
        lists = [self.api.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/{kind}")["items"] for kind in KINDS]
        return {each["metadata"]["name"]: each for items in lists for each in items}

    def ready(self) -> bool | Unmet:
        """Tell whether all pods are ready, and none is left of a template before."""
        waiting = [name for name, each in self.workloads().items() if not _is_whole(each["spec"], each["status"])]
        return not waiting or Unmet(f"not ready: {', '.join(waiting)}")

    def as_it_was(self) -> bool | Unmet:
        """Tell whether nothing is left of what was done to it."""
        for name, each in self.workloads().items():
            template = each["spec"]["template"]["metadata"].get("annotations") or {}
            if NOTE in (each["metadata"].get("annotations") or {}) or RESTARTED_AT in template:
                return Unmet(f"{name} is changed")
            if each["spec"].get("replicas") != WORKLOADS[name]["spec"].get("replicas"):
                return Unmet(f"{name} has {each['spec']['replicas']} pods")
        left = self.api.get(f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs")["items"]
        return not left or Unmet(f"Job {left[0]['metadata']['name']} is left")

    def gone(self) -> bool:
        """Tell whether the namespace is gone."""
        return NAMESPACE not in {each["metadata"]["name"] for each in self.api.get("/api/v1/namespaces")["items"]}


@contextmanager
def made(kubeconfig: Path) -> Iterator[Space]:
    """Make the namespace with all workloads, and delete it again."""
    with KubernetesApi(Path(KUBECONFIG)) as api:
        space = Space(api, kubeconfig)
        wait_until(space.gone, seconds=120, what="an earlier namespace to be gone", every=0.5)
        api.send("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        try:
            files = {"metadata": {"name": "server"}, "data": {"server.py": SERVER.read_text()}}
            space.make(f"/api/v1/namespaces/{NAMESPACE}/configmaps", files)
            for each in WORKLOADS.values():
                space.make(f"/apis/apps/v1/namespaces/{NAMESPACE}/{each['kind'].lower()}s", each)
            grant(api, NAMESPACE, kubeconfig)
            wait_until(space.ready, seconds=180, what="the workloads to be ready", every=0.5)
            yield space
        finally:
            api.send("DELETE", f"/api/v1/namespaces/{NAMESPACE}", accepted=(404, 409))
            take_back(api)
            wait_until(space.gone, seconds=180, what="the namespace to be gone", every=0.5)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """Give the namespace."""
    with made(tmp_path_factory.mktemp("account") / "kubeconfig") as found:
        yield found


@pytest.fixture
def system(space: Space, tmp_path: Path) -> Path:
    """Write a system of these workloads, whose kubeconfig is the service account of deploy/ and no other."""
    return written(space, tmp_path, EVERYTHING)


def written(space: Space, folder: Path, allow: Sequence[str]) -> Path:
    """Write it; the manifest of `changed` is not what was applied."""
    manifests = json.loads(json.dumps({name: each for name, each in WORKLOADS.items() if name != "swamped"}))
    manifests["changed"]["spec"]["template"]["spec"]["containers"][0]["livenessProbe"] = probe("/live", period=2)
    (folder / "workloads.yaml").write_text(yaml.safe_dump_all(manifests.values()))
    cluster = {
        "kubeconfig": str(space.kubeconfig),
        "namespace": NAMESPACE,
        "image": IMAGE,
        "watch": "8s",
        "allow": list(allow),
    }
    declared = {
        "schema": 1,
        "name": "shops",
        "artefacts": {"manifests": ["workloads.yaml"]},
        "environments": {"cluster": {"cluster": cluster}},
        "probes": {"workloads": {name: {"dependencies": {"store": {}}} for name in ("sound", "leaning")}},
    }
    (folder / "system.yaml").write_text(yaml.safe_dump(declared))
    return folder


def asked(folder: Path, *arguments: str) -> tuple[int, str, dict[str, dict[str, str]]]:
    """Run the suite; return its exit code, what it said, and each question's outcome by container."""
    report = folder / "junit.xml"
    command = [sys.executable, "-m", "pytest", "-m", "probes", "--system", str(folder), "--environment", "cluster"]
    command += [f"--junit-xml={report}", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1500, cwd=folder)
    found: dict[str, dict[str, str]] = {}
    if report.is_file():
        for case in ET.parse(report).iter("testcase"):  # noqa: S314 our own
            name = re.fullmatch(r"test_probe\[(\S+?)/\S+?-([a-z-]+)\]", case.get("name") or "")
            if name:
                found.setdefault(name[1], {})[name[2]] = next(
                    (each.tag for each in case if each.tag != "properties"), "passed"
                )
    return done.returncode, done.stdout[-6000:] + done.stderr[-2000:], found


def test_the_sick_are_found_and_the_healthy_are_well(space: Space, system: Path) -> None:
    """Each disease by its question, nothing else; with the rights of deploy/ alone, and all is put back."""
    _, said, found = asked(system)
    print(said, flush=True)
    assert set(found) == set(WORKLOADS) - ASIDE
    for name, outcomes in found.items():
        failed = {each for each, outcome in outcomes.items() if outcome in ("failure", "error")}
        assert failed == FAILS.get(name, set()), (name, outcomes, said)
        assert {each for each, outcome in outcomes.items() if outcome == "skipped"} >= SKIPPED
    assert found["sound"]["liveness-independent"] == found["sound"]["follows-as-foreseen"] == "passed"
    wait_until(space.ready, seconds=120, what="all to be ready again", every=0.5)
    wait_until(space.as_it_was, seconds=30, what="all to be as it was", every=0.5)


def test_a_storm_under_load_is_foreseen_and_seen(space: Space, system: Path) -> None:
    """One thread serves all, so liveness waits in the queue: its kubelet restarts it, as was foreseen."""
    node = urlsplit(space.api.access.server).hostname
    declared = yaml.safe_load((system / "system.yaml").read_text())
    (system / "workloads.yaml").write_text(yaml.safe_dump(WORKLOADS["swamped"]))
    declared["environments"]["cluster"] |= {
        "addresses": {"swamped": f"http://{node}:{SWAMPED_PORT}"},
        "hosts": [node],
        "allow_load": True,
        "ceilings": {"users": 10, "requests_per_second": 100, "seconds": 120},
    }
    declared["probes"] = {"workloads": {"swamped": {"load": {"profile": "pages", "users": 6, "seconds": "15s"}}}}
    (system / "system.yaml").write_text(yaml.safe_dump(declared))
    code, said, found = asked(system, "-k", "under-load or storm")
    print(said, flush=True)
    assert code == 1
    assert found["swamped"] == {"within-timeout-under-load": "failure", "no-restart-storm": "failure"}
    assert re.search(r"swamped-\S+ was restarted \d+ times in \d+ s of load", said)
    assert re.search(r"load alone has it restarted \d+ times .*; foreseen: restart 1 within .* \(inside\)", said)
    wait_until(space.ready, seconds=120, what="all to be ready again", every=0.5)


def test_without_permission_it_looks_and_nothing_else(space: Space, tmp_path: Path) -> None:
    """What only watches is asked, the rest says what would allow it; no pod was made anew."""
    folder = written(space, tmp_path, ())
    before = {name: each["metadata"]["generation"] for name, each in space.workloads().items()}
    _, said, found = asked(folder, "-k", "sound", "-rs")
    assert {each for each, outcome in found["sound"].items() if outcome == "passed"} == {
        "runs-as-declared",
        "stays-well",
    }
    assert "add `rollout` to `allow`" in said
    assert {name: each["metadata"]["generation"] for name, each in space.workloads().items()} == before


def test_what_a_lost_run_has_changed_is_put_back_by_hand(space: Space, system: Path) -> None:
    """It is in the way of the next run, which says how; then it is as it was."""
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/rude"
    undo = {"spec": {"replicas": 2}, "metadata": {"annotations": {NOTE: None}}}
    note = {"by": "elsewhere/1", "at": "2026-01-01T00:00:00Z", "undo": undo}
    change = {"spec": {"replicas": 1}, "metadata": {"annotations": {NOTE: json.dumps(note)}}}
    space.api.send("PATCH", path, change, kind="application/merge-patch+json")
    _, said, _ = asked(system, "-k", "rude and runs-as-declared")
    assert "Tocsin on elsewhere/1 changed it" in said
    command = [sys.executable, "-m", "tocsin.cli", "probe", str(system), "--environment", "cluster", "--put-back"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "put back: Deployment tocsin-probes/rude" in done.stdout) == (0, True), done
    wait_until(space.as_it_was, seconds=30, what="all to be as it was", every=0.5)


def test_a_cluster_that_cannot_be_asked_is_told_so(space: Space, tmp_path: Path) -> None:
    """A namespace without the Role: inconclusive, with the API server's reason and what grants it."""
    folder = written(space, tmp_path, EVERYTHING)
    system = yaml.safe_load((folder / "system.yaml").read_text())
    system["environments"]["cluster"]["cluster"]["namespace"] = "default"
    (folder / "system.yaml").write_text(yaml.safe_dump(system))
    code, said, found = asked(folder, "-k", "sound and stays-well")
    assert code == INCONCLUSIVE
    assert "deploy/rbac-observer.yaml grants what is needed" in said
    assert found["sound"]["stays-well"] in ("failure", "error")
    with pytest.raises(ClusterUnreadable):
        space.api.get("/no/such/path")
