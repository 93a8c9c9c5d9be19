"""The reference system's manifests on a real API server and kubelet, through the overlay in tests/cluster.

TOCSIN_CLUSTER_KUBECONFIG names a cluster of one node, which is this machine and is reached from pods as 198.51.100.7
(where the overlay sends them for names). The node must hold the images of compose/docker-compose.local.yml. Everything
that is applied is deleted again. What was seen is printed (pytest -s), with its figures.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from tests.cluster_names import answering
from tocsin.deadline import Unmet, wait_until

OVERLAY = Path(__file__).parent / "cluster"
KUBECONFIG = os.environ.get("TOCSIN_CLUSTER_KUBECONFIG", "")
NODE = "198.51.100.7"
CLAIMS = {"prometheus": "50Gi", "alertmanager": "1Gi"}
KEYS = ("pagerduty_routing_key", "slack_errors_url", "slack_warnings_url", "slack_security_url", "deadman_token")
EXPECTED = {
    ("dharmamind", "backend"): 2,
    ("dharmamind", "frontend"): 2,
    ("monitoring", "prometheus"): 2,
    ("monitoring", "alertmanager"): 2,
    ("monitoring", "blackbox-exporter"): 1,
    ("monitoring", "node-exporter"): 1,
}

pytestmark = [
    pytest.mark.xdist_group("exclusive"),
    pytest.mark.skipif(not KUBECONFIG, reason="TOCSIN_CLUSTER_KUBECONFIG names no cluster"),
]
Object = dict[str, Any]


def kubectl(*arguments: str, stdin: str | None = None, check: bool = True) -> str:
    """Run kubectl on the cluster and return what it says."""
    done = subprocess.run(
        ["kubectl", "--kubeconfig", KUBECONFIG, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0 or not check, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def pods(namespace: str, name: str) -> list[Object]:
    """Return the pods of a workload that are not on their way out."""
    said = kubectl("get", "pods", "-n", namespace, "-l", f"app.kubernetes.io/name={name}", "-o", "json")
    return [p for p in json.loads(said)["items"] if "deletionTimestamp" not in p["metadata"]]


def ready(pod: Object) -> bool:
    """Return whether a pod is ready."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ()))


def told(pod: Object) -> str:
    """Return a pod's state in a few words."""
    states = [next(iter(c["state"].items())) for c in pod["status"].get("containerStatuses", ())]
    return f"{pod['metadata']['name']}: {pod['status'].get('phase')} {states}"


def saw(what: str) -> None:
    """Say what was seen."""
    print(f"cluster: {what}", flush=True)


class Names:
    """The addresses of the cluster's pods under the names that a cluster's DNS would know, a second old at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, list[str]] = {}
        self._until = 0.0

    def __call__(self) -> dict[str, list[str]]:
        with self._lock:
            if time.monotonic() > self._until:
                self._known = self._look()
                self._until = time.monotonic() + 1
            return self._known

    def _look(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        services = json.loads(kubectl("get", "services", "-A", "-o", "json"))["items"]
        everyone = json.loads(kubectl("get", "pods", "-A", "-o", "json"))["items"]
        for service in services:
            selector = (service["spec"].get("selector") or {}).items()
            where = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.cluster.local"
            for pod in everyone:
                address = pod["status"].get("podIP")
                same = pod["metadata"]["namespace"] == service["metadata"]["namespace"]
                if not (same and address and selector and selector <= pod["metadata"].get("labels", {}).items()):
                    continue
                if service["spec"].get("publishNotReadyAddresses") or ready(pod):
                    found.setdefault(where, []).append(address)
                if pod["spec"].get("subdomain") == service["metadata"]["name"]:
                    found[f"{pod['spec']['hostname']}.{where}"] = [address]
        return found


def volumes(folder: Path) -> str:
    """Return a volume for each claim of the StatefulSets: a folder of this machine, which is the node."""
    written = []
    for name, size in CLAIMS.items():
        for index in range(2):
            place = folder / f"{name}-{index}"
            place.mkdir()
            place.chmod(0o777)
            claim = {"namespace": "monitoring", "name": f"data-{name}-{index}"}
            spec = {
                "capacity": {"storage": size},
                "accessModes": ["ReadWriteOnce"],
                "claimRef": claim,
                "hostPath": {"path": str(place), "type": "Directory"},
            }
            meta = {"name": f"{name}-{index}"}
            written.append({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta, "spec": spec})
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": written})


def secret(namespace: str, name: str, data: dict[str, str]) -> Object:
    """Return a Secret."""
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": data}


@contextmanager
def applied(folder: Path) -> Iterator[None]:
    """Apply the overlay with what an owner brings along (Secrets, volumes), and delete all of it again."""
    namespaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in ("dharmamind", "monitoring")
    ]
    secrets = [
        secret("dharmamind", "accounts", {"accounts.json": "{}"}),
        secret("monitoring", "alertmanager-secrets", dict.fromkeys(KEYS, "http://127.0.0.1:9/")),
    ]
    brought = json.dumps({"apiVersion": "v1", "kind": "List", "items": namespaces})
    try:
        kubectl("apply", "-f", "-", stdin=brought)
        kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": secrets}))
        kubectl("apply", "-f", "-", stdin=volumes(folder))
        kubectl("apply", "--server-side", "-k", str(OVERLAY))
        yield
    finally:
        kubectl("delete", "-k", str(OVERLAY), "--ignore-not-found", "--wait=false", check=False)
        kubectl("delete", "-f", "-", "--ignore-not-found", "--timeout=240s", stdin=brought, check=False)
        kubectl("delete", "pv", *(f"{n}-{i}" for n in CLAIMS for i in range(2)), "--ignore-not-found", check=False)


def all_ready() -> bool | Unmet:
    """Return whether every pod that the manifests ask for is there and ready."""
    missing = []
    for (namespace, name), count in EXPECTED.items():
        found = pods(namespace, name)
        missing += [told(p) for p in found if not ready(p)]
        if len(found) != count:
            missing.append(f"{name}: {len(found)} of {count}")
    return not missing or Unmet("; ".join(missing))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[float]:
    """Apply everything; give the seconds until every pod was ready."""
    with answering((NODE, 53), Names()), applied(tmp_path_factory.mktemp("volumes")):
        began = time.monotonic()
        wait_until(all_ready, seconds=420, what="every pod to be ready", every=1)
        yield time.monotonic() - began


def get(url: str) -> Any:
    """Ask for JSON."""
    answer = requests.get(url, timeout=10)
    answer.raise_for_status()
    return answer.json()


def address(pod: Object) -> str:
    """Return a pod's address."""
    return str(pod["status"]["podIP"])


def targets(prometheus: Object) -> dict[str, list[tuple[str, str]]]:
    """Return each job's targets and their health."""
    found: dict[str, list[tuple[str, str]]] = {}
    for each in get(f"http://{address(prometheus)}:9090/api/v1/targets?state=active")["data"]["activeTargets"]:
        found.setdefault(each["labels"]["job"], []).append((each["scrapeUrl"], each["health"]))
    return {job: sorted(urls) for job, urls in found.items()}


def test_the_pods_become_ready(cluster: float) -> None:
    """All of them, the second backend by the autoscaler's doing, and none was restarted on the way."""
    restarts = {
        p["metadata"]["name"]: p["status"]["containerStatuses"][0]["restartCount"]
        for namespace, name in EXPECTED
        for p in pods(namespace, name)
    }
    saw(f"{len(restarts)} pods ready {cluster:.0f} s after the manifests were applied; restarts {restarts}")
    assert set(restarts.values()) == {0}


def test_prometheus_scrapes_by_annotation(cluster: float) -> None:
    """Both replicas find the same pods; one whose annotation goes is forgotten, and found again when it is back."""
    assert cluster
    wanted = {
        "backend": [(f"http://{address(p)}:8000/metrics", "up") for p in pods("dharmamind", "backend")],
        "frontend": [(f"http://{address(p)}:8080/metrics", "up") for p in pods("dharmamind", "frontend")],
        "node": [(f"http://{address(p)}:9100/metrics", "up") for p in pods("monitoring", "node-exporter")],
    }
    replicas = pods("monitoring", "prometheus")
    for prometheus in replicas:
        wait_until(partial(scraped, prometheus, wanted), seconds=60, what="the pods to be scraped")
    configured = [get(f"http://{address(p)}:9090/api/v1/status/config")["data"]["yaml"] for p in replicas]
    saw(f"targets of each replica: { {job: len(urls) for job, urls in targets(replicas[0]).items()} }")
    assert sorted(re.findall(r"replica: (\S+)", "".join(configured))) == ["prometheus-0", "prometheus-1"]

    name = pods("dharmamind", "backend")[0]["metadata"]["name"]
    count = lambda: len(targets(replicas[0]).get("backend", ()))  # noqa: E731
    began = time.monotonic()
    kubectl("annotate", "pod", "-n", "dharmamind", name, "prometheus.io/scrape-")
    wait_until(lambda: count() == 1, seconds=60, what="the pod to be forgotten")
    forgotten = time.monotonic() - began
    kubectl("annotate", "pod", "-n", "dharmamind", name, "prometheus.io/scrape=true")
    wait_until(lambda: count() == 2, seconds=60, what="the pod to be found again")
    saw(f"without its annotation a pod was no target any more after {forgotten:.1f} s")


def scraped(prometheus: Object, wanted: dict[str, list[tuple[str, str]]]) -> bool | Unmet:
    """Return whether the jobs have exactly these targets, all up."""
    found = targets(prometheus)
    return all(found.get(job) == sorted(urls) for job, urls in wanted.items()) or Unmet(str(found))


def test_the_alertmanagers_are_one_cluster(cluster: float) -> None:
    """Each sees two members, and each Prometheus tells both."""
    assert cluster
    for each in pods("monitoring", "alertmanager"):
        wait_until(partial(sees_two, each), seconds=120, what="the Alertmanagers to find each other")
    for each in pods("monitoring", "prometheus"):
        wait_until(partial(tells_two, each), seconds=60, what="Prometheus to know both")


def sees_two(alertmanager: Object) -> bool | Unmet:
    """Return whether an Alertmanager is one of two."""
    status = get(f"http://{address(alertmanager)}:9093/api/v2/status")["cluster"]
    return (status["status"], len(status["peers"])) == ("ready", 2) or Unmet(str(status))


def tells_two(prometheus: Object) -> bool | Unmet:
    """Return whether a Prometheus knows two Alertmanagers."""
    known = get(f"http://{address(prometheus)}:9090/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
    return len(known) == 2 or Unmet(str(known))


@pytest.mark.parametrize(
    ("verb", "resource", "account", "allowed"),
    [
        ("list", "pods", "monitoring:prometheus", True),
        ("watch", "pods", "monitoring:prometheus", True),
        ("get", "secrets", "monitoring:prometheus", False),
        ("list", "nodes", "monitoring:prometheus", False),
        ("delete", "pods", "monitoring:prometheus", False),
        ("list", "pods", "dharmamind:backend", False),
    ],
)
def test_the_api_server_grants_what_is_needed(
    cluster: float, verb: str, resource: str, account: str, *, allowed: bool
) -> None:
    """Prometheus may look for pods, and neither it nor the application anything else."""
    assert cluster
    who = f"--as=system:serviceaccount:{account}"
    said = kubectl("auth", "can-i", verb, resource, "-n", "dharmamind", who, check=False)
    assert said.strip() == ("yes" if allowed else "no")


# --- probes ---


def server_of(pod: Object) -> psutil.Process:
    """Return the process of a pod's uvicorn: this machine is the node, and its cgroup names the pod."""
    uid = pod["metadata"]["uid"]
    for process in psutil.process_iter(["cmdline"]):
        try:
            groups = Path(f"/proc/{process.pid}/cgroup").read_text()
        except OSError:
            continue
        if uid in groups and "uvicorn" in (process.info["cmdline"] or ()):
            return process
    raise AssertionError(f"no process of {pod['metadata']['name']} on this machine")


def addresses_of(service: str) -> tuple[set[str], set[str]]:
    """Return the addresses behind a Service that get work, and those that do not."""
    endpoints = json.loads(kubectl("get", "endpoints", "-n", "dharmamind", service, "-o", "json"))
    subsets = endpoints.get("subsets", ())
    some = {key: {a["ip"] for s in subsets for a in s.get(key, ())} for key in ("addresses", "notReadyAddresses")}
    return some["addresses"], some["notReadyAddresses"]


def seconds_until(condition: Callable[[], bool | Unmet], *, within: float, what: str) -> float:
    """Return how long a condition took."""
    began = time.monotonic()
    wait_until(condition, seconds=within, what=what)
    return time.monotonic() - began


def of(name: str) -> Object:
    """Return a backend pod as it is now."""
    return next(p for p in pods("dharmamind", "backend") if p["metadata"]["name"] == name)


def restarts(name: str) -> int:
    """Return how often a backend pod's container was restarted."""
    return int(of(name)["status"]["containerStatuses"][0]["restartCount"])


def works(ip: str) -> bool:
    """Return whether a Service gives work to an address."""
    return ip in addresses_of("backend")[0]


def test_readiness_takes_a_hung_pod_out_and_lets_it_back(cluster: float) -> None:
    """Hung for less than liveness waits: no work for it within two failures, work again when it answers, no restart."""
    assert cluster
    pod = pods("dharmamind", "backend")[0]
    name, ip, process = pod["metadata"]["name"], address(pod), server_of(pod)
    assert works(ip)
    process.send_signal(signal.SIGSTOP)
    try:
        out = seconds_until(lambda: not works(ip), within=25, what="the pod to be taken out")
        assert ip in addresses_of("backend")[1]
    finally:
        process.send_signal(signal.SIGCONT)
    back = seconds_until(lambda: works(ip), within=30, what="the pod to be let back")
    saw(f"a hung backend got no work after {out:.1f} s, and work again {back:.1f} s after it turned again")
    assert out < 2 * 5 + 2 + 4
    assert restarts(name) == 0


def test_liveness_restarts_a_hung_worker(cluster: float) -> None:
    """Hung for good: out of the Service first, restarted later, and at work again; the other backend served on."""
    assert cluster
    pod, other = pods("dharmamind", "backend")
    name, ip, process = pod["metadata"]["name"], address(pod), server_of(pod)
    began = time.monotonic()
    process.send_signal(signal.SIGSTOP)
    out = seconds_until(lambda: not works(ip), within=25, what="the pod to be taken out")
    wait_until(lambda: restarts(name) == 1, seconds=120, what="the container to be restarted")
    killed = time.monotonic() - began
    wait_until(lambda: works(ip), seconds=60, what="the pod to be at work again")
    back = time.monotonic() - began
    events = json.loads(kubectl("get", "events", "-n", "dharmamind", "-o", "json"))["items"]
    said = {e["reason"]: e["message"] for e in events if e["involvedObject"]["name"] == name}
    saw(f"a backend that hung for good: out {out:.1f} s, restarted {killed:.1f} s, at work again {back:.1f} s later")
    saw(f"the kubelet said: {said['Killing']}")
    assert "failed liveness probe" in said["Killing"]
    assert out < killed
    assert restarts(other["metadata"]["name"]) == 0


def test_a_pod_that_is_deleted_finishes_what_it_has_begun(cluster: float) -> None:
    """It gets no new work, still answers who has not heard, and ends by itself well before it would be killed."""
    assert cluster
    pod = pods("dharmamind", "backend")[0]
    name, ip = pod["metadata"]["name"], address(pod)
    process = server_of(pod)
    began = time.monotonic()
    kubectl("delete", "pod", "-n", "dharmamind", name, "--wait=false")
    out = seconds_until(lambda: not works(ip), within=10, what="the pod to be taken out")
    answered = 0
    while time.monotonic() - began < 30:
        try:
            answered += requests.get(f"http://{ip}:8000/api/meditations", timeout=2).status_code == 200
        except requests.ConnectionError:
            break
    served = time.monotonic() - began
    ended = lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE  # noqa: E731
    wait_until(ended, seconds=30, what="the server to end")
    took = time.monotonic() - began
    saw(f"a deleted backend: no new work after {out:.1f} s, {answered} answers until {served:.1f} s, over {took:.1f} s")
    assert answered > 10
    assert 3 + 5 - 1 < took < 25
    wait_until(all_ready, seconds=120, what="a new pod to be ready", every=1)
