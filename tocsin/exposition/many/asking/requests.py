"""Requests to a target besides its metrics: GET alone, declared paths alone, and only where they may go."""

from __future__ import annotations

import io
import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from tocsin.explained import Explained
from tocsin.exposition.limits import MEBIBYTE, Limits
from tocsin.exposition.scrape import scrape
from tocsin.exposition.scraped import Request
from tocsin.system import UNIQUE, AskedOf, Environment

MOST_ANSWER_BYTES = 16 * MEBIBYTE
"""So much of an answer is read, and thrown away."""
AGENT = "tocsin"


class Refused(Explained):
    """A request that nobody allowed."""


@dataclass(frozen=True, slots=True)
class Requests:
    """Sends requests to one target; each over a connection of its own, and none is redirected."""

    base: str
    """Scheme, host and port."""
    declared: AskedOf
    seconds: float = 10.0
    """That one may take."""

    def get(self, path: str, *, unique: str = "", user_agent: str | None = None) -> int:
        """Ask for a declared path, and return the status; 0 if there was no answer.

        `unique` takes the place of `{unique}` in the path and the user agent. Raises Refused if the path is not
        declared.
        """
        if path not in paths_of(self.declared):
            raise Refused(
                f"{path} is not asked for: it is not declared under `endpoints`, `targets` in system.yaml; "
                f"declared: {', '.join(sorted(paths_of(self.declared))) or 'none'}"
            )
        agent = AGENT if user_agent is None else user_agent.replace(UNIQUE, unique)
        headers = (("User-Agent", agent), ("Accept", "*/*"))
        request = Request(self.base + path.replace(UNIQUE, unique), headers, follows=False)
        return scrape(request, _Nowhere(), Limits(MOST_ANSWER_BYTES, self.seconds)).status


class _Nowhere(io.BytesIO):
    """Takes an answer and keeps nothing of it."""

    def write(self, data: object) -> int:
        """Forget the data."""
        return len(data) if isinstance(data, (bytes, bytearray, memoryview)) else 0


def paths_of(declared: AskedOf) -> frozenset[str]:
    """Return the paths that may be asked for, as they are declared."""
    known = [one.path for one in declared.known]
    return frozenset([*declared.traffic, *known, *(one.path for one in declared.growth)])


def requests_to(
    url: str, declared: AskedOf, environment: Environment | None = None, *, seconds: float = 10.0
) -> Requests:
    """Return what sends requests to the host of a URL. Raises Refused where none may go.

    They may go to this machine, and to the hosts of an environment; to one that runs already if it allows load.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Refused(f"{parts.scheme}://{parts.hostname} is no address of HTTP, so nothing is sent to it")
    hosts: Collection[str] = environment.hosts if environment is not None else ()
    if environment is not None and not environment.ours and not environment.allow_load:
        raise Refused(f"no request is sent to {parts.hostname}: the environment does not say `allow_load: true`")
    if not is_loopback(parts.hostname) and parts.hostname not in hosts:
        listed = ", ".join(sorted(hosts)) or "none"
        raise Refused(f"no request is sent to {parts.hostname}: it is not this machine, nor under `hosts` ({listed})")
    host = parts.netloc.rpartition("@")[2]
    return Requests(f"{parts.scheme}://{host}", declared, seconds)


def is_loopback(host: str) -> bool:
    """Tell whether a name or an address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
