"""URLs as Go reads and writes them (net/url): what a probe's `path`, and a Location, turn into.

Texts here have one character for each byte; `as_bytes` makes one of what a manifest says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import NoReturn

_UNRESERVED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~")
_HOST = _UNRESERVED | frozenset("!$&'()*+,;=:[]<>\"")
_PATH = _UNRESERVED | frozenset("$&+,/:;=@")
_FRAGMENT = _UNRESERVED | frozenset("$&+,/:;=?@!()*")
_USER = _UNRESERVED | frozenset("$&+,;=")
_WRITTEN = frozenset("!$&'()*+,;=:@[]%")
"""What may stand in an escaped path beside what need not be escaped."""

_ESCAPE = re.compile("%(?:([0-9a-fA-F]{2})|.{0,2})", re.DOTALL)
_SCHEME = re.compile("([a-zA-Z][a-zA-Z0-9+.-]*):")
_PORT = re.compile("(?::[0-9]*)?")
_USERINFO = re.compile("[A-Za-z0-9._~!$&'()*+,;=%@:-]*")
_CONTROL = re.compile("[\x00-\x1f\x7f]")


class BadUrl(Exception):
    """A text that is no URL, with Go's reason."""


def as_bytes(text: str) -> str:
    """Return a text with one character for each byte of its UTF-8."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


@dataclass(frozen=True, slots=True)
class Url:
    """A URL, or a reference to one, in its parts."""

    scheme: str = ""
    opaque: str = ""
    user: str | None = None
    password: str | None = None
    host: str = ""
    """With its port; not escaped."""
    path: str = ""
    """Not escaped."""
    written_path: str = ""
    """As it was escaped, if that is not how we would escape it."""
    omits_host: bool = False
    forces_query: bool = False
    query: str = ""
    fragment: str = ""
    written_fragment: str = ""

    def __str__(self) -> str:
        """Write it down."""
        text = f"{self.scheme}:" if self.scheme else ""
        if self.opaque:
            text += self.opaque
        else:
            text += self._authority
            path = self.escaped_path
            if path and not path.startswith("/") and self.host:
                text += "/"
            if not text and ":" in path.partition("/")[0]:
                text += "./"
            text += path
        return text + self._query + (f"#{self._escaped_fragment}" if self.fragment else "")

    @property
    def _authority(self) -> str:
        if not (self.scheme or self.host or self.user is not None):
            return ""
        if self.omits_host and not self.host and self.user is None:
            return ""
        text = "//" if self.host or self.path or self.user is not None else ""
        return text + (f"{self.userinfo}@" if self.user is not None else "") + _escaped(self.host, _HOST)

    @property
    def userinfo(self) -> str:
        """User and password, escaped."""
        password = "" if self.password is None else f":{_escaped(self.password, _USER)}"
        return _escaped(self.user or "", _USER) + password

    @property
    def _query(self) -> str:
        return f"?{self.query}" if self.forces_query or self.query else ""

    @property
    def escaped_path(self) -> str:
        """The path as it is sent."""
        if self.written_path and all(each in _PATH or each in _WRITTEN for each in self.written_path):
            return self.written_path
        return "*" if self.path == "*" else _escaped(self.path, _PATH)

    @property
    def _escaped_fragment(self) -> str:
        if self.written_fragment and all(each in _FRAGMENT or each in _WRITTEN for each in self.written_fragment):
            return self.written_fragment
        return _escaped(self.fragment, _FRAGMENT)

    @property
    def request_target(self) -> str:
        """What stands in the request line."""
        if self.opaque:
            target = f"{self.scheme}:{self.opaque}" if self.opaque.startswith("//") else self.opaque
        else:
            target = self.escaped_path or "/"
        return target + self._query

    @property
    def hostname(self) -> str:
        """The host without port and brackets."""
        return _split(self.host)[0]

    @property
    def port(self) -> str:
        """The port as it is written; empty if there is none."""
        return _split(self.host)[1]

    def join(self, reference: str) -> Url:
        """Return what a reference means, seen from here (RFC 3986, section 5.2). Raises BadUrl."""
        other = parse(reference)
        joined = other if other.scheme else replace(other, scheme=self.scheme)
        if other.scheme or other.host or other.user is not None:
            return _with_path(joined, _resolved(other.escaped_path, ""))
        if other.opaque:
            return replace(joined, user=None, password=None, host="", path="", written_path="")
        if not other.path and not other.forces_query and not other.query:
            joined = replace(joined, query=self.query)
            if not other.fragment:
                joined = replace(joined, fragment=self.fragment, written_fragment=self.written_fragment)
        joined = replace(joined, host=self.host, user=self.user, password=self.password)
        return _with_path(joined, _resolved(self.escaped_path, other.escaped_path))


def parse(text: str) -> Url:
    """Read a URL or a reference. Raises BadUrl."""
    main, _, fragment = text.partition("#")
    try:
        url = _parse(main)
        if not fragment:
            return url
        plain = _unescaped(fragment)
    except BadUrl as error:
        raise BadUrl(f'parse "{main}": {error}') from None
    written = "" if _escaped(plain, _FRAGMENT) == fragment else fragment
    return replace(url, fragment=plain, written_fragment=written)


def _parse(text: str) -> Url:
    if _CONTROL.search(text):
        raise BadUrl("net/url: invalid control character in URL")
    if text == "*":
        return Url(path="*")
    if text.startswith(":"):
        raise BadUrl("missing protocol scheme")
    found = _SCHEME.match(text)
    scheme, rest = (found[1].lower(), text[found.end() :]) if found else ("", text)
    forces = rest.endswith("?") and rest.count("?") == 1
    rest, _, query = rest.partition("?")
    url = Url(scheme=scheme, query=query, forces_query=forces)
    if not rest.startswith("/"):
        if scheme:
            return replace(url, opaque=rest)
        if ":" in rest.partition("/")[0]:
            raise BadUrl("first path segment in URL cannot contain colon")
    if (scheme or not rest.startswith("///")) and rest.startswith("//"):
        authority, slash, path = rest[2:].partition("/")
        return _with_path(_with_authority(url, authority), slash + path)
    return _with_path(replace(url, omits_host=bool(scheme) and rest.startswith("/")), rest)


def _with_path(url: Url, written: str) -> Url:
    path = _unescaped(written)
    return replace(url, path=path, written_path="" if _escaped(path, _PATH) == written else written)


def _with_authority(url: Url, authority: str) -> Url:
    user, at, host = authority.rpartition("@")
    url = replace(url, host=_host(host))
    if not at:
        return url
    if not _USERINFO.fullmatch(user):
        raise BadUrl("net/url: invalid userinfo")
    name, colon, password = user.partition(":")
    return replace(url, user=_unescaped(name), password=_unescaped(password) if colon else None)


def _host(host: str) -> str:
    if host.startswith("["):
        end = host.rfind("]")
        if end < 0:
            raise BadUrl("missing ']' in host")
        _check_port(host[end + 1 :])
        zone = host.find("%25", 0, end)
        if zone >= 0:
            return _host_part(host[:zone]) + _zone(host[zone:end]) + _host_part(host[end:])
    elif ":" in host:
        _check_port(host[host.rindex(":") :])
    return _host_part(host)


def _check_port(text: str) -> None:
    if not _PORT.fullmatch(text):
        raise BadUrl(f'invalid port "{text}" after host')


def _host_part(text: str) -> str:
    """Unescape a host, in which only bytes above ASCII may be escaped."""
    for found in _ESCAPE.finditer(text):
        if found[1] is None or (int(found[1][0], 16) < 8 and found[0] != "%25"):
            _bad_escape(found[0])
    _check_host(text)
    return _unescaped(text)


def _zone(text: str) -> str:
    for found in _ESCAPE.finditer(text):
        byte = chr(int(found[1], 16)) if found[1] else ""
        if not byte or (found[0] != "%25" and byte != " " and byte not in _HOST):
            _bad_escape(found[0])
    _check_host(text)
    return _unescaped(text)


def _check_host(text: str) -> None:
    for each in _ESCAPE.sub("", text):
        if each < "\x80" and each not in _HOST:
            raise BadUrl(f'invalid character "{each}" in host name')


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else _bad_escape(found[0]), text)


def _bad_escape(text: str) -> NoReturn:
    raise BadUrl(f'invalid URL escape "{text}"')


def _escaped(text: str, plain: frozenset[str]) -> str:
    return "".join(each if each in plain else f"%{ord(each):02X}" for each in text)


def _split(host: str) -> tuple[str, str]:
    name, colon, port = host.rpartition(":")
    if not colon or (port and not re.fullmatch("[0-9]+", port)):
        name, port = host, ""
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    return name, port


def _resolved(base: str, reference: str) -> str:
    """Return a path with its dot segments taken out, beginning with one slash."""
    full = reference if reference.startswith("/") else base[: base.rfind("/") + 1] + reference
    if not reference:
        full = base
    if not full:
        return ""
    text, first, last = "", True, ""
    for last in full.split("/"):
        if last == ".":
            first = False
        elif last == "..":
            text, slash, _ = text.rpartition("/")
            first = not slash
        else:
            text += last if first else f"/{last}"
            first = False
    text = f"/{text}" + ("/" if last in (".", "..") else "")
    return text[1:] if text.startswith("//") else text
