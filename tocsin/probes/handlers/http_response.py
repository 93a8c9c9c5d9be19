"""A reply of HTTP/1 as Go reads it (net/http: response.go, transfer.go; net/textproto): strict where Go is.

Go forgives less than browsers do in some places (two different Content-Length, an unknown Transfer-Encoding) and more
in others (a line that ends in LF alone, header names with blanks in them); what it forgives is a success.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tocsin.probes.handlers.buffered import Ended, Reader
from tocsin.probes.handlers.reason import Broken, Reason

MOST_INFORMATIONAL = 5
"""How many replies of 1xx may come before the real one (net/http, persistConn.readResponse), ..."""

INFORMATIONAL_UNCOUNTED = 24
"""... until this minor version of Go, from which on only their size is limited (golang/go#65035)."""

HEADER_BYTES_CHECKED = 20
"""From this one on a header with a byte that may not be in it is refused (golang/go#53188), ..."""

EMPTY_LENGTH_REFUSED = 22
"""... an empty Content-Length (golang/go#61679, GODEBUG httplaxcontentlength), ..."""

EMPTY_NAME_REFUSED = 23
"""... and a header without a name (golang/go#65244)."""

Headers = dict[str, list[str]]
"""Values by canonical name, in the order in which they came."""

_NUMBER = re.compile("[+-]?[0-9]+")
_VERSION = re.compile(r"HTTP/([0-9])\.([0-9])")
_TOKEN = re.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NAME_FORGIVEN = re.compile("[!#$%&'*+.^_`|~0-9A-Za-z -]*")
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_BLANKS = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Head:
    """Status line and headers of a reply."""

    status: int
    version: tuple[int, int]
    headers: Headers

    @property
    def has_body(self) -> bool:
        """Whether its status may come with a body."""
        return not (100 <= self.status <= 199 or self.status in (204, 304))

    @property
    def switches_protocol(self) -> bool:
        """Whether what follows is no HTTP any more."""
        return (
            self.status == 101
            and bool(first(self.headers, "Upgrade"))
            and has_token(self.headers, "Connection", "upgrade")
        )


def malformed(said: str, what: str = "") -> Broken:
    """Return the failure of a reply that is no HTTP."""
    quoted = f' "{what}"' if what else ""
    return Broken(Reason.MALFORMED_REPLY, f"net/http: HTTP/1.x transport connection broken: {said}{quoted}")


def canonical(name: str) -> str:
    """Return a header's name as Go spells it: User-Agent; one that is no token stays as it is."""
    if not _TOKEN.fullmatch(name):
        return name
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))


def is_token(name: str) -> bool:
    """Whether a header may have this name."""
    return _TOKEN.fullmatch(name) is not None


def first(headers: Headers, name: str) -> str:
    """Return the first value of a header, or an empty text."""
    values = headers.get(name)
    return values[0] if values else ""


def has_token(headers: Headers, name: str, token: str) -> bool:
    """Whether a header lists a word, in any case."""
    return any(part.strip(" \t").lower() == token for value in headers.get(name, ()) for part in value.split(","))


async def read_head(reader: Reader) -> Head:
    """Return the head of the reply that counts, past those of 1xx. Raises Broken."""
    passed = 0
    reader.allow_headers()
    while True:
        try:
            head = await _read_head(reader)
        except Ended:
            raise Broken(Reason.CLOSED_BEFORE_HEADERS, "unexpected EOF") from None
        length = BodyLength.of(head)
        if length.is_missing(head) and reader.go >= EMPTY_LENGTH_REFUSED:
            raise malformed("invalid empty Content-Length")
        if not 100 <= head.status <= 199 or head.status == 101:
            reader.allow_all()
            return head
        passed += 1
        if too_many_informational(passed, reader.go):
            raise malformed("net/http: too many 1xx informational responses")
        if reader.go < INFORMATIONAL_UNCOUNTED:
            reader.allow_headers()


def too_many_informational(passed: int, go: int) -> bool:
    """Whether so many replies of 1xx are more than this minor version of Go passes over."""
    return passed > MOST_INFORMATIONAL and go < INFORMATIONAL_UNCOUNTED


async def _read_head(reader: Reader) -> Head:
    line = (await reader.line()).decode("latin-1")
    proto, blank, rest = line.partition(" ")
    if not blank:
        raise malformed("malformed HTTP response", line)
    code = rest.lstrip(" ").partition(" ")[0]
    if len(code) != 3 or not _NUMBER.fullmatch(code) or int(code) < 0:
        raise malformed("malformed HTTP status code", code)
    version = _VERSION.fullmatch(proto)
    if not version:
        raise malformed("malformed HTTP version", proto)
    return Head(int(code), (int(version[1]), int(version[2])), await read_headers(reader))


async def read_headers(reader: Reader) -> Headers:
    """Return headers, up to the blank line that ends them. Raises Broken, and Ended."""
    headers: Headers = {}
    if await reader.peek(1) in (b" ", b"\t"):
        raise malformed(f"malformed MIME header initial line: {(await reader.line()).decode('latin-1')}")
    while line := await _continued_line(reader):
        name, colon, value = line.partition(":")
        if not colon or not _accepted(name, value, reader.go):
            raise malformed(f"malformed MIME header line: {line}")
        if name:
            headers.setdefault(canonical(name), []).append(value.lstrip(" \t"))
    return headers


def _accepted(name: str, value: str, go: int) -> bool:
    """Whether this minor version of Go takes a header; all of them forgive a name with blanks in it."""
    if not name:
        return go < EMPTY_NAME_REFUSED
    return go < HEADER_BYTES_CHECKED or not (_CONTROL.search(value) or not _NAME_FORGIVEN.fullmatch(name))


async def _continued_line(reader: Reader) -> str:
    """Return a header with the lines that go on with it; empty where headers end."""
    line = await reader.line()
    if not line:
        return ""
    if b":" not in line:
        raise malformed("malformed MIME header: missing colon:", line.decode("latin-1"))
    parts = [line.strip(b" \t")]
    while await reader.skip_blanks():
        try:
            parts.append((await reader.line()).strip(b" \t"))
        except Ended:
            break
    return b" ".join(parts).decode("latin-1")


@dataclass(frozen=True, slots=True)
class BodyLength:
    """How the end of a body is known."""

    chunked: bool
    known: int | None
    """Its bytes; None if it lasts until the connection ends, or the last chunk."""

    @classmethod
    def of(cls, head: Head) -> BodyLength:
        """Read it from a head. Raises Broken for what Go refuses."""
        chunked = _chunked(head)
        lengths = [] if chunked else [value.strip(_BLANKS) for value in head.headers.get("Content-Length", ())]
        if any(each != lengths[0] for each in lengths):
            raise malformed(f"http: message cannot contain multiple Content-Length headers; got {lengths}")
        if not head.has_body:
            known = 0
        elif chunked or not lengths or not lengths[0]:
            known = None
        else:
            known = _length(lengths[0])
        if chunked:
            _check_trailer(head)
        return cls(chunked and head.has_body, known)

    def is_missing(self, head: Head) -> bool:
        """Whether it should stand in a Content-Length, and that is empty."""
        return not self.chunked and self.known is None and "Content-Length" in head.headers


def _chunked(head: Head) -> bool:
    codings = head.headers.get("Transfer-Encoding")
    if codings is None or (head.version != (0, 0) and head.version < (1, 1)):
        return False  # Go takes version 0.0 for 1.1
    if len(codings) != 1:
        raise malformed(f"too many transfer encodings: {codings}")
    if codings[0].lower() != "chunked":
        raise malformed("unsupported transfer encoding:", codings[0])
    return True


def _length(text: str) -> int:
    if not re.fullmatch("[0-9]+", text) or len(text.lstrip("0")) > 19 or int(text) >= 1 << 63:
        raise malformed("bad Content-Length", text)
    return int(text)


def _check_trailer(head: Head) -> None:
    for value in head.headers.get("Trailer", ()):
        for name in value.split(","):
            if canonical(name.strip(_BLANKS)) in ("Transfer-Encoding", "Trailer", "Content-Length"):
                raise malformed("bad trailer key", canonical(name.strip(_BLANKS)))
