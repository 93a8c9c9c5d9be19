"""The harness's side of the capture sink: start it, read what it took, wait for a notification."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tocsin.deadline import DeadlineExceeded, Unmet, wait_until
from tocsin.sinks import webhook
from tocsin.supervisor import Kind, LineReader, Process, ProcessExit, Supervisor, Trouble, await_line, check_running

READY_WITHIN_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A webhook of an Alertmanager as the sink got it."""

    time: float
    """Unix time of receipt, seconds, by the sink's clock."""
    receiver: str
    integration: str
    index: int
    payload: dict[str, Any]


class CaptureSink:
    """A capture sink that runs."""

    def __init__(self, supervisor: Supervisor, process: Process, port: int, file: Path) -> None:
        self.supervisor = supervisor
        self.process = process
        self.port = port
        self.file = file
        self._reader = LineReader(file)
        self._found: list[Notification] = []
        self._reading = threading.Lock()

    @classmethod
    def start(
        cls,
        supervisor: Supervisor,
        file: Path,
        *,
        name: str = "sink",
        port: int = 0,
        seconds: float = READY_WITHIN_SECONDS,
        stop: threading.Event | None = None,
    ) -> CaptureSink:
        """Start it and return it when it listens, on a free port unless one is named.

        Raises Trouble with the end of its log, and Stopped.
        """
        path = file.absolute()
        argv = [sys.executable, "-I", "-S", webhook.__file__, "--port", str(port), "--file", str(path)]
        process = supervisor.start(name, argv, cwd=path.parent)
        try:
            match = await_line(
                process, webhook.LISTENS, what="the capture sink did not start", seconds=seconds, stop=stop
            )
        except BaseException:
            supervisor.stop(process, seconds=1)
            raise
        return cls(supervisor, process, int(match["port"]), path)

    @property
    def url(self) -> str:
        """Where it listens; see `webhook_url` for what a receiver is given."""
        return f"http://127.0.0.1:{self.port}"

    def webhook_url(self, receiver: str, integration: str, index: int) -> str:
        """Return the URL by which a receiver's integration is known again."""
        return f"{self.url}/{quote(receiver, safe='')}/{quote(integration, safe='')}/{index}"

    def notifications(self) -> list[Notification]:
        """Return every notification so far, in the order of writing."""
        with self._reading:
            self._found += [Notification(**json.loads(line)) for line in self._reader.new_lines()]
            return list(self._found)

    def wait_for(
        self,
        predicate: Callable[[Notification], bool],
        seconds: float,
        *,
        what: str = "a notification",
        stop: threading.Event | None = None,
    ) -> Notification:
        """Return the first notification that satisfies the predicate, as soon as it is there.

        Raises Trouble (timed out) with what came instead, Trouble (exited) if the sink has ended, and Stopped.
        """

        def look() -> Notification | Unmet:
            found = self.notifications()
            match = next((each for each in found if predicate(each)), None)
            if match is None:
                check_running(self.process, "the capture sink is not running")
            return match or Unmet(f"{len(found)} other notifications came: {_summary(found)}")

        try:
            return wait_until(look, seconds=seconds, what=what, stop=stop)
        except DeadlineExceeded as error:
            raise Trouble(
                f"{what} did not come", self.url, f"in {seconds:g} s {error.reason}", Kind.TIMED_OUT
            ) from error

    def stop(self, *, seconds: float = 5.0) -> ProcessExit:
        """Stop it; all that it took is in the file."""
        return self.supervisor.stop(self.process, seconds=seconds)


def _summary(found: list[Notification]) -> str:
    described = [
        f"{each.receiver} got {each.payload.get('status')} {each.payload.get('groupLabels')}" for each in found[-5:]
    ]
    return "; ".join(described) or "none"
