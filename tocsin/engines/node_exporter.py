"""A node exporter of our own, with few collectors, on a free port unless one is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Event

from tocsin.engines.binaries import Engine, find_engine
from tocsin.engines.service import GO_LISTENS, Service, ServiceCommand, command_line, start_service
from tocsin.supervisor import Supervisor

COLLECTORS = ("cpu", "meminfo", "loadavg", "filesystem")
"""What common rules on machines read; all collectors cost 9 ms of CPU a scrape, these about one."""


def start_node_exporter(
    supervisor: Supervisor,
    *,
    cwd: Path,
    collectors: Sequence[str] = COLLECTORS,
    binary: Path | None = None,
    name: str = "node_exporter",
    port: int = 0,
    seconds: float = 20.0,
    stop: Event | None = None,
) -> Service:
    """Start it and return it when it answers. Raises EngineTrouble with the end of its log, and Stopped."""
    command = ServiceCommand(
        name=name,
        argv=command_line(
            binary or find_engine(Engine.NODE_EXPORTER),
            f"--web.listen-address=127.0.0.1:{port}",
            "--collector.disable-defaults",
            [f"--collector.{collector}" for collector in collectors],
            "--web.disable-exporter-metrics",
            "--log.format=json",
        ),
        cwd=cwd,
        listens=GO_LISTENS,
        ready="/",
    )
    return start_service(supervisor, command, seconds=seconds, stop=stop)
