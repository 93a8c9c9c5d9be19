"""From the files of a system to its stacks, the files that its containers see, and the targets that its jobs find."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tocsin.model import Model
from tocsin.model.processes import glob, interpolated, program_of

RULES = "groups:\n- name: a\n  rules:\n  - {alert: A, expr: up == 0}\n"
CONFIG = """global: {scrape_interval: 30s}
rule_files: [%s]
alerting: {alertmanagers: [{static_configs: [{targets: ["alertmanager:9093"]}]}]}
scrape_configs: [{job_name: a, static_configs: [{targets: ["a:80"], labels: {zone: eu}}]}]
"""
ALERTMANAGER = "route: {receiver: a}\nreceivers: [{name: a}]\n"
COMPOSE = """services:
  prometheus:
    image: prom/prometheus:v3.5.0
    command: [--config.file=/etc/p/prometheus.yml]
    volumes: ["./conf:/etc/p:ro", "data:/prometheus"]
  alertmanager:
    image: prom/alertmanager
    volumes: ["./am.yml:/etc/alertmanager/alertmanager.yml"]
"""
PODS = """apiVersion: v1
kind: Service
metadata: {name: shop, namespace: s, labels: {team: x}}
spec: {selector: {app: shop}, ports: [{name: http, port: 80, targetPort: web}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: shop, namespace: s}
spec:
  replicas: 2
  serviceName: shop
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}, annotations: {prometheus.io/port: "9000"}}
    spec:
      containers:
      - {name: shop, image: shop, ports: [{name: web, containerPort: 8080}, {name: metrics, containerPort: 9000}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: s}
spec: {tls: [{hosts: [a.example]}], rules: [{host: a.example, http: {paths: [{path: /x}]}}]}
"""


def model(place: Path, **files: str) -> Model:
    """Return the model of some files; `__` in a name stands for a slash, and `_` before its end for a dot."""
    for name, text in files.items():
        path = place / name.replace("__", "/").replace("_y", ".y")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Model.of(place)


def discovering(place: Path, role: str, rules: str = "[]", more: str = "") -> Model:
    """Return the model of a Kubernetes system whose only job discovers by a role."""
    job = f"{{job_name: a, kubernetes_sd_configs: [{{role: {role}{more}}}], relabel_configs: {rules}}}"
    return model(place, pods_yaml=PODS, prometheus_yml=f"global: {{}}\nscrape_configs: [{job}]\n")


def test_a_container_sees_what_is_mounted(tmp_path: Path) -> None:
    """Its configuration, the rules beside it, and not what a volume holds."""
    found = model(tmp_path, compose_yml=COMPOSE, conf__prometheus_yml=CONFIG % '"r/*.yml"', conf__r__up_yml=RULES)
    (prometheus, _) = found.processes
    assert prometheus.config is not None
    assert prometheus.config.file == "conf/prometheus.yml"
    assert [content.file for _, content in prometheus.matching("r/*.yml")] == ["conf/r/up.yml"]
    assert prometheus.known("/etc/p/x.yml")
    assert not prometheus.known("/prometheus/x.yml")
    assert prometheus.flag("config.file") == "/etc/p/prometheus.yml"
    assert prometheus.flag("web.listen-address") is None


def test_a_stack_has_its_rules_and_its_alertmanager(tmp_path: Path) -> None:
    """And two systems side by side keep apart."""
    for name in ("one", "two"):
        model(
            tmp_path / name,
            compose_yml=COMPOSE,
            conf__prometheus_yml=CONFIG % '"r/*.yml"',
            conf__r__up_yml=RULES.replace("alert: A", f"alert: {name}"),
            am_yml=ALERTMANAGER,
        )
    one, two = Model.of(tmp_path).stacks
    assert [rule.name for rule in one.rules] == ["one"]
    assert [rule.name for rule in two.rules] == ["two"]
    assert one.alertmanager is not None
    assert one.alertmanager.file == "one/am.yml"
    assert two.alertmanager is not None
    assert two.alertmanager.file == "two/am.yml"
    assert one.composed
    assert not one.orchestrated


def test_rules_are_found_without_containers(tmp_path: Path) -> None:
    """Beside the configuration, or by the end of an absolute path."""
    beside = model(tmp_path / "a", prometheus_yml=CONFIG % "up.yml", up_yml=RULES)
    absolute = model(tmp_path / "b", prometheus_yml=CONFIG % "/etc/prometheus/rules/up.yml", rules__up_yml=RULES)
    for found in (beside, absolute):
        assert [rule.name for rule in found.stacks[0].rules] == ["A"]


def test_a_config_map_is_a_file(tmp_path: Path) -> None:
    """Inline or made by kustomize, as a whole or key by key."""
    pod = """apiVersion: v1
kind: Pod
metadata: {name: prometheus, namespace: m}
spec:
  containers:
  - name: prometheus
    image: prom/prometheus
    volumeMounts: [{name: c, mountPath: /etc/prometheus}]
  volumes: [{name: c, configMap: {name: c%s}}]
"""
    kustomization = """apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [pod.yaml]
configMapGenerator: [{name: c, namespace: m, files: [prometheus.yml, up.yml]}]
"""
    made = model(
        tmp_path / "made",
        pod_yaml=pod % "",
        kustomization_yaml=kustomization,
        prometheus_yml=CONFIG % "up.yml",
        up_yml=RULES,
    )
    chosen = model(
        tmp_path / "chosen",
        pod_yaml=pod % ", items: [{key: prometheus.yml, path: prometheus.yml}]",
        kustomization_yaml=kustomization,
        prometheus_yml=CONFIG % "up.yml",
        up_yml=RULES,
    )
    assert sorted(made.processes[0].files) == ["/etc/prometheus/prometheus.yml", "/etc/prometheus/up.yml"]
    assert made.stacks[0].processes == made.processes
    assert list(chosen.processes[0].files) == ["/etc/prometheus/prometheus.yml"]


@pytest.mark.parametrize(
    ("role", "addresses"),
    [
        ("pod", {"POD:8080", "POD:9000"}),
        ("service", {"shop.s.svc:80"}),
        ("endpoints", {"POD:8080", "POD:9000", "203.0.113.252:6443"}),
        ("endpointslice", {"POD:8080", "POD:9000", "203.0.113.252:6443"}),
        ("ingress", {"a.example"}),
        ("node", {"203.0.113.250:10250"}),
    ],
)
def test_every_role_finds_its_targets(tmp_path: Path, role: str, addresses: set[str]) -> None:
    """With the addresses that Prometheus would ask."""
    found = discovering(tmp_path, role)
    told = {re.sub(r"203\.0\.113\.[0-9]{1,2}(?=:)", "POD", target.address) for target in found.targets}
    assert told == addresses


def test_relabelling_makes_the_labels(tmp_path: Path) -> None:
    """Each replica is a target of its own, and a pod's address is known for a sample."""
    rules = """[
      {source_labels: [__address__, __meta_kubernetes_pod_annotation_prometheus_io_port],
       regex: '([^:]+)(?::\\d+)?;(\\d+)', replacement: '$1:$2', target_label: __address__},
      {source_labels: [__meta_kubernetes_pod_name], target_label: pod},
      {source_labels: [__meta_kubernetes_pod_container_port_name], regex: web, action: keep}]"""
    found = discovering(tmp_path, "pod", rules)
    kept = [target for target in found.targets if target.kept]
    assert [target.labels["pod"] for target in kept] == ["shop-0", "shop-1"]
    assert {target.address.partition(":")[2] for target in kept} == {"9000"}
    assert all("instance" in target.unknown for target in kept)
    assert all(target.certain for target in found.targets)


def test_a_namespace_narrows_a_discovery(tmp_path: Path) -> None:
    """And selectors make it uncertain, for they are not read."""
    assert discovering(tmp_path / "a", "pod", more=", namespaces: {names: [other]}").targets == ()
    selected = discovering(tmp_path / "b", "pod", more=", selectors: [{role: pod, label: a=b}]").targets
    assert selected
    assert not any(target.certain for target in selected)


def test_targets_of_files_are_found(tmp_path: Path) -> None:
    """By the glob beside the configuration."""
    job = "{job_name: a, file_sd_configs: [{files: ['t/*.yml']}]}"
    found = model(
        tmp_path,
        prometheus_yml=f"global: {{}}\nscrape_configs: [{job}]\n",
        t__a_yml="- {targets: ['a:1', 'b:2'], labels: {zone: eu}}\n",
    )
    assert [(target.address, target.labels["zone"]) for target in found.targets] == [("a:1", "eu"), ("b:2", "eu")]


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [("a/*.yml", "a/b.yml", True), ("a/*.yml", "a/b/c.yml", False), ("a/[bc].yml", "a/c.yml", True), ("a?", "ab", True),
     ("[", "[", True), ("a/b.yml", "a/b.yml", True)],
)  # fmt: skip
def test_a_glob_is_that_of_go(pattern: str, name: str, expected: bool) -> None:
    """A star matches no slash."""
    assert bool(glob(pattern).fullmatch(name)) is expected


def test_images_and_variables_are_read() -> None:
    """The last part of an image's name; a variable's default."""
    assert program_of("quay.io/prometheus/prometheus:v3@sha256:1") == "prometheus"
    assert program_of("prom/prometheus-x") is None
    assert interpolated("${A:-b}/${C}/$D/$$") == "b/$C/$D/$"
