"""Several processes of one server, each of which counts by itself."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.workers import DIRECTORY, Workers, sets_directory, uses_client, workers

_COMPOSE = """\
services:
  shop:
    build: .
    command: [uvicorn, "shop:app", --workers=4]
"""
_FILES = {
    "Dockerfile": "FROM python:3.13\nCOPY shop.py .\n",
    "shop.py": "import prometheus_client\n\nORDERS = prometheus_client.Counter('orders_total', 'Orders')\n",
}


@check(
    severity=Severity.ERROR,
    fix=f"Set {DIRECTORY} to a folder that is empty at each start and serve MultiProcessCollector, or start one.",
    bad=Example({**_FILES, "compose.yml": _COMPOSE}, at="--workers=4"),
    good=Example(
        {**_FILES, "compose.yml": _COMPOSE + f"    environment: {{{DIRECTORY}: /metrics}}\n    tmpfs: [/metrics]\n"}
    ),
)
def multiprocess_metrics_off(model: Model) -> Iterator[Remark]:
    """Each scrape shows the counters of one process at random, so every rate and every ratio is wrong.

    (prometheus/client_python, docs/multiprocess: the processes share their counts through the files of a folder that
    the variable PROMETHEUS_MULTIPROC_DIR names, and only if it is set before the first metric is made.)
    """
    for one in workers(model):
        if one.open or sets_directory(model, one):
            continue
        client = uses_client(model, one)
        if client or (client is None and _scraped(model, one)):
            message = (
                f"{one.server} is started with {one.count} processes and without {DIRECTORY}: each counts by itself"
            )
            severity = None if client else Severity.WARNING
            yield at(one.part, message, subject=one.subject, severity=severity)


def _scraped(model: Model, one: Workers) -> bool:
    """Tell whether Prometheus asks the server itself, which is then likely to count with the client of its language."""
    for target in model.targets:
        if target.kept and target.certain:
            host = target.address.rpartition(":")[0]
            container = bool(target.pod) and any(
                c.subject == one.subject for c in (target.pod.containers if target.pod else ())
            )
            if container or one.subject == f"compose/{host}":
                return True
    return False
