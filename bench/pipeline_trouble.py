"""Measure whether the application notices that Elasticsearch or the trace backend is down, slow, or answers 500.

    .venv/bin/python bench/pipeline_trouble.py [--runs 5] [--seconds 5] [--rate 200]

A backend with shipping of logs and tracing (every request recorded) is asked at a steady rate while one of the
stand-ins is in trouble; runs with trouble alternate with healthy ones. Prints the medians over the runs of the 99th
percentile of the response time and of the CPU a request, and the memory of the process after each round. Exits 1 if a
percentile with trouble is more than 20 % over the healthy one, or if memory at the end is more than 5 % over what it
was after the first round, and 10 if the machine had no processor to spare, so that the percentiles say nothing.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

import psutil

from tocsin.engines.service import Service, ServiceCommand, start_service
from tocsin.supervisor import Supervisor

SYSTEM = Path(__file__).parents[1] / "fixtures" / "systems" / "dharmamind"
HEALTHY = ("all well", None, "ok")
TROUBLES = tuple(
    (f"{name} {mode}", name, mode) for name in ("elasticsearch", "otlp") for mode in ("down", "slow", "error")
)
CALLERS = 4
SLOWER = 1.20
MORE_MEMORY = 1.05
STARVED = 0.5
"""Share of the time in which something waited for a processor, from which on the drills judge nothing late either."""

INCONCLUSIVE = 10


@dataclass(frozen=True, slots=True)
class Running:
    """What runs."""

    standins: dict[str, Service]
    backend: Service

    def resident(self) -> float:
        """Return the backend's memory in MB."""
        return float(psutil.Process(self.backend.process.pid).memory_info().rss) / 2**20

    def cpu_seconds(self) -> float:
        """Return the CPU time of the backend, all its threads."""
        return float(sum(psutil.Process(self.backend.process.pid).cpu_times()[:2]))

    def figures(self) -> dict[str, float]:
        """Return what the backend says of its pipelines."""
        with urlopen(f"{self.backend.url}/metrics", timeout=5) as answer:
            lines = [line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines if "_shipping_" in name or "_spans_" in name}


def start(supervisor: Supervisor) -> Running:
    """Start the stand-ins and a backend that sends to both."""
    standins = {
        name: start_service(
            supervisor,
            ServiceCommand(
                name=name,
                argv=(sys.executable, str(SYSTEM / "standins" / f"{name}.py")),
                cwd=SYSTEM,
                ready="/standin/mode",
            ),
        )
        for name in ("elasticsearch", "otlp")
    }
    environment = {
        "ELASTICSEARCH_URL": standins["elasticsearch"].url,
        "OTEL_EXPORTER_OTLP_ENDPOINT": standins["otlp"].url,
        "TRACE_SAMPLING_RATIO": "1",
        "REQUESTS_PER_SECOND_PER_CLIENT": "100000",
        "LOG_BUFFER": "500",  # so that it is full before a run is over
    }
    options = ("--host", "127.0.0.1", "--port", "0", "--no-access-log")
    backend = ServiceCommand(
        name="backend",
        argv=(sys.executable, "-m", "uvicorn", "app.main:app", *options),
        cwd=SYSTEM / "backend",
        env={**os.environ, **environment},
        ready="/health/ready",
    )
    return Running(standins, start_service(supervisor, backend))


def switch(standin: Service, mode: str) -> None:
    """Put a stand-in into a mode; slow is slower than any timeout."""
    body = json.dumps({"mode": mode, "seconds": 60}).encode()
    with urlopen(Request(f"{standin.url}/standin/mode", data=body), timeout=5) as answer:
        answer.read()


def ask(port: int, rate: float, seconds: float, times: list[float]) -> None:
    """Ask at a steady rate. A response time counts from when the request was due, so a late answer is not forgiven."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    pause = threading.Event()
    began = time.monotonic()
    for number in range(int(rate * seconds)):
        due = began + number / rate
        pause.wait(max(0.0, due - time.monotonic()))
        connection.request("GET", "/api/meditations")
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise AssertionError(f"status {answer.status}")
        times.append(time.monotonic() - due)
    connection.close()


def percentile(backend: Service, rate: float, seconds: float) -> float:
    """Return the 99th percentile of the response time, in milliseconds."""
    times: list[float] = []
    callers = [
        threading.Thread(target=ask, args=(backend.port, rate / CALLERS, seconds, times)) for _ in range(CALLERS)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    if len(times) != CALLERS * int(rate / CALLERS * seconds):
        raise AssertionError("a caller gave up")
    return 1000 * statistics.quantiles(times, n=100)[98]


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured, by the name of the trouble and of the run in it."""

    percentiles: dict[tuple[str, str], list[float]]
    """99th of the response time, milliseconds."""
    cpu: dict[tuple[str, str], list[float]]
    """Of the backend's process, all threads, microseconds a request."""
    memory: list[float]
    """MB, after each round."""


def run(running: Running, wanted: argparse.Namespace) -> Measured:
    """Measure each kind of trouble beside a healthy run, so many times."""
    measured = Measured(defaultdict(list), defaultdict(list), [])
    percentile(running.backend, wanted.rate, wanted.seconds)  # warm
    for _ in range(wanted.runs):
        for name, standin, mode in TROUBLES:
            for kind, where, how in ((HEALTHY[0], standin, "ok"), (name, standin, mode)):
                switch(running.standins[where], how)
                before = running.cpu_seconds()
                measured.percentiles[name, kind].append(percentile(running.backend, wanted.rate, wanted.seconds))
                used = running.cpu_seconds() - before
                measured.cpu[name, kind].append(1e6 * used / (wanted.rate * wanted.seconds))
            switch(running.standins[standin], "ok")
        measured.memory.append(running.resident())
    return measured


def main() -> int:
    """Measure, print, and say whether the bars are kept."""
    parser = argparse.ArgumentParser(description="Does the application notice that its logs and traces go nowhere?")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=200.0)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Supervisor("pipeline-trouble", Path(folder)) as supervisor:
        running = start(supervisor)
        began, waited = time.monotonic(), processor_waited_for()
        measured = run(running, wanted)
        starved = (processor_waited_for() - waited) / (time.monotonic() - began)
        return report(measured, running.figures(), starved)


def processor_waited_for() -> float:
    """Return for how many seconds, since the machine started, something waited for a processor (PSI)."""
    total = Path("/proc/pressure/cpu").read_text().splitlines()[0].rpartition("total=")[2]
    return int(total) / 1e6


def report(measured: Measured, figures: dict[str, float], starved: float) -> int:
    """Print everything; 1 if a bar is broken, 10 if the machine was too busy to tell."""
    memory, slower = measured.memory, False
    print(f"medians of {len(memory)} alternating runs; p99 in ms, CPU in us a request")
    print(f"{'':22}{'p99 well':>10}{'in trouble':>12}{'ratio':>8}{'CPU well':>12}{'in trouble':>12}{'ratio':>8}")
    for name, _, _ in TROUBLES:
        well, ill, cpu_well, cpu_ill = (
            statistics.median(figure[name, kind])
            for figure in (measured.percentiles, measured.cpu)
            for kind in (HEALTHY[0], name)
        )
        slower |= ill > SLOWER * well
        print(f"{name:22}{well:10.2f}{ill:12.2f}{ill / well:8.2f}", end="")
        print(f"{cpu_well:12.0f}{cpu_ill:12.0f}{cpu_ill / cpu_well:8.2f}")
    print("memory after each round, MB: " + ", ".join(f"{used:.1f}" for used in memory))
    print("at the end: " + ", ".join(f"{name}={value:g}" for name, value in sorted(figures.items())))
    print(f"something waited for a processor in {starved:.0%} of the time")
    if memory[-1] > MORE_MEMORY * memory[0]:
        return 1
    return INCONCLUSIVE if starved > STARVED else int(slower)


if __name__ == "__main__":
    sys.exit(main())
