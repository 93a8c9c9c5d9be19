"""Every kind of endpoint: what a real kubelet made of it, what was foreseen, and what the handlers make of it.

tests/parity/endpoints-1.20.json was recorded by the runner in tests/parity on 26 November 2026; tests/test_parity.py
makes another with --parity-record-endpoints. The handlers ask the same server here, on loopback.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.parity import endpoints
from tests.parity.endpoints import ASKED, TIMEOUT
from tests.probe_endpoints.server import Endpoints
from tocsin.probes.handlers import Handler, HttpGet, TcpSocket, attempt_now
from tocsin.probes.handlers.kubelet import Kubelet

KUBELET = Kubelet(1, 20, built_with=19)
NAMED = (
    "refused reset hang slow-headers hang-in-body slow-body big-body redirect-301 redirect-302 redirect-303"
    " redirect-307 redirect-308 redirect-other-host redirect-other-port redirect-https redirect-loop"
    " tls-self-signed tls-expired tls-wrong-name tls-on-plain tls-hang http-on-tls http2 http2-reset bad-chunk"
    " cut-chunk informational status-101 status-204 status-304 status-404 status-503"
)
"""What there is at least: every kind that a probe may meet."""


@pytest.fixture(scope="module")
def served() -> Iterator[Endpoints]:
    """Serve all of them on loopback."""
    with Endpoints() as found:
        yield found


def test_the_recording_is_of_a_real_kubelet_and_of_all_kinds() -> None:
    """It says which and when; nothing that it met is missing from the table, or new in it."""
    recorded = endpoints.recorded()
    assert (recorded["kubelet"], recorded["date"]) == ("v1.20.2", "2026-11-26")
    assert recorded["found"].keys() == ASKED.keys() >= set(NAMED.split())


@pytest.mark.parametrize("name", ASKED)
def test_kubelet_table_and_handler_agree(name: str, served: Endpoints) -> None:
    """Three times the same outcome."""
    behaviour, port = ASKED[name], served.ports[name]
    handler: Handler = TcpSocket("127.0.0.1", port)
    if behaviour.handler != "tcp":
        handler = HttpGet("127.0.0.1", port, "/readiness", behaviour.handler.upper(), kubelet=KUBELET)
    made = attempt_now(handler, TIMEOUT)
    seen = endpoints.recorded()["found"][name]["outcome"]
    assert (seen, behaviour.expected) == (made.outcome.value, made.outcome.value), made
