"""A server that we start: find its port in its log, wait until it is ready, stop it, start it again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from tocsin.deadline import DeadlineExceeded, Unmet, wait_until
from tocsin.engines.http_api import HttpApi
from tocsin.engines.trouble import EngineTrouble
from tocsin.supervisor import Kind, Process, ProcessExit, Supervisor, Trouble, await_line, check_running, tail

READY_WITHIN_SECONDS = 30.0

PRINTED_URL = re.compile(
    r"(?i)(?:running|listening|serving|started|ready)\b.*?https?://127\.0\.0\.1:(?P<port>[1-9]\d*)"
)
"""How uvicorn, and most others, tell where they listen; port 0 is what was asked for, not where it is."""

GO_LISTENS = re.compile(r'(?=.*"msg":"Listening on").*"address":"127\.0\.0\.1:(?P<port>[1-9]\d*)"')
"""How Prometheus's exporter-toolkit tells it in a JSON log, in both forms (logfmt's successor slog since 2024)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCommand:
    """How to start a server."""

    name: str
    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] | None = None
    """Its whole environment; None: ours."""
    log: Path | None = None
    listens: re.Pattern[str] = PRINTED_URL
    """Finds the port (group "port") in a line of its log."""
    ready: str = "/"
    """Path that answers 200 when it is ready."""
    scheme: str = "http"


@dataclass(frozen=True, slots=True)
class Service:
    """A server of ours that runs."""

    supervisor: Supervisor
    command: ServiceCommand
    process: Process
    port: int

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{self.command.scheme}://127.0.0.1:{self.port}"

    def check_running(self) -> None:
        """Raise EngineTrouble, with the end of its log, if it has exited."""
        try:
            check_running(self.process, f"{self.command.name} is not running")
        except Trouble as trouble:
            raise _engine(trouble) from trouble

    def stop(self, *, seconds: float = 5.0) -> ProcessExit:
        """SIGTERM, so many seconds, SIGKILL; with all that comes from it."""
        return self.supervisor.stop(self.process, seconds=seconds)

    def kill(self) -> ProcessExit:
        """SIGKILL, with all that comes from it."""
        return self.supervisor.kill(self.process)


def start_service(
    supervisor: Supervisor,
    command: ServiceCommand,
    *,
    seconds: float = READY_WITHIN_SECONDS,
    stop: Event | None = None,
) -> Service:
    """Start a server and return it when it is ready.

    Raises EngineTrouble, with the end of its log, if it exits, does not tell its port or is not ready in time (it is
    stopped then), and Stopped if `stop` is set.
    """
    name = command.name
    try:
        process = supervisor.start(name, command.argv, cwd=command.cwd, env=command.env, log=command.log)
    except Trouble as trouble:
        raise _engine(trouble) from trouble
    try:
        found = await_line(
            process, command.listens, what=f"{name} did not say where it listens", seconds=seconds, stop=stop
        )
        service = Service(supervisor, command, process, _real_port(found, process))
        await_ready(service, seconds=seconds, stop=stop)
    except BaseException as error:
        supervisor.stop(process, seconds=1)
        if isinstance(error, Trouble):
            raise _engine(error) from error
        raise
    return service


def _real_port(found: re.Match[str], process: Process) -> int:
    """Return the port that a server printed; 0 is what it was given, not where it is."""
    port = int(found["port"])
    if not port:
        said = f"it said {found[0]!r}: bind the port 0 that it is given, and print the one that the system chose"
        raise EngineTrouble(f"{process.name} did not say its real port", str(process.log), said)
    return port


def await_ready(service: Service, *, seconds: float, stop: Event | None = None) -> None:
    """Wait until the readiness path answers 200; raises EngineTrouble, with the last answer, if it does not in time."""
    command = service.command
    api = HttpApi(command.name, service.url, timeout=max(0.1, min(seconds, 2.0)))

    def ready() -> bool | Unmet:
        service.check_running()
        reason = api.answers(command.ready)
        return Unmet(reason) if reason else True

    what = f"{command.name} did not get ready"
    try:
        wait_until(ready, seconds=seconds, what=what, stop=stop)
    except DeadlineExceeded as error:
        detail = f"GET {command.ready}, asked for {seconds:g} s: {error.reason}. The end of its log:\n"
        raise EngineTrouble(what, service.url, detail + tail(service.process), Kind.TIMED_OUT) from error
    finally:
        api.close()


def command_line(program: Path, *arguments: Sequence[str] | str) -> tuple[str, ...]:
    """Return a command from single arguments and sequences of them."""
    flat = [(part,) if isinstance(part, str) else tuple(part) for part in arguments]
    return (str(program), *(argument for part in flat for argument in part))


def _engine(trouble: Trouble) -> EngineTrouble:
    return EngineTrouble(trouble.what, trouble.where, trouble.detail, trouble.kind)
