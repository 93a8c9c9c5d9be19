"""The answers for names of a cluster without DNS, asked for as pods ask: over UDP."""

from __future__ import annotations

import socket
import struct

import pytest

from tests.cluster_names import answering

A, AAAA = 1, 28
NAMES = {"backend.dharmamind.svc.cluster.local": ["10.244.0.5", "10.244.0.6"], "alone.monitoring.svc.cluster.local": []}


def query(name: str, kind: int) -> bytes:
    """Return a query with one question (RFC 1035, 4.1)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, 1)


@pytest.mark.parametrize(
    ("name", "kind", "code", "addresses"),
    [
        ("backend.dharmamind.svc.cluster.local", A, 0, {"10.244.0.5", "10.244.0.6"}),
        ("BACKEND.dharmamind.svc.cluster.local", A, 0, {"10.244.0.5", "10.244.0.6"}),
        ("backend.dharmamind.svc.cluster.local", AAAA, 0, set()),
        ("alone.monitoring.svc.cluster.local", A, 0, set()),
        ("nowhere.svc.cluster.local", A, 3, set()),
    ],
)
def test_a_name_has_its_addresses(name: str, kind: int, code: int, addresses: set[str]) -> None:
    """A name gives every address of type A, another type none, and an unknown name the code for no such name."""
    with answering(("127.0.0.1", 0), lambda: NAMES) as port, socket.socket(type=socket.SOCK_DGRAM) as asking:
        asking.settimeout(5)
        asking.sendto(b"no query", ("127.0.0.1", port))
        asking.sendto(query(name, kind), ("127.0.0.1", port))
        response = asking.recv(512)
    identity, flags, _, count, _, _ = struct.unpack_from("!6H", response)
    assert (identity, flags & 0xF, count) == (7, code, len(addresses))
    records = response[len(query(name, kind)) :]
    assert {socket.inet_ntoa(records[at + 12 : at + 16]) for at in range(0, len(records), 16)} == addresses
