"""Whether a counter's series are there before their first event."""

from __future__ import annotations

import pytest

from tocsin.artefacts.application import Application

MADE = "from prometheus_client import Counter\nORDERS = Counter('orders', 'Orders.', ['outcome'])\n"
IN_CLASS = (
    "from prometheus_client import Counter\n"
    "class Series:\n"
    "    def __init__(self):\n"
    "        self.orders: Counter = Counter('orders', 'Orders.', ['outcome'])\n"
)


@pytest.mark.parametrize(
    ("text", "lazy"),
    [
        (MADE, True),
        (MADE + "ORDERS.labels('paid').inc()\n", True),
        (MADE + "ORDERS.labels('paid')\n", False),
        (MADE + "for outcome in ('paid', 'refused'):\n    ORDERS.labels(outcome)\n", False),
        (MADE + "[ORDERS.labels(outcome) for outcome in ('paid', 'refused')]\n", False),
        (MADE + "OTHERS.labels('paid')\n", True),
        (MADE.replace(", ['outcome']", ""), False),
        (IN_CLASS, True),
        (IN_CLASS + "        self.orders.labels('paid')\n", False),
    ],
)
def test_series_that_are_made_at_the_start(text: str, lazy: bool) -> None:
    """A `.labels(...)` by itself makes the series, with 0; one that is counted on makes it too late."""
    assert [instrument.lazy for instrument in Application({"app.py": text}).instruments] == [lazy]
