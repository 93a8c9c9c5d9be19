"""`tocsin up`: a system of processes on fixed ports of this machine, with its monitoring, until it is told to stop."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from rich.console import Console

from tocsin.compression.written import yaml_text
from tocsin.deadline import Stopped
from tocsin.drill.monitoring import Setup
from tocsin.drill.preparation import prepare
from tocsin.drill.stack import FreshStack
from tocsin.engines.trouble import EngineTrouble
from tocsin.evidence import Recording
from tocsin.supervisor import Kind
from tocsin.system import BadSystem, Environment, Problem, System

PORT_BASE = 19090
"""Ten thousand above Prometheus's own port: what runs on the machine already is out of the way."""
ENGINES = {"prometheus": 0, "alertmanager": 3, "sink": 4}
"""The engines' ports above the base, as 9090 and 9093 are; the processes follow from FIRST_PROCESS on."""
NODE_EXPORTER = 9
"""Its port above the base, where a scrape job has it as its target."""
FIRST_PROCESS = 10
EVERY = 0.5
"""Seconds between two looks at whether all of it still runs."""


@dataclass(frozen=True, slots=True)
class UpRequest:
    """What to start."""

    system: System
    environment: str | None
    """None: the only one that has processes."""
    factor: float | None
    """How many times faster than production; None: as the environment says."""
    port_base: int


def stay_up(console: Console, request: UpRequest) -> None:
    """Start a system, print where it is, and return when SIGINT or SIGTERM came and all of it has ended.

    Raises BadSystem, and Trouble if a port is taken, something does not start, or something ends by itself.
    """
    system, name = _chosen(request)
    declared = system.environment(name)[1]
    ports = ports_of(declared, request.port_base)
    # All that any drill looks at is there to be looked at.
    exporters = {job: engine for drill in system.declaration.drills.values() for job, engine in drill.exporters.items()}
    if "node_exporter" in {*exporters.values(), *declared.exporters.values()}:
        ports = {**ports, "node_exporter": request.port_base + NODE_EXPORTER}
    prepared = prepare(system, name)
    for port in ports.values():
        _expect_free(port)
    with _told_to_stop() as stop, TemporaryDirectory(prefix="tocsin-up-", ignore_cleanup_errors=True) as folder:
        stack = FreshStack(
            prepared, Recording(Path(folder)), name="up", stop=stop, ports=ports, setup=Setup(exporters=exporters)
        )
        with closing(stack):
            try:
                stack.arm(lambda stage: console.print(f"{stage} ...", highlight=False))
                _print_addresses(console, system, name, ports)
                while not stop.wait(EVERY):
                    stack.check()
            except Stopped:
                pass
    console.print("stopped; everything that was started has ended", highlight=False)


def ports_of(environment: Environment, base: int) -> Mapping[str, int]:
    """Return the port of each engine and process."""
    processes = {process: base + FIRST_PROCESS + i for i, process in enumerate(environment.processes)}
    return {engine: base + above for engine, above in ENGINES.items()} | processes


def environment_of(environment: Environment, ports: Mapping[str, int]) -> dict[str, object]:
    """Return the environment, as system.yaml has it, by which what is up can be drilled as a system that runs."""
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    return {
        "factor": 1,
        "pace": environment.factor,
        **{engine: {"url": urls[engine]} for engine in ENGINES},
        "addresses": {name: urls[name] for name, process in environment.processes.items() if not process.optional},
        "hosts": ["127.0.0.1"],
        "allow_load": True,
        "allow_receivers": [],
        "ceilings": {"users": 50, "requests_per_second": 400, "seconds": 1800},
    }


def _chosen(request: UpRequest) -> tuple[System, str]:
    """Return the system, its factor as asked for, and the environment to start."""
    system = request.system
    ours = [name for name, environment in system.declaration.environments.items() if environment.ours]
    only = ours[0] if request.environment is None and len(ours) == 1 else request.environment
    name, declared = system.environment(only)
    if not declared.ours:
        said = f"runs already, so there is nothing to start; environments with processes: {', '.join(ours) or 'none'}"
        raise BadSystem((Problem(system.place("environments", name), said),))
    if request.factor is None:
        return system, name
    changed = declared.model_copy(update={"factor": request.factor})
    environments = {**system.declaration.environments, name: changed}
    return replace(system, declaration=system.declaration.model_copy(update={"environments": environments})), name


def _expect_free(port: int) -> None:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            detail = f"{error.strerror}; is it up already? Choose other ports with --port-base"
            raise EngineTrouble("a port is taken", f"127.0.0.1:{port}", detail, Kind.FAILED) from error


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set; the signals do as before afterwards."""
    stop = threading.Event()

    def told(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, told) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_addresses(console: Console, system: System, name: str, ports: Mapping[str, int]) -> None:
    declared = system.environment(name)[1]
    pace = "at production's pace" if declared.factor == 1 else f"{declared.factor:g} times faster than production"
    said = [f"{system.name} ({name}) is up, {pace}:"]
    said += [f"  {each:<14} http://127.0.0.1:{port}" for each, port in ports.items()]
    fitting = _fitting(system, declared.factor, ports["prometheus"])
    if fitting is None:
        block = yaml_text({"environments": {"staging": environment_of(declared, ports)}})
        said += ["no environment of its system.yaml is this one; to drill it, add:", block.rstrip()]
    said += [
        "drill it from another terminal:",
        f"  pytest -m load --system {_shown(system.directory)} --environment {fitting or 'staging'}",
        "stop it with Ctrl-C",
    ]
    console.print("\n".join(said), highlight=False, markup=False, soft_wrap=True)


def _fitting(system: System, factor: float, port: int) -> str | None:
    """Return the environment that is what is up now."""
    urls = {f"http://{host}:{port}" for host in ("127.0.0.1", "localhost")}
    for name, environment in system.declaration.environments.items():
        running = environment.prometheus
        if running is not None and running.url.rstrip("/") in urls and environment.pace == factor:
            return name
    return None


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
