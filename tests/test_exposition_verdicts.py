"""Three verdicts on one body: what each server does with it, whether it is to the letter, whether it makes sense."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from tocsin.artefacts.exposition import Generation, Ingest, Syntax, stream
from tocsin.exposition.judgement import Complaint, Judgement
from tocsin.exposition.judging import judge
from tocsin.finding import Severity

NOW = 1_764_000_000.0
TEXT, OPENMETRICS = Syntax.TEXT, Syntax.OPENMETRICS
OF_VERDICTS = ("not-ingested", "server-crash", "not-to-the-letter")


def judged(body: bytes, syntax: Syntax = TEXT) -> Judgement:
    return judge((body,), syntax, now=NOW)


def told(body: bytes, syntax: Syntax = TEXT) -> list[Complaint]:
    return [one for one in judged(body, syntax).complaints if one.check in OF_VERDICTS]


@pytest.mark.parametrize(
    ("body", "syntax", "ingest", "specification"),
    [
        (b"m 1\n", TEXT, "aaa", True),
        (b"m 1\r\n", TEXT, "rrr", False),
        (b"m 1", TEXT, "aaa", False),
        (b"m 1 -5\n", TEXT, "rrr", True),
        (b"# TYPE m  gauge\n", TEXT, "rrr", True),
        (b"{a} 1\n", TEXT, "rcc", False),
        (b'{"a.b"} 1\n', TEXT, "rra", False),
        (b"m 1\n# EOF\n", OPENMETRICS, "aaa", True),
        (b"m 1\n", OPENMETRICS, "rrr", False),
        (b"# TYPE c_total counter\nc_total 1\n# EOF\n", OPENMETRICS, "aaa", False),
    ],
)
def test_verdicts_are_apart(body: bytes, syntax: Syntax, ingest: str, specification: bool) -> None:
    """What servers keep may be against the letter, and the other way round."""
    judgement = judged(body, syntax)

    assert "".join(judgement.ingest[generation].value[0] for generation in Generation) == ingest
    assert judgement.specification is specification


def test_a_dropped_scrape_says_what_follows() -> None:
    """The line, what the servers do with the whole scrape, and the cure."""
    (one,) = told(b"m 1\nm 2 # why\n")

    assert (one.check, one.severity, one.line, one.column) == ("not-ingested", Severity.ERROR, 2, 5)
    assert one.message == "a comment behind a sample: the text format has none"
    assert "Prometheus drops the whole scrape at this line: no sample is kept, up is 0." in one.why
    assert one.fix == "Give it a line."


def test_a_crash_names_the_servers() -> None:
    """2.42 drops the scrape, the others end."""
    (one,) = told(b"{a} 1\n")

    assert (one.check, one.severity) == ("server-crash", Severity.ERROR)
    assert "The process of Prometheus 2.53 and 3.5 ends with a panic" in one.why
    assert "Prometheus 2.42 drops the whole scrape" in one.why


def test_what_only_old_servers_drop_is_a_warning() -> None:
    """The message says which they are."""
    old, older = told(b'{"a.b"} 1\n')

    assert {old.severity, older.severity} == {Severity.WARNING}
    assert old.why.startswith("Prometheus 2.42 drops")
    assert older.why == ("Prometheus 2.42 and 2.53 drop the whole scrape at this line: no sample is kept, up is 0.")


def test_the_server_stops_at_the_first_of_many() -> None:
    """All are told, and that the first one already stops it."""
    first, second = told(b"m x\nm y\n")

    assert first.why.startswith("Prometheus drops")
    assert second.why.startswith("A line further up already stops the server")


def test_a_later_server_may_stop_at_a_later_line() -> None:
    """Each generation has its own first line."""
    quoted, later = told(b'{"a"} 1\nm x\n')

    assert quoted.why.startswith("Prometheus 2.42 drops")
    assert not later.why.startswith("A line further up")
    assert set(judged(b'{"a"} 1\nm x\n').ingest.values()) == {Ingest.REJECT}


def test_no_end_of_bad_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no exposition is not read to its end; blank lines and comments are no bad lines."""
    monkeypatch.setattr(stream, "MOST_REFUSED", 50)
    body = b"<html>\n" * 1000 + b"m 1\n"

    assert judged(body).digest.samples == 0
    assert told(body)[-1].message.endswith("and 31 more like it")
    assert judged(b"\n \t\n# x\n" * 1000 + b"m 1\n").samples == 1


def test_a_line_of_many_problems() -> None:
    """They are not all told, and the one that drops the scrape is."""
    pairs = b" ".join(b'l%d="1"' % i for i in range(3000))

    judgement = judged(b"m{" + pairs + b',a="1",a="2"} 1\n')

    assert set(judgement.ingest.values()) == {Ingest.REJECT}
    assert len(judgement.complaints) < 60


@pytest.mark.parametrize(("syntax", "write"), [(TEXT, generate_latest), (OPENMETRICS, generate_openmetrics)])
def test_what_the_client_library_writes(syntax: Syntax, write: Callable[[CollectorRegistry], bytes]) -> None:
    """It is kept by every server, to the letter, and nothing is found in it but what is of the names here."""
    registry = CollectorRegistry()
    counter = Counter("a", "Some.", ["b"], registry=registry)
    for value in ("x", "\\", '"', "\n", "ä", ""):
        counter.labels(value).inc()
    Gauge("c", "Some.", registry=registry).set(float("nan"))
    Histogram("d_seconds", "Some.", registry=registry).observe(1, {"trace_id": "x"} if syntax is OPENMETRICS else None)
    Summary("e_seconds", "Some.", registry=registry).observe(1)
    Info("f", "Some.", registry=registry).info({"version": "1"})
    Enum("g", "Some.", states=["up", "down"], registry=registry)

    judgement = judged(write(registry), syntax)

    assert set(judgement.ingest.values()) == {Ingest.ACCEPT}
    assert judgement.specification
    assert judgement.samples == judgement.digest.samples > 20
    assert [one for one in judgement.complaints if one.severity is Severity.ERROR] == []


def test_sense_is_of_sense_alone() -> None:
    """A dropped scrape may make sense; a note is none against it."""
    head = b"# HELP a_ratio A share.\n# TYPE a_ratio gauge\n"

    assert judged(head + b'a_ratio 0.5\n{"a.b"} 1\n').sense == "findings"
    assert judged(head + b"a_ratio 0.5").sense == "clean"
    assert judged(head + b"a_ratio 0.5 5\n").sense == "findings"
