"""What a kubelet's probe does on the network, attempt by attempt, done as the kubelet does it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tocsin.probes.attempt import TRIES, Outcome
from tocsin.probes.handlers.exec import Exec, try_exec
from tocsin.probes.handlers.grpc import GrpcCheck, try_grpc
from tocsin.probes.handlers.http import try_http
from tocsin.probes.handlers.http_request import HttpGet
from tocsin.probes.handlers.kubelet import Kubelet
from tocsin.probes.handlers.reason import EXPLANATIONS, ExplainedAttempt, Reason, Verdict, event
from tocsin.probes.handlers.tcp import TcpSocket, try_tcp

Handler = HttpGet | TcpSocket | GrpcCheck | Exec

__all__ = [
    "EXPLANATIONS",
    "Exec",
    "ExplainedAttempt",
    "GrpcCheck",
    "Handler",
    "HttpGet",
    "Kubelet",
    "Reason",
    "TcpSocket",
    "attempt",
    "attempt_now",
    "event",
    "try_once",
]


async def try_once(handler: Handler, seconds: float) -> ExplainedAttempt:
    """Make one try, which ends within so many seconds (`timeoutSeconds`). Nothing is raised: trouble is an outcome."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    verdict = await _try(handler, seconds)
    return verdict.lasting(loop.time() - begun)


async def _try(handler: Handler, seconds: float) -> Verdict:
    match handler:
        case HttpGet():
            return await try_http(handler, seconds)
        case TcpSocket():
            return await try_tcp(handler, seconds)
        case GrpcCheck():
            return await try_grpc(handler, seconds)
        case Exec():
            return await try_exec(handler, seconds)


async def attempt(handler: Handler, seconds: float) -> ExplainedAttempt:
    """Make one attempt: up to three tries of so many seconds each, until one is no error.

    (pkg/kubelet/prober/prober.go, runProbeWithRetries.) Its duration is that of all tries. The first one that never
    ends, since the connection was switched to another protocol, is the last.
    """
    made = await try_once(handler, seconds)
    tries, spent = 1, made.seconds
    while made.outcome is Outcome.ERROR and made.reason is not Reason.SWITCHED_PROTOCOL and tries < TRIES:
        made = await try_once(handler, seconds)
        tries, spent = tries + 1, spent + made.seconds
    return replace(made, seconds=spent, tries=tries)


def attempt_now(handler: Handler, seconds: float) -> ExplainedAttempt:
    """Make one attempt, where no event loop runs."""
    return asyncio.run(attempt(handler, seconds))
