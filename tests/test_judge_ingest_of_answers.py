"""Whether each generation keeps what a target answers, headers and all: as the real servers did."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.http_behaviours import LOST, LOST_ON_2, LOST_ON_3, REPLIES, behaving
from tests.scraped_server import Target, serving
from tocsin.artefacts.exposition.syntax import Generation, Ingest
from tocsin.deadline import Unmet, wait_until
from tocsin.engines.prometheus import Prometheus, PrometheusSettings
from tocsin.exposition.asking import Manner, ask
from tocsin.exposition.content_type import FALLBACKS, reading
from tocsin.exposition.targets import Endpoint, Settings
from tocsin.exposition.verdicts import said_of
from tocsin.supervisor import Supervisor

ONCE = Manner(negotiates=False)
KEPT = {
    Generation.V2_42: REPLIES.keys() - LOST - LOST_ON_2,
    Generation.V2_53: REPLIES.keys() - LOST - LOST_ON_2,
    Generation.V3_5: REPLIES.keys() - LOST - LOST_ON_3,
}
MORE_SERVERS = [path for path in os.environ.get("TOCSIN_PROMETHEUSES", "").split(os.pathsep) if path]


@pytest.fixture(scope="module")
def server() -> Iterator[Target]:
    """Give a server with a path for every behaviour."""
    with serving(behaving()) as running:
        yield running


def ingest(server: Target, name: str, folder: Path, fallback: str = "") -> dict[Generation, Ingest]:
    """Return what each generation does with a behaviour."""
    settings = Settings(timeout_seconds=0.7 if name == "slow-6s" else 20.0, fallback=fallback)
    url = server.url.replace("/metrics", f"/{name}")
    return dict(said_of(ask(Endpoint(name, url, settings), folder, now=1.8e9, manner=ONCE)).ingest)


@pytest.mark.parametrize("name", sorted(REPLIES))
def test_as_the_real_servers_did(server: Target, name: str, tmp_path: Path) -> None:
    """A scrape is kept or dropped as 2.42, 2.53 and 3.5 were seen to do."""
    expected = {each: Ingest.ACCEPT if name in KEPT[each] else Ingest.REJECT for each in Generation}

    assert ingest(server, name, tmp_path) == expected


@pytest.mark.parametrize("name", sorted(LOST_ON_3))
def test_the_fallback_rescues_on_3(server: Target, name: str, tmp_path: Path) -> None:
    """`fallback_scrape_protocol` rescues every Content-Type that 3.5 does not take."""
    fallback = "OpenMetricsText1.0.0" if name == "parameter-twice" else "PrometheusText0.0.4"

    assert ingest(server, name, tmp_path, fallback)[Generation.V3_5] is Ingest.ACCEPT


@cache
def corpus() -> list[dict[str, Any]]:
    """Return the recorded cases; none where there is no corpus."""
    root = os.environ.get("TOCSIN_CORPUS")
    path = Path(root) / "exposition" / "negotiation_cases.jsonl" if root else None
    return [json.loads(line) for line in path.read_text().splitlines()] if path and path.is_file() else []


def needed(kind: str) -> list[dict[str, Any]]:
    """Return the recorded cases of a kind; skips where there are none."""
    found = [case for case in corpus() if case["kind"] == kind]
    if not found:
        pytest.skip("TOCSIN_CORPUS names no folder with exposition/negotiation_cases.jsonl")
    return found


def test_corpus_of_content_types() -> None:
    """Each Content-Type is read with the parser that 3.x was written to take for it."""
    names = {name.replace(".", "_"): name for name in FALLBACKS}
    parsers = {
        "NilParser": None,
        "PromParser": "text",
        "OpenMetricsParser": "openmetrics",
        "ProtobufParser": "protobuf",
    }
    wrong = []
    for case in needed("content_type"):
        fallback = names.get(case["fallback"] or "", "")
        if reading(case["content_type"], Generation.V3_5, fallback=fallback).parser != parsers.get(case["parser"]):
            wrong.append(case["id"])

    assert wrong == []


def test_corpus_of_behaviours(server: Target, tmp_path: Path) -> None:
    """Each recorded behaviour is kept or dropped as was recorded, with a fallback and without."""
    wrong, words = [], {"up": Ingest.ACCEPT, "down": Ingest.REJECT}
    for number, case in enumerate(needed("http_behaviour")):
        name = case["behaviour"]
        found = ingest(server, name, tmp_path / f"{number}")
        rescued = ingest(server, name, tmp_path / f"{number}-fallback", "PrometheusText0.0.4")
        told = (found[Generation.V2_53], found[Generation.V3_5], rescued[Generation.V3_5])
        recorded = tuple(words[case[key]] for key in ("prom_2.53.3", "prom_3.5.3", "prom_3.5.3_fallback_text"))
        wrong += [] if told == recorded else [(name, told, recorded)]

    assert wrong == []


def generation_of(version: str) -> Generation:
    """Return the generation of a server by its version."""
    if version.startswith("3."):
        return Generation.V3_5
    return Generation.V2_42 if version.startswith("2.4") else Generation.V2_53


@pytest.mark.parametrize("binary", [None, *MORE_SERVERS], ids=lambda path: "ours" if path is None else path)
def test_a_real_server_does_so(server: Target, binary: str | None, tmp_path: Path) -> None:
    """The table above is what a real Prometheus does: ours, and those that TOCSIN_PROMETHEUSES names."""
    jobs = "\n".join(
        f"  - {{job_name: {json.dumps(name)}, metrics_path: {json.dumps('/' + name)}, "
        f"static_configs: [{{targets: ['127.0.0.1:{server.server_port}']}}]}}"
        for name in REPLIES
    )
    config = tmp_path / "prometheus.yml"
    config.write_text(f"global: {{scrape_interval: 2s, scrape_timeout: 2s}}\nscrape_configs:\n{jobs}\n")
    with Supervisor("ingest", tmp_path / "logs") as supervisor:
        settings = PrometheusSettings(config=config, data=tmp_path / "tsdb", binary=Path(binary) if binary else None)
        prometheus = Prometheus.start(supervisor, settings)

        def scraped() -> dict[str, str] | Unmet:
            health = {each["labels"]["job"]: each["health"] for each in prometheus.api.targets()}
            waiting = [name for name in REPLIES if health.get(name, "unknown") == "unknown"]
            return Unmet(f"not scraped: {waiting}") if waiting else health

        health = wait_until(scraped, seconds=60, what="every behaviour to be scraped", every=0.3)
        version = prometheus.api.version()
        prometheus.stop()

    assert {name for name, state in health.items() if state == "up"} == KEPT[generation_of(version)]
