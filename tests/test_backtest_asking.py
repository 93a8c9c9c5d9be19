"""A server that is asked for history: in pieces, at a pace, and no more once it shows strain."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.recorded_history import BEGIN, every, history_of, make_blocks, window_of
from tocsin.engines.prometheus import Prometheus, PrometheusSettings
from tocsin.engines.prometheus_api import PrometheusApi
from tocsin.engines.trouble import EngineTrouble
from tocsin.simulation.backtest import OURS, History, Pace, Refused, Ticks
from tocsin.supervisor import Kind, Supervisor

COUNT = 400
TICKS = Ticks(BEGIN * 1000, 15_000, COUNT)
SMALL = Pace(per_second=None, ticks=16, seconds=30)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a storage with a hundred series, of which one alternates."""
    series = {f'm{{n="{n}"}}': every(15, [1.0] * COUNT) for n in range(99)}
    series['m{n="x"}'] = every(15, [float(n // 7 % 2) for n in range(COUNT)])
    return make_blocks(tmp_path_factory.mktemp("storage") / "tsdb", series)


@pytest.fixture(scope="module")
def history(storage: Path) -> Iterator[History]:
    """Give it as a history that is asked in small pieces."""
    with history_of(storage, SMALL) as found:
        yield found


EXPECTED = [(first, min(first + 6, COUNT - 1)) for first in range(7, COUNT, 14)]


def test_pieces_make_a_whole(history: History) -> None:
    """Each tick is asked for once, and runs go on across the seams; pieces grow while answers are quick."""
    before = history.requests

    found = history.evaluated('m{n="x"} == 1', TICKS)

    assert list(found.runs.values()) == [EXPECTED]
    assert found.refused == ()
    assert 2 < history.requests - before <= COUNT / SMALL.ticks


def test_a_shift_asks_for_earlier_moments(history: History) -> None:
    """As `query_offset` of a group does."""
    found = history.evaluated('m{n="x"} == 1', TICKS, shift=30_000)

    assert next(iter(found.runs.values()))[:2] == [(9, 15), (23, 29)]


def test_too_many_samples_are_asked_for_in_smaller_pieces(tmp_path: Path, storage: Path) -> None:
    """A real refusal of a real engine, that bears a hundred samples at a tick, and few ticks at once."""
    shutil.copytree(storage, tmp_path / "tsdb")
    (tmp_path / "prometheus.yml").write_text("{}")
    flags = ("--storage.tsdb.retention.time=100y", "--query.max-samples=1500")
    settings = PrometheusSettings(config=tmp_path / "prometheus.yml", data=tmp_path / "tsdb", flags=flags)
    with Supervisor("few", tmp_path / "logs") as supervisor:
        prometheus = Prometheus.start(supervisor, settings)
        history = History(prometheus.api, OURS)

        found = history.evaluated("count(m == 1) == 100", TICKS)

        assert list(found.runs.values()) == [EXPECTED]
        assert found.refused == ()
        with pytest.raises(Refused, match="too many samples"):  # of which one tick alone has twenty times as many
            history.evaluated("sum(sum_over_time(m[10m:5s]))", Ticks(TICKS.time(300), 15_000, 30))


def test_a_query_that_takes_too_long_is_strain(history: History) -> None:
    """The server is told how long it may take, ends it, and after three such is not asked any more."""
    hurried = History(history._api, Pace(per_second=None, ticks=64, seconds=0.001))

    with pytest.raises(EngineTrouble, match="3 queries were too much") as caught:
        hurried.evaluated("max_over_time((m * 2)[1h:1s])", TICKS)

    assert hurried.requests == 3
    assert caught.value.kind is Kind.TIMED_OUT
    assert "503" in caught.value.detail or "context deadline exceeded" in caught.value.detail


def test_what_the_server_cannot_read_is_refused_at_once(history: History) -> None:
    """One request tells it."""
    before = history.requests

    with pytest.raises(Refused, match="no_such_function"):
        history.evaluated("no_such_function(m)", TICKS)

    assert history.requests == before + 1


def test_names_are_those_of_the_window(history: History) -> None:
    """All, or those that a selector finds."""
    assert history.names(window_of(0, 3600)) == ("m",)
    assert history.names(window_of(0, 3600), 'm{n="x"}') == ("m",)
    assert history.names(window_of(0, 3600), 'm{n="y"}') == ()


# A server that goes wrong on cue


class World(BaseHTTPRequestHandler):
    """Answers range queries with what its server says, in turn."""

    server: Any

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.asked.append((time.monotonic(), {name: values[0] for name, values in form.items()}))
        self._answer()

    def do_GET(self) -> None:
        self.server.asked.append((time.monotonic(), {}))
        self._answer()

    def _answer(self) -> None:
        number = min(len(self.server.asked), len(self.server.answers)) - 1
        status, body = self.server.answers[number]
        if status == 0:
            self.server.hang.wait(20)
            return
        written = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(written)))
        self.end_headers()
        self.wfile.write(written)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def world(
    *answers: tuple[int, Any], handler: type[World] = World
) -> Iterator[tuple[PrometheusApi, list[tuple[float, dict[str, str]]]]]:
    """Give a server with these answers, the last of them for ever, and what it was asked."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    asked: list[tuple[float, dict[str, str]]] = []
    vars(server).update(answers=answers, asked=asked, hang=threading.Event())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        with closing(PrometheusApi(f"http://127.0.0.1:{server.server_port}")) as api:
            yield api, asked
    finally:
        vars(server)["hang"].set()
        server.shutdown()
        thread.join()
        server.server_close()


NOTHING = {"status": "success", "data": {"resultType": "matrix", "result": []}}
WRONG: dict[str, tuple[tuple[int, Any], int, str]] = {
    "an error of its own": ((500, {"status": "error", "error": "head is broken"}), 1, "head is broken"),
    "a proxy's": ((502, "bad gateway"), 1, "bad gateway"),
    "too many requests": ((429, "slow down"), 1, "slow down"),
    "not allowed": ((401, "who are you"), 1, "who are you"),
    "nobody there": ((404, "no such page"), 1, "no such page"),
    "strain": ((503, {"status": "error", "error": "query timed out"}), 3, "query timed out"),
    "out of time": ((400, {"status": "error", "error": "context deadline exceeded"}), 3, "deadline"),
    "out of time in the storage": ((422, {"error": "expanding series: context deadline exceeded"}), 3, "deadline"),
    "a proxy's patience": ((504, "gateway timeout"), 3, "gateway timeout"),
    "no JSON": ((200, "<html>"), 1, "answered no JSON"),
    "other JSON": ((200, ["x"]), 1, "no JSON object"),
    "no matrix": ((200, {"status": "success", "data": {"resultType": "vector", "result": []}}), 1, "no matrix"),
}


@pytest.mark.parametrize(("answer", "requests", "words"), WRONG.values(), ids=WRONG)
def test_a_server_in_need_is_left_alone(answer: tuple[int, Any], requests: int, words: str) -> None:
    """Nothing is asked after it said that it cannot; three times at the most where smaller pieces may help."""
    with world(answer) as (api, asked), pytest.raises(EngineTrouble, match=words):
        History(api, SMALL).evaluated("m", TICKS)

    assert len(asked) == requests


def test_a_server_that_hangs_is_left_alone() -> None:
    """After three pieces, each smaller than the last."""
    pace = Pace(per_second=None, ticks=16, seconds=-4.9)  # with the grace for the way: 0.1 s

    with world((0, "")) as (api, asked), pytest.raises(EngineTrouble, match="3 queries were too much"):
        History(api, pace).evaluated("m", TICKS)

    ends = [float(form["end"]) - float(form["start"]) for _, form in asked]
    assert ends == [15 * 15, 7 * 15, 3 * 15]


def test_one_sign_of_strain_makes_pieces_smaller() -> None:
    """And the history is whole all the same."""
    with world((503, "busy"), (200, NOTHING)) as (api, asked):
        History(api, SMALL).evaluated("m", TICKS)

    starts = [round(float(form["start"])) - BEGIN for _, form in asked]
    assert starts[:3] == [0, 0, 8 * 15]
    assert all(form["timeout"] == "30.000000" for _, form in asked)


def test_an_expression_that_fails_everywhere_is_given_up() -> None:
    """It costs a bounded number of requests, however long the window."""
    error = {"status": "error", "errorType": "execution", "error": "many-to-many"}
    with world((422, error)) as (api, asked), pytest.raises(Refused, match="many-to-many"):
        History(api, SMALL).evaluated("m", Ticks(0, 15_000, 100_000))

    assert len(asked) < 60


def test_the_end_of_a_failing_stretch_is_found() -> None:
    """Without a question for each of its ticks; what comes after it is evaluated."""
    first, last = 1000, 41_000

    class Failing(World):
        """Fails where a piece has a tick of the stretch."""

        def _answer(self) -> None:
            form = self.server.asked[-1][1]
            begin, end = (round(float(form[name])) // 15 for name in ("start", "end"))
            fails = begin <= last and end >= first
            values = [[n * 15, "1"] for n in range(begin, end + 1)]
            result = [{"metric": {}, "values": values}]
            good = {"status": "success", "data": {"resultType": "matrix", "result": result}}
            self.server.answers = [(422, {"error": "many-to-many"}) if fails else (200, good)]
            super()._answer()

    with world(handler=Failing) as (api, asked):
        found = History(api, SMALL).evaluated("m", Ticks(0, 15_000, 50_000))

    assert [run for run, _ in found.refused] == [(first, last)]
    assert found.runs == {(): [(0, first - 1), (last + 1, 49_999)]}
    assert len(asked) < 100


def test_the_pace_is_kept() -> None:
    """Never two requests within the time that the pace leaves for one."""
    with world((200, NOTHING)) as (api, asked):
        History(api, Pace(per_second=20, ticks=16, seconds=30)).evaluated("m", TICKS)

    moments = [moment for moment, _ in asked]
    assert len(moments) > 3
    assert min(later - earlier for earlier, later in pairwise(moments)) > 0.04


def test_warnings_are_kept() -> None:
    """As a store says that a part of the history could not be read."""
    with world((200, {**NOTHING, "warnings": ["store is away"]})) as (api, _):
        assert History(api, SMALL).evaluated("m", TICKS).warnings == ("store is away",)


def test_native_histograms_are_results_too() -> None:
    """They have times and no values."""
    result = [{"metric": {"a": "b"}, "histograms": [[BEGIN, {}], [BEGIN + 15, {}]]}]
    answer = {"status": "success", "data": {"resultType": "matrix", "result": result}}
    with world((200, answer)) as (api, _):
        assert History(api, SMALL).evaluated("m", Ticks(TICKS.first, 15_000, 2)).runs == {(("a", "b"),): [(0, 1)]}


@pytest.mark.parametrize(("said", "expected"), [
    ("global: {evaluation_interval: 30s}", 30.0), ("global: {}", None), ("{}", None),
    ("global: {evaluation_interval: x}", None),
])  # fmt: skip
def test_its_own_interval_is_asked_for(said: str, expected: float | None) -> None:
    """Where files do not say one."""
    with world((200, {"data": {"yaml": said}})) as (api, _):
        assert History(api, SMALL).evaluation_interval() == expected


def test_a_server_without_a_configuration_has_no_interval() -> None:
    """As one that only stores."""
    with world((404, "no such page")) as (api, _):
        assert History(api, SMALL).evaluation_interval() is None
