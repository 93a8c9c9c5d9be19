"""Waiting for a moment, or for something to change: in a loop, without looking again and again."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable


class Pulse:
    """Wakes those who wait for a condition whenever something may have changed. Of one loop; `beat` from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: list[asyncio.Future[None]] = []

    def beat(self) -> None:
        """Have all conditions looked at again."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

    async def until(self, condition: Callable[[], bool], moment: float = math.inf) -> bool:
        """Wait until a condition holds, to a moment of the loop's clock; return whether it holds."""
        while not condition():
            if self._loop.time() >= moment:
                return False
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._waiting.append(waiter)
            timer = None if math.isinf(moment) else self._loop.call_at(moment, _settle, waiter)
            try:
                await waiter
            finally:
                if timer:
                    timer.cancel()
        return True


async def until_moment(moment: float) -> None:
    """Wait for a moment of the loop's clock; if it has passed, give the others a turn."""
    loop = asyncio.get_running_loop()
    come = loop.create_future()
    timer = loop.call_at(max(moment, loop.time()), _settle, come)
    try:
        await come
    finally:
        timer.cancel()


def _settle(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
