"""Ports for processes that are started again and again at one address."""

from __future__ import annotations

import random
import socket
from pathlib import Path

from tocsin.engines.trouble import EngineTrouble

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LEAST = 10_000
_TRIES = 200


def free_port() -> int:
    """Return a port of loopback that is free now and stays so while nobody listens on it.

    It is none of those that the kernel gives to clients: one of these may be taken, while its server is down, by any
    client of this machine; and who connects to it again and again is at last connected with itself (TCP's simultaneous
    open). Raises EngineTrouble if none is found.
    """
    try:
        below = int(_RANGE.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        below = 32_768
    chance = random.SystemRandom()
    for _ in range(_TRIES):
        port = chance.randrange(_LEAST, below) if below > _LEAST + 1 else 0
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(sock.getsockname()[1])
    raise EngineTrouble("no port is free", "127.0.0.1", f"none of {_TRIES} between {_LEAST} and {below} could be bound")
