"""An Alertmanager: its API, and one of our own on a free port, alone or in a cluster, with a log that tells all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from tocsin.engines.alertmanager_log import AlertmanagerEvent, events
from tocsin.engines.binaries import Engine, find_engine
from tocsin.engines.http_api import TIMEOUT_SECONDS, HttpApi
from tocsin.engines.service import GO_LISTENS, Service, ServiceCommand, command_line, start_service
from tocsin.supervisor import LineReader, Process, ProcessExit, Supervisor

READY_WITHIN_SECONDS = 20.0


class AlertmanagerApi(HttpApi):
    """An Alertmanager, ours or another's, over its API v2. Every method raises EngineTrouble."""

    def __init__(
        self,
        url: str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        headers: Mapping[str, str] | None = None,
        verify: bool | str = True,
    ) -> None:
        super().__init__("Alertmanager", url, timeout=timeout, headers=headers, verify=verify)

    def alerts(self, matchers: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Return the alerts that it holds, silenced and inhibited ones too; matchers as `severity="critical"`.

        `updatedAt` is when it was last sent, not first: for that see the log.
        """
        return list(self.json("/api/v2/alerts", params={"filter": list(matchers)}))

    def groups(self) -> list[dict[str, Any]]:
        """Return the alerts by aggregation group and receiver."""
        return list(self.json("/api/v2/alerts/groups"))

    def status(self) -> dict[str, Any]:
        """Return its status: config.original, versionInfo, uptime."""
        return dict(self.json("/api/v2/status"))

    def members(self) -> list[str]:
        """Return the addresses of the members of its cluster that it believes alive, its own too; none if alone."""
        return [str(peer["address"]) for peer in self.status()["cluster"].get("peers") or ()]

    def address(self) -> str:
        """Return the address at which it tells its peers that it is; empty if it is alone."""
        cluster = self.status()["cluster"]
        own = (str(peer["address"]) for peer in cluster.get("peers") or () if peer["name"] == cluster["name"])
        return next(own, "")

    def settled(self) -> bool:
        """Tell whether it has found its cluster, before which it notifies nobody; true of one that is alone."""
        return self.status()["cluster"]["status"] in ("ready", "disabled")

    def receivers(self) -> list[str]:
        """Return the names of its receivers."""
        return [each["name"] for each in self.json("/api/v2/receivers")]

    def version(self) -> str:
        """Return its version."""
        return str(self.status()["versionInfo"]["version"])

    def metrics(self) -> str:
        """Return its own exposition."""
        return self.text("/metrics")

    def reload(self) -> None:
        """Make it read its configuration again; raises EngineTrouble with its reason if it will not."""
        self.text("/-/reload", method="POST")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """How an Alertmanager finds its peers and is found by them; addresses are host:port."""

    listen: str = "127.0.0.1:0"
    advertise: str = ""
    """Where peers are told that it is, if that is not where it listens."""
    peers: Sequence[str] = ()
    flags: Mapping[str, str] = field(default_factory=dict)
    """Times, as cluster.peer-timeout: 250ms."""

    def command(self) -> Iterator[str]:
        """Yield its options on the command line."""
        yield f"--cluster.listen-address={self.listen}"
        if self.advertise:
            yield f"--cluster.advertise-address={self.advertise}"
        yield from (f"--cluster.peer={peer}" for peer in self.peers)
        yield from (f"--{name}={value}" for name, value in self.flags.items())


ALONE = ClusterSettings(listen="")
"""No cluster: even one of its only member settles first, and the first notification would be 9 s late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerSettings:
    """What an Alertmanager is started with."""

    config: Path
    data: Path
    flags: Sequence[str] = ()
    binary: Path | None = None
    """None: where binaries finds it."""
    name: str = "alertmanager"
    cluster: ClusterSettings = ALONE
    timeout: float = TIMEOUT_SECONDS
    """Of each request to it, in seconds."""


class Alertmanager:
    """An Alertmanager of our own that runs."""

    def __init__(self, settings: AlertmanagerSettings, service: Service) -> None:
        self.settings = settings
        self.service = service
        self.api = AlertmanagerApi(service.url, timeout=settings.timeout)

    @classmethod
    def start(
        cls,
        supervisor: Supervisor,
        settings: AlertmanagerSettings,
        *,
        port: int = 0,
        seconds: float = READY_WITHIN_SECONDS,
        stop: Event | None = None,
    ) -> Alertmanager:
        """Start it and return it when /-/ready answers. Raises EngineTrouble with the end of its log, and Stopped."""
        command = ServiceCommand(
            name=settings.name,
            argv=command_line(
                settings.binary or find_engine(Engine.ALERTMANAGER),
                f"--config.file={settings.config.absolute()}",
                f"--storage.path={settings.data.absolute()}",
                f"--web.listen-address=127.0.0.1:{port}",
                *settings.cluster.command(),
                "--log.level=debug",
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

    def events(self) -> list[AlertmanagerEvent]:
        """Return what it has logged of alerts and notifications since it started."""
        return list(events(LineReader(self.process.log, self.process.log_offset).new_lines()))

    def stop(self, *, seconds: float = 5.0) -> ProcessExit:
        """Stop it; it then saves whom it has notified, so that a restart notifies nobody twice."""
        self.api.close()
        return self.service.stop(seconds=seconds)

    def restarted(self, *, seconds: float = READY_WITHIN_SECONDS, stop: Event | None = None) -> Alertmanager:
        """Return a new one on the same port and data, this one stopped if it still ran."""
        self.stop()
        return self.start(self.service.supervisor, self.settings, port=self.service.port, seconds=seconds, stop=stop)
