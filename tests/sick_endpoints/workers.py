"""A small application for uvicorn, with the metrics of Python's official client: as many workers as are asked for.

With PROMETHEUS_MULTIPROC_DIR a scrape collects from all of them, and without from the one that answers. GAUGE is the
multiprocess mode of a gauge, which is left out without it.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, disable_created_metrics, exposition
from prometheus_client.multiprocess import MultiProcessCollector

SHARED = "PROMETHEUS_MULTIPROC_DIR" in os.environ
MODE: Any = os.environ.get("GAUGE", "")

disable_created_metrics()
REQUESTS = Counter("http_requests", "Requests that were answered.", ["path"])
for known in ("/orders", "/pid"):
    REQUESTS.labels(known)
Counter("shop_cache_hits", "Articles that were found in the cache of the worker.").inc(os.getpid() % 97)
Counter("shop_cache_misses", "Articles that were not.").inc(97 - os.getpid() % 97)
if MODE:
    Gauge("shop_carts", "Carts that are open.", multiprocess_mode=MODE).set(1)


def registry() -> CollectorRegistry:
    """Return what is to be collected."""
    if not SHARED:
        return REGISTRY
    shared = CollectorRegistry()
    MultiProcessCollector(shared)
    return shared


async def app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Answer a request."""
    if scope["type"] != "http":
        return
    await receive()
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    kind, body = "text/plain", str(os.getpid()).encode()
    if scope["path"] == "/metrics":
        encode, kind = exposition.choose_encoder(headers.get("accept", ""))
        body = encode(registry())
    else:
        REQUESTS.labels(scope["path"] if scope["path"] in ("/orders", "/pid") else "other").inc()
    answer = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": answer})
    await send({"type": "http.response.body", "body": body})
