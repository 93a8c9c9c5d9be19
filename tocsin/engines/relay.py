"""A relay between the members of a gossip cluster: ended, they are cut off from each other, and all go on running.

It is a process of its own (`python relay.py --way LISTEN:MEMBER ...`, ports of 127.0.0.1; LISTEN 0: a free one), and
needs the standard library alone. Members advertise the port on which the relay listens for them. It passes on the
connections and the datagrams that come in there; a datagram leaves from the port that its sender advertises, as it
would if the sender had sent it itself.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

HOST = "127.0.0.1"
LISTENS = re.compile(r"^relays (?P<ports>\d+(?: \d+)*)$")
"""What it prints when it is ready: the port of each way, in the order in which they were given."""
ATTEMPTS = 50
"""To find a port that is free for connections and for datagrams."""
PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Way:
    """Where the relay listens for one member, and where that member is."""

    connections: socket.socket
    datagrams: socket.socket
    member: int

    @property
    def port(self) -> int:
        """The port that the member advertises."""
        return int(self.datagrams.getsockname()[1])


class Datagrams(asyncio.DatagramProtocol):
    """What comes in for one member."""

    def __init__(self, member: int, senders: dict[int, asyncio.DatagramTransport]) -> None:
        self.member = member
        self.senders = senders
        """By the port of each member, the socket of the port that it advertises."""

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """Pass a datagram on, if a member sent it."""
        if (sender := self.senders.get(address[1])) is not None:
            sender.sendto(data, (HOST, self.member))


async def relay(ways: list[Way]) -> None:
    """Pass everything on until told to end."""
    loop = asyncio.get_running_loop()
    senders: dict[int, asyncio.DatagramTransport] = {}
    for way in ways:
        received = partial(Datagrams, way.member, senders)
        senders[way.member], _ = await loop.create_datagram_endpoint(received, sock=way.datagrams)
        await asyncio.start_server(_passing_on(way.member), sock=way.connections)
    print("relays", *(way.port for way in ways), flush=True)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()


def _passing_on(member: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, asked = await asyncio.open_connection(HOST, member)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pass(reader, asked), _pass(answers, writer))

    return accept


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what is read until it ends, and end what it was passed to."""
    try:
        while data := await reader.read(PIECE):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def bound(port: int) -> tuple[socket.socket, socket.socket]:
    """Return two sockets on one port, a free one if it is 0: for connections, and for datagrams."""
    for attempt in range(ATTEMPTS):
        connections, datagrams = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        try:
            connections.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            connections.bind((HOST, port))
            datagrams.bind((HOST, connections.getsockname()[1]))
        except OSError:
            connections.close()
            datagrams.close()
            if port or attempt == ATTEMPTS - 1:
                raise
        else:
            return connections, datagrams
    raise AssertionError  # the last attempt raised


def main(arguments: list[str]) -> int:
    """Run the relay."""
    parser = argparse.ArgumentParser(description="A relay between the members of a gossip cluster.")
    parser.add_argument("--way", action="append", required=True, metavar="LISTEN:MEMBER")
    pairs = [way.split(":") for way in parser.parse_args(arguments).way]
    ways = [Way(*bound(int(listen)), int(member)) for listen, member in pairs]
    asyncio.run(relay(ways))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
