"""The same as monitoring_cost.py, served by uvicorn: each variant in a process of its own, asked over one connection.

    .venv/bin/python -m bench.monitoring_cost_served [--rounds 8] [--requests 2000]

CPU is what the kernel's scheduler counts for the process, all its threads together. What the HTTP server takes is in
all the figures, and in the bare one too; so they spread wider, and the bars are not for them.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import sys
import threading
from pathlib import Path

from fastapi import FastAPI

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))

from bench.monitoring_cost import Variant, report, standins, variants  # noqa: E402
from tocsin.engines.service import Service, ServiceCommand, start_service  # noqa: E402
from tocsin.supervisor import Supervisor  # noqa: E402

SETTLED_SECONDS = 1.5
"""After that the threads have shipped and exported what the requests of a round left."""


def served() -> FastAPI:
    """Return the variant that the environment names; uvicorn calls this."""
    variant = next(variant for variant in variants() if variant.name == os.environ["COST_VARIANT"])
    return variant.make(os.environ["COST_ELASTICSEARCH"], os.environ["COST_TRACES"]).app


def start(supervisor: Supervisor, variant: Variant, elastic: str, traces: str) -> Service:
    """Start a variant."""
    options = ("--factory", "--host", "127.0.0.1", "--port", "0", "--no-access-log")
    environment = {"COST_VARIANT": variant.name, "COST_ELASTICSEARCH": elastic, "COST_TRACES": traces}
    command = ServiceCommand(
        name=variant.name.replace(" ", "-").replace(",", ""),
        argv=(sys.executable, "-m", "uvicorn", "bench.monitoring_cost_served:served", *options),
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        ready="/nothing",
    )
    return start_service(supervisor, command)


def measure(service: Service, requests: int) -> float:
    """Return one round's microseconds of CPU a request."""
    before = used_nanoseconds(service.process.pid)
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    for _ in range(requests):
        connection.request("GET", "/nothing")
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise AssertionError(f"status {answer.status}")
    connection.close()
    threading.Event().wait(SETTLED_SECONDS)
    return (used_nanoseconds(service.process.pid) - before) / 1000 / requests


def used_nanoseconds(pid: int) -> int:
    """Return the CPU time of a process's threads; none of them ends while it is measured."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What monitoring costs a request that uvicorn serves.")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--requests", type=int, default=2000)
    wanted = parser.parse_args()
    order = random.Random(1)  # noqa: S311  # an order, no secret
    with standins() as (supervisor, elastic, traces):
        made = [(variant, start(supervisor, variant, elastic, traces)) for variant in variants()]
        for round_number in range(wanted.rounds + 1):
            for variant, service in order.sample(made, len(made)):
                cost = measure(service, wanted.requests)
                if round_number:
                    variant.costs.append(cost)
    print(f"Served by uvicorn; {wanted.rounds} rounds of {wanted.requests} requests, alternating.")
    for variant, _ in made:
        variant.bar = None
    return report([variant for variant, _ in made])


if __name__ == "__main__":
    sys.exit(main())
