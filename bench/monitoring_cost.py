"""What monitoring costs a request, in microseconds of CPU, each part alone, on a handler that does nothing.

    .venv/bin/python bench/monitoring_cost.py [--rounds 40] [--requests 500]

The application is called in this process by its ASGI interface: no HTTP server and no client is in the figures. In each
round every variant answers the same number of requests, in an order that changes, and what the bare application took in
that round is subtracted. CPU is that of the whole process, so the threads that ship and export are in it: after its
requests each variant gets rid of what waits (to stand-ins in processes of their own) before the clock is read.
Exits 1 if a median is over its bar.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response
from prometheus_client import CollectorRegistry

from tocsin.engines.service import ServiceCommand, start_service
from tocsin.supervisor import Supervisor

SYSTEM = Path(__file__).parents[1] / "fixtures" / "systems" / "dharmamind"
sys.path[:0] = [str(SYSTEM), str(SYSTEM / "backend")]

from app.monitoring.monitoring_system import MonitoringSystem, RequestMetrics  # noqa: E402
from app.settings import Settings  # noqa: E402
from observability.log_shipping import LogShipper, OfficialClient  # noqa: E402
from observability.logs import Logs  # noqa: E402
from observability.tracing import Tracing  # noqa: E402

HEADERS = [(b"host", b"127.0.0.1"), (b"user-agent", b"bench"), (b"accept", b"*/*")]


def nothing_to_do() -> None:
    """Get rid of nothing."""


@dataclass(slots=True, eq=False)
class Monitored:
    """An application with one part of the monitoring."""

    app: FastAPI
    finish: Callable[[], None] = nothing_to_do
    """Ships or exports what waits."""
    close: Callable[[], None] = nothing_to_do


@dataclass(slots=True, eq=False)
class Variant:
    """A part of the monitoring, what it may cost, and what it costs."""

    name: str
    make: Callable[[str, str], Monitored]
    """Takes the addresses of Elasticsearch and of the trace backend."""
    bar: float | None = None
    costs: list[float] = field(default_factory=list)
    """Microseconds of CPU a request, one value a round."""


def variants() -> list[Variant]:
    """Return the variants, the bare one first."""
    return [
        Variant("bare application", lambda *_: Monitored(bare())),
        Variant("metrics", lambda *_: Monitored(metrics()), 40.0),
        Variant("log line", lambda *_: logged(), 60.0),
        Variant("log line, shipped", lambda elastic, _: logged(elastic)),
        Variant("tracing, ratio 0.1", lambda _, traces: traced(traces, 0.1), 60.0),
        Variant("tracing, ratio 1", lambda _, traces: traced(traces, 1.0), 200.0),
    ]


def bare() -> FastAPI:
    """Return an application whose one handler does nothing."""
    app = FastAPI(openapi_url=None)

    @app.get("/nothing")
    async def nothing() -> Response:
        """Answer."""
        return Response()

    return app


def metrics() -> FastAPI:
    """Return it with the backend's request metrics."""
    monitoring = MonitoringSystem(Settings())
    monitoring.know([("GET", "/nothing", 200)])
    app = bare()
    app.add_middleware(RequestMetrics, monitoring=monitoring)
    return app


def logged(shipped_to: str | None = None) -> Monitored:
    """Return it with one log event a request."""
    registry = CollectorRegistry()
    shipper = None
    if shipped_to:
        shipper = LogShipper(OfficialClient(shipped_to, "bench"), capacity=4000, registry=registry)
    logs = Logs("bench", registry, shipper)
    app = bare()
    app.add_middleware(logs)
    return Monitored(app, (lambda: _shipped(registry)) if shipper else nothing_to_do, logs.close)


def _shipped(registry: CollectorRegistry) -> None:
    waiting = threading.Event()
    while registry.get_sample_value("dharmamind_log_shipping_buffered"):
        waiting.wait(0.02)


def traced(endpoint: str, ratio: float) -> Monitored:
    """Return it with tracing."""
    tracing = Tracing("bench", endpoint=endpoint, ratio=ratio, registry=CollectorRegistry())
    app = bare()
    app.add_middleware(tracing)
    return Monitored(app, tracing.flush, tracing.close)


@contextlib.contextmanager
def standins() -> Iterator[tuple[Supervisor, str, str]]:
    """Give a supervisor, and the addresses of the stand-ins for Elasticsearch and for a trace backend."""
    with tempfile.TemporaryDirectory() as folder, Supervisor("monitoring-cost", Path(folder)) as supervisor:
        yield supervisor, _standin(supervisor, "elasticsearch"), _standin(supervisor, "otlp")


def _standin(supervisor: Supervisor, name: str) -> str:
    script = SYSTEM / "standins" / f"{name}.py"
    argv = (sys.executable, str(script), "--port", "0")
    return start_service(supervisor, ServiceCommand(name=name, argv=argv, cwd=SYSTEM, ready="/standin/mode")).url


async def drive(app: FastAPI, requests: int) -> None:
    """Send so many requests, one after another; raises AssertionError if one is not answered 200."""
    answered = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal answered
        answered += message["type"] == "http.response.start" and message["status"] == 200

    for _ in range(requests):
        await app(
            {
                "type": "http",
                "asgi": {"version": "3.0", "spec_version": "2.3"},
                "http_version": "1.1",
                "method": "GET",
                "scheme": "http",
                "path": "/nothing",
                "raw_path": b"/nothing",
                "query_string": b"",
                "root_path": "",
                "headers": HEADERS,
                "client": ("127.0.0.1", 50000),
                "server": ("127.0.0.1", 8000),
            },
            receive,
            send,
        )
    if answered != requests:
        raise AssertionError(f"{answered} of {requests} requests were answered")


def measure(monitored: Monitored, requests: int) -> float:
    """Return one round's microseconds of CPU a request."""
    gc.collect()
    began = time.process_time_ns()
    asyncio.run(drive(monitored.app, requests))
    monitored.finish()
    return (time.process_time_ns() - began) / 1000 / requests


def main() -> int:
    """Measure, print, and say whether every bar is kept."""
    parser = argparse.ArgumentParser(description="What monitoring costs a request.")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--requests", type=int, default=500)
    wanted = parser.parse_args()
    order = random.Random(1)  # noqa: S311  # an order, no secret
    with standins() as (_, elastic, traces), tempfile.TemporaryFile("w+") as lines:
        made = [(variant, variant.make(elastic, traces)) for variant in variants()]
        with contextlib.redirect_stdout(lines):  # the log lines go to a file, as in a drill
            for round_number in range(wanted.rounds + 2):
                for variant, monitored in order.sample(made, len(made)):
                    cost = measure(monitored, wanted.requests)
                    if round_number >= 2:  # before that, caches and lazy imports
                        variant.costs.append(cost)
        for _, monitored in made:
            monitored.close()
    print(f"In process by ASGI, no HTTP server; {wanted.rounds} rounds of {wanted.requests} requests, alternating.")
    return report([variant for variant, _ in made])


def report(made: list[Variant]) -> int:
    """Print a line a variant; 1 if one is over its bar."""
    base = made[0]
    print(f"{'':22}{'us of CPU':>10}  {'above bare: median':>18}  {'quartiles':>13}  {'ratio':>6}  {'bar':>5}")
    over = False
    for variant in made:
        above = [cost - bare_cost for cost, bare_cost in zip(variant.costs, base.costs, strict=True)]
        low, middle, high = statistics.quantiles(above, n=4)
        whole = statistics.median(variant.costs)
        ratio = whole / statistics.median(base.costs)
        bar = f"{variant.bar:g}" if variant.bar else ""
        print(f"{variant.name:22}{whole:10.1f}  {middle:18.1f}  {low:6.1f}-{high:6.1f}  {ratio:6.2f}  {bar:>5}")
        over |= variant.bar is not None and middle > variant.bar
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
