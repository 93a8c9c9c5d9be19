"""A manifest's probe becomes what is asked."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin.model.probes import Timing
from tocsin.probes.handlers import Exec, GrpcCheck, Handler, HttpGet, Kubelet, TcpSocket
from tocsin.probes.handlers.binding import handler_of
from tocsin.probes.handlers.kubelet import NEWEST
from tocsin.probes.specification import ProbeKind, ProbeSpec

PORTS = {"web": 8080}
OLD = Kubelet(1, 20)


def spec(handler: str, action: dict[str, Any]) -> ProbeSpec:
    return ProbeSpec(ProbeKind.LIVENESS, Timing(0, 10, 1, 3, 1), handler, action)


@pytest.mark.parametrize(
    ("handler", "action", "expected"),
    [
        ("httpGet", {"port": 80}, HttpGet("10.0.0.1", 80, "/", "HTTP", (), PORTS, OLD)),
        (
            "httpGet",
            {
                "port": "web",
                "path": "/live",
                "scheme": "HTTPS",
                "host": "127.0.0.1",
                "httpHeaders": [{"name": "A", "value": "b"}, {"name": "A"}],
            },
            HttpGet("127.0.0.1", "web", "/live", "HTTPS", (("A", "b"), ("A", "")), PORTS, OLD),
        ),
        ("tcpSocket", {"port": "web"}, TcpSocket("10.0.0.1", "web", PORTS)),
        ("tcpSocket", {"port": 1, "host": "h"}, TcpSocket("h", 1, PORTS)),
        ("grpc", {"port": 9, "service": "s"}, GrpcCheck("10.0.0.1", 9, "s", OLD)),
        ("grpc", {"port": "web"}, GrpcCheck("10.0.0.1", 0, "", OLD)),
        ("exec", {"command": ["a", "b"]}, Exec(("a", "b"), environment={"A": "x"})),
        ("exec", {}, Exec((), environment={"A": "x"})),
    ],
)
def test_a_handler_is_what_the_manifest_says(handler: str, action: dict[str, Any], expected: Handler) -> None:
    made = handler_of(spec(handler, action), "10.0.0.1", ports=PORTS, environment={"A": "x"}, kubelet=OLD)
    assert made == expected


def test_a_probe_without_a_handler_is_refused() -> None:
    with pytest.raises(ValueError, match="one of httpGet, tcpSocket, grpc and exec"):
        handler_of(spec("", {}), "10.0.0.1")


def test_the_newest_kubelet_is_imitated_where_nothing_is_said() -> None:
    made = handler_of(spec("httpGet", {"port": 80}), "10.0.0.1")
    assert isinstance(made, HttpGet)
    assert made.kubelet is NEWEST
    assert (NEWEST.minimum_tls > OLD.minimum_tls, OLD.user_agent) == (True, "kube-probe/1.20")


@pytest.mark.parametrize(
    ("kubelet", "go"),
    [
        (Kubelet(1, 20), 15),
        (Kubelet(1, 20, built_with=19), 19),
        (Kubelet(1, 24), 18),
        (Kubelet(1, 32), 23),
        (Kubelet(1, 33), 24),
        (NEWEST, 24),
    ],
)
def test_a_kubelet_reads_by_the_rules_of_its_go(kubelet: Kubelet, go: int) -> None:
    assert kubelet.go == go
