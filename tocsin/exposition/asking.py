"""Ask one endpoint all that one visit can tell: as each generation of Prometheus, in other formats, and otherwise.

Nothing is judged here. Only GET is sent, unless other methods are asked for.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlencode, urlsplit, urlunsplit

from tocsin.artefacts.exposition.syntax import Generation
from tocsin.exposition.asked import NEWEST, Answer, Asked, facts_of, write_asked
from tocsin.exposition.limits import MOST_COMPARED_BYTES, Limits
from tocsin.exposition.scrape import scrape, scrape_headers
from tocsin.exposition.scraped import Ending, Request, Scraped, Tls, shown_url
from tocsin.exposition.targets import Endpoint
from tocsin.exposition.transport import tls_context

IDENTITY = "identity"
WITHOUT_CREDENTIALS = "without-credentials"
NAME_FILTER = "name-filter"
OTHER_PATH = "other-path"
METHODS = ("HEAD", "OPTIONS", "POST")
_PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
_OPENMETRICS = "application/openmetrics-text;version=1.0.0"
_TEXT = "text/plain;version=0.0.4"
ACCEPTS = {
    "accept-nothing": "",
    "accept-anything": "*/*",
    "accept-browser": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "accept-native": f"{_PROTOBUF};q=0.6,{_OPENMETRICS};q=0.5,{_TEXT};q=0.3,*/*;q=0.2",
    "accept-openmetrics": _OPENMETRICS,
    "accept-text": _TEXT,
    "accept-protobuf": _PROTOBUF,
    "accept-unknown": "application/x-no-such-format",
    "accept-not-openmetrics": f"{_OPENMETRICS};q=0,{_TEXT};q=1",
    "accept-text-rather": f"{_OPENMETRICS};q=0.1,{_TEXT};q=0.9",
    "accept-openmetrics-2": "application/openmetrics-text;version=2.0.0",
    "accept-underscores": f"{_OPENMETRICS};escaping=underscores,{_TEXT};escaping=underscores;q=0.5",
    "accept-values": f"{_OPENMETRICS};escaping=values,{_TEXT};escaping=values;q=0.5",
}
"""What is asked for besides what the generations ask for, by the name of the answer."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How much is asked."""

    limits: Limits = field(default_factory=Limits)
    negotiates: bool = True
    """Whether more is asked than what a Prometheus asks."""
    methods: bool = False
    """Whether HEAD, OPTIONS and POST are sent."""


@dataclass(frozen=True, slots=True)
class _Question:
    name: str
    request: Request
    accept: str = ""
    kept: bool = True
    """Whether the body is of interest."""


def ask(endpoint: Endpoint, folder: Path, *, now: float, manner: Manner | None = None) -> Asked:
    """Ask an endpoint and write what it answers into a folder, which is made.

    What cannot be asked as its job says is not asked, and says why. `now` is Unix time. Raises OSError if the folder
    cannot be written.
    """
    how = manner or Manner()
    folder.mkdir(parents=True, exist_ok=True)
    facts = facts_of(endpoint, shown_url(endpoint.url))
    lacking = "; ".join(endpoint.settings.unsupported) or (
        _bad_certificate(endpoint) if endpoint.settings.tls != Tls() else ""
    )
    answers: dict[str, Answer] = {}
    for question in () if lacking else _questions(endpoint, how):
        if answers and (_hopeless(answers) or (question.name not in _ALWAYS and not _worth_more(answers))):
            break
        answers[question.name] = _answered(question, folder, _bounds(endpoint, question, how))
    asked = Asked(folder, facts, now, answers, lacking)
    write_asked(asked)
    return asked


_ALWAYS = frozenset(map(str, Generation))


def _hopeless(answers: dict[str, Answer]) -> bool:
    """Whether nobody would be answered otherwise: each further question would only take as long."""
    first = answers.get(str(NEWEST))
    return first is not None and first.scraped.ending in (Ending.UNREACHABLE, Ending.TIMED_OUT, Ending.TOO_LARGE)


def _worth_more(answers: dict[str, Answer]) -> bool:
    """Whether an endpoint answered a scrape, and with a body that can be asked for often."""
    first = answers.get(str(NEWEST))
    return first is not None and first.scraped.kept and first.scraped.body_bytes <= MOST_COMPARED_BYTES


def _bounds(endpoint: Endpoint, question: _Question, how: Manner) -> Limits:
    most = how.limits.body_bytes if question.name in _ALWAYS else min(how.limits.body_bytes, 2 * MOST_COMPARED_BYTES)
    return replace(how.limits, body_bytes=most, seconds=min(how.limits.seconds, endpoint.settings.timeout_seconds))


def _questions(endpoint: Endpoint, how: Manner) -> Iterator[_Question]:
    settings = endpoint.settings

    def of(name: str, generation: Generation = NEWEST, *, accept: str | None = None, gzip: bool = True) -> _Question:
        headers = scrape_headers(
            generation, settings.timeout_seconds, accept=accept, gzip=gzip and settings.compression
        )
        request = Request(endpoint.url, headers, settings.authorization, settings.tls, settings.follows)
        return _Question(name, request, dict(headers).get("Accept", ""))

    newest = of(str(NEWEST))
    yield newest
    yield from (of(str(generation), generation) for generation in Generation if generation is not NEWEST)
    if how.negotiates:
        yield of(IDENTITY, gzip=False)
        yield from (of(name, accept=accept) for name, accept in ACCEPTS.items())
        if settings.authorization:
            yield replace(
                newest, name=WITHOUT_CREDENTIALS, request=replace(newest.request, authorization=""), kept=False
            )
        filtered = replace(newest.request, url=_with_query(endpoint.url, "name[]", "up"))
        yield replace(newest, name=NAME_FILTER, request=filtered, kept=False)
        elsewhere = replace(newest.request, url=_with_path(endpoint.url, "/no-such-path-of-metrics"))
        yield replace(newest, name=OTHER_PATH, request=elsewhere)
    if how.methods:
        for method in METHODS:
            yield replace(newest, name=method, request=replace(newest.request, method=method), kept=False)


def _answered(question: _Question, folder: Path, limits: Limits) -> Answer:
    name = f"{question.name}.body"
    path = folder / name
    with path.open("w+b") as file:
        scraped = scrape(question.request, file, limits)
    if not question.kept or not path.stat().st_size:
        path.unlink()
        name = ""
    return Answer(question.name, question.accept, question.request.method, _harmless(scraped), name)


def _harmless(scraped: Scraped) -> Scraped:
    """Return an answer without the headers that nobody is to read."""
    kept = [(name, value) for name, value in scraped.headers if name.lower() not in _SECRET_HEADERS]
    shown = tuple((name, shown_url(value) if name.lower() == "location" else value) for name, value in kept)
    return replace(scraped, headers=shown)


_SECRET_HEADERS = frozenset({"set-cookie", "authorization", "proxy-authorization", "www-authenticate", "cookie"})


def _bad_certificate(endpoint: Endpoint) -> str:
    """Say which of the files of TLS cannot be used; nothing if all can."""
    try:
        tls_context(endpoint.settings.tls)
    except (OSError, ssl.SSLError) as error:
        said = getattr(error, "reason", None) or error.strerror or "unreadable"
        return f"a file of its `tls_config` cannot be used: {said}"
    return ""


def _with_query(url: str, name: str, value: str) -> str:
    parts = urlsplit(url)
    query = "&".join(filter(None, [parts.query, urlencode([(name, value)])]))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def _with_path(url: str, path: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))
