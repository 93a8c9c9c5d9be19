"""A server whose reply is given byte by byte, in the loop of the client that asks it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tocsin.probes.handlers import ExplainedAttempt, Handler, HttpGet, try_once

SLACK_SECONDS = 10.0
"""How much later than its deadline a try may end before it counts as never ending; a busy machine needs none of it."""


class End(StrEnum):
    """What the server does after its last byte."""

    CLOSE = "close"
    RESET = "reset"
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that are sent, some seconds after those before them."""

    data: bytes
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a try, and what the server was sent; PORT stands for its port."""

    attempt: ExplainedAttempt
    requests: tuple[bytes, ...]


def http_get(port: int) -> Handler:
    """Return the plainest probe."""
    return HttpGet("127.0.0.1", port)


def told(
    *replies: bytes | Sequence[Piece],
    end: End = End.CLOSE,
    seconds: float = 5.0,
    probe: Callable[[int], Handler] = http_get,
    host: str = "127.0.0.1",
) -> Told:
    """Make one try against a server that gives these replies, one a connection, the last one again and again."""
    made = [[Piece(each)] if isinstance(each, bytes) else list(each) for each in replies]
    return asyncio.run(_told(made, end, seconds, probe, host))


async def _told(
    replies: list[list[Piece]], end: End, seconds: float, probe: Callable[[int], Handler], host: str
) -> Told:
    requests: list[bytes] = []
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            port = str(writer.get_extra_info("sockname")[1]).encode()
            for piece in replies[min(len(requests), len(replies)) - 1]:
                await _wait(over, piece.after)
                writer.write(piece.data.replace(b"PORT", port))
                await writer.drain()
            if end is End.HANG:
                await _wait(over, seconds + SLACK_SECONDS)
            if end is End.RESET:
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    server = await asyncio.start_server(serve, host, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        try:
            async with asyncio.timeout(seconds + SLACK_SECONDS):
                attempt = await try_once(probe(port), seconds)
        finally:
            over.set()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    if tasks:
        await asyncio.wait(tasks, timeout=SLACK_SECONDS)
    return Told(attempt, tuple(each.replace(str(port).encode(), b"PORT") for each in requests))


async def _wait(over: asyncio.Event, seconds: float) -> None:
    if seconds:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await over.wait()
