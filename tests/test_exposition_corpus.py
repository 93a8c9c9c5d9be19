"""What servers and the specification's own suite said of a thousand bodies, and what we say of them.

TOCSIN_CORPUS names a folder with `exposition/cases.jsonl`, `verdicts.jsonl` and `probes.jsonl`: bodies, and what real
servers did with them. The cases that stand in the other tests need none of it.
"""

from __future__ import annotations

import base64
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tocsin.artefacts.exposition import Generation, Ingest, Syntax
from tocsin.artefacts.exposition.ingest import ingest
from tocsin.exposition.judging import judge

NOW = 1_764_000_000.0
SERVERS = {Generation.V2_53: "prometheus_2.53.3", Generation.V3_5: "prometheus_3.5.3"}
RECORDED = {"accept": Ingest.ACCEPT, "reject": Ingest.REJECT, "panic": Ingest.CRASH}


def rows(name: str) -> Iterator[dict[str, Any]]:
    named = os.environ.get("TOCSIN_CORPUS")
    file = Path(named or "") / "exposition" / name
    if not named or not file.is_file():
        pytest.skip("TOCSIN_CORPUS names no folder with exposition/*.jsonl")
    for line in file.read_text().splitlines():
        yield json.loads(line)


def body_of(row: Mapping[str, Any]) -> bytes:
    return base64.b64decode(row["input_b64"]) if "input_b64" in row else row["input"].encode()


def recorded() -> Iterator[tuple[str, Syntax, bytes, Mapping[str, str], float | None]]:
    """Yield each body with what the servers did, and how many samples the newest read."""
    cases = {row["id"]: row for row in rows("cases.jsonl")}
    for row in rows("verdicts.jsonl"):
        case = cases[row["id"]]
        yield row["id"], Syntax(case["format"]), body_of(case), row, row["samples_scraped"]
    for row in rows("probes.jsonl"):
        yield row["id"], Syntax(row["format"]), body_of(row), row["observed"], None


def table(title: str, counts: Counter[tuple[str, str]]) -> None:
    """Print how often we agree, by line."""
    print(f"\n{title:34}  bodies  agree")
    for name in sorted({name for name, _ in counts}):
        agree, every = counts[name, "agree"], counts[name, "agree"] + counts[name, "differ"]
        print(f"{name:34}  {every:6}  {agree:5}")


def test_servers_do_what_we_say() -> None:
    """On every body each recorded server kept, dropped or ended as the lexer says, and read as many samples."""
    counts: Counter[tuple[str, str]] = Counter()
    differ = []
    for name, syntax, body, observed, scraped in recorded():
        said, samples = ingest((body,), syntax)
        for generation, column in SERVERS.items():
            agrees = said[generation] is RECORDED[observed[column]]
            counts[f"{column}, {syntax}", "agree" if agrees else "differ"] += 1
            if not agrees:
                differ.append(f"{name}: {column} {observed[column]}, we say {said[generation]}")
        if scraped is not None and observed[SERVERS[Generation.V3_5]] == "accept" and samples != scraped:
            differ.append(f"{name}: {scraped:g} samples, we say {samples}")

    table("ingest", counts)
    assert differ == []
    assert sum(counts.values()) > 2000


def test_the_suite_of_the_specification() -> None:
    """Every body of the OpenMetrics suite is to the letter, or is not, as the suite says."""
    counts: Counter[tuple[str, str]] = Counter()
    differ = []
    for row in rows("cases.jsonl"):
        if "scrapes" in row:
            continue
        judgement = judge((body_of(row),), Syntax(row["format"]), now=NOW)
        agrees = judgement.specification == (row["expect"] != "reject")
        counts[f"{row['authority']}, {row['format']}", "agree" if agrees else "differ"] += 1
        if not agrees and row["authority"] == "spec-suite":
            differ.append(f"{row['id']}: {row['expect']}")

    table("to the letter", counts)
    assert differ == []
    assert counts["spec-suite, openmetrics", "agree"] > 200


def test_what_is_dropped_is_told() -> None:
    """A body that a server drops has a complaint with a place, and one that is not to the letter has one too."""
    for row in rows("cases.jsonl"):
        body = body_of(row)
        judgement = judge((body,), Syntax(row["format"]), now=NOW)
        checks = {one.check for one in judgement.complaints}
        if set(judgement.ingest.values()) != {Ingest.ACCEPT}:
            assert checks & {"not-ingested", "server-crash"}, row["id"]
        if not judgement.specification:
            assert judgement.complaints, row["id"]
        for one in judgement.complaints:
            assert one.line <= body.count(b"\n") + 1, row["id"]
