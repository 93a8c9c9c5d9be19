"""The request that a httpGet probe sends (pkg/probe/http/request.go), byte by byte as Go writes it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from tocsin.probes.handlers.connection import address_text
from tocsin.probes.handlers.hpack import Field
from tocsin.probes.handlers.http_response import Headers, canonical, first, has_token, is_token
from tocsin.probes.handlers.kubelet import NEWEST, Kubelet
from tocsin.probes.handlers.ports import resolve_port
from tocsin.probes.handlers.reason import Broken, Reason
from tocsin.probes.handlers.url_reference import BadUrl, Url, as_bytes, parse

PORTS = {"http": 80, "https": 443}

_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_UNWRITTEN = ("Host", "User-Agent", "Content-Length", "Transfer-Encoding", "Trailer")
"""Headers that Go writes itself, or not at all (net/http, reqWriteExcludeHeader)."""

_OF_CONNECTION = (
    "Host",
    "Content-Length",
    "Connection",
    "Proxy-Connection",
    "Transfer-Encoding",
    "Upgrade",
    "Keep-Alive",
)
"""Headers that HTTP/2 has no place for."""

_CLOSE = re.compile(r"(?:^|[ ,\t])close(?:$|[ ,\t])", re.IGNORECASE)

_CREDENTIALS = ("Authorization", "Www-Authenticate", "Cookie", "Cookie2")
"""Headers that Go does not carry over to another host, for which another port counts too."""


@dataclass(frozen=True, slots=True)
class HttpGet:
    """A httpGet probe: what its manifest says, and where the pod is."""

    host: str
    """`host` of the probe, else the pod's primary address."""
    port: int | str
    path: str = "/"
    scheme: str = "HTTP"
    headers: tuple[tuple[str, str], ...] = ()
    """In the manifest's order; a name may come more than once."""
    ports: Mapping[str, int] = field(default_factory=dict, hash=False)
    """The named ports of the same container."""
    kubelet: Kubelet = NEWEST


@dataclass(frozen=True, slots=True)
class Request:
    """One request: the probe's own, or one that a redirect asks for."""

    url: Url
    headers: Headers
    host: str = ""
    """What the Host header says in place of the URL's."""

    @property
    def host_header(self) -> str:
        """What is sent as Host."""
        host = _cleaned(self.host) or _cleaned(self.url.host)
        if host.startswith("[") and "%" in host.partition("]")[0]:
            host = host[: host.index("%")] + host[host.index("]") :]  # a zone means nothing elsewhere
        return host

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect to. Raises Broken for a URL that says nothing of it."""
        scheme = self.url.scheme
        if scheme not in PORTS:
            raise Broken(Reason.UNSENDABLE, f'unsupported protocol scheme "{scheme}"')
        if not self.url.host:
            raise Broken(Reason.UNSENDABLE, "http: no Host in request URL")
        port = self.url.port
        if len(port) > 9:
            raise Broken(Reason.UNREACHABLE, f"dial tcp: address {port}: invalid port")
        return self.url.hostname, int(port) if port else PORTS[scheme]

    def check(self) -> None:
        """Raise Broken if Go refuses to send it."""
        for name, values in self.headers.items():
            if not is_token(name):
                raise Broken(Reason.UNSENDABLE, f'net/http: invalid header field name "{name}"')
            if any(_CONTROL.search(value) for value in values):
                raise Broken(Reason.UNSENDABLE, f'net/http: invalid header field value for "{name}"')
        if re.search("[\x00-\x1f\x7f]", self.url.request_target):
            raise Broken(Reason.UNSENDABLE, "net/http: can't write control character in Request.URL")

    def _sent(self) -> Headers:
        if self.url.user is None or first(self.headers, "Authorization"):
            return self.headers
        word = f"{self.url.user}:{self.url.password or ''}".encode("latin-1")
        return self.headers | {"Authorization": [f"Basic {base64.b64encode(word).decode()}"]}

    def as_http1(self) -> bytes:
        """Return what is written: Host and User-Agent, the rest by name, and that the connection ends."""
        headers = self._sent()
        lines = [f"GET {self.url.request_target} HTTP/1.1", f"Host: {self.host_header}"]
        if agent := first(headers, "User-Agent"):
            lines.append(f"User-Agent: {agent}")
        for name in sorted(headers):
            if name not in _UNWRITTEN:
                lines += [f"{name}: {value.strip()}" for value in headers[name]]
        switches = first(headers, "Upgrade") and has_token(headers, "Connection", "upgrade")
        if not _CLOSE.search(first(headers, "Connection")) and not switches:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def as_http2(self) -> list[Field]:
        """Return its fields. Raises Broken for what HTTP/2 cannot say."""
        headers = self._sent()
        connection = headers.get("Connection", [])
        unsaid = len(connection) > 1 or (connection and connection[0].lower() not in ("", "close", "keep-alive"))
        coding = headers.get("Transfer-Encoding", [])
        if unsaid or first(headers, "Upgrade") or len(coding) > 1 or (coding and coding[0] not in ("", "chunked")):
            raise Broken(Reason.UNSENDABLE, "http2: invalid Connection, Upgrade or Transfer-Encoding request header")
        target = self.url.request_target
        if not target.startswith("/") and target != "*":
            raise Broken(Reason.UNSENDABLE, f'invalid request :path "{target}"')
        fields = [
            (":authority", self.host or self.url.host),
            (":method", "GET"),
            (":path", target),
            (":scheme", self.url.scheme),
        ]
        for name in sorted(headers):
            if name == "User-Agent":
                fields += [("user-agent", value) for value in headers[name][:1] if value]
            elif name not in _OF_CONNECTION:
                fields += [(name.lower(), value) for value in headers[name]]
        return fields


@lru_cache(maxsize=1024)
def first_request(probe: HttpGet) -> Request:
    """Return the request that a probe begins with; the same each time, so it is made once.

    Raises Broken (port unknown, bad request) where the kubelet cannot make one; that is an error, not a failure.
    """
    port = resolve_port(probe.port, probe.ports)
    try:
        url = parse(as_bytes(probe.path))
    except BadUrl:
        url = Url(path=as_bytes(probe.path))  # the kubelet sends it as it is, and lets the server judge
    url = replace(url, scheme=probe.scheme.lower() or "http", host=address_text(as_bytes(probe.host), port))
    try:
        url = parse(str(url))
    except BadUrl as error:
        raise Broken(Reason.BAD_REQUEST, str(error)) from None
    headers: Headers = {}
    for name, value in probe.headers:
        headers.setdefault(canonical(as_bytes(name)), []).append(as_bytes(value))
    headers.setdefault("User-Agent", [probe.kubelet.user_agent])
    headers.setdefault("Accept", ["*/*"])
    if not headers["Accept"][0]:
        del headers["Accept"]
    return Request(url, headers, first(headers, "Host"))


def _cleaned(host: str) -> str:
    """Return a host as it is sent: up to a blank or a slash, and a foreign name in ASCII."""
    host = re.split("[ /]", host)[0]
    if host.isascii():
        return host
    name, colon, port = host.partition(":")
    try:
        return name.encode("latin-1").decode().encode("idna").decode() + colon + port
    except UnicodeError:
        return host  # the server may make of it what it can, as with Go


def redirected(request: Request, origin: Request, location: str) -> Request:
    """Return the request that a redirect asks for. Raises Broken if Location is no URL.

    `origin` is the probe's own request, whose headers are sent each time. A Host header of its own is kept by a
    relative Location alone (net/http, Client.do).
    """
    try:
        url = request.url.join(location)
        keeps_host = bool(request.host) and request.host != request.url.host and not parse(location).scheme
    except BadUrl as error:
        raise Broken(Reason.BAD_LOCATION, f'failed to parse Location header "{location}": {error}') from None
    headers = {name: values for name, values in origin.headers.items() if _carried(name, request.url, url)}
    if referer := _referer(request.url, url):
        headers["Referer"] = [referer]
    return Request(url, headers, request.host if keeps_host else "")


def _carried(name: str, before: Url, after: Url) -> bool:
    if name not in _CREDENTIALS:
        return True
    parent, sub = (address_text(url.hostname, int(url.port or PORTS.get(url.scheme, 0))) for url in (before, after))
    return sub == parent or sub.endswith(f".{parent}")


def _referer(before: Url, after: Url) -> str:
    if before.scheme == "https" and after.scheme == "http":
        return ""
    return str(before) if before.user is None else str(before).replace(f"{before.userinfo}@", "", 1)
