"""A Prometheus of our own: start it on a free port, wait until monitoring works, reload, restart, stop."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from tocsin.engines.binaries import Engine, find_engine
from tocsin.engines.http_api import TIMEOUT_SECONDS
from tocsin.engines.prometheus_api import PrometheusApi
from tocsin.engines.readiness import await_alertmanagers, await_rules, await_targets
from tocsin.engines.service import GO_LISTENS, Service, ServiceCommand, command_line, start_service
from tocsin.engines.trouble import EngineTrouble
from tocsin.supervisor import LineReader, Process, ProcessExit, Supervisor

WORKS_WITHIN_SECONDS = 20.0
"""Discovery takes up to 5 s and the first scrape and evaluation an interval each; the rest is for a busy machine."""

_IS_ERROR = re.compile(r'(?i)"level":"error"')


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusSettings:
    """What a Prometheus is started with."""

    config: Path
    data: Path
    flags: Sequence[str] = ()
    """Further flags, as --query.lookback-delta=5s."""
    binary: Path | None = None
    """None: where binaries finds it."""
    name: str = "prometheus"
    timeout: float = TIMEOUT_SECONDS
    """Of each request to it, in seconds."""


class Prometheus:
    """A Prometheus of our own that runs."""

    def __init__(self, settings: PrometheusSettings, service: Service) -> None:
        self.settings = settings
        self.service = service
        self.api = PrometheusApi(service.url, timeout=settings.timeout)

    @classmethod
    def start(
        cls,
        supervisor: Supervisor,
        settings: PrometheusSettings,
        *,
        port: int = 0,
        seconds: float = WORKS_WITHIN_SECONDS,
        stop: Event | None = None,
    ) -> Prometheus:
        """Start it and return it when /-/ready answers, which is before monitoring works: see await_working.

        Raises EngineTrouble with the end of its log, and Stopped.
        """
        command = ServiceCommand(
            name=settings.name,
            argv=command_line(
                settings.binary or find_engine(Engine.PROMETHEUS),
                f"--config.file={settings.config.absolute()}",
                f"--storage.tsdb.path={settings.data.absolute()}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--web.enable-lifecycle",
                "--log.format=json",
                settings.flags,
            ),
            cwd=settings.config.absolute().parent,
            listens=GO_LISTENS,
            ready="/-/ready",
        )
        return cls(settings, start_service(supervisor, command, seconds=seconds, stop=stop))

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.service.url

    @property
    def process(self) -> Process:
        """The child process."""
        return self.service.process

    def await_working(
        self,
        *,
        jobs: Collection[str],
        rules: int,
        alertmanagers: int = 1,
        seconds: float = WORKS_WITHIN_SECONDS,
        stop: Event | None = None,
    ) -> None:
        """Wait for every barrier of readiness; each has so many seconds. Raises EngineTrouble, and Stopped."""
        check = self.service.check_running
        await_targets(self.api, jobs=jobs, seconds=seconds, stop=stop, check=check)
        await_alertmanagers(self.api, count=alertmanagers, seconds=seconds, stop=stop, check=check)
        await_rules(self.api, count=rules, seconds=seconds, stop=stop, check=check)

    def reload(
        self,
        *,
        rules: int,
        alertmanagers: int = 1,
        seconds: float = WORKS_WITHIN_SECONDS,
        stop: Event | None = None,
    ) -> None:
        """Make it read its files again and wait until Alertmanager is known again and the rules are healthy.

        Raises EngineTrouble, with what its log says, if it does not take them.
        """
        check = self.service.check_running
        log = LineReader(self.process.log, self.process.log.stat().st_size)
        try:
            self.api.reload()
        except EngineTrouble as trouble:  # its answer names no cause, its log does
            said = [line for line in log.new_lines() if _IS_ERROR.search(line)]
            detail = "\n".join([trouble.detail, *said])
            raise EngineTrouble(trouble.what, trouble.where, detail, trouble.kind) from trouble
        await_alertmanagers(self.api, count=alertmanagers, seconds=seconds, stop=stop, check=check)
        await_rules(self.api, count=rules, seconds=seconds, stop=stop, check=check)

    def stop(self, *, seconds: float = 5.0) -> ProcessExit:
        """Stop it; its data are complete on disk then."""
        self.api.close()
        return self.service.stop(seconds=seconds)

    def restarted(self, *, seconds: float = WORKS_WITHIN_SECONDS, stop: Event | None = None) -> Prometheus:
        """Return a new one on the same port and data, this one stopped if it still ran."""
        self.stop()
        return self.start(self.service.supervisor, self.settings, port=self.service.port, seconds=seconds, stop=stop)
