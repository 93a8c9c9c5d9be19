"""The load of a drill: Locust profiles as child processes, one for each part of the drill."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tocsin.deadline import DeadlineExceeded, Unmet, wait_until
from tocsin.engines.locust import Load as LoadRun
from tocsin.engines.locust import LoadSettings
from tocsin.engines.profiles import SHIPPED, profile_path
from tocsin.engines.trouble import EngineTrouble
from tocsin.supervisor import Kind, Supervisor
from tocsin.system import Load

LOAD_WITHIN = 30.0
"""Seconds for a load profile to send its first request; importing Locust takes one or two."""


class Loads:
    """The loads of one drill. What they recorded may be read from any thread."""

    def __init__(self, *, system: Path, folder: Path, stop: threading.Event) -> None:
        self._system = system
        self._folder = folder
        self._stop = stop
        self._reading = threading.Lock()
        self._running: dict[str, LoadRun] = {}

    @property
    def running(self) -> bool:
        """Whether any of them runs."""
        return any(load.process.exited is None for load in list(self._running.values()))

    def start(
        self,
        supervisor: Supervisor,
        part: str,
        load: Load,
        url: str,
        *,
        check: Callable[[], None],
        environment: Mapping[str, str] | None = None,
    ) -> float:
        """Start a profile against `url`; return when it sent its first request (Unix time).

        `check` is called at every look and raises if there is nothing to wait for any more; `environment` goes over
        what the load declares. Raises EngineTrouble if no request is sent in time, and Stopped.
        """
        settings = LoadSettings(
            name=f"load-{part}",
            profile=profile_path(self._system, load.profile),
            host=url,
            load_log=self._folder / f"load-{part}.jsonl",
            env={
                **os.environ,
                "PYTHONPATH": str(SHIPPED),
                "LOAD_USERS": str(load.users),
                **load.options,
                **(environment or {}),
            },
        )
        running = LoadRun.start(supervisor, settings)
        self._running[part] = running

        def first() -> float | Unmet:
            running.check_running()
            check()
            told = (line["time"] for line in self._lines(running) if line.get("event") == "first_request")
            return next(told, None) or Unmet("it has sent no request yet")

        what = f"load profile {load.profile} did not start"
        try:
            return wait_until(first, seconds=LOAD_WITHIN, what=what, stop=self._stop)
        except DeadlineExceeded as error:
            raise EngineTrouble(what, str(settings.profile), error.reason, Kind.TIMED_OUT) from error

    def stop(self, part: str) -> float | None:
        """Stop a load; return when its users had stopped, None if that load never ran or did not tell."""
        load = self._running.get(part)
        if load is None:
            return None
        load.stop()
        return next((float(line["time"]) for line in self._lines(load) if line.get("event") == "stopped"), None)

    def stop_all(self) -> None:
        """Stop every load."""
        for part in list(self._running):
            self.stop(part)

    def lines(self) -> Sequence[Mapping[str, Any]]:
        """Return what the profiles wrote, each line with its part."""
        return [{**line, "part": part} for part, load in list(self._running.items()) for line in self._lines(load)]

    def _lines(self, load: LoadRun) -> list[dict[str, Any]]:
        with self._reading:
            return load.lines()
