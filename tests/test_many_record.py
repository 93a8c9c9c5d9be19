"""What is kept of many scrapes, and how they are set beside each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.exposition.judgement import Complaint
from tocsin.exposition.many import complaints, without_consequences
from tocsin.exposition.many.record.comparing import fallen, gone, steps
from tocsin.exposition.many.record.reading import Reading, key_of
from tocsin.exposition.many.record.scrapes import Counter, Grown, Record, Restarted, Scrape, Watched, told
from tocsin.exposition.many.record.snapshot import Meaning, meaning_of, snapshot
from tocsin.exposition.many.record.stored import read_record, write_record
from tocsin.exposition.many.record.timing import durations, quantile, slope
from tocsin.exposition.many.record.workers import workers
from tocsin.finding import Severity
from tocsin.system import Budget

HEAD = "# TYPE shop_orders_total counter\n"
VALUES = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), st.integers(0, 9), max_size=8)


def orders(values: dict[str, float]) -> str:
    """Return a scrape with a counter for each country."""
    return HEAD + "".join(f'shop_orders_total{{country="{name}"}} {value}\n' for name, value in values.items())


@given(VALUES, VALUES)
def test_what_fell_and_what_is_gone(before: dict[str, float], now: dict[str, float]) -> None:
    """Exactly those series that are less, or missing, by the numbers that stand for them."""
    earlier, later = map(snapshot, told(orders(before), orders(now)))
    keys = {name: key_of("shop_orders_total", {"country": name}) for name in {*before, *now}}

    assert {key for key, _, _ in fallen(earlier, later)} == {
        keys[name] for name in before.keys() & now.keys() if now[name] < before[name]
    }
    assert gone(earlier, later) == {keys[name] for name in before.keys() - now.keys()}


@given(VALUES, st.randoms())
def test_the_order_of_a_body_does_not_matter(values: dict[str, float], chance: object) -> None:
    """A scrape with the same series in another order is the same."""
    names = list(values)
    chance.shuffle(names)  # type: ignore[attr-defined]
    one, other = map(snapshot, told(orders(values), orders({name: values[name] for name in names})))

    assert {*one.shape.keys} == {*other.shape.keys}
    assert list(fallen(one, other)) == []


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=2, max_size=30))
def test_processes_are_told_apart_by_their_start(turns: list[tuple[int, int]]) -> None:
    """Whoever answers, and however much was counted between: each start is one process, and A, B, A is proof."""
    counts = [0, 100, 200]
    texts = []
    for worker, more in turns:
        counts[worker] += more
        texts.append(f"process_start_time_seconds {1000 + worker}\n{HEAD}shop_orders_total {counts[worker]}\n")
    scrapes = told(*texts)
    found = workers(scrapes, Reading())
    names = [worker for worker, _ in turns]
    returned = any(names[i] == names[k] != names[j] for i in range(len(names)) for j in range(i) for k in range(j))

    assert found.seen == len({*names})
    assert found.alternate or not returned
    if not found.alternate:
        assert names == sorted(names), "one that started earlier answered after one that started later"


def test_overlapping_scrapes_have_no_order() -> None:
    """A counter that is less in one of two scrapes that were made at the same time did not fall."""
    first, second = told(orders({"a": 7}), orders({"a": 6}), every=0.005, seconds=0.01)

    assert list(steps([first, second])) == []
    assert complaints(Record(watched=(Watched((first, second)),))) == ()
    assert complaints(Record(watched=(Watched((first, replace(second, start=0.02, end=0.03))),)))


@pytest.mark.parametrize(
    ("before", "now", "excused"),
    [
        ("", "", False),
        ("process_start_time_seconds 100\n", "process_start_time_seconds 100\n", False),
        ("process_start_time_seconds 100\n", "process_start_time_seconds 160\n", True),
        ("shop_orders_created 100\n", "shop_orders_created 100\n", False),
        ("shop_orders_created 100\n", "shop_orders_created 160\n", True),
    ],
)
def test_a_restart_excuses_a_fall(before: str, now: str, excused: bool) -> None:
    """Where the process, or the series, says that it began anew."""
    texts = (f"{before}{HEAD}shop_orders_total 7\n", f"{now}{HEAD}shop_orders_total 1\n")

    found = complaints(Record(watched=(Watched(told(*texts)),)))

    assert [one.check for one in found] == ([] if excused else ["counter-falls"])


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("c", Meaning.COUNTER),
        ("c_created", Meaning.CREATED),
        ("h_bucket", Meaning.COUNTER),
        ("h_count", Meaning.COUNTER),
        ("h_sum", Meaning.COUNTER),
        ("n_sum", Meaning.VALUE),
        ("s", Meaning.VALUE),
        ("s_sum", Meaning.COUNTER),
        ("g", Meaning.VALUE),
        ("g_total", Meaning.VALUE),
        ("unheard_of_total", Meaning.COUNTER),
        ("unheard_of", Meaning.VALUE),
    ],
)
def test_what_may_fall(name: str, meaning: Meaning) -> None:
    """Counters and what histograms and summaries count, but no sum of what can be negative."""
    types = {"c": "counter", "h": "histogram", "n": "histogram", "s": "summary", "g": "gauge", "g_total": "gauge"}
    body = "".join(f"# TYPE {family} {kind}\n" for family, kind in types.items()) + 'n_bucket{le="-1"} 0\n'
    taken = snapshot(told(body)[0])

    assert meaning_of(name, taken.families, {"n"}) is meaning


def test_scrapes_of_one_shape_share_it() -> None:
    """So that ten scrapes of a million series cost ten times their values, and once the series."""
    reading = Reading()
    first, second, third = map(reading.of, told(orders({"a": 1}), orders({"a": 2}), orders({"b": 2})))

    assert first.shape is second.shape
    assert second.shape is not third.shape


def test_more_series_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are left out, and that is known."""
    monkeypatch.setattr("tocsin.exposition.many.record.snapshot.MOST_SERIES", 3)
    taken = snapshot(told(orders(dict.fromkeys("abcde", 1)))[0])

    assert (len(taken.shape.keys), len(taken.values), taken.more) == (3, 3, True)


def test_a_secret_is_not_told() -> None:
    """The label of a counter that falls holds a token: the finding tells the counter, and not the token."""
    token = "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5"

    (found,) = complaints(Record(watched=(Watched(told(orders({token: 7}), orders({token: 1}))),)))

    assert found.check == "counter-falls"
    assert token[5:] not in repr(found)


def test_a_histogram_is_one_metric() -> None:
    """Growth is told of the family, by the label that grows, with what it costs."""

    def body(count: int) -> str:
        lines = (
            f'http_seconds_bucket{{path="/{n}",le="{le}"}} 1\n' for n in range(count) for le in ("0.1", "1", "+Inf")
        )
        more = (f'http_seconds_sum{{path="/{n}"}} 1\nhttp_seconds_count{{path="/{n}"}} 1\n' for n in range(count))
        return "# TYPE http_seconds histogram\n" + "".join(lines) + "".join(more)

    grown = Grown("GET /{unique}", 20, *told(body(1), body(21), body(41)))
    (found,) = complaints(Record(grown=(grown,)))

    assert (found.check, found.series) == ("series-grow", "http_seconds")
    assert "made 100 new series" in found.message
    assert "20 new values of the label path" in found.message
    assert "5,000 series, or about 14.6 MiB" in found.message
    assert "123 are possible" in found.message


def test_what_the_first_requests_begin_is_no_growth() -> None:
    """Nor are a few new values among many inputs."""
    few, some, more = (orders(dict.fromkeys("abcdefghijklmnopqrst"[:n], 1)) for n in (1, 17, 19))

    assert complaints(Record(grown=(Grown("GET /{unique}", 20, *told(few, some, more)),))) == ()


def test_consequences_are_notes() -> None:
    """Of a cause that is an error or a warning; a note explains nothing."""
    cause = Complaint("workers-answer-in-turn", Severity.ERROR, 0, 0, "", "2 processes", "", "")
    follows = Complaint("counter-falls", Severity.ERROR, 0, 0, "", "fell", "", "")

    assert [one.severity for one in without_consequences([cause, follows])] == [Severity.ERROR, Severity.INFO]
    assert without_consequences([replace(cause, severity=Severity.INFO), follows])[1] == follows


@pytest.mark.parametrize("status", [0, 500])
def test_what_failed_is_not_read(status: int) -> None:
    """A body that no server would read is none to compare with."""
    good, bad, last = told(orders({"a": 7}), orders({"a": 1}), orders({"a": 8}))

    found = complaints(Record(watched=(Watched((good, replace(bad, status=status), last)),)))

    assert [one.check for one in found] == ["scrape-lost"]


def test_a_record_is_read_back(tmp_path: Path) -> None:
    """Whatever was done, with its bodies beside it."""
    scrapes = []
    for number, scrape in enumerate(told(orders({"a": 1}), orders({"a": 2}), orders({"a": 3}))):
        (tmp_path / f"{number}.body").write_bytes(scrape.text)
        scrapes.append(replace(scrape, text=b"", file=tmp_path / f"{number}.body", syntax=Syntax.TEXT))
    first, second, third = scrapes
    record = Record(
        watched=(Watched((first, second), loaded=True),),
        grown=(Grown("GET /{unique}", 20, first, second, third),),
        restarted=(Restarted(first, second, (Counter("a", {"b": "c"}),), 3),),
        timeout=5.0,
        budgets={"a": Budget(series=3)},
    )
    write_record(record, tmp_path)
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    found = read_record(moved)

    assert replace(found.watched[0].scrapes[0], file=first.file) == first
    assert found.watched[0].scrapes[0].file == moved / "0.body"
    assert (found.restarted[0].counters, found.budgets, found.timeout) == (
        record.restarted[0].counters,
        record.budgets,
        record.timeout,
    )
    assert str(tmp_path) not in (moved / "many.json").read_text()


def test_durations() -> None:
    """Of what was answered, and of what was given up; what failed at once is neither."""
    scrapes = [Scrape(Syntax.TEXT, 0.0, seconds) for seconds in (0.1, 0.2, 0.3)]
    late = Scrape(Syntax.TEXT, 0.0, 10.0, status=0, problem="timed out", timed_out=True)
    refused = Scrape(Syntax.TEXT, 0.0, 0.001, status=0, problem="refused")

    found = durations([*scrapes, late, refused])

    assert found is not None
    assert (found.count, found.p50, found.p99, found.longest, found.timed_out) == (4, 0.2, 10.0, 10.0, 1)
    assert durations([refused]) is None


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_a_quantile_is_a_value_that_a_share_does_not_exceed(values: list[float], share: float) -> None:
    """The smallest one (nearest rank)."""
    ordered = sorted(values)
    found = quantile(ordered, share)

    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9


def test_the_slope_is_that_of_most_pairs() -> None:
    """One scrape that was slow by chance does not make it."""
    assert slope([(100, 1.0), (200, 2.0), (300, 3.0), (400, 4.0), (500, 9.0)]) == pytest.approx(0.01)
    assert slope([(100, 1.0), (110, 2.0)]) is None
    assert slope([]) is None
