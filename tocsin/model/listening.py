"""Where a server listens, as far as its command line and its environment say so.

(uvicorn, `--host` and `--port`; Flask, `flask run`; Django, `runserver`; hypercorn and daphne, `--bind`: each listens
on 127.0.0.1 alone unless it is told otherwise. Prometheus' own servers, `--web.listen-address`.)
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tocsin.part import Part

LOOPBACK = re.compile(r"127(?:\.\d{1,3}){3}|localhost|\[?::1\]?", re.IGNORECASE)
"""Addresses that only the same pod, or the same container of docker-compose, reaches."""
_ADDRESS = re.compile(r"(?:\w+://)?(\[[^\]]*\]|[^:/\s]*):(\d{1,5})/?")
_BINDING = re.compile(
    r"(?:^|[-_.])(?:listen|bind)(?:$|[-_.])|^b$|(?:^|[-_.])(?:http|web|metrics|server)[-_.]addr", re.IGNORECASE
)
_HOST_FLAGS = frozenset({"host", "bind-host", "hostname", "listen-host", "address", "http-host"})
_PORT_FLAGS = frozenset({"port", "p", "http-port", "listen-port"})
_LONGEST = 10_000
"""Characters of a script that are looked at."""


@dataclass(frozen=True, slots=True)
class Listening:
    """A place where a server listens."""

    part: Part
    """What says so."""
    host: str
    """The address that it is bound to; empty for all."""
    port: int | None
    """None if that is not said."""
    implied: bool = False
    """Whether nothing says so, and it is what the server does by itself."""

    @property
    def loopback(self) -> bool:
        """Whether only the pod itself reaches it."""
        return LOOPBACK.fullmatch(self.host) is not None


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    part: Part


def listening(arguments: Iterable[Part], environment: Mapping[str, Part]) -> tuple[Listening, ...]:
    """Return where a server listens, by its arguments (command and args, item by item) and its variables."""
    words = tuple(_words(arguments))
    found = [*_bound(words), *_hosted(words)]
    if not found:
        found = [*_by_variable(environment)]
    if not found and not any(name in environment for name in ("PORT", "HOST", "UVICORN_HOST", "FLASK_RUN_HOST")):
        found = [*_by_default(words)]
    return tuple(found)


def _words(arguments: Iterable[Part]) -> Iterator[_Word]:
    before = ""
    for part in arguments:
        text = part.text
        item = bool(part.route) and isinstance(part.route[-1], int)
        script = item and re.fullmatch(r"-\w*c", before) is not None
        if item and not script:
            yield _Word(text, part)
        else:
            try:
                pieces = shlex.split(text[:_LONGEST])
            except ValueError:
                pieces = text[:_LONGEST].split()
            yield from (_Word(piece, part) for piece in pieces)
        before = text


def _flags(words: Sequence[_Word]) -> Iterator[tuple[str, str, Part]]:
    """Yield each flag with its value, written in one word or in two."""
    for i, word in enumerate(words):
        if not word.text.startswith("-"):
            continue
        name, equals, value = word.text.lstrip("-").partition("=")
        if equals:
            yield name, value, word.part
        elif i + 1 < len(words) and not words[i + 1].text.startswith("-"):
            yield name, words[i + 1].text, words[i + 1].part


def _bound(words: Sequence[_Word]) -> Iterator[Listening]:
    for name, value, part in _flags(words):
        if _BINDING.search(name):
            address = _ADDRESS.fullmatch(value)
            if address:
                yield Listening(part, _bare(address[1]), int(address[2]))


def _hosted(words: Sequence[_Word]) -> Iterator[Listening]:
    flags = list(_flags(words))
    port = next((int(v) for name, v, _ in flags if name in _PORT_FLAGS and v.isdecimal() and len(v) < 6), None)
    for name, value, part in flags:
        if name in _HOST_FLAGS and value and not value.isdecimal() and "/" not in value:
            known = port if port is not None else _default_port(words)
            if known is not None:
                yield Listening(part, _bare(value), known)


_VARIABLES = {
    "UVICORN_HOST": "UVICORN_PORT",
    "FLASK_RUN_HOST": "FLASK_RUN_PORT",
    "QUARKUS_HTTP_HOST": "QUARKUS_HTTP_PORT",
    "SERVER_ADDRESS": "SERVER_PORT",
    "LISTEN_HOST": "LISTEN_PORT",
    "BIND_HOST": "BIND_PORT",
}
"""Variables that say where to listen, and the ones that say on which port."""
_WHOLE_VARIABLES = ("LISTEN_ADDR", "LISTEN_ADDRESS", "BIND_ADDR", "BIND_ADDRESS", "HTTP_LISTEN_ADDR")


def _by_variable(environment: Mapping[str, Part]) -> Iterator[Listening]:
    for host, port in _VARIABLES.items():
        part = environment.get(host)
        if part is not None and part.text:
            number = environment[port].text if port in environment else ""
            known = int(number) if number.isdecimal() and len(number) < 6 else None
            yield Listening(part, _bare(part.text), known)
    for name in _WHOLE_VARIABLES:
        part = environment.get(name)
        address = _ADDRESS.fullmatch(part.text) if part is not None else None
        if part is not None and address:
            yield Listening(part, _bare(address[1]), int(address[2]))


_ELSEWHERE = ("--uds", "--fd", "--config", "-c", "--unix", "-u", "-e")
"""Flags by which a server listens on something else than a port, or is told by a file."""
_DEFAULTS = {"uvicorn": 8000, "flask": 5000, "hypercorn": 8000, "daphne": 8000, "runserver": 8000}


def _by_default(words: Sequence[_Word]) -> Iterator[Listening]:
    """Yield where a server listens that is told no host: the ones that choose the loopback by themselves."""
    server = _server(words)
    texts = [word.text for word in words]
    if server is None or any(each.startswith(_ELSEWHERE) for each in texts):
        return
    name, word = server
    if name == "flask" and "run" not in texts:
        return
    if name in ("hypercorn", "daphne") and any(each.startswith(("-b", "--bind")) for each in texts):
        return
    if name == "runserver":
        after = texts[texts.index(word.text) + 1 :]
        given = next((each for each in after if not each.startswith("-")), "")
        if given and not given.isdecimal():
            address = _ADDRESS.fullmatch(given)
            if address:
                yield Listening(word.part, _bare(address[1]), int(address[2]))
            return
        yield Listening(word.part, "127.0.0.1", int(given[:5]) if given else 8000, implied=True)
        return
    port = next((int(v) for n, v, _ in _flags(words) if n in _PORT_FLAGS and v.isdecimal() and len(v) < 6), None)
    yield Listening(word.part, "127.0.0.1", port if port is not None else _DEFAULTS[name], implied=True)


def _server(words: Sequence[_Word]) -> tuple[str, _Word] | None:
    """Return the server that a command line starts: its first word, or what `python -m` or a wrapper runs."""
    for word in words:
        name = word.text.rpartition("/")[2]
        if name in _DEFAULTS:
            return name, word
        if name in ("gunicorn", "nginx", "supervisord", "honcho", "celery"):
            return None
    return None


def _default_port(words: Sequence[_Word]) -> int | None:
    server = _server(words)
    return _DEFAULTS[server[0]] if server else None


def _bare(host: str) -> str:
    return "" if host in ("", "0.0.0.0", "::", "[::]", "*") else host
