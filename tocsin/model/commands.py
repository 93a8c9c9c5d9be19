"""What the command of a probe runs, and whom it asks, as far as its words say.

(kubernetes.io/docs/concepts/workloads/pods/probes, exec: the kubelet runs it without a shell, so a shell is one of the
words; each attempt is a process of its own, in the container's limits.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tocsin.artefacts.compose import port_number
from tocsin.part import Part

LONGEST = 4000
"""Characters of a script that are looked at."""
_SHELL = re.compile(r"(?:.*/)?(?:sh|bash|ash|dash)")
_HEAVY = re.compile(
    r"(?:.*/)?(?:java|node|python\d?(?:\.\d+)?|ruby|php|rabbitmqctl|rabbitmq-diagnostics|nodetool|cqlsh|mongo|mongosh|"
    r"kafka-[\w-]+(?:\.sh)?|kubectl|az|aws|gcloud|pulsar-admin|zkServer\.sh|jcmd|nats)"
)
"""Programs that load a runtime, or as much as one, before they do anything."""
_DEFAULT_PORTS = {
    "http": 80, "https": 443, "pg_isready": 5432, "psql": 5432, "mysqladmin": 3306, "mysql": 3306, "mariadb": 3306,
    "mongo": 27017, "mongosh": 27017, "redis-cli": 6379,
}  # fmt: skip
_URL = re.compile(r"\b(https?)://(?:[^\s/@'\"]{1,100}@)?([A-Za-z0-9][\w.-]{0,252})(?::(\d{1,5}))?(?![\w$:{])")
_CLIENT = re.compile(r"\b(pg_isready|psql|mysqladmin|mysql|mariadb|mongo|mongosh|redis-cli)\b([^|;&\n]{0,1000})")
_HOST_FLAG = re.compile(r"\s(?:-h\s*|--host[=\s]\s*)([A-Za-z0-9][\w.-]{0,252})(?![\w$({])")
_PORT_FLAG = re.compile(r"\s(?:-p\s*|-P\s*|--port[=\s]\s*)(\d{1,5})(?!\d)")
_CONNECT = re.compile(
    r"\bnc\b(?:\s+-[A-Za-z]+(?:\s+\d+)?){0,6}\s+([A-Za-z0-9][\w.-]{0,252})\s+(\d{1,5})\b"
    r"|/dev/tcp/([A-Za-z0-9][\w.-]{0,252})/(\d{1,5})\b"
    r"|-addr[=\s]\s*([A-Za-z0-9][\w.-]{0,252}):(\d{1,5})\b"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a command connects to."""

    host: str
    port: int
    part: Part
    """The word of the command that says so."""


def script(words: Sequence[Part]) -> str:
    """Return what a shell would read: the script of a `sh -c`, else the words themselves."""
    texts = [part.text for part in words]
    if len(texts) >= 3 and _SHELL.fullmatch(texts[0]) and re.fullmatch(r"-\w*c", texts[1]):
        return texts[2][:LONGEST]
    return " ".join(texts)[:LONGEST]


def by_shell(words: Sequence[Part]) -> bool:
    """Tell whether a shell reads a script among the words."""
    texts = [part.text for part in words]
    return len(texts) >= 3 and _SHELL.fullmatch(texts[0]) is not None and re.fullmatch(r"-\w*c", texts[1]) is not None


def heavy_program(words: Sequence[Part]) -> str:
    """Return the program of a command that takes about a second only to start; empty for any other."""
    first = script(words).split() if by_shell(words) else [part.text for part in words]
    return first[0] if first and _HEAVY.fullmatch(first[0]) else ""


def asked(words: Sequence[Part]) -> Iterator[Asked]:
    """Yield whom a command connects to, where host and port are written out."""
    text = " ".join(part.text for part in words)[:LONGEST]
    for host, port in _ends(text):
        number = port_number(port)
        if number is not None:
            yield Asked(host, number, next((part for part in words if host in part.text), words[0]))


def _ends(text: str) -> Iterator[tuple[str, str]]:
    for url in _URL.finditer(text):
        yield url[2], url[3] or str(_DEFAULT_PORTS[url[1]])
    for client in _CLIENT.finditer(text):
        host, port = _HOST_FLAG.search(client[2]), _PORT_FLAG.search(client[2])
        if host:
            yield host[1], port[1] if port else str(_DEFAULT_PORTS[client[1]])
    for end in _CONNECT.finditer(text):
        yield end[1] or end[3] or end[5], end[2] or end[4] or end[6]
