"""Endpoints that answer in a way that no server takes for a scrape, or not as it was asked."""

from __future__ import annotations

from collections.abc import Callable

from tests.sick_endpoints.disease import HEALTHY, HEALTHY_BOTH, SHOP, START, Disease, Questions, both, text
from tests.sick_endpoints.server import OPENMETRICS, Application, Metrics, Reply, Visit

BODY = (START + SHOP).encode()


def replying(
    reply: Callable[[Visit], Reply], pages: Callable[[Visit], Reply] | None = None
) -> Callable[[], Application]:
    """Return what makes an application of one function."""
    return lambda: Metrics(reply, pages or reply)


def hanging(visit: Visit) -> Reply:
    """Answer when the server is ended."""
    visit.closing.wait(60)
    return Reply(BODY)


DISEASES = {
    "metrics as a web page": Disease("content-type-refused", text(BODY, type="text/html; charset=utf-8"), HEALTHY),
    "no Content-Type": Disease("content-type-refused", text(BODY, type=None), HEALTHY),
    "OpenMetrics by name only": Disease("body-of-another-type", text(BODY, type=OPENMETRICS), HEALTHY),
    "gzip by name only": Disease(
        "encoding-broken",
        text(BODY, headers=(("Content-Encoding", "gzip"),)),
        replying(lambda visit: Reply(BODY).gzipped(visit)),
    ),
    "status 204": Disease("status-not-200", text(b"", status=204), HEALTHY),
    "a redirect": Disease(
        "redirected",
        replying(
            lambda _: Reply(status=302, headers=(("Location", "/real"),)),
            lambda visit: Reply(BODY) if visit.path == "/real" else Reply(status=404),
        ),
        HEALTHY,
    ),
    "redirects in a ring": Disease(
        "redirects-without-end", replying(lambda _: Reply(status=302, headers=(("Location", "/metrics"),))), HEALTHY
    ),
    "a body that ends too early": Disease("scrape-cut", text(BODY, length=len(BODY) + 100), HEALTHY),
    "more than Content-Length says": Disease("body-longer-than-said", text(BODY, length=len(START.encode())), HEALTHY),
    "no answer in time": Disease("scrape-timed-out", replying(hanging), HEALTHY, Questions(timeout=0.5)),
    "an empty body": Disease("empty-body", text(b""), HEALTHY),
    "a metric in one format alone": Disease("formats-disagree", both(START + SHOP, START + "# EOF\n"), HEALTHY_BOTH),
    "a parameter that it stumbles over": Disease(
        "name-filter-fails", replying(lambda visit: Reply(status=500) if visit.query else Reply(BODY)), HEALTHY
    ),
}
