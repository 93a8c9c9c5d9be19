"""Answers for the names of a cluster that has no DNS: Services and pods of StatefulSets, by the addresses of pods.

A cluster's own DNS gives a Service's address, which kube-proxy leads to a pod; where there is no kube-proxy either, the
pods' addresses are given at once. That is what a headless Service gives anyway.
"""

from __future__ import annotations

import random
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

HEADER = struct.Struct("!6H")
ANSWER = struct.Struct("!HHHIH")
A = 1
RESPONSE, AUTHORITATIVE, RECURSION = 0x8000, 0x0400, 0x0080
NO_SUCH_NAME = 3

Names = Callable[[], Mapping[str, list[str]]]


def question(query: bytes) -> tuple[str, int, int]:
    """Return the name that is asked for, the type, and where the question ends."""
    labels, at = [], HEADER.size
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode().lower())
        at += 1 + length
    (kind,) = struct.unpack_from("!H", query, at + 1)
    return ".".join(labels), kind, at + 5


def answer(query: bytes, names: Mapping[str, list[str]]) -> bytes:
    """Return the response to a query: addresses in no particular order, or that there is no such name."""
    name, kind, end = question(query)
    identity, flags = struct.unpack_from("!2H", query)
    addresses = list(names.get(name, ())) if kind == A else []
    random.shuffle(addresses)
    code = 0 if name in names else NO_SUCH_NAME
    flags = RESPONSE | AUTHORITATIVE | RECURSION | (flags & 0x7900) | code
    records = b"".join(ANSWER.pack(0xC00C, A, 1, 1, 4) + bytes(map(int, a.split("."))) for a in addresses)
    return HEADER.pack(identity, flags, 1, len(addresses), 0, 0) + query[HEADER.size : end] + records


@contextmanager
def answering(address: tuple[str, int], names: Names) -> Iterator[int]:
    """Answer queries over UDP, and give the port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            query, socket = self.request
            try:
                response = answer(query, names())
            except (IndexError, struct.error, UnicodeDecodeError):
                return
            socket.sendto(response, self.client_address)

    with socketserver.ThreadingUDPServer(address, Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
