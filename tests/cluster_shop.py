"""A small system in a cluster, watched from this machine: what drills on a cluster's workloads are tested on.

A Deployment of two pods that serve /ready and /metrics, in a namespace of its own, and Prometheus, Alertmanager and the
capture sink as processes of this machine, which must reach pods and kubelets.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from tests.cluster_account import grant, take_back
from tests.parity import NAME_OF_IMAGE
from tocsin.deadline import Unmet, wait_until
from tocsin.engines.alertmanager import Alertmanager, AlertmanagerSettings
from tocsin.engines.kubernetes_api import ClusterUnreadable, KubernetesApi
from tocsin.engines.kubernetes_changes import NOTE
from tocsin.engines.prometheus import Prometheus, PrometheusSettings
from tocsin.sinks.capture import CaptureSink
from tocsin.supervisor import Supervisor

NAMESPACE = "tocsin-drill"
REPLICAS = 2
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
DEPLOYMENT = f"{DEPLOYMENTS}/app"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
LISTENS_AFTER = 3
"""Seconds from the start of a process until it listens: its readiness probe fails meanwhile."""
SERVER = f"""
import http.server, os, signal, threading, time
BEGAN = time.time()
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"# TYPE process_start_time_seconds gauge\\nprocess_start_time_seconds {{BEGAN}}\\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
threading.Event().wait({LISTENS_AFTER})
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
RULES = """
groups:
  - name: app
    rules:
      - {alert: AppGone, expr: 'absent(up{job="app"})', for: 2s}
      - {alert: AppUnready, expr: '(sum(up{job="app"}) or vector(0)) < 2', for: 2s}
      - {alert: AppRestarted, expr: 'changes(process_start_time_seconds{job="app"}[15s]) > 0', for: 2s}
      - alert: ProbesFail
        expr: 'increase(prober_probe_total{job="kubelet", probe_type="Readiness", result="failed"}[60s]) > 0'
        for: 2s
      - {alert: AppForgotten, expr: 'app_replicas_ready < 2', for: 2s}
"""
ROUTES = """
route: {receiver: team, group_by: [alertname], group_wait: 500ms, group_interval: 2s, repeat_interval: 1h}
receivers:
  - {name: team, webhook_configs: [{url: 'URL', send_resolved: true}]}
"""


def drills() -> dict[str, Any]:
    """Return the drills: three that are well, and one whose alert looks at a metric that nothing exposes."""
    rest = {"AppGone", "AppUnready", "AppRestarted", "ProbesFail"}

    def allow(*expected: str) -> list[dict[str, str]]:
        return [{"alert": each, "reason": "pods start meanwhile"} for each in sorted(rest - set(expected))]

    def expect(*alerts: str) -> list[dict[str, Any]]:
        return [{"alert": each, "receivers": ["team"]} for each in alerts]

    return {
        "gone": {
            "stimulus": {"no_pods": "app"},
            "expect": expect("AppGone", "AppUnready"),
            "allow": allow("AppGone", "AppUnready"),
        },
        "restarted": {
            "stimulus": {"end_container": "app"},
            "expect": expect("AppRestarted"),
            "allow": allow("AppRestarted"),
        },
        "crashing": {
            "stimulus": {"end_container": {"workload": "app", "container": "app", "times": 2}},
            "expect": expect("ProbesFail"),
            "allow": allow("ProbesFail"),
        },
        "forgotten": {
            "stimulus": {"no_pods": {"workload": "app", "jobs": ["app"]}},
            "expect": [{"alert": "AppForgotten", "receivers": ["team"], "within": "15s"}],
            "allow": allow(),
        },
    }


def unfit() -> list[dict[str, Any]]:
    """Return the manifests of workloads that nothing may be done to, and that run no pods: each for its own reason."""
    command = ["python3", "-c", "import threading; threading.Event().wait()"]
    container = {"name": "app", "image": NAME_OF_IMAGE, "imagePullPolicy": "IfNotPresent", "command": command}
    labels = {"app": "unfit"}
    template: dict[str, Any] = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec: dict[str, Any] = {"selector": {"matchLabels": labels}, "template": template}
    shared = {**template, "spec": {**template["spec"], "shareProcessNamespace": True}}
    nowhere = {**template, "spec": {**template["spec"], "nodeSelector": {"tocsin": "nowhere"}}}
    return [
        {"kind": "Deployment", "metadata": {"name": "shared"}, "spec": {**spec, "replicas": 0, "template": shared}},
        {"kind": "DaemonSet", "metadata": {"name": "agents"}, "spec": {**spec, "template": nowhere}},
    ]


def deaf() -> dict[str, Any]:
    """Return the manifest of a Deployment whose process does not hear SIGTERM: it is the first one, and asks not to."""
    command = ["python3", "-I", "-S", "-c", "import threading; threading.Event().wait()"]
    container = {"name": "app", "image": NAME_OF_IMAGE, "imagePullPolicy": "IfNotPresent", "command": command}
    labels = {"app": "deaf"}
    spec = {"terminationGracePeriodSeconds": 0, "dnsPolicy": "Default", "containers": [container]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "deaf"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {**spec, "automountServiceAccountToken": False}},
        },
    }


def deployment() -> dict[str, Any]:
    """Return the manifest."""
    probe = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "app"},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": {"app": "app"}},
            "template": {
                "metadata": {"labels": {"app": "app"}},
                "spec": {
                    "terminationGracePeriodSeconds": 5,
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "dnsPolicy": "Default",
                    "volumes": [{"name": "script", "configMap": {"name": "script"}}],
                    "containers": [
                        {
                            "name": "app",
                            "image": NAME_OF_IMAGE,
                            "imagePullPolicy": "IfNotPresent",
                            "command": ["python3", "-I", "-S", "/script/server.py"],
                            "ports": [{"name": "http", "containerPort": 8080}],
                            "readinessProbe": probe,
                            "livenessProbe": {**probe, "failureThreshold": 10},
                            "volumeMounts": [{"name": "script", "mountPath": "/script"}],
                        }
                    ],
                },
            },
        },
    }


def pods_of(api: KubernetesApi) -> list[dict[str, Any]]:
    """Return the pods of the Deployment."""
    return list(api.get(PODS, labelSelector="app=app")["items"])


@contextmanager
def discovery(api: KubernetesApi) -> Iterator[str]:
    """Serve the pods as targets, as kubernetes_sd_configs finds them (role pod): Debian's Prometheus is without it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps([target(pod) for pod in pods_of(api) if pod["status"].get("podIP")]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

    def target(pod: dict[str, Any]) -> dict[str, Any]:
        meta = pod["metadata"]
        found = {"__meta_kubernetes_pod_name": meta["name"], "__meta_kubernetes_namespace": meta["namespace"]}
        return {"targets": [f"{pod['status']['podIP']}:8080"], "labels": found}

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


def prometheus_config(alertmanager: str, pods: str, api: KubernetesApi) -> dict[str, Any]:
    """Return a configuration that discovers pods as in production, and asks the kubelet for its counts of probes."""
    node = api.get("/api/v1/nodes")["items"][0]["status"]
    address = next(each["address"] for each in node["addresses"] if each["type"] == "InternalIP")
    port = node["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    certificate, key = api.access.certificate or ("", "")
    return {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "400ms", "evaluation_interval": "500ms"},
        "rule_files": ["rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager.removeprefix("http://")]}]}]},
        "scrape_configs": [
            {
                "job_name": "app",
                "http_sd_configs": [{"url": pods, "refresh_interval": "500ms"}],
                "relabel_configs": [
                    {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
                    {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
                ],
            },
            {
                "job_name": "kubelet",
                "scheme": "https",
                "metrics_path": "/metrics/probes",
                "tls_config": {"cert_file": certificate, "key_file": key, "insecure_skip_verify": True},
                "static_configs": [{"targets": [f"{address}:{port}"]}],
                "metric_relabel_configs": [{"source_labels": ["namespace"], "regex": NAMESPACE, "action": "keep"}],
            },
        ],
    }


@dataclass(frozen=True, slots=True)
class Shop:
    """The system that is up."""

    api: KubernetesApi
    directory: Path
    """The folder of its system.yaml."""
    prometheus: Prometheus

    def environment(self, **changed: object) -> dict[str, Any]:
        """Return the environment by which it is drilled, with fields changed."""
        declared: dict[str, Any] = yaml.safe_load((self.directory / "system.yaml").read_text())
        return {**declared["environments"]["cluster"], **changed}

    def deployment(self) -> dict[str, Any]:
        """Return the Deployment as the API has it."""
        found: dict[str, Any] = self.api.get(DEPLOYMENT)
        return found

    def pods(self) -> list[dict[str, Any]]:
        """Return its pods as the API has them."""
        return pods_of(self.api)

    def whole(self) -> bool | Unmet:
        """Tell whether it is as its owners want it: two ready pods, and no annotation of ours."""
        found = self.deployment()
        status, notes = found.get("status") or {}, found["metadata"].get("annotations") or {}
        if NOTE in notes:
            return Unmet(f"it has the annotation {notes[NOTE]}")
        ready, pods = status.get("readyReplicas", 0), len(self.pods())
        wanted = found["spec"]["replicas"]
        return (wanted == ready == pods == REPLICAS) or Unmet(f"{wanted} wanted, {ready} ready, {pods} pods")

    def quiet(self) -> bool | Unmet:
        """Tell whether no alert is pending or firing."""
        active = sorted({alert["labels"]["alertname"] for alert in self.prometheus.api.alerts()})
        return not active or Unmet(f"active: {', '.join(active)}")

    def await_calm(self) -> None:
        """Wait until it is whole and no alert is active: what was done before is over."""
        wait_until(self.whole, seconds=120, what="the Deployment to be whole", every=0.5)
        wait_until(self.quiet, seconds=60, what="all alerts to be over", every=0.5)


@contextmanager
def namespace(api: KubernetesApi) -> Iterator[None]:
    """Make the namespace with the Deployment in it, and delete it with all that is in it."""

    def gone() -> bool | Unmet:
        try:
            found = api.get(f"/api/v1/namespaces/{NAMESPACE}")
        except ClusterUnreadable as error:
            return "404" in str(error) or Unmet(str(error))
        return Unmet(f"{NAMESPACE} is there: {found['status']}")

    def delete() -> None:
        api.send("DELETE", f"/api/v1/namespaces/{NAMESPACE}", accepted=(404, 409))
        wait_until(gone, seconds=180, what="the namespace to be gone", every=0.5)

    delete()
    try:
        api.send("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        script = {"metadata": {"name": "script"}, "data": {"server.py": SERVER}}
        api.send("POST", f"/api/v1/namespaces/{NAMESPACE}/configmaps", script)
        api.send("POST", DEPLOYMENTS, deployment())
        for each in unfit():
            path = DEPLOYMENTS if each["kind"] == "Deployment" else DEPLOYMENTS.replace("deployments", "daemonsets")
            api.send("POST", path, {"apiVersion": "apps/v1", **each})
        yield
    finally:
        take_back(api)
        delete()


@contextmanager
def shop(kubeconfig: Path, folder: Path) -> Iterator[Shop]:
    """Start all of it, and give it when every pod is scraped and no alert is active."""
    directory, data = folder / "system", folder / "data"
    directory.mkdir()
    data.mkdir()
    with ExitStack() as held:
        api = held.enter_context(KubernetesApi(kubeconfig))
        held.enter_context(namespace(api))
        account = folder / "kubeconfig"
        grant(api, NAMESPACE, account)
        supervisor = held.enter_context(Supervisor("shop", folder / "logs"))
        sink = CaptureSink.start(supervisor, data / "notifications.jsonl")
        (directory / "alertmanager.yml").write_text(ROUTES.replace("URL", sink.webhook_url("team", "webhook", 0)))
        alertmanager = Alertmanager.start(
            supervisor, AlertmanagerSettings(config=directory / "alertmanager.yml", data=data / "alertmanager")
        )
        (directory / "rules.yml").write_text(RULES)
        config = directory / "prometheus.yml"
        config.write_text(
            yaml.safe_dump(
                prometheus_config(alertmanager.url, held.enter_context(discovery(api)), api), sort_keys=False
            )
        )
        prometheus = Prometheus.start(supervisor, PrometheusSettings(config=config, data=data / "prometheus"))
        environment = {
            "prometheus": {"url": prometheus.url},
            "alertmanager": {"url": alertmanager.url},
            "sink": {"url": sink.url},
            "allow_receivers": ["team"],
            "allow_faults": ["no_pods", "end_container"],
            "cluster": {"kubeconfig": str(account), "namespace": NAMESPACE, "allow": ["kill", "outage"]},
        }
        declared = {
            "schema": 1,
            "name": "shop",
            "artefacts": {"tests": []},
            "environments": {"cluster": environment},
            "drills": drills(),
        }
        (directory / "system.yaml").write_text(yaml.safe_dump(declared, sort_keys=False))
        running = Shop(api, directory, prometheus)
        wait_until(running.whole, seconds=120, what="the pods to be ready", every=0.5)
        prometheus.await_working(jobs=["app", "kubelet"], rules=5, seconds=60)
        running.await_calm()
        yield running


if __name__ == "__main__":
    with shop(Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()) as up:
        print(up.directory, up.prometheus.url, flush=True)
        threading.Event().wait()
