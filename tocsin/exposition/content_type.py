"""The Content-Type of a scrape: which parser each generation of Prometheus takes for it, if any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from tocsin.artefacts.exposition.syntax import Generation, Syntax

_BLANKS = " \t\n\v\f\r\x85\xa0"
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_SPECIAL = frozenset('()<>@,;:\\"/[]?=')


class Parser(StrEnum):
    """What a server reads a body with."""

    TEXT = "text"
    OPENMETRICS = "openmetrics"
    PROTOBUF = "protobuf"

    @property
    def syntax(self) -> Syntax | None:
        """The grammar of it; None for what is no text."""
        return None if self is Parser.PROTOBUF else Syntax(self.value)


BY_TYPE: Mapping[str, Parser] = MappingProxyType(
    {
        "text/plain": Parser.TEXT,
        "application/openmetrics-text": Parser.OPENMETRICS,
        "application/vnd.google.protobuf": Parser.PROTOBUF,
    }
)
FALLBACKS: Mapping[str, Parser] = MappingProxyType(
    {
        "PrometheusText0.0.4": Parser.TEXT,
        "PrometheusText1.0.0": Parser.TEXT,
        "OpenMetricsText0.0.1": Parser.OPENMETRICS,
        "OpenMetricsText1.0.0": Parser.OPENMETRICS,
        "PrometheusProto": Parser.PROTOBUF,
    }
)
"""What `fallback_scrape_protocol` of a scrape job may be (prometheus/prometheus, config/config.go, ScrapeProtocols)."""


@dataclass(frozen=True, slots=True)
class MediaType:
    """A Content-Type as Go's `mime.ParseMediaType` reads it."""

    type: str
    """`text/plain`, in lower case; empty where it cannot be read."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    """Why it cannot be read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one generation does with a Content-Type."""

    parser: Parser | None
    """None: the scrape is dropped, whatever the body is."""
    reason: str = ""
    """Why it is dropped, or why it is read with another parser than was said."""


def media_type(written: str) -> MediaType:
    """Read a Content-Type as Go does (golang.org/src/mime/mediatype.go); what Go refuses has a problem."""
    base, _, _ = written.partition(";")
    name = base.strip(_BLANKS).lower()
    if problem := _name_problem(name):
        return MediaType("", {}, problem)
    parameters: dict[str, str] = {}
    rest = written[len(base) :].lstrip(_BLANKS)
    while rest:
        key, value, after = _parameter(rest)
        if not key:
            if after.strip(_BLANKS) == ";":
                break
            return MediaType("", {}, "a parameter after the type cannot be read")
        if parameters.get(key, value) != value:
            return MediaType("", {}, f"the parameter {key} is there twice, with two values")
        parameters[key] = value
        rest = after.lstrip(_BLANKS)
    return MediaType(name, parameters)


def reading(written: str, generation: Generation, *, fallback: str = "") -> Reading:
    """Return what a server reads a body with that came with a Content-Type (empty: with none).

    `fallback` is the job's `fallback_scrape_protocol`, which is known from 3.0 on. Before, whatever was not understood
    was read as text (prometheus/prometheus, model/textparse/interface.go, New and extractMediaType).
    """
    found = media_type(written) if written else MediaType("", {}, "there is no Content-Type")
    known = BY_TYPE.get(found.type) if not found.problem else None
    if known is not None:
        return Reading(known)
    reason = found.problem or f"{found.type} is no type of metrics"
    if generation is not Generation.V3_5:
        return Reading(Parser.TEXT, reason)
    return Reading(FALLBACKS.get(fallback), reason)


def _name_problem(name: str) -> str:
    kind, rest = _token(name)
    if not kind:
        return "it names no type"
    if not rest:
        return ""
    if not rest.startswith("/"):
        return "no slash follows the first word"
    subtype, rest = _token(rest[1:])
    if not subtype:
        return "no word follows the slash"
    return "something follows the type" if rest else ""


def _token(text: str) -> tuple[str, str]:
    end = next((i for i, character in enumerate(text) if character not in _TOKEN), len(text))
    return text[:end], text[end:]


def _parameter(text: str) -> tuple[str, str, str]:
    """Return a parameter's name, its value and what follows; without a name, what could not be read."""
    if not text.startswith(";"):
        return "", "", text
    name, rest = _token(text[1:].lstrip(_BLANKS))
    rest = rest.lstrip(_BLANKS)
    if not name or not rest.startswith("="):
        return "", "", text
    rest = rest[1:].lstrip(_BLANKS)
    value, after = _value(rest)
    if not value and after == rest:
        return "", "", text
    return name.lower(), value, after


def _value(text: str) -> tuple[str, str]:
    if not text.startswith('"'):
        return _token(text)
    said: list[str] = []
    at = 1
    while at < len(text):
        character = text[at]
        if character == '"':
            return "".join(said), text[at + 1 :]
        if character in "\r\n":
            break
        if character == "\\" and text[at + 1 : at + 2] in _SPECIAL:
            at += 1
        said.append(text[at])
        at += 1
    return "", text
