"""Endpoints whose scrape is kept, and whose numbers fool whoever looks at them."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.sick_endpoints.disease import END, HEALTHY, SHOP, SHOP_OPENMETRICS, START, Disease, both, text
from tests.sick_endpoints.server import OPENMETRICS, Application, Metrics, Reply, Visit

HISTOGRAM = """\
# HELP shop_payment_duration_seconds How long payments take.
# TYPE shop_payment_duration_seconds histogram
shop_payment_duration_seconds_bucket{le="0.1"} 3
shop_payment_duration_seconds_bucket{le="1"} 5
shop_payment_duration_seconds_bucket{le="+Inf"} 6
shop_payment_duration_seconds_sum 4.5
shop_payment_duration_seconds_count 6
"""
SUMMARY = """\
# HELP shop_answer_duration_seconds How long answers take.
# TYPE shop_answer_duration_seconds summary
shop_answer_duration_seconds{quantile="0.99"} 0.5
shop_answer_duration_seconds_sum 4.5
shop_answer_duration_seconds_count 6
"""
HEALTHY_HISTOGRAM = text(START + HISTOGRAM)
TOKEN = "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5"


def of_country(value: str) -> Callable[[], Application]:
    """Return what makes an application with another value of the label."""
    return text(START + SHOP.replace('"NL"', f'"{value}"'))


def in_milliseconds() -> Application:
    """Return an application that tells the time of a sample, in OpenMetrics, in the wrong unit."""

    def reply(visit: Visit) -> Reply:
        timed = SHOP_OPENMETRICS.replace(" 2\n", f" 2 {time.time() * 1000:.0f}\n")
        return (
            Reply((START + timed + END).encode(), OPENMETRICS) if visit.openmetrics else Reply((START + SHOP).encode())
        )

    return Metrics(reply)


DISEASES = {
    "a series twice": Disease("duplicate-series", text(START + SHOP.replace('"BE"', '"NL"')), HEALTHY),
    "milliseconds in OpenMetrics": Disease(
        "timestamp-in-other-unit", in_milliseconds, both(START + SHOP, START + SHOP_OPENMETRICS + END)
    ),
    "no infinite bucket": Disease(
        "no-infinite-bucket",
        text(START + HISTOGRAM.replace('shop_payment_duration_seconds_bucket{le="+Inf"} 6\n', "")),
        HEALTHY_HISTOGRAM,
    ),
    "buckets that are not cumulative": Disease(
        "buckets-not-cumulative", text(START + HISTOGRAM.replace('{le="1"} 5', '{le="1"} 2')), HEALTHY_HISTOGRAM
    ),
    "a count that is not the last bucket": Disease(
        "count-differs-from-buckets", text(START + HISTOGRAM.replace("_count 6", "_count 9")), HEALTHY_HISTOGRAM
    ),
    "a quantile of 99": Disease(
        "quantile-out-of-range", text(START + SUMMARY.replace('"0.99"', '"99"')), text(START + SUMMARY)
    ),
    "a counter below zero": Disease("counter-negative", text(START + SHOP.replace("} 3", "} -3")), HEALTHY),
    "a family in two places": Disease(
        "family-repeated",
        text(START + SHOP.replace('shop_orders_total{country="BE"} 4\n', "") + 'shop_orders_total{country="BE"} 4\n'),
        HEALTHY,
    ),
    "a token in a label": Disease("credential-exposed", of_country(TOKEN), HEALTHY),
    "a mailbox in a label": Disease("personal-data-exposed", of_country("ann.other@example.org"), HEALTHY),
    "the label job": Disease("target-label-exposed", text(START + SHOP.replace("country=", "job=")), HEALTHY),
    "a counter without total": Disease(
        "counter-without-total", text(START + SHOP.replace("shop_orders_total", "shop_orders")), HEALTHY
    ),
    "milliseconds in the name": Disease(
        "non-base-unit",
        text(START + HISTOGRAM.replace("_seconds", "_milliseconds")),
        HEALTHY_HISTOGRAM,
    ),
    "identifiers in a label": Disease(
        "identifier-in-label",
        text(
            START
            + SHOP.replace('"NL"', '"0b6cf1a4-8f5e-4d0a-9f0e-0d9a3f1b7c11"').replace(
                '"BE"', '"5e0f8a5c-3c0f-4f5e-8a52-c1a0f0f7be02"'
            )
        ),
        HEALTHY,
    ),
}
