"""Whether a pod may reach another, by the NetworkPolicies of a folder.

(kubernetes.io/docs/concepts/services-networking/network-policies; k8s.io/api, networking/v1/types.go.)

Answers have three values: what the files do not decide is None, and nobody is blamed for it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from tocsin.artefacts.compose import port_number
from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.model.cluster import NAMESPACE_NAME, Pod, names_of_selector, together
from tocsin.model.selectors import selects
from tocsin.part import Part

if TYPE_CHECKING:
    from tocsin.model.cluster import Cluster

Direction = Literal["Ingress", "Egress"]
ALWAYS_OF_USE = frozenset({53, 443, 6443})
"""Ports that nearly every pod needs to reach, whatever else it is for: names and the API server."""


@dataclass(frozen=True)
class Outside:
    """Something that is no pod of the folder."""

    host: str
    """Its name or its address."""
    namespace: str = ""
    """For a pod that is known by its labels alone: its namespace."""
    labels: tuple[tuple[str, str], ...] = ()


DNS = Outside("the cluster's DNS", "kube-system", (("k8s-app", "kube-dns"),))
"""The pods that answer for names, as kubeadm and all great providers label them."""
_LIKE = 0.75
"""How alike two values of a label are of which one may be a slip for the other."""


@dataclass(frozen=True)
class Policy:
    """One NetworkPolicy."""

    object: KubernetesObject
    namespaces: frozenset[str]

    @property
    def spec(self) -> Part:
        """What it says."""
        return self.object.part.get("spec")

    @property
    def directions(self) -> frozenset[str]:
        """The directions that it governs."""
        said = {part.text for part in self.spec.list("policyTypes")}
        return frozenset(said or {"Ingress", *(("Egress",) if self.spec.list("egress") else ())})

    def rules(self, direction: Direction) -> tuple[Part, ...]:
        """Its rules of one direction."""
        return self.spec.list(direction.lower())


@dataclass(frozen=True)
class Denial:
    """Why one end may not talk to the other."""

    direction: Direction
    pod: Pod
    """The pod that the policies isolate."""
    policies: tuple[Policy, ...]
    """Those that surely select it."""
    part: Part
    """The piece that comes nearest to allowing it, or the policy."""
    by_key: bool
    """Whether the piece is meant as a whole, its key or item first."""
    near: Literal["port", "ports", "peer", "none"]
    """What is wrong with the nearest rule: one port of it, its list of ports, its peer; or there is no such rule."""
    related: tuple[Part, ...] = field(default=())


@dataclass(frozen=True)
class _Way:
    """What is asked for: from where, to where, on which port."""

    source: Pod | Outside
    target: Pod | Outside
    port: int
    protocol: str
    used: frozenset[int]


class Network:
    """The policies of a folder and what they allow."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @cached_property
    def policies(self) -> tuple[Policy, ...]:
        """Every policy."""
        found = self._cluster.of("NetworkPolicy")
        return tuple(Policy(one, self._cluster.namespaces(one)) for one in found if one.part.get("spec"))

    def denial(
        self,
        source: Pod | Outside,
        target: Pod | Outside,
        port: int,
        protocol: str = "TCP",
        *,
        used: Collection[int] = (),
    ) -> Denial | None:
        """Return why `source` may surely not reach `target`; None if it may, or if the files do not decide it.

        `used`: ports that rules may name with reason; of one that nobody uses, a slip is the likeliest reason.
        """
        way = _Way(source, target, port, protocol, frozenset(used) | _own_ports(target))
        found = None
        if isinstance(source, Pod) and not source.host_network:
            found = self._denied("Egress", source, way)
        if found is None and isinstance(target, Pod) and not target.host_network:
            found = self._denied("Ingress", target, way)
        return found

    def isolated(self, pod: Pod, direction: Direction) -> tuple[list[Policy], list[Policy]]:
        """Return the policies that surely govern a direction of a pod, and those that may."""
        sure: list[Policy] = []
        unsure: list[Policy] = []
        for policy in self.policies:
            if direction not in policy.directions:
                continue
            chosen = self._chooses(policy, pod)
            if chosen is not False:
                (sure if chosen else unsure).append(policy)
        return sure, unsure

    def surely_nameless(self, pod: Pod) -> bool:
        """Tell whether no rule can be meant for another name server than the cluster's usual one, and right as it is.

        A cache on the node has an address of its own, and OpenShift's servers listen on port 5353 in their namespace.
        """
        sure, unsure = self.isolated(pod, "Egress")
        for policy in (*sure, *unsure):
            for rule in policy.rules("Egress"):
                ports = {part.string("port") for part in rule.list("ports")}
                if ports & {"53", "dns", "dns-udp"} and not self._misses_by_a_slip(policy, rule.get("to")):
                    return False
                if "5353" in ports and self.admits(policy, rule.get("to"), DNS) is False:
                    return False
        return True

    def _misses_by_a_slip(self, policy: Policy, peers: Part) -> bool:
        """Tell whether every peer of a rule names the usual name server, but for a slip in the label of its pods."""
        answers = []
        for peer in peers.list():
            written = peer.string("podSelector", "matchLabels", "k8s-app")
            usual = SequenceMatcher(None, written, "kube-dns").ratio() >= _LIKE and written != "kube-dns"
            answers.append(usual and "ipBlock" not in peer and policy.namespaces != {"openshift-dns"})
        return bool(answers) and all(answers)

    def _chooses(self, policy: Policy, pod: Pod) -> bool | None:
        if not together(policy.namespaces, pod.namespaces):
            return False
        if not pod.labels_whole and policy.spec.get("podSelector").value != {}:
            chosen = pod.selected_by(policy.spec.get("podSelector"))
        else:
            chosen = selects(policy.spec.get("podSelector"), pod.labels)
        if chosen and not _one_namespace(policy, pod):
            return None
        return chosen

    def _denied(self, direction: Direction, pod: Pod, way: _Way) -> Denial | None:
        other = way.target if direction == "Egress" else way.source
        sure, unsure = self.isolated(pod, direction)
        if not sure:
            return None
        rules = [(policy, rule) for policy in (*sure, *unsure) for rule in policy.rules(direction)]
        judged = []
        for policy, rule in rules:
            peer = self.admits(policy, rule.get("from" if direction == "Ingress" else "to"), other)
            open_port = admits_port(rule.get("ports"), way.target, way.port, way.protocol)
            if peer is not False and open_port is not False:
                return None
            judged.append((policy, rule, peer, open_port))
        nearest = self._nearest(direction, judged, way)
        part, by_key, near = nearest or (sure[0].object.part.get("metadata", "name"), False, "none")
        return Denial(direction, pod, tuple(sure), part, by_key, near)

    # The peers of a rule

    def admits(self, policy: Policy, peers: Part, other: Pod | Outside) -> bool | None:
        """Tell whether the peers of a rule (`from`, `to`) hold one end; no peers at all hold everything."""
        if not peers.list():
            return None if peers and not isinstance(peers.value, list) else True
        return any_of(self._admits(policy, peer, other) for peer in peers.list())

    def _admits(self, policy: Policy, peer: Part, other: Pod | Outside) -> bool | None:
        if peer.get("ipBlock"):
            return _in_block(peer.get("ipBlock"), other)
        if isinstance(other, Outside) and not other.namespace:
            return False
        if isinstance(other, Pod) and other.host_network:
            return False  # The commonest network plugins take its traffic for that of the node.
        if isinstance(other, Outside):
            pods, whole = dict(other.labels), frozenset({other.namespace})
            chosen = selects(peer.get("podSelector"), pods) if "podSelector" in peer else True
        else:
            whole = other.namespaces
            chosen = other.selected_by(peer.get("podSelector")) if "podSelector" in peer else True
        if "namespaceSelector" not in peer:
            same = bool(policy.namespaces & whole) if policy.namespaces and whole else None
            return all_of((chosen, same)) if "podSelector" in peer else None
        return all_of((chosen, self._in_namespace(peer.get("namespaceSelector"), whole)))

    def _in_namespace(self, selector: Part, namespaces: frozenset[str]) -> bool | None:
        if selector.value == {}:
            return True
        answers = []
        for name in namespaces:
            labels, whole = self._cluster.namespace_labels(name)
            answer = selects(selector, labels)
            decided = whole or names_of_selector(selector) <= {NAMESPACE_NAME} or answer
            sure_no = selector.string("matchLabels", NAMESPACE_NAME) not in ("", name)
            answers.append(False if sure_no else answer if decided else None)
        return any_of(answers) if len(answers) == 1 else None

    # What comes nearest

    def _nearest(
        self,
        direction: Direction,
        judged: Iterable[tuple[Policy, Part, bool | None, bool | None]],
        way: _Way,
    ) -> tuple[Part, bool, Literal["port", "ports", "peer"]] | None:
        found: list[tuple[int, Part, bool, Literal["port", "ports", "peer"]]] = []
        for policy, rule, peer, open_port in judged:
            peers = rule.get("from" if direction == "Ingress" else "to")
            if peer is not False:
                of_use = {*way.used, *ALWAYS_OF_USE, *self._ports_of(policy, peers)}
                wrong = next((p for p in rule.list("ports") if _unused(p, way.target, of_use)), None)
                if wrong is not None:
                    found.append((1, wrong.get("port"), False, "port"))
                else:
                    found.append((2, rule, True, "ports"))
            elif open_port is not False and rule.list("ports"):
                idle = next((p for p in peers.list() if self._holds_nobody(policy, p)), None)
                if idle is not None:
                    found.append((0, _value_of(idle), False, "peer"))
                else:
                    found.append((3, rule, True, "peer"))
        return min(found, key=lambda one: one[0])[1:] if found else None

    def _ports_of(self, policy: Policy, peers: Part) -> set[int]:
        """Return the ports that the pods declare which some peers hold."""
        held = [pod for pod in self._cluster.pods if self.admits(policy, peers, pod)] if peers.list() else []
        return {port.number for pod in held for port in pod.ports}

    def _holds_nobody(self, policy: Policy, peer: Part) -> bool:
        """Tell whether a peer surely holds no pod, though the folder has pods in the namespace that it names."""
        if peer.get("ipBlock") or not peer.get("podSelector").value:
            return False
        answers = [self._admits(policy, peer, pod) for pod in self._cluster.pods if not pod.host_network]
        return bool(answers) and all(answer is False for answer in answers)


def any_of(answers: Iterable[bool | None]) -> bool | None:
    """Return whether any is true; None if none surely is and some may be."""
    known = list(answers)
    return True if True in known else None if None in known else False


def all_of(answers: Iterable[bool | None]) -> bool | None:
    """Return whether all are true; None if none is surely not and some may not be."""
    known = list(answers)
    return False if False in known else None if None in known else True


def admits_port(ports: Part, target: Pod | Outside, port: int, protocol: str) -> bool | None:
    """Tell whether the ports of a rule hold one; no ports at all hold each.

    A name is that of a port of the pod that is reached, whatever the direction of the rule.
    """
    if not ports.list():
        return None if ports and not isinstance(ports.value, list) else True
    return any_of(_is_port(one, target, port, protocol) for one in ports.list())


def _is_port(one: Part, target: Pod | Outside, port: int, protocol: str) -> bool | None:
    if (one.string("protocol") or "TCP") != protocol:
        return False
    written = one.string("port")
    if not written:
        return True
    first = port_number(written)
    if first is None:
        if isinstance(target, Outside):
            return None if target.namespace else False
        if target.workload is None:
            return None
        return any(p.name == written and p.number == port and p.protocol == protocol for p in target.ports)
    last = port_number(one.string("endPort")) or first
    return first <= port <= last


def _unused(one: Part, target: Pod | Outside, used: Collection[int]) -> bool:
    """Tell whether a rule names a port that nobody is known to use."""
    written = one.string("port")
    first = port_number(written)
    if one.string("endPort") or not written:
        return False
    if first is None:
        return isinstance(target, Pod) and target.workload is not None and all(p.name != written for p in target.ports)
    return first not in used


def _own_ports(target: Pod | Outside) -> frozenset[int]:
    own = target.ports if isinstance(target, Pod) and not target.host_network else ()
    return frozenset(port.number for port in own)


def _one_namespace(policy: Policy, pod: Pod) -> bool:
    """Tell whether a policy and a pod are surely in the same namespace."""
    if policy.namespaces and pod.namespaces:
        return len(pod.namespaces) == 1 and policy.namespaces == pod.namespaces
    return not policy.namespaces and not pod.namespaces and policy.object.part.file == pod.object.part.file


def _in_block(block: Part, other: Pod | Outside) -> bool | None:
    try:
        network = ipaddress.ip_network(block.string("cidr"), strict=False)
    except ValueError:
        return None
    excepted = block.list("except")
    if isinstance(other, Pod) or other.namespace:
        return True if network.prefixlen == 0 and not excepted else None
    try:
        address = ipaddress.ip_address(other.host)
    except ValueError:
        return True if network.prefixlen == 0 and not excepted else None
    if address.version != network.version:
        return False
    return address in network and not any(_holds(part.text, address) for part in excepted)


def _holds(cidr: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return False
    return address.version == network.version and address in network


def _value_of(peer: Part) -> Part:
    """Return the first value that a peer's pod selector asks for, or the selector."""
    pairs = list(peer.get("podSelector", "matchLabels").items())
    return pairs[0][1] if pairs else peer.get("podSelector")
