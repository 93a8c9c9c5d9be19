"""`pytest -m endpoints`: real pytest on small systems, whose processes it starts and ends."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.scraped_server import serving
from tocsin.exposition.http import Reply, healthy

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "fixtures" / "systems" / "dharmamind"
SERVER = """\
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = Path("metrics.txt").read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
"""
WELL = """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total 3
# HELP process_start_time_seconds Start.
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1700000000
"""
TWICE = WELL + "# HELP shop_carts Carts.\n# TYPE shop_carts gauge\nshop_carts 1\nshop_carts 2\n"
SYSTEM = """\
schema: 1
name: shop
artefacts: {prometheus: [prometheus.yml], rules: [rules.yml]}
environments:
  local: {processes: {shop: {command: ["{python}", serve.py, "{port}"]}}}
  staging: {prometheus: {url: "http://127.0.0.1:1"}, addresses: {shop: "STAGING"}}
  bare: {prometheus: {url: "http://127.0.0.1:1"}}
  broken: {processes: {shop: {command: [sh, -c, exit 3]}}}
"""
CONFIG = "scrape_configs: [{job_name: shop, static_configs: [{targets: ['shop:1']}]}]\n"
RULES = "groups: [{name: g, rules: [{alert: A, expr: 'rate(shop_orders_total{job=\"shop\"}[5m]) > 1'}]}]\n"
QUESTIONS = ("ingest", "specification", "sense", "http", "many", "contract")


SHOP = """\
import itertools, os, socket, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SICK, DATABASE = os.environ.get("SICK", ""), int(os.environ.get("DATABASE", "0"))
STARTED, ORDERS, ASKED, LOCK = time.time(), itertools.count(), itertools.count(), threading.Lock()
orders = 0

def up():
    try:
        socket.create_connection(("127.0.0.1", DATABASE), timeout=1).close()
        return 1
    except OSError:
        return int(SICK == "dependency")

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        global orders
        with LOCK:
            orders += self.path.startswith("/orders") * (2 if SICK == "counted" else 1)
            shown = next(ASKED) % 2 * 100 if SICK == "workers" else orders
        grown = "".join(f'shop_paths_total{{path="{number}"}} 1\\n' for number in range(orders * (SICK == "growth")))
        body = (
            "# HELP shop_orders_total Orders.\\n# TYPE shop_orders_total counter\\n"
            f"shop_orders_total {shown}\\n"
            "# HELP shop_database_up Whether it answers.\\n# TYPE shop_database_up gauge\\n"
            f"shop_database_up {up()}\\n"
            "# HELP shop_paths_total Paths.\\n# TYPE shop_paths_total counter\\n" + grown +
            "# HELP process_start_time_seconds Start.\\n# TYPE process_start_time_seconds gauge\\n"
            f"process_start_time_seconds {1.7e9 if SICK == 'restart' else STARTED:.3f}\\n"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
"""
OFTEN = """\
schema: 1
name: shop
artefacts: {prometheus: [prometheus.yml], rules: [rules.yml]}
environments:
  local:
    processes:
      database: {command: ["{python}", serve.py, "{port}"], jobs: []}
      shop: {command: ["{python}", shop.py, "{port}"], environment: {DATABASE: "{database.port}", SICK: "DISEASE"}}
endpoints:
  targets:
    shop:
      traffic: [/orders]
      known: [{path: /orders, counter: shop_orders_total}]
      growth: [{path: "/orders/{unique}"}]
      outages: {database: {up: shop_database_up}}
      restart: true
"""


@dataclass
class Ran:
    """What a pytest said."""

    code: int
    output: str
    outcomes: dict[str, str]
    """By question."""
    reports: Path


def run(folder: Path, *arguments: str, marker: str = "endpoints") -> Ran:
    """Run pytest on the system in a folder."""
    reports = folder / "reports"
    command = [sys.executable, "-m", "pytest", "-m", marker, "--system", str(folder), "--reports", str(reports)]
    done = subprocess.run(
        [*command, "-rA", "-p", "no:cacheprovider", *arguments], cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip
    outcomes = {}
    junit = reports / "latest" / "junit.xml"
    for case in ET.parse(junit).iter("testcase") if junit.is_file() else ():  # noqa: S314 our own
        states = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        outcomes[str(case.get("name")).rpartition("-")[2].rstrip("]")] = states[0] if states else "passed"
    return Ran(done.returncode, done.stdout + done.stderr, outcomes, reports)


def system(folder: Path, body: str = WELL, more: str = "", rules: str = RULES, staging: str = "http://x") -> Path:
    """Write a system into a folder."""
    files = {
        "serve.py": SERVER,
        "metrics.txt": body,
        "system.yaml": SYSTEM.replace("STAGING", staging) + more,
        "prometheus.yml": CONFIG,
        "rules.yml": rules,
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def passed(**others: str) -> dict[str, str]:
    """Return the outcome of every question, passed but for some; the system waives nothing."""
    return {**dict.fromkeys(QUESTIONS, "passed"), "waivers": "skipped", **others}


def test_all_is_well(tmp_path: Path) -> None:
    """Every question is a case of its own; processes are started and ended, and the evidence stays."""
    done = run(system(tmp_path), "--environment", "local")

    assert (done.code, done.outcomes) == (0, passed()), done.output
    evidence = done.reports / "latest" / "endpoints" / "shop-shop"
    assert (evidence / "prometheus-3.5.body").read_text() == WELL
    assert json.loads((evidence / "asked.json").read_text())["facts"]["name"] == "shop/shop"
    results = json.loads((done.reports / "latest" / "results.json").read_text())
    assert {case["suite"] for case in results["cases"]} == {"endpoints"}
    assert not [each for each in psutil.process_iter(["cwd"]) if each.info["cwd"] == str(tmp_path)]


SICK: dict[str, tuple[str, str, dict[str, str]]] = {
    "a line that is none": (WELL + "m one\n", RULES, {"ingest": "failure", "specification": "failure"}),
    "twice": (TWICE, RULES, {"specification": "failure", "sense": "failure"}),
    "nothing": ("", RULES, {"http": "failure", "contract": "failure"}),
    "what an alert needs": (WELL, RULES.replace("orders", "refunds"), {"contract": "failure"}),
}


@pytest.mark.parametrize(("body", "rules", "expected"), SICK.values(), ids=SICK)
def test_a_disease_fails_its_question(tmp_path: Path, body: str, rules: str, expected: dict[str, str]) -> None:
    """And no other: who reads the report knows where to look."""
    done = run(system(tmp_path, body, rules=rules), "--environment", "local")

    assert done.code == 1
    failed = {name: state for name, state in done.outcomes.items() if state not in ("passed", "skipped")}
    assert failed == expected, done.output


MANY: dict[str, str] = {
    "workers": "counter-falls",
    "counted": "requests-miscounted",
    "growth": "series-grow",
    "dependency": "dependency-not-told",
    "restart": "restart-not-told",
}


@pytest.mark.parametrize("sick", ["", *MANY])
def test_what_takes_many_scrapes(tmp_path: Path, sick: str) -> None:
    """Requests are sent, the database is taken away, the shop is restarted: as declared; each disease has its name."""
    system(tmp_path)
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "system.yaml").write_text(OFTEN.replace("DISEASE", sick))
    done = run(tmp_path, "--environment", "local")
    again = run(tmp_path, "--environment", "local", "--evidence", str((done.reports / "latest").resolve()))

    assert done.outcomes == again.outcomes == passed(many="failure" if sick else "passed"), done.output
    assert done.code == bool(sick)
    assert MANY.get(sick, "") in done.output


WAIVER = "waivers: [{{finding: '{key}', owner: me, reason: known, until: {until}}}]\n"
KEY = "endpoints@shop/shop#duplicate-series/shop_carts"
WAIVERS: dict[str, tuple[str, str, int, dict[str, str]]] = {
    "it covers": (TWICE, WAIVER.format(key=KEY, until="2999-01-01"), 0, {"sense": "skipped", "carts": "passed"}),
    "it is over": (TWICE, WAIVER.format(key=KEY, until="2020-01-01"), 1, {"sense": "failure", "carts": "failure"}),
    "it covers nothing": (WELL, WAIVER.format(key=KEY, until="2999-01-01"), 1, {"carts": "failure"}),
}


@pytest.mark.parametrize(("body", "more", "code", "expected"), WAIVERS.values(), ids=WAIVERS)
def test_waivers(tmp_path: Path, body: str, more: str, code: int, expected: dict[str, str]) -> None:
    """What is waived stays visible; a waiver that is over, or covers nothing, fails."""
    done = run(system(tmp_path, body, more), "--environment", "local")

    assert done.code == code
    for name, state in expected.items():
        assert [found for key, found in done.outcomes.items() if name in key] == [state], done.output


def test_the_static_suite_leaves_its_waivers_alone(tmp_path: Path) -> None:
    """Whether they are needed is seen when the target is asked."""
    done = run(system(tmp_path, more=WAIVER.format(key=KEY, until="2999-01-01")), "-k", "waiver", marker="static")

    assert "no check 'endpoints'" not in done.output
    assert done.code == 0, done.output


def test_staging_is_asked_at_its_addresses(tmp_path: Path) -> None:
    """Nothing is started; nothing but GET is sent."""
    with serving(healthy) as server:
        base = server.url.removesuffix("/metrics")
        done = run(system(tmp_path, staging=base), "--environment", "staging")

    assert (done.code, done.outcomes) == (0, passed()), done.output
    assert {visit.method for visit in server.seen} == {"GET"}
    assert not (done.reports / "latest" / "endpoints" / "logs").exists()


def test_headers_count(tmp_path: Path) -> None:
    """A body that is well, behind a Content-Type that Prometheus 3 does not take."""
    with serving(lambda _: Reply(WELL.encode(), "application/json")) as server:
        base = server.url.removesuffix("/metrics")
        done = run(system(tmp_path, staging=base), "--environment", "staging")

    assert done.outcomes == passed(http="failure"), done.output
    assert "fallback_scrape_protocol" in done.output


def test_what_does_not_start_proves_nothing(tmp_path: Path) -> None:
    """Inconclusive: exit code 10."""
    done = run(system(tmp_path), "--environment", "broken")

    assert done.code == 10, done.output
    assert done.outcomes == {**dict.fromkeys(QUESTIONS, "error"), "waivers": "skipped"}


def test_without_targets_nothing_was_asked(tmp_path: Path) -> None:
    """No pass: exit code 5."""
    assert run(system(tmp_path), "--environment", "bare").code == 5


def test_only_when_named(tmp_path: Path) -> None:
    """A plain run starts nothing."""
    done = run(system(tmp_path), "--environment", "local", "--collect-only", "-q", marker="not load")

    assert "test_endpoints" not in done.output


def test_evidence_is_judged_again(tmp_path: Path) -> None:
    """Without a target: from the folder of an old run."""
    first = run(system(tmp_path, TWICE), "--environment", "local")
    old = (first.reports / "latest").resolve()
    (tmp_path / "metrics.txt").unlink()
    again = run(tmp_path, "--environment", "local", "--evidence", str(old))

    assert again.outcomes == first.outcomes
    assert again.outcomes["sense"] == "failure"


def test_workers_ask_once(tmp_path: Path) -> None:
    """Under xdist one asks, and the others read."""
    with serving(healthy) as server:
        base = server.url.removesuffix("/metrics")
        alone = run(system(tmp_path, staging=base), "--environment", "staging")
        asked = len(server.seen)
        done = run(tmp_path, "--environment", "staging", "-n", "2")

    assert (done.code, done.outcomes) == (0, alone.outcomes), done.output
    assert len(server.seen) == 2 * asked


def test_the_reference_system_passes(tmp_path: Path) -> None:
    """Without a waiver."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "endpoints", "--system", str(REFERENCE), "--environment", "local",
         "--reports", str(tmp_path), "-p", "no:cacheprovider"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
    assert "12 passed, 1 skipped" in done.stdout
