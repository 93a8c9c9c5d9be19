"""What exporters are let and told to export, and which flags the engines know, against the engines that are there."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tocsin.engines.binaries import Engine, find_engine
from tocsin.model import Model
from tocsin.model.access import access
from tocsin.model.engine_flags import KNOWN, NOT_YET, REMOVED, version_of
from tocsin.model.exporters import RESOURCES, collector_of, exporters, resource_of

_RIGHTS = """\
apiVersion: v1
kind: Pod
metadata: {name: ksm, namespace: monitoring, labels: {app: ksm}}
spec:
  serviceAccountName: ksm
  containers:
    - name: ksm
      image: registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.16.0
      args: ["--resources=pods,nodes", --namespaces, shop]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: pods, namespace: shop}
rules: [{apiGroups: [""], resources: [pods], verbs: [list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: pods, namespace: shop}
roleRef: {kind: Role, name: pods}
subjects: [{kind: ServiceAccount, name: ksm, namespace: monitoring}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: nodes}
rules: [{apiGroups: ["*"], resources: [nodes], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: nodes}
roleRef: {kind: ClusterRole, name: nodes}
subjects: [{kind: ServiceAccount, name: ksm, namespace: monitoring}]
"""


@pytest.mark.parametrize(
    ("metric", "resource"),
    [
        ("kube_pod_status_phase", "pods"),
        ("kube_poddisruptionbudget_status_current_healthy", "poddisruptionbudgets"),
        ("kube_persistentvolumeclaim_info", "persistentvolumeclaims"),
        ("kube_persistentvolume_info", "persistentvolumes"),
        ("kube_resourcequota", "resourcequotas"),
        ("kube_cronjob_info", "cronjobs"),
        ("kube_job_info", "jobs"),
        ("kube_apiserver_something", None),
    ],
)
def test_a_metric_is_made_of_a_resource(metric: str, resource: str | None) -> None:
    """By how it begins, and no name begins as two of them do."""
    assert resource_of(metric) == resource
    assert sum(metric.startswith(prefix) for prefix, _, _ in RESOURCES.values()) == (resource is not None)


@pytest.mark.parametrize(
    ("metric", "collector"),
    [
        ("node_systemd_unit_state", ("systemd", False)),
        ("node_processes_threads", ("processes", False)),
        ("node_procs_blocked", ("stat", True)),
        ("node_cpu_seconds_total", ("cpu", True)),
        ("node_memory_numa_MemFree", ("meminfo_numa", False)),
        ("node_memory_MemFree_bytes", ("meminfo", True)),
        ("node_unheard_of", None),
    ],
)
def test_a_metric_comes_from_a_collector(metric: str, collector: tuple[str, bool] | None) -> None:
    """The longer beginning goes first, and some are off by themselves."""
    assert collector_of(metric) == collector


def test_rights_are_those_of_all_bindings(tmp_path: Path) -> None:
    """A Role holds in its namespace, a ClusterRole that is bound for the cluster everywhere."""
    (tmp_path / "all.yaml").write_text(_RIGHTS)
    model = Model.of(tmp_path)
    (one,) = exporters(model)
    assert one.pod is not None
    rights = access(model.cluster, one.pod)

    assert (one.flag("resources") or ("",))[0] == "pods,nodes"
    assert (one.flag("namespaces") or ("",))[0] == "shop"
    assert one.version == (2, 16)
    assert rights.whole
    assert rights.allows("", "pods", ["list", "watch"], "shop")
    assert not rights.allows("", "pods", ["list"], "other")
    assert not rights.allows("", "pods", ["list"], None)
    assert not rights.allows("", "pods", ["get"], "shop")
    assert not rights.allows("apps", "pods", ["list"], "shop")
    assert rights.allows("", "nodes", ["list"], None)


@pytest.mark.parametrize(
    ("tag", "version"),
    [("v3.5.0", (3, 5)), ("2.53.1", (2, 53)), ("v0.28.1-rc.0", (0, 28)), ("latest", None), ("3", None), ("", None)],
)
def test_a_tag_says_a_version(tag: str, version: tuple[int, int] | None) -> None:
    """Or none."""
    assert version_of(tag) == version


_NAMES = {Engine.PROMETHEUS: "prometheus", Engine.ALERTMANAGER: "alertmanager"}


def _binaries(engine: Engine) -> list[Path]:
    """Return the program of this machine, and those of other generations that stand beside it."""
    found = [find_engine(engine)]
    home = Path(os.environ.get("ENGINES_HOME", Path.home() / ".cache" / "tocsin-engines"))
    name = {Engine.PROMETHEUS: "prometheus", Engine.ALERTMANAGER: "prometheus-alertmanager"}[engine]
    return found + sorted(home.glob(f"*/usr/bin/{name}"))


@pytest.mark.parametrize("engine", [Engine.PROMETHEUS, Engine.ALERTMANAGER])
def test_every_flag_of_a_real_engine_is_known(engine: Engine) -> None:
    """As its own help lists them, in each generation that is there."""
    for binary in _binaries(engine):
        told = subprocess.run([binary, "--help"], capture_output=True, text=True, check=False)
        flags = set(re.findall(r"^ +(?:-\w, )?--(?:\[no-\])?([a-z][\w.-]*\w)", told.stdout + told.stderr, re.MULTILINE))

        assert len(flags) > 20
        assert flags - KNOWN[_NAMES[engine]] == set(), binary


@pytest.mark.parametrize("engine", [Engine.PROMETHEUS, Engine.ALERTMANAGER])
def test_a_real_engine_refuses_what_it_has_not(engine: Engine) -> None:
    """What was removed by its version, and what came after it."""
    for binary in _binaries(engine):
        shown = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
        version = version_of(re.findall(r"version (\d+\.\d+\.\d+)", shown.stdout + shown.stderr)[0])
        assert version is not None
        gone = [flag for flag, since in REMOVED[_NAMES[engine]].items() if version >= since]
        gone += [flag for flag, until in NOT_YET[_NAMES[engine]].items() if version <= until]
        for flag in gone:
            told = subprocess.run([binary, f"--{flag}=1", "--version"], capture_output=True, text=True, check=False)
            assert "unknown" in told.stderr + told.stdout, (binary, flag)
