"""Every check of how a target answers: found on a real server that has the disease, absent on one that has not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.scraped_server import serving
from tocsin.exposition.asked import Asked
from tocsin.exposition.asking import Manner, ask
from tocsin.exposition.http import Behaviour, Exchange, behaviours, complaints
from tocsin.exposition.limits import Limits
from tocsin.exposition.targets import Endpoint, JobLimits, Settings
from tocsin.finding import Severity

NOW = 1_790_000_000.0
ALIKE = {"limit-of-job-exceeded": {"limit-of-job-near"}, "exposed-to-everybody": set()}
"""What else is rightly told of a check's sick example."""


def asked(exchange: Exchange, folder: Path) -> Asked:
    """Ask a server that answers as an example has it."""
    job: dict[str, Any] = dict(exchange.job)
    port, shown, most = job.pop("port", None), job.pop("shown", None), job.pop("most_bytes", None)
    settings = Settings(**{"timeout_seconds": 20.0, "limits": JobLimits(**exchange.limits), **job})
    manner = Manner(limits=Limits(body_bytes=most) if most else Limits(), methods=exchange.methods)
    with serving(exchange.reply) as server:
        url = server.url if port is None else f"http://127.0.0.1:{port}/metrics"
        found = ask(Endpoint("shop/shop", url, settings, {"job": "shop"}), folder, now=NOW, manner=manner)
    return replace(found, facts=replace(found.facts, url=shown)) if shown else found


@pytest.mark.parametrize("behaviour", behaviours().values(), ids=behaviours())
def test_the_sick_one_is_found(behaviour: Behaviour, tmp_path: Path) -> None:
    """The check finds its disease, and says why it matters and how to mend it."""
    found = list(behaviour.complaints(asked(behaviour.bad, tmp_path)))

    assert found
    assert all(each.message and each.why and each.fix and each.line == 0 for each in found)
    assert any(each.severity is behaviour.severity for each in found)


@pytest.mark.parametrize("behaviour", behaviours().values(), ids=behaviours())
def test_the_healthy_one_is_not(behaviour: Behaviour, tmp_path: Path) -> None:
    """The check finds nothing on its healthy twin, and no other finds anything that fails or warns."""
    here = asked(behaviour.good, tmp_path)

    assert list(behaviour.complaints(here)) == []
    assert [each for each in complaints(here) if each.severity is not Severity.INFO] == []


def test_the_page_names_every_check() -> None:
    """docs/judging-metrics.md has a row for each, as it is."""
    page = (Path(__file__).parents[1] / "docs" / "judging-metrics.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `") and line.count("|") == 4]
    expected = [f"| `{each.id}` | {each.severity} | {each.title} |" for each in behaviours().values()]

    assert [row for row in rows if row in expected] == expected
