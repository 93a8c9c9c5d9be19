"""Asks probes on the pod network, and sends requests beside: what a Job runs, and where nothing else of ours is needed.

It reads a plan (JSON, the file that is its one argument) and prints a line of JSON for each attempt and each request
that is over. Only what is in the standard library, and the handlers, is imported. It ends when its time is over, or at
SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tocsin.probes.handlers import GrpcCheck, Handler, HttpGet, TcpSocket, attempt, try_once
from tocsin.probes.handlers.kubelet import Kubelet
from tocsin.probes.prober import following

BEGUN, ATTEMPT, REQUEST = "begun", "attempt", "request"
"""What a line is about."""
_KINDS: Mapping[str, type[HttpGet | TcpSocket | GrpcCheck]] = {
    each.__name__: each for each in (HttpGet, TcpSocket, GrpcCheck)
}


def packed(handler: HttpGet | TcpSocket | GrpcCheck) -> dict[str, Any]:
    """Return a handler as a plan has it."""
    return {"is": type(handler).__name__, **asdict(handler)}


def unpacked(value: Mapping[str, Any]) -> Handler:
    """Return the handler that a plan has."""
    said = {key: each for key, each in value.items() if key != "is"}
    if "kubelet" in said:
        said["kubelet"] = Kubelet(**said["kubelet"])
    if "headers" in said:
        said["headers"] = tuple((name, text) for name, text in said["headers"])
    return _KINDS[value["is"]](**said)


class Asker:
    """All that a plan asks, at once, in one loop."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self.plan = plan
        self.waiting: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Ask until the time is over, or it is told to end."""
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, over.set)
        loop.call_later(self.plan["seconds"], over.set)
        _say(BEGUN, seconds=self.plan["seconds"])
        tasks = [asyncio.create_task(each) for each in self._asked()]
        try:
            await over.wait()
        finally:
            for task in (*tasks, *self.waiting):
                task.cancel()
            await asyncio.gather(*tasks, *self.waiting, return_exceptions=True)

    def _asked(self) -> Iterator[Any]:
        spacing = float(self.plan["spacing"])
        for number, each in enumerate(self.plan["probes"]):
            yield self._again(each, spacing, number * spacing / len(self.plan["probes"]))
        for each in self.plan["requests"]:
            yield self._flow(each)

    async def _again(self, probe: Mapping[str, Any], spacing: float, phase: float) -> None:
        """Ask one probe again and again, each time when the last attempt is over."""
        loop = asyncio.get_running_loop()
        handler, origin, tick = unpacked(probe["handler"]), loop.time() + phase, 0
        while True:
            due = origin + tick * spacing
            await _until(due)
            started, at = loop.time(), time.time()
            made = await attempt(handler, probe["timeout"])
            _say(
                ATTEMPT,
                of=probe["name"],
                at=at,
                late=round(started - due, 6),
                took=round(made.seconds, 6),
                outcome=str(made.outcome),
                reason=str(made.reason),
                message=made.message[:300],
            )
            tick = following(tick, started - origin, spacing)

    async def _flow(self, flow: Mapping[str, Any]) -> None:
        """Send requests at a rate, as clients do who do not wait for each other."""
        loop = asyncio.get_running_loop()
        handler, origin, number = unpacked(flow["handler"]), loop.time(), 0
        while True:
            await _until(origin + number / flow["rate"])
            task = asyncio.create_task(self._request(flow, handler))
            self.waiting.add(task)
            task.add_done_callback(self.waiting.discard)
            number += 1

    async def _request(self, flow: Mapping[str, Any], handler: Handler) -> None:
        at = time.time()
        made = await try_once(handler, flow["patience"])
        _say(
            REQUEST,
            of=flow["name"],
            at=at,
            took=round(made.seconds, 6),
            status=made.status,
            outcome=str(made.outcome),
            reason=str(made.reason),
            message=made.message[:300],
        )


async def _until(moment: float) -> None:
    loop = asyncio.get_running_loop()
    come = asyncio.Event()
    timer = loop.call_at(max(moment, loop.time()), come.set)
    try:
        await come.wait()
    finally:
        timer.cancel()


def _say(what: str, **said: Any) -> None:
    sys.stdout.write(json.dumps({"what": what, "time": time.time(), **said}) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Ask what the plan says."""
    asyncio.run(Asker(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))).run())


if __name__ == "__main__":
    main()
