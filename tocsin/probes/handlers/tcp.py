"""One try of a tcpSocket probe: a connection is made, and closed (pkg/probe/tcp/tcp.go). Nothing is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from tocsin.probes.attempt import Outcome
from tocsin.probes.handlers.connection import address_text, dial, release
from tocsin.probes.handlers.ports import resolve_port
from tocsin.probes.handlers.reason import Broken, Reason, Verdict


@dataclass(frozen=True, slots=True)
class TcpSocket:
    """A tcpSocket probe."""

    host: str
    """`host` of the probe, else the pod's primary address."""
    port: int | str
    ports: Mapping[str, int] = field(default_factory=dict, hash=False)
    """The named ports of the same container."""


async def try_tcp(probe: TcpSocket, seconds: float) -> Verdict:
    """Make one try, which ends within so many seconds. Nothing is raised."""
    try:
        port = resolve_port(probe.port, probe.ports)
    except Broken as error:
        return Verdict(Outcome.ERROR, error.said, error.reason)
    return await dialled(probe.host, port, seconds)


async def dialled(host: str, port: int, seconds: float) -> Verdict:
    """Return what comes of a dial; a port that cannot be is a failure here."""
    try:
        async with asyncio.timeout(seconds):
            sock = await dial(host, port)
    except Broken as error:
        return Verdict(Outcome.FAILURE, error.said, error.reason)
    except TimeoutError:
        said = f"dial tcp {address_text(host, port)}: i/o timeout"
        return Verdict(Outcome.FAILURE, said, Reason.DIAL_TIMED_OUT)
    release(sock)
    return Verdict(Outcome.SUCCESS, "", Reason.CONNECTED)
