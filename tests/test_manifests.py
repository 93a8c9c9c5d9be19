"""The reference system's manifests: what kustomize makes of them is valid, and says what the system promises."""

from __future__ import annotations

import copy
import functools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

SYSTEM = Path(__file__).parents[1] / "fixtures" / "systems" / "dharmamind"
PRODUCTION = SYSTEM / "k8s" / "production"
Object = dict[str, Any]
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
NAME = "app.kubernetes.io/name"

pytestmark = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="there is no kubectl here, and it is what renders the manifests"
)


@functools.cache
def rendered(folder: Path = PRODUCTION) -> tuple[Object, ...]:
    """Return what `kubectl apply -k` would send."""
    command = ["kubectl", "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.load_all(done.stdout, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def objects(*kinds: str) -> list[Object]:
    """Return the objects of some kinds; all if none is named."""
    return [o for o in rendered() if not kinds or o["kind"] in kinds]


def the(kind: str, name: str, namespace: str) -> Object:
    """Return one object by its name."""
    (found,) = (o for o in objects(kind) if o["metadata"]["name"] == name and o["metadata"]["namespace"] == namespace)
    return found


def workloads() -> Iterator[tuple[str, Object]]:
    """Yield each workload with its name."""
    for each in objects(*WORKLOADS):
        yield each["metadata"]["name"], each


def containers() -> Iterator[tuple[str, Object, Object]]:
    """Yield each container with its pod's specification and its workload's name."""
    for name, each in workloads():
        pod = each["spec"]["template"]["spec"]
        for container in pod["containers"]:
            yield name, pod, container


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Return whether a label selector without expressions matches."""
    assert set(selector) <= {"matchLabels"}
    return all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())


# --- the schema ---


def violations(document: Object) -> str:
    """Return what the strict schema of the newest known Kubernetes says against an object."""
    try:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return str(error.message)
    return ""


def test_everything_is_valid_against_the_newest_schema() -> None:
    """No object has a field that is unknown, missing or of another type, and no API version is one that is gone."""
    found = {f"{o['kind']}/{o['metadata']['name']}": said for o in objects() if (said := violations(o))}
    assert found == {}
    assert tuple(map(int, kubernetes_validate.latest_version().split("."))) >= (1, 34, 0)
    assert {"HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "Ingress"} <= {
        o["kind"] for o in objects()
    }


@pytest.mark.parametrize(
    ("kind", "name", "namespace", "route", "value"),
    [
        ("Deployment", "backend", "dharmamind", ("spec", "template", "spec", "gracePeriod"), 30),
        ("HorizontalPodAutoscaler", "backend", "dharmamind", ("apiVersion",), "autoscaling/v2beta2"),
        ("PodDisruptionBudget", "backend", "dharmamind", ("apiVersion",), "policy/v1beta1"),
        ("Service", "backend", "dharmamind", ("spec", "ports"), "8000"),
    ],
)
def test_the_schema_sees_what_is_wrong(
    kind: str, name: str, namespace: str, route: tuple[str, ...], value: object
) -> None:
    """A field that is unknown or of another type, and a version that is gone, are each found."""
    sick = copy.deepcopy(the(kind, name, namespace))
    node = sick
    for part in route[:-1]:
        node = node[part]
    node[route[-1]] = value
    assert violations(sick)


# --- what points at what ---


def test_each_service_reaches_a_port_of_a_pod() -> None:
    """Its selector matches a workload's pods, and every targetPort is the name of one of their ports."""
    for service in objects("Service"):
        name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
        pods = [
            w["spec"]["template"]
            for _, w in workloads()
            if w["metadata"]["namespace"] == namespace
            and matches({"matchLabels": service["spec"]["selector"]}, w["spec"]["template"]["metadata"]["labels"])
        ]
        assert len(pods) == 1, name
        named = {p["name"]: p["containerPort"] for c in pods[0]["spec"]["containers"] for p in c["ports"]}
        for port in service["spec"]["ports"]:
            assert named[port["targetPort"]] == port["port"], name


def test_selectors_of_workloads_budgets_and_policies_match_pods() -> None:
    """A workload selects its own pods, a budget and a policy pods that are there; the logbook is another team's."""
    labels = {
        (w["metadata"]["namespace"], name): w["spec"]["template"]["metadata"]["labels"] for name, w in workloads()
    }
    for name, each in workloads():
        assert matches(each["spec"]["selector"], labels[each["metadata"]["namespace"], name])
    for each in objects("PodDisruptionBudget", "NetworkPolicy"):
        namespace = each["metadata"]["namespace"]
        selector = each["spec"].get("selector") or each["spec"]["podSelector"]
        assert any(matches(selector, of) for (where, _), of in labels.items() if where == namespace), each["metadata"]
    for policy in objects("NetworkPolicy"):
        for rule in (*policy["spec"].get("ingress", ()), *policy["spec"].get("egress", ())):
            for peer in (*rule.get("from", ()), *rule.get("to", ())):
                wanted = (peer.get("podSelector") or {}).get("matchLabels", {}).get(NAME)
                assert wanted is None or wanted == "logbook" or any(of[NAME] == wanted for of in labels.values())


def test_the_autoscaler_owns_the_replicas_and_no_budget_blocks_a_drain() -> None:
    """The autoscaled Deployment names no number of replicas, and every budget lets one pod go."""
    (scaler,) = objects("HorizontalPodAutoscaler")
    target = the("Deployment", scaler["spec"]["scaleTargetRef"]["name"], "dharmamind")
    assert "replicas" not in target["spec"]
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (2, 6)
    replicas = {name: w["spec"].get("replicas", 2) for name, w in workloads()}
    budgets = {b["metadata"]["name"]: b["spec"] for b in objects("PodDisruptionBudget")}
    assert set(budgets) == {"backend", "frontend", "prometheus", "alertmanager"}
    assert all(spec["maxUnavailable"] == 1 < replicas[name] for name, spec in budgets.items())


def test_what_a_pod_mounts_exists_or_is_a_named_secret() -> None:
    """ConfigMaps are generated here, with the digest in their name; Secrets are not, and are those that are listed."""
    configured = {o["metadata"]["name"] for o in objects("ConfigMap")}
    listed = (PRODUCTION / "kustomization.yaml").read_text()
    used: set[str] = set()
    for _, each in workloads():
        pod = each["spec"]["template"]["spec"]
        for volume in pod.get("volumes", ()):
            sources = volume.get("projected", {}).get("sources", [volume])
            for source in sources:
                if "configMap" in source:
                    used.add(source["configMap"]["name"])
                if "secret" in source:
                    secret = source["secret"].get("secretName") or source["secret"]["name"]
                    assert re.search(rf"\b{secret}\b", listed), secret
        for container in pod["containers"]:
            used |= {e["configMapRef"]["name"] for e in container.get("envFrom", ())}
    assert used == configured
    assert objects("Secret") == []


# --- the configuration, as it is tested ---


@pytest.mark.parametrize(
    ("prefix", "folder"),
    [
        ("prometheus-config", "monitoring"),
        ("alertmanager-config", "monitoring"),
        ("blackbox-config", "monitoring"),
        ("grafana-datasources", "grafana/provisioning/datasources"),
        ("grafana-dashboard-providers", "grafana/provisioning/dashboards"),
        ("grafana-dashboards", "grafana/dashboards"),
    ],
)
def test_the_cluster_gets_the_files_that_are_tested(prefix: str, folder: str) -> None:
    """Each ConfigMap holds files of the system's folder, byte for byte, and fits into what the API server takes."""
    (found,) = (o for o in objects("ConfigMap") if re.fullmatch(rf"{prefix}-[a-z0-9]{{10}}", o["metadata"]["name"]))
    files = {path.name: path.read_text() for path in (SYSTEM / folder).rglob("*") if path.is_file()}
    assert found["data"]
    for name, text in found["data"].items():
        assert text == files[name], name
    assert sum(map(len, found["data"].values())) < 1 << 20


def test_every_dashboard_goes_to_grafana() -> None:
    """None was made and then forgotten in the list."""
    (found,) = (o for o in objects("ConfigMap") if o["metadata"]["name"].startswith("grafana-dashboards-"))
    assert set(found["data"]) == {path.name for path in (SYSTEM / "grafana/dashboards").glob("*.json")}
    for name, text in found["data"].items():
        assert json.loads(text)["uid"] == name.removesuffix(".json")


def test_every_key_that_alertmanager_reads_is_mounted() -> None:
    """Each *_file of its configuration is in the pod, and nothing is mounted that it does not read."""
    asked = set(re.findall(r"/etc/alertmanager/(secrets/\S+)", (SYSTEM / "monitoring/alertmanager.yml").read_text()))
    volumes = the("StatefulSet", "alertmanager", "monitoring")["spec"]["template"]["spec"]["volumes"]
    (projected,) = (v["projected"]["sources"] for v in volumes if "projected" in v)
    mounted = {item["path"] for source in projected for item in source.get("secret", {}).get("items", ())}
    assert mounted == asked


# --- pods ---


def test_every_container_is_limited_and_confined() -> None:
    """Each asks for and is limited in CPU and memory, writes nowhere but to its volumes, and is nobody special."""
    for name, pod, container in containers():
        resources = container["resources"]
        assert {"cpu", "memory"} <= set(resources["requests"]) & set(resources["limits"]), name
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True, name
        assert security["allowPrivilegeEscalation"] is False, name
        assert security["capabilities"] == {"drop": ["ALL"]}, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert re.search(r":v?\d+\.\d+\.\d+$", container["image"]), name


def test_the_probes_of_a_container_differ() -> None:
    """Liveness is slower to act than readiness, and asks something else where there is something else to ask."""
    for name, _, container in containers():
        ready, alive = container["readinessProbe"], container["livenessProbe"]
        assert ready["periodSeconds"] * ready["failureThreshold"] < alive["periodSeconds"] * alive["failureThreshold"]
        if name != "node-exporter":
            assert container["startupProbe"]["failureThreshold"] >= 15, name
    for name in ("backend", "frontend"):
        (container,) = the("Deployment", name, "dharmamind")["spec"]["template"]["spec"]["containers"]
        asked = [container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")]
        assert asked == ["/health/startup", "/health/ready", "/health/live"]


@pytest.mark.parametrize("name", ["backend", "frontend"])
def test_there_is_time_to_finish(name: str) -> None:
    """Waiting for who sends requests, and finishing what has begun, fit into the grace period with some to spare."""
    pod = the("Deployment", name, "dharmamind")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    before = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    finishing = int(container["args"][container["args"].index("--timeout-graceful-shutdown") + 1])
    (settings,) = (o["data"] for o in objects("ConfigMap") if o["metadata"]["name"].startswith(f"{name}-settings-"))
    draining = int(settings.get("SHUTDOWN_DRAIN_SECONDS", "0"))
    assert before > 0
    assert before + draining + finishing + 3 <= pod["terminationGracePeriodSeconds"]


@pytest.mark.parametrize(("name", "port"), [("backend", 8000), ("frontend", 8080)])
def test_the_annotations_name_the_port_that_serves_the_metrics(name: str, port: int) -> None:
    """Prometheus is told the container's own port."""
    template = the("Deployment", name, "dharmamind")["spec"]["template"]
    said = template["metadata"]["annotations"]
    assert (said["prometheus.io/scrape"], said["prometheus.io/port"]) == ("true", str(port))
    assert [p["containerPort"] for c in template["spec"]["containers"] for p in c["ports"]] == [port]


def test_two_of_what_must_not_fail_alone() -> None:
    """Prometheus and Alertmanager are two, each keeps what it knows, and each Alertmanager knows the other."""
    for name in ("prometheus", "alertmanager"):
        spec = the("StatefulSet", name, "monitoring")["spec"]
        assert spec["replicas"] == 2
        assert spec["volumeClaimTemplates"]
    (container,) = the("StatefulSet", "alertmanager", "monitoring")["spec"]["template"]["spec"]["containers"]
    peers = [a.partition("=")[2] for a in container["args"] if a.startswith("--cluster.peer=")]
    assert peers == [f"alertmanager-{i}.alertmanager.monitoring.svc.cluster.local:9094" for i in (0, 1)]
    (container,) = the("StatefulSet", "prometheus", "monitoring")["spec"]["template"]["spec"]["containers"]
    flags = dict(a.split("=", 1) for a in container["args"])
    assert flags["--storage.tsdb.retention.time"] == "30d"
    assert flags["--storage.tsdb.retention.size"] == "40GB"


# --- who may do what ---


def test_tokens_only_for_who_asks_the_api_server() -> None:
    """Two workloads mount a token; every workload of ours has a ServiceAccount of its own."""
    accounts = {(o["metadata"]["namespace"], o["metadata"]["name"]) for o in objects("ServiceAccount")}
    asking = set()
    for name, each in workloads():
        pod = each["spec"]["template"]["spec"]
        assert (each["metadata"]["namespace"], pod["serviceAccountName"]) in accounts, name
        if pod["automountServiceAccountToken"]:
            asking.add(name)
    assert asking == {"prometheus", "kube-state-metrics"}


def test_roles_only_look() -> None:
    """Nobody may write, read a Secret or a ConfigMap, or use a wildcard; Prometheus discovers and no more."""
    for role in objects("ClusterRole", "Role"):
        for rule in role["rules"]:
            assert set(rule["verbs"]) == {"list", "watch"}, role["metadata"]
            assert not {"secrets", "configmaps", "*"} & {*rule["resources"], *rule["apiGroups"]}, role["metadata"]
    (cluster,) = objects("ClusterRole")
    assert cluster["metadata"]["name"] == "dharmamind-prometheus"
    assert {r for rule in cluster["rules"] for r in rule["resources"]} == {"pods"}


def sources(namespace: str, name: str, port: int) -> set[str]:
    """Return who may reach a pod's port, by the policies: NAMESPACE/NAME, NAMESPACE/* for a whole namespace."""
    labels = {NAME: name}
    binding = [
        p["spec"]
        for p in objects("NetworkPolicy")
        if p["metadata"]["namespace"] == namespace
        and "Ingress" in p["spec"]["policyTypes"]
        and matches(p["spec"]["podSelector"], labels)
    ]
    if not binding:
        return {"*"}
    found = set()
    for rule in (rule for spec in binding for rule in spec.get("ingress", ())):
        if "ports" in rule and port not in {p["port"] for p in rule["ports"]}:
            continue
        for peer in rule.get("from", [{}]):
            inside = peer.get("namespaceSelector", {"matchLabels": {"kubernetes.io/metadata.name": namespace}})
            where = inside.get("matchLabels", {}).get("kubernetes.io/metadata.name", "*")
            who = peer.get("podSelector", {}).get("matchLabels", {}).get(NAME, "*")
            found.add(f"{where}/{who}" if peer else "*")
    return found


SCRAPING = {"monitoring/prometheus"}
ADMITTED = {
    ("dharmamind", "backend", 8000): SCRAPING | {"dharmamind/frontend", "ingress/*"},
    ("dharmamind", "backend", 8001): set(),
    ("dharmamind", "frontend", 8080): SCRAPING | {"ingress/*"},
    ("monitoring", "prometheus", 9090): SCRAPING | {"monitoring/grafana"},
    ("monitoring", "alertmanager", 9093): SCRAPING | {"monitoring/grafana"},
    ("monitoring", "alertmanager", 9094): {"monitoring/alertmanager"},
    ("monitoring", "kube-state-metrics", 8080): SCRAPING,
    ("monitoring", "blackbox-exporter", 9115): SCRAPING,
    ("monitoring", "grafana", 3000): {"ingress/*"},
    ("monitoring", "what-comes-later", 80): set(),
    ("elsewhere", "backend", 8000): {"*"},
}


@pytest.mark.parametrize(("target", "admitted"), ADMITTED.items(), ids=[f"{n}:{p}" for _, n, p in ADMITTED])
def test_each_port_admits_its_callers_and_nobody_else(target: tuple[str, str, int], admitted: set[str]) -> None:
    """The declared callers and Prometheus reach the application, the monitoring reaches itself, and that is all."""
    assert sources(*target) == admitted


def routed(path: str) -> list[str]:
    """Return the services that an Ingress of the application routes a path to, by the rules of pathType."""
    found = []
    for rule in the("Ingress", "dharmamind", "dharmamind")["spec"]["rules"]:
        for each in rule["http"]["paths"]:
            prefix = each["path"].rstrip("/") + "/"
            exact = each["pathType"] == "Exact"
            if path == each["path"] or (not exact and f"{path}/".startswith(prefix)):
                found.append(each["backend"]["service"]["name"])
    return found


def test_the_ingress_publishes_pages_and_api_alone() -> None:
    """Metrics and health share their port with the API, and have no route from outside."""
    assert routed("/api/chat") == ["backend"]
    assert routed("/") == routed("/meditations") == routed("/sit") == ["frontend"]
    for path in ("/metrics", "/health/ready", "/health/performance", "/metrics/", "/apimetrics"):
        assert routed(path) == [], path
    assert {rule["host"] for i in objects("Ingress") for rule in i["spec"]["rules"]} == {
        host for i in objects("Ingress") for tls in i["spec"]["tls"] for host in tls["hosts"]
    }


# --- the overlay by which a test applies them to an old cluster ---

LOWERED = {"autoscaling/v2beta2": "autoscaling/v2", "policy/v1beta1": "policy/v1"}
LEFT_OUT = {
    ("Deployment", "kube-state-metrics"),
    ("Service", "kube-state-metrics"),
    ("Deployment", "grafana"),
    ("Service", "grafana"),
    ("Ingress", "grafana"),
}


def raised(document: Object) -> Object:
    """Undo what the overlay may change; nothing else."""
    whole = copy.deepcopy(document)
    whole["apiVersion"] = LOWERED.get(whole["apiVersion"], whole["apiVersion"])
    if whole["kind"] == "PodDisruptionBudget":
        whole["spec"]["unhealthyPodEvictionPolicy"] = "AlwaysAllow"
    if whole["kind"] in WORKLOADS:
        pod = whole["spec"]["template"]["spec"]
        pod.pop("dnsPolicy", None)
        pod.pop("dnsConfig", None)
        for container in pod["containers"]:
            container["image"] = container["image"].rpartition("/")[2].partition(":")[0]
            container["resources"]["requests"].pop("cpu")
    return whole


def test_the_overlay_changes_no_more_than_it_says() -> None:
    """But for API versions, images, CPU asked for and who answers names, the old cluster gets what production gets."""

    def keyed(documents: tuple[Object, ...]) -> dict[tuple[str, ...], Object]:
        named = ("namespace", "name")
        return {(o["kind"], *(o["metadata"].get(key, "") for key in named)): raised(o) for o in documents}

    there, here = keyed(rendered()), keyed(rendered(Path(__file__).parent / "cluster"))
    assert {(kind, name) for kind, _, name in there.keys() - here.keys()} == LEFT_OUT
    assert here.keys() <= there.keys()
    assert {key: there[key] for key in here} == here
