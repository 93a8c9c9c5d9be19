"""Load: a Locust profile, run without a user interface as a child process and never imported.

Importing Locust patches the sockets and threads of the whole process, the harness's clocks among them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tocsin.engines.trouble import EngineTrouble
from tocsin.supervisor import Kind, LineReader, Process, ProcessExit, Supervisor, Trouble, tail

LOAD_LOG = "TOCSIN_LOAD_LOG"
"""Environment variable that names the file into which a profile writes what it did, one JSON object a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSettings:
    """What a load is started with."""

    profile: Path
    """The Locust file."""
    host: str
    """Base URL of what gets the load."""
    load_log: Path
    users: int | None = None
    """Closed-loop users; None where the profile has a shape, which decides by itself."""
    spawn_rate: float | None = None
    """Users that start a second."""
    seconds: float | None = None
    """After which it ends by itself; None: when the profile's shape ends, or at stop."""
    flags: Sequence[str] = ()
    cwd: Path | None = None
    """None: the profile's directory."""
    env: Mapping[str, str] | None = None
    """Its whole environment; None: ours."""
    name: str = "locust"


class Load:
    """A load that runs, or ran."""

    def __init__(self, supervisor: Supervisor, settings: LoadSettings, process: Process) -> None:
        self.supervisor = supervisor
        self.settings = settings
        self.process = process
        self._reader = LineReader(settings.load_log)
        self._lines: list[dict[str, Any]] = []

    @classmethod
    def start(cls, supervisor: Supervisor, settings: LoadSettings) -> Load:
        """Start it and return at once; raises EngineTrouble if there is no such profile."""
        if not settings.profile.is_file():
            raise EngineTrouble("the load did not start", str(settings.profile), "there is no such load profile")
        given = {"-u": settings.users, "-r": settings.spawn_rate}
        argv = [
            *(sys.executable, "-m", "locust", "-f", str(settings.profile.absolute()), "--headless"),
            *(part for flag, value in given.items() if value is not None for part in (flag, f"{value:g}")),
            *(("-t", f"{max(1, round(settings.seconds))}s") if settings.seconds is not None else ()),
            *("--host", settings.host, "--only-summary", "--exit-code-on-error", "0", "--loglevel", "WARNING"),
            *settings.flags,
        ]
        environment = dict(os.environ if settings.env is None else settings.env)
        environment[LOAD_LOG] = str(settings.load_log.absolute())
        directory = settings.cwd or settings.profile.absolute().parent
        try:
            process = supervisor.start(settings.name, argv, cwd=directory, env=environment, ends_itself=True)
        except Trouble as trouble:
            raise EngineTrouble(trouble.what, trouble.where, trouble.detail, trouble.kind) from trouble
        return cls(supervisor, settings, process)

    def lines(self) -> list[dict[str, Any]]:
        """Return what the profile has written so far; a line that is no JSON object is left out."""
        for line in self._reader.new_lines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                self._lines.append(record)
        return list(self._lines)

    def check_running(self) -> None:
        """Raise EngineTrouble, with the end of its log, if it has ended and not as it should."""
        exited = self.process.exited
        if exited is not None and not exited.expected:
            detail = f"{self.settings.name} {exited}. The end of its log:\n{tail(self.process)}"
            raise EngineTrouble("the load is not running", str(self.process.log), detail, Kind.EXITED)

    def wait(self, seconds: float) -> ProcessExit | None:
        """Return how it ended, as soon as it has; None if it still runs after so many seconds."""
        return self.process.wait(seconds)

    def stop(self, *, seconds: float = 5.0) -> ProcessExit:
        """SIGTERM, at which Locust ends with code 0; after so many seconds SIGKILL."""
        return self.supervisor.stop(self.process, seconds=seconds)
