"""Load on a container: the Locust profile that system.yaml declares, until it is stopped."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from tocsin.deadline import DeadlineExceeded, Unmet, wait_until
from tocsin.engines.locust import Load, LoadSettings
from tocsin.engines.profiles import SHIPPED, profile_of
from tocsin.engines.trouble import EngineTrouble
from tocsin.probes.behaviour.bench import Bench
from tocsin.probes.behaviour.tape import Tape
from tocsin.supervisor import Kind, Supervisor
from tocsin.system import ProbedLoad

BEGUN_WITHIN = 30.0
"""Seconds for a profile to send its first request; importing Locust takes one or two."""
BEGINS, ENDS = "load begins", "load ends"


@asynccontextmanager
async def loaded(bench: Bench, declared: ProbedLoad, tape: Tape) -> AsyncIterator[Load]:
    """As `loading`, on the bench's process."""
    with ExitStack() as held:
        host = f"http://127.0.0.1:{bench.port}"
        load = loading(bench.supervisor, bench.scene.system.directory, declared, host, tape)
        try:
            yield await asyncio.to_thread(held.enter_context, load)
        finally:
            await asyncio.to_thread(held.close)


@contextmanager
def loading(supervisor: Supervisor, directory: Path, declared: ProbedLoad, host: str, tape: Tape) -> Iterator[Load]:
    """Have a load from its first request to the end of the block; raises EngineTrouble if it sends none.

    `directory` is the system's, `host` the base URL. What the load saw is written down: how many requests were sent,
    and how many of them answered.
    """
    profile = profile_of(directory, declared.profile)
    if profile is None:
        raise EngineTrouble("the load did not start", declared.profile, "there is no such load profile")
    settings = LoadSettings(
        name=f"load-{tape.name}",
        profile=profile,
        host=host,
        load_log=supervisor.log_directory / f"load-{tape.name}.jsonl",
        env={**os.environ, "PYTHONPATH": str(SHIPPED), "LOAD_USERS": str(declared.users), **declared.options},
    )
    settings.load_log.unlink(missing_ok=True)
    load = Load.start(supervisor, settings)
    try:
        began = _first_request(load)
        tape.did(f"{BEGINS}: {declared.profile}, {declared.users} users", tape.of_unix(began))
        yield load
    finally:
        load.stop()
        tape.did(ENDS)
        _seen(load.lines(), tape)


def _first_request(load: Load) -> float:
    def first() -> float | Unmet:
        load.check_running()
        if load.process.exited is not None:
            return Unmet("it has ended")
        told = (float(line["time"]) for line in load.lines() if line.get("event") == "first_request")
        return next(told, None) or Unmet("it has sent no request yet")

    what = f"load profile {load.settings.profile.stem} did not start"
    try:
        return wait_until(first, seconds=BEGUN_WITHIN, what=what)
    except DeadlineExceeded as error:
        raise EngineTrouble(what, str(load.settings.profile), error.reason, Kind.TIMED_OUT) from error


def _seen(lines: list[dict[str, Any]], tape: Tape) -> None:
    intervals = [line for line in lines if line.get("event") == "interval"]
    tape.sent = sum(int(line["requests"]) for line in intervals)
    tape.answered = sum(int(number) for line in intervals for status, number in line["status"].items() if status != "0")
