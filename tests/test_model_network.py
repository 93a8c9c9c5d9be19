"""Who may reach whom by NetworkPolicies: every piece of a policy decides as Kubernetes says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tocsin.artefacts.folder import Folder
from tocsin.model import Model
from tocsin.model.cluster import Pod
from tocsin.model.network import Outside

_PODS = """\
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: red}}
---
apiVersion: v1
kind: Namespace
metadata: {name: monitoring, labels: {team: blue}}
---
apiVersion: v1
kind: Pod
metadata: {name: target, namespace: shop, labels: {app: target}}
spec:
  containers:
    - {name: a, image: a, ports: [{name: http, containerPort: 8080}, {name: d, containerPort: 53, protocol: UDP}]}
---
apiVersion: v1
kind: Pod
metadata: {name: source, namespace: monitoring, labels: {app: source}}
spec: {containers: [{name: a, image: a}]}
---
apiVersion: v1
kind: Pod
metadata: {name: host, namespace: monitoring, labels: {app: host}}
spec: {hostNetwork: true, containers: [{name: a, image: a, ports: [{containerPort: 9100}]}]}
"""
_BLUE = {"namespaceSelector": {"matchLabels": {"team": "blue"}}}
_MONITORING = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
_SOURCE = {"podSelector": {"matchLabels": {"app": "source"}}}


def model(tmp_path: Path, *policies: object) -> Model:
    """Return the model of two pods in two namespaces and some policies."""
    (tmp_path / "pods.yaml").write_text(_PODS)
    (tmp_path / "policies.yaml").write_text("---\n".join(yaml.safe_dump(one) for one in policies))
    return Model(Folder(tmp_path))


def policy(namespace: str, pods: object, **spec: object) -> dict[str, object]:
    """Return a policy over some pods of a namespace."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "p", "namespace": namespace},
        "spec": {"podSelector": pods, **spec},
    }


def pod(one: Model, name: str) -> Pod:
    """Return a pod by its name."""
    return next(each for each in one.cluster.pods if each.object.name == name)


def open_way(one: Model, port: int = 8080, protocol: str = "TCP") -> bool:
    """Tell whether `source` may reach `target`, as far as anybody can be sure that it may not."""
    return one.network.denial(pod(one, "source"), pod(one, "target"), port, protocol) is None


@pytest.mark.parametrize(
    ("peers", "ports", "allowed"),
    [
        (None, None, True),
        ([_BLUE], None, True),
        ([_MONITORING | _SOURCE], None, True),
        ([_MONITORING, _SOURCE], None, True),
        ([_SOURCE], None, False),  # of its own namespace
        ([{"podSelector": {}}], None, False),
        ([{"namespaceSelector": {}}], None, True),
        ([{"namespaceSelector": {"matchLabels": {"team": "red"}}}], None, False),
        (
            [{"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "In", "values": ["blue"]}]}}],
            None,
            True,
        ),
        ([{"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}}], None, False),
        ([_MONITORING | {"podSelector": {"matchLabels": {"app": "other"}}}], None, False),
        ([{"ipBlock": {"cidr": "0.0.0.0/0"}}], None, True),
        ([{"ipBlock": {"cidr": "10.0.0.0/8"}}], None, True),  # the addresses of pods are not known
        ([_BLUE], [{"port": 8080}], True),
        ([_BLUE], [{"port": 8081}], False),
        ([_BLUE], [{"port": 8000, "endPort": 8100}], True),
        ([_BLUE], [{"port": "http"}], True),
        ([_BLUE], [{"port": "web"}], False),
        ([_BLUE], [{"protocol": "UDP", "port": 8080}], False),
        ([_BLUE], [{"protocol": "TCP"}], True),
        ([_BLUE], [], True),
    ],
)
def test_a_rule_admits_what_it_lists(tmp_path: Path, peers: object, ports: object, allowed: bool) -> None:
    """Its peers, its ports, and both together."""
    rule = {key: value for key, value in (("from", peers), ("ports", ports)) if value is not None}

    assert open_way(model(tmp_path, policy("shop", {}, ingress=[rule]))) is allowed


def test_nothing_is_shut_without_a_policy(tmp_path: Path) -> None:
    """Nor by one of another direction, of other pods or of another namespace."""
    assert open_way(model(tmp_path))
    assert open_way(model(tmp_path, policy("shop", {}, policyTypes=["Egress"], egress=[])))
    assert open_way(model(tmp_path, policy("shop", {"matchLabels": {"app": "other"}}, policyTypes=["Ingress"])))
    assert open_way(model(tmp_path, policy("elsewhere", {}, policyTypes=["Ingress"])))


def test_policies_add_up(tmp_path: Path) -> None:
    """What one forbids another may allow, and both ends have to."""
    deny = policy("shop", {}, policyTypes=["Ingress"])
    allow = policy("shop", {"matchLabels": {"app": "target"}}, ingress=[{"from": [_BLUE]}])
    shut = policy("monitoring", {}, policyTypes=["Egress"])
    opened = policy("monitoring", {}, egress=[{"to": [{"namespaceSelector": {}}], "ports": [{"port": 8080}]}])

    assert not open_way(model(tmp_path, deny))
    assert open_way(model(tmp_path, deny, allow))
    assert not open_way(model(tmp_path, deny, allow, shut))
    assert open_way(model(tmp_path, deny, allow, shut, opened))
    assert not open_way(model(tmp_path, deny, allow, shut, opened), 8081)


def test_types_follow_from_the_rules(tmp_path: Path) -> None:
    """A policy without types is about Ingress, and about Egress where it has rules for that."""
    assert not open_way(model(tmp_path, policy("shop", {})))
    assert open_way(model(tmp_path, policy("monitoring", {})))
    assert not open_way(model(tmp_path, policy("monitoring", {}, egress=[{"ports": [{"port": 1}]}])))


def test_a_pod_of_the_node_is_no_pod_to_a_policy(tmp_path: Path) -> None:
    """No policy binds it, and only a block of addresses leads to it."""
    pods_only = model(tmp_path, policy("monitoring", {}, egress=[{"to": [{"namespaceSelector": {}}]}]))
    block = {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 9100}]}

    assert pods_only.network.denial(pod(pods_only, "source"), pod(pods_only, "host"), 9100) is not None
    with_block = model(tmp_path, policy("monitoring", {}, egress=[block]))
    assert with_block.network.denial(pod(with_block, "source"), pod(with_block, "host"), 9100) is None
    assert with_block.network.denial(pod(with_block, "host"), pod(with_block, "target"), 8080) is None


def test_the_world_is_reached_by_blocks_alone(tmp_path: Path) -> None:
    """And an address that is excepted is not."""
    block = {"cidr": "0.0.0.0/0", "except": ["192.0.2.0/24"]}
    one = model(tmp_path, policy("monitoring", {}, egress=[{"to": [{"ipBlock": block}], "ports": [{"port": 443}]}]))
    source = pod(one, "source")

    assert one.network.denial(source, Outside("example.org"), 443) is None
    assert one.network.denial(source, Outside("example.org"), 25) is not None
    assert one.network.denial(source, Outside("198.51.100.1"), 443) is None
    assert one.network.denial(source, Outside("192.0.2.1"), 443) is not None


@pytest.mark.parametrize(
    ("rule", "near", "text"),
    [
        ({"from": [_BLUE], "ports": [{"port": 9999}]}, "port", "9999"),
        ({"from": [_BLUE], "ports": [{"protocol": "UDP", "port": 53}]}, "ports", ""),
        (
            {"from": [_MONITORING | {"podSelector": {"matchLabels": {"app": "sourse"}}}], "ports": [{"port": 8080}]},
            "peer",
            "sourse",
        ),
        ({"from": [{"podSelector": {"matchLabels": {"app": "target"}}}], "ports": [{"port": 8080}]}, "peer", ""),
    ],
)
def test_what_comes_nearest_is_named(tmp_path: Path, rule: object, near: str, text: str) -> None:
    """The port that nobody has, the list that lacks one, the label that no pod carries."""
    one = model(tmp_path, policy("shop", {}, ingress=[rule]))
    denial = one.network.denial(pod(one, "source"), pod(one, "target"), 8080)

    assert denial is not None
    assert (denial.near, denial.part.text) == (near, text)
