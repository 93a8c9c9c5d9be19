"""What is asked of a target, and what came of it; nothing of it shows credentials."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit, urlunsplit

OK = 200
_SECRET_WORDS = ("token", "secret", "passw", "pwd", "auth", "key", "sig", "credential", "session")


class Ending(StrEnum):
    """How a scrape came to its end."""

    WHOLE = "whole"
    UNREACHABLE = "unreachable"
    """No connection: the name, the port, or TLS."""
    MALFORMED = "malformed"
    """What answered speaks no HTTP that Go's client takes."""
    REDIRECTS = "redirects"
    """Too many of them, or one to nowhere."""
    CUT = "cut"
    """The body ended before its own word."""
    BAD_ENCODING = "bad encoding"
    """It says gzip, and is none."""
    TIMED_OUT = "timed out"
    TOO_LARGE = "too large"
    """Beyond the bound of `Limits.body_bytes`."""


@dataclass(frozen=True, slots=True)
class Tls:
    """How a server proves who it is, and we who we are; files by path."""

    ca_file: str = ""
    certificate: str = ""
    key: str = field(default="", repr=False)
    server_name: str = ""
    verified: bool = True


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked."""

    url: str
    """Without user and password."""
    headers: tuple[tuple[str, str], ...]
    authorization: str = field(default="", repr=False)
    """The value of `Authorization`; sent to the host of `url` only."""
    tls: Tls = field(default_factory=Tls)
    follows: bool = True
    """Whether redirects are followed."""
    method: str = "GET"


@dataclass(frozen=True, slots=True)
class Hop:
    """A redirect on the way."""

    status: int
    location: str
    """As it can be shown."""
    elsewhere: bool
    """Whether it leads to another host or port."""


@dataclass(frozen=True, slots=True)
class Scraped:
    """What came of a scrape; the body is where it was to be written, as far as it came."""

    url: str
    """Of the last answer, as it can be shown."""
    ending: Ending
    problem: str = ""
    """What went wrong; holds no credentials."""
    status: int = 0
    """0: there was no answer."""
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    hops: tuple[Hop, ...] = ()
    started: float = 0.0
    """Unix time, in seconds."""
    seconds: float = 0.0
    wire_bytes: int = 0
    body_bytes: int = 0
    """Decoded."""
    more: bool = False
    """Bytes came after the end that Content-Length tells."""

    @property
    def kept(self) -> bool:
        """Whether a server goes on to read the body."""
        return self.ending is Ending.WHOLE and self.status == OK

    def header(self, name: str) -> str:
        """Return the first header of that name, as Go does; empty if there is none."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), "")

    def has(self, name: str) -> bool:
        """Tell whether there is a header of that name."""
        return any(known.lower() == name.lower() for known, _ in self.headers)


def shown_url(url: str) -> str:
    """Return a URL without what nobody is to read: user, password, and parameters that are secrets by their name."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "an address that cannot be read"
    query = "&".join(_shown_parameter(each) for each in parts.query.split("&")) if parts.query else ""
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def _shown_parameter(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}=..." if equals and any(word in name.lower() for word in _SECRET_WORDS) else pair
