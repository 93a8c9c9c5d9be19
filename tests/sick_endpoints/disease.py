"""What a sick endpoint is: two applications that differ in one thing, and the check that must tell them apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.sick_endpoints.server import OPENMETRICS, Application, Metrics, Reply, Visit
from tocsin.exposition.many.asking.asking import Amount
from tocsin.exposition.many.record.scrapes import Counter
from tocsin.system import AskedOf, Budget

START = """\
# HELP process_start_time_seconds When the process started, in seconds since 1970.
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1790000000
"""
SHOP = """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total{country="NL"} 3
shop_orders_total{country="BE"} 4
# HELP shop_carts Carts that are open.
# TYPE shop_carts gauge
shop_carts 2
"""
SHOP_OPENMETRICS = """\
# HELP shop_orders Orders that were paid.
# TYPE shop_orders counter
shop_orders_total{country="NL"} 3
shop_orders_total{country="BE"} 4
# HELP shop_carts Carts that are open.
# TYPE shop_carts gauge
shop_carts 2
"""
END = "# EOF\n"


@dataclass(frozen=True, slots=True)
class Questions:
    """What the endpoint is asked besides its metrics."""

    asked: AskedOf = field(default_factory=AskedOf)
    loaded: bool = False
    """Scrapes under load; needs `traffic`."""
    compares: bool = False
    """OpenMetrics and text in turn."""
    dependency: str = ""
    """The name of what is taken away; the application has `stop` and `start`."""
    up: str = ""
    """The metric that must be 0 then."""
    counters: tuple[Counter, ...] = ()
    """That begin anew when the application is restarted, which has `restart`; none: it is not."""
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    timeout: float = 5.0
    """`scrape_timeout` of its job."""
    amount: Amount = field(default_factory=Amount)
    """How often."""


@dataclass(frozen=True, slots=True)
class Disease:
    """One disease of an endpoint, and its healthy twin."""

    check: str
    """That must find it."""
    sick: Callable[[], Application]
    healthy: Callable[[], Application]
    questions: Questions = field(default_factory=Questions)


def text(body: str | bytes, **reply: Any) -> Callable[[], Application]:
    """Return what makes an application that answers this text, whoever asks for what."""
    raw = body.encode() if isinstance(body, str) else body
    return lambda: Metrics(lambda _: Reply(raw, **reply))


def both(of_text: str, of_openmetrics: str) -> Callable[[], Application]:
    """Return what makes an application that has both formats."""

    def reply(visit: Visit) -> Reply:
        return Reply(of_openmetrics.encode(), OPENMETRICS) if visit.openmetrics else Reply(of_text.encode())

    return lambda: Metrics(reply)


HEALTHY = text(START + SHOP)
HEALTHY_BOTH = both(START + SHOP, START + SHOP_OPENMETRICS + END)
