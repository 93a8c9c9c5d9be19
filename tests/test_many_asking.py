"""A target is asked only what is declared, by GET, where it may be; and each scrape has a connection of its own."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.sick_endpoints.disease import SHOP, START
from tests.sick_endpoints.of_many import Shop
from tests.sick_endpoints.server import Reply, Visit, served
from tocsin.artefacts.exposition.syntax import Generation, Syntax
from tocsin.exposition.many.asking.asking import Amount, Asking
from tocsin.exposition.many.asking.load import load
from tocsin.exposition.many.asking.requests import Refused, Requests, is_loopback, requests_to
from tocsin.exposition.many.asking.visiting import Visiting
from tocsin.exposition.many.asking.visiting import visit as ask_all
from tocsin.exposition.scrape import scrape, scrape_headers
from tocsin.exposition.scraped import Request
from tocsin.system import AskedOf, Endpoint, Environment, Growth, KnownRequests, Process

DECLARED = AskedOf(traffic=("/orders",), growth=(Growth(path="/search?q={unique}", user_agent="visitor {unique}"),))
RUNNING = {"prometheus": Endpoint(url="http://p.example.org:9090"), "hosts": ("shop.example.org",)}


@dataclass
class Noting:
    """Notes who asked for what."""

    seen: list[tuple[str, str, str]] = field(default_factory=list)
    answers: dict[str, Reply] = field(default_factory=dict)
    counting: Shop | None = None
    """What answers in its place."""

    def __call__(self, visit: Visit) -> Reply:
        """Answer a request."""
        self.seen.append((visit.path, visit.query, visit.agent))
        if self.counting is not None:
            return self.counting(visit)
        return self.answers.get(visit.path, Reply((START + SHOP).encode()))


def asking(url: str, folder: Path, declared: AskedOf | None = None, amount: Amount | None = None) -> Asking:
    """Return what asks a server."""
    target = Request(f"{url}/metrics", scrape_headers(Generation.V3_5, 5))
    requests = requests_to(url, declared) if declared is not None else None
    return Asking(partial(scrape, target), folder, requests, amount or Amount(alone=3, together=2, rounds=1))


def test_only_what_is_declared_is_asked_for() -> None:
    """Another path is refused, and the message names those that are declared."""
    application = Noting()
    with served(application) as url:
        requests = requests_to(url, DECLARED)
        assert requests.get("/orders") == 200
        with pytest.raises(Refused, match=r"/admin is not asked for.*declared: /orders, /search"):
            requests.get("/admin")

    assert [path for path, _, _ in application.seen] == ["/orders"]


def test_what_is_unique_takes_its_place() -> None:
    """In the path and in the user agent."""
    application = Noting()
    with served(application) as url:
        requests_to(url, DECLARED).get(DECLARED.growth[0].path, unique="x7", user_agent="visitor {unique}")

    assert application.seen == [("/search", "q=x7", "visitor x7")]


def test_a_redirect_is_not_followed() -> None:
    """It would lead to what nobody declared."""
    application = Noting(answers={"/orders": Reply(status=302, headers=(("Location", "/admin"),))})
    with served(application) as url:
        assert requests_to(url, DECLARED).get("/orders") == 302

    assert [path for path, _, _ in application.seen] == ["/orders"]


def test_nobody_there_is_no_answer() -> None:
    """And no exception."""
    assert Requests("http://127.0.0.1:1", DECLARED, 2.0).get("/orders") == 0


@pytest.mark.parametrize(
    ("url", "environment", "words"),
    [
        ("http://shop.example.org/metrics", None, "is not this machine, nor under `hosts` (none)"),
        ("http://shop.example.org/", Environment(**RUNNING), "does not say `allow_load: true`"),
        ("http://other.example.org/", Environment(**RUNNING, allow_load=True), "under `hosts` (shop.example.org)"),
        ("file:///etc/passwd", None, "is no address of HTTP"),
    ],
)
def test_where_no_request_may_go(url: str, environment: Environment | None, words: str) -> None:
    """Neither to strangers, nor to a system that bears no load; whatever the address is."""
    with pytest.raises(Refused) as refused:
        requests_to(url, DECLARED, environment)
    assert words in str(refused.value)


def test_where_requests_may_go() -> None:
    """To this machine, and to hosts that are listed where load is allowed; never with a password."""
    ours = Environment(processes={"shop": Process(command=("serve",))})
    assert requests_to("http://127.0.0.1:8000/metrics", DECLARED, ours).base == "http://127.0.0.1:8000"
    allowed = Environment(**RUNNING, allow_load=True)
    assert requests_to("https://u:p@shop.example.org/m", DECLARED, allowed).base == "https://shop.example.org"


@pytest.mark.parametrize(
    ("host", "own"),
    [
        *(("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True)),
        *(("0.0.0.0", False), ("10.0.0.1", False), ("localhost.example.org", False), ("2130706433", False)),
    ],
)
def test_what_this_machine_is(host: str, own: bool) -> None:
    """By its address, or the one name that every machine has."""
    assert is_loopback(host) is own


def test_each_scrape_has_a_connection_of_its_own(tmp_path: Path) -> None:
    """Two over one connection would always meet the same worker."""
    ports: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            ports.append(self.client_address[1])
            body = SHOP.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        watched = asking(f"http://127.0.0.1:{server.server_port}", tmp_path).watch()
        server.shutdown()
        thread.join()

    assert len(watched.scrapes) == len({*ports}) == 5
    assert len({scrape.connection for scrape in watched.scrapes}) == 5
    assert all(scrape.whole and scrape.syntax is Syntax.TEXT and scrape.file for scrape in watched.scrapes)


def test_without_a_declaration_only_metrics_are_asked_for(tmp_path: Path) -> None:
    """However much could be asked."""
    application = Noting()
    with served(application) as url:
        found = ask_all(asking(url, tmp_path), Visiting(timeout=5.0))

    assert {path for path, _, _ in application.seen} == {"/metrics"}
    assert (len(found.watched), found.counted, found.grown) == (1, (), ())


def test_all_that_is_declared_is_asked(tmp_path: Path) -> None:
    """So many requests as are declared, each unlike the others, between the scrapes that they belong to."""
    known = KnownRequests(path="/orders", requests=7, counter="http_requests_total", labels={"path": "/orders"})
    declared = AskedOf(growth=(Growth(path="/search?q={unique}", inputs=10),), known=(known,))
    application = Noting(counting=Shop())
    with served(application) as url:
        found = ask_all(asking(url, tmp_path, declared), Visiting(timeout=5.0))

    counts = Counter(path for path, _, _ in application.seen)
    searches = [query for path, query, _ in application.seen if path == "/search"]
    assert (counts["/orders"], counts["/search"], len({*searches})) == (7, 20, 20)
    assert found.counted[0].requests == 7
    assert found.grown[0].inputs == 10


def test_requests_do_not_fall_in_step_with_a_balancer(tmp_path: Path) -> None:
    """With three workers that take turns, and two requests between scrapes, the scrapes meet all three."""
    declared = AskedOf(traffic=("/orders",))
    application = Noting()
    with served(application) as url:
        asking(url, tmp_path, declared, Amount(alone=9, rounds=0)).watch()

    asked = [path for path, _, _ in application.seen]
    for workers in (2, 3, 4, 5, 6, 7):
        met = {place % workers for place, path in enumerate(asked) if path == "/metrics"}
        assert len(met) > 1, workers


def test_load_goes_on_as_long_as_the_block() -> None:
    """It has begun when the block begins, and is over after it."""
    application = Noting()
    with served(application) as url:
        with load(requests_to(url, DECLARED), ("/orders",), users=3):
            pass
        after = len(application.seen)
        assert after >= 1
        assert not [thread for thread in threading.enumerate() if "ask" in thread.name]
        assert len(application.seen) == after


def test_a_dependency_comes_back_whatever_happens(tmp_path: Path) -> None:
    """Also where taking it away fails half-way."""
    done: list[str] = []

    def fails() -> None:
        done.append("stop")
        raise OSError("half-way")

    with pytest.raises(OSError, match="half-way"):
        asking("http://127.0.0.1:1", tmp_path).bereave("database", fails, lambda: done.append("start"))
    assert done == ["stop", "start"]


def test_a_target_that_cannot_be_reached(tmp_path: Path) -> None:
    """Is written down, and nothing raises."""
    scrape_made = asking("http://127.0.0.1:1", tmp_path).scrape()

    assert not scrape_made.whole
    assert scrape_made.problem
