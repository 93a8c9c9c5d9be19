"""Endpoints that look well in any single scrape."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import count

from tests.sick_endpoints.disease import END, SHOP, SHOP_OPENMETRICS, START, Disease, Questions, text
from tests.sick_endpoints.server import OPENMETRICS, Application, Reply, Visit
from tocsin.exposition.many.asking.asking import Amount
from tocsin.exposition.many.record.scrapes import Counter as Total
from tocsin.system import AskedOf, Budget, Growth, KnownRequests

REQUESTS = """\
# HELP http_requests_total Requests that were answered.
# TYPE http_requests_total counter
"""
BETWEEN = AskedOf(traffic=("/orders", "/carts"))
STEP_SECONDS = 0.02
"""How long something takes in which something else can come between."""


@dataclass
class Shop:
    """An application that counts its requests; what it does wrong is what a field says, or a subclass."""

    label: Callable[[Visit], str] = field(default=lambda visit: visit.path if visit.path == "/orders" else "other")
    each: int = 1
    """How often a request is counted."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    counts: Counter[str] = field(default_factory=Counter)
    scrapes: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        """Begin; subclasses have more to begin with."""

    def __call__(self, visit: Visit) -> Reply:
        """Answer a request."""
        if visit.path == "/metrics":
            return self.metrics(visit)
        return self.page(visit)

    def page(self, visit: Visit) -> Reply:
        """Answer a request that is counted."""
        with self.lock:
            self.counts[self.label(visit)] += self.each
        return Reply(b"here you are\n")

    def requests(self) -> str:
        """Return the counter of requests."""
        with self.lock:
            known = {"/orders": 0, "other": 0} | self.counts
        return REQUESTS + "".join(f'http_requests_total{{path="{path}"}} {n}\n' for path, n in sorted(known.items()))

    def metrics(self, visit: Visit) -> Reply:
        """Answer a scrape."""
        del visit
        return Reply((START + self.requests() + self.more()).encode())

    def more(self) -> str:
        """Return further metrics."""
        return SHOP


class Falling(Shop):
    """Counts open orders, which come and go, by a counter."""

    type = "counter"

    def more(self) -> str:
        """Return the open orders: sometimes fewer."""
        open_orders = (5, 7, 6, 9)[next(self.scrapes) % 4]
        name = "shop_orders_total" if self.type == "counter" else "shop_open_orders"
        return f"# HELP {name} Orders that are open.\n# TYPE {name} {self.type}\n{name} {open_orders}\n"


class Honest(Falling):
    """The same, by a gauge."""

    type = "gauge"


class Flapping(Shop):
    """Forgets a queue when it is empty."""

    forgets = True

    def more(self) -> str:
        """Return the queues."""
        length = next(self.scrapes) % 3
        empty = "" if self.forgets and not length else f'shop_queue_messages{{queue="mail"}} {length}\n'
        head = "# HELP shop_queue_messages Messages that wait.\n# TYPE shop_queue_messages gauge\n"
        return f'{head}{empty}shop_queue_messages{{queue="print"}} 1\n'


class Remembering(Flapping):
    """The same, with 0 for what is empty."""

    forgets = False


class Drifting(Shop):
    """Writes into HELP what changes."""

    def more(self) -> str:
        """Return a metric whose HELP is another each time."""
        return SHOP.replace("Carts that are open.", f"Carts that are open ({next(self.scrapes)} asked before).")


class Jumpy(Shop):
    """Reckons anew each time when it started."""

    def metrics(self, visit: Visit) -> Reply:
        """Answer a scrape."""
        reply = super().metrics(visit)
        start = 1790000000 + next(self.scrapes) % 2 / 100
        return Reply(reply.body.replace(b"seconds 1790000000\n", b"seconds %.2f\n" % start))


class Still(Shop):
    """Has a clock that stood still a while ago."""

    frozen: float = 0.0

    def more(self) -> str:
        """Return a gauge with a time."""
        self.frozen = self.frozen or time.time() - 100
        return SHOP.replace("shop_carts 2\n", f"shop_carts 2 {self.frozen * 1000:.0f}\n")


class Busy(Shop):
    """Serves one after another, in the order in which they came, and scrapes too."""

    queues = True

    def __post_init__(self) -> None:
        """Begin with nobody in the queue."""
        self.changed = threading.Condition()
        self.tickets = count()
        self.serving = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn, and have it until the end of the block."""
        with self.changed:
            ticket = next(self.tickets)
            self.changed.wait_for(lambda: self.serving == ticket)
        try:
            yield
        finally:
            with self.changed:
                self.serving += 1
                self.changed.notify_all()

    def page(self, visit: Visit) -> Reply:
        """Answer slowly."""
        with self.turn():
            visit.closing.wait(0.25)
        return super().page(visit)

    def metrics(self, visit: Visit) -> Reply:
        """Answer in turn."""
        with self.turn() if self.queues else nullcontext():
            return super().metrics(visit)


class Patient(Busy):
    """The same, with a scrape that waits for nobody."""

    queues = False


class Tearing(Shop):
    """Observes how long requests take, bucket by bucket."""

    whole = False

    def __post_init__(self) -> None:
        """Begin with no request."""
        self.observations = threading.Lock()
        self.bucket = self.count = 0

    def page(self, visit: Visit) -> Reply:
        """Answer, and observe; another lock in the healthy one keeps scrapes out."""
        if self.whole:
            with self.observations:
                self._observe(visit)
        else:
            self._observe(visit)
        return super().page(visit)

    def _observe(self, visit: Visit) -> None:
        with self.lock:
            self.bucket += 1
        visit.closing.wait(STEP_SECONDS)
        with self.lock:
            self.count += 1

    def more(self) -> str:
        """Return the histogram."""
        with self.observations:
            bucket, total = self.bucket, self.count
        name = "http_request_duration_seconds"
        return (
            f"# HELP {name} How long requests take.\n# TYPE {name} histogram\n"
            f'{name}_bucket{{le="0.1"}} {bucket}\n{name}_bucket{{le="+Inf"}} {bucket}\n{name}_sum {total / 50}\n'
            f"{name}_count {total}\n"
        )


class Whole(Tearing):
    """The same, under one lock."""

    whole = True


class Alone(Shop):
    """Bears one scrape at a time."""

    def __post_init__(self) -> None:
        """Begin free."""
        self.taken = threading.Lock()

    def metrics(self, visit: Visit) -> Reply:
        """Answer, if nobody else is answered."""
        if not self.taken.acquire(blocking=False):
            return Reply(b"busy\n", status=503)
        try:
            visit.closing.wait(STEP_SECONDS)
            return super().metrics(visit)
        finally:
            self.taken.release()


class Depending(Shop):
    """Asks a database in each scrape."""

    running = True
    when_down = "fails"

    def stop(self) -> None:
        """Take the database away."""
        self.running = False

    def start(self) -> None:
        """Bring it back."""
        self.running = True

    def metrics(self, visit: Visit) -> Reply:
        """Answer, or not."""
        if not self.running and self.when_down == "fails":
            return Reply(b"no database\n", status=500)
        return super().metrics(visit)

    def more(self) -> str:
        """Tell whether it is there."""
        up = 1 if self.running or self.when_down == "hides" else 0
        head = "# HELP shop_database_up Whether the database answers.\n# TYPE shop_database_up gauge\n"
        return f"{head}shop_database_up {up}\n"


class Hiding(Depending):
    """Says that it is there when it is not."""

    when_down = "hides"


class Telling(Depending):
    """Says how it is."""

    when_down = "tells"


class Cached(Shop):
    """Has OpenMetrics too, and makes it once."""

    caches = True
    cached: bytes = b""

    def metrics(self, visit: Visit) -> Reply:
        """Answer as asked."""
        if not visit.openmetrics:
            return super().metrics(visit)
        made = START + self.requests().replace("http_requests_total counter", "http_requests counter")
        made = made.replace("HELP http_requests_total", "HELP http_requests") + SHOP_OPENMETRICS + END
        self.cached = self.cached if self.caches and self.cached else made.encode()
        return Reply(self.cached, OPENMETRICS)


class Fresh(Cached):
    """The same, made each time."""

    caches = False


class Restarting(Shop):
    """Can be restarted."""

    forgets_start = False
    forgets_counts = True
    started = 1790000000

    def restart(self) -> None:
        """Begin anew, an hour later."""
        if not self.forgets_start:
            self.started += 3600
        if self.forgets_counts:
            self.counts.clear()

    def metrics(self, visit: Visit) -> Reply:
        """Answer with the start as it is told."""
        reply = super().metrics(visit)
        return Reply(reply.body.replace(b"seconds 1790000000\n", b"seconds %d\n" % self.started))


class Ageless(Restarting):
    """Says that it started when its container did."""

    forgets_start = True


class Undying(Restarting):
    """Goes on counting where the one before it ended."""

    forgets_counts = False


def by_path(visit: Visit) -> str:
    """Return the path as it came."""
    return visit.path


def by_agent(visit: Visit) -> str:
    """Return who asked."""
    return visit.agent


UNKNOWN_PATHS = Questions(AskedOf(traffic=("/orders",), growth=(Growth(path="/no-such-page/{unique}"),)))
UNKNOWN_AGENTS = Questions(AskedOf(growth=(Growth(path="/orders", user_agent="visitor-{unique}"),)))
KNOWN = Questions(
    AskedOf(
        traffic=("/carts",),
        known=(KnownRequests(path="/orders", counter="http_requests_total", labels={"path": "/orders"}),),
    )
)
LOAD = Questions(BETWEEN, loaded=True)
QUEUE = Questions(BETWEEN, loaded=True, timeout=2.0, amount=Amount(alone=2, together=4, rounds=1, between=0, users=6))
DATABASE = Questions(dependency="database", up="shop_database_up")
RESTART = Questions(BETWEEN, counters=(Total("http_requests_total", {"path": "/orders"}),))
FORMATS = Questions(BETWEEN, compares=True)
ORDERS = Questions(budgets={"shop_orders_total": Budget(series=10, labels={"country": 5})})


def shops(countries: int) -> Callable[[], Application]:
    """Return what makes an application with orders from so many countries."""
    codes = [f"{a}{b}" for a in "ABCDEFGHIJ" for b in "KLMNOPQRST"]
    lines = "".join(f'shop_orders_total{{country="{code}"}} 1\n' for code in codes[:countries])
    return text(START + "# HELP shop_orders_total Orders that were paid.\n# TYPE shop_orders_total counter\n" + lines)


DISEASES = {
    "a counter that falls": Disease("counter-falls", Falling, Honest, Questions(BETWEEN)),
    "a series that comes and goes": Disease("series-flap", Flapping, Remembering),
    "a HELP that changes": Disease("metadata-drift", Drifting, Shop),
    "a start that is never the same": Disease("start-time-drifts", Jumpy, Shop),
    "a clock that stands still": Disease("timestamps-frozen", Still, Shop),
    "a path in a label": Disease("series-grow", lambda: Shop(by_path), Shop, UNKNOWN_PATHS),
    "a user agent in a label": Disease("series-grow", lambda: Shop(by_agent), Shop, UNKNOWN_AGENTS),
    "each request counted twice": Disease("requests-miscounted", lambda: Shop(each=2), Shop, KNOWN),
    "a scrape that waits for requests": Disease("scrape-slowed-by-load", Busy, Patient, QUEUE),
    "a histogram that is torn under load": Disease("histogram-torn", Tearing, Whole, LOAD),
    "one scrape at a time": Disease("scrape-lost", Alone, Shop),
    "a database that takes the metrics with it": Disease("dependency-takes-metrics-down", Depending, Telling, DATABASE),
    "a database that is gone unseen": Disease("dependency-not-told", Hiding, Telling, DATABASE),
    "a restart that is not told": Disease("restart-not-told", Ageless, Restarting, RESTART),
    "counters of the process before": Disease("restart-keeps-values", Undying, Restarting, RESTART),
    "OpenMetrics from a cache": Disease("formats-drift-apart", Cached, Fresh, FORMATS),
    "more series than planned": Disease("budget-exceeded", shops(12), shops(5), ORDERS),
}
