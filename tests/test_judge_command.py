"""`tocsin judge`: a real command on real bodies, addresses and systems; exit codes, JSON, bounds."""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.scraped_server import serving
from tocsin.artefacts.exposition.syntax import Ingest, Syntax
from tocsin.cli import main
from tocsin.exposition.http import BODY, OPENMETRICS_BODY, Reply, Visit, healthy
from tocsin.exposition.judging import judge as judged
from tocsin.exposition.patience import judge_patiently
from tocsin.report.judgements import MOST_LINE, harmless, lines_of

SECRET = "t0ps3cret-t0ken"  # noqa: S105
GOOD = BODY.decode() + "# HELP process_start_time_seconds Start.\n# TYPE process_start_time_seconds gauge\n"
GOOD += "process_start_time_seconds 1799999000\n"
NOW = ("--now", "1800000000")
MEGABYTE = 1 << 20


def judge(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[str]:
    """Run the command in this process."""
    out, err, before = io.StringIO(), io.StringIO(), sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(given))
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = main(["judge", *arguments, *NOW])
    except SystemExit as ended:  # of argparse
        code = int(str(ended.code))
    finally:
        sys.stdin = before
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def judge_within(most: int, given: bytes) -> subprocess.CompletedProcess[str]:
    """Run the command on its standard input in a process of its own, with so many bytes of memory."""
    done = subprocess.run(
        [sys.executable, "-m", "tocsin.cli", "judge", "-", "--json", *NOW],
        input=given,
        capture_output=True,
        timeout=120,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (most, most)),
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the JSON of a run."""
    assert done.stderr == ""
    return dict(json.loads(done.stdout))


BODIES: dict[str, tuple[str, tuple[str, ...], int, str, str]] = {
    "well": (GOOD, (), 0, "accept", "accept"),
    "OpenMetrics by its end": (OPENMETRICS_BODY.decode(), (), 0, "accept", "accept"),
    "text, by word": ("m 1\n", ("--exposition", "text"), 0, "accept", "accept"),
    "not OpenMetrics, by word": ("m 1\n", ("--exposition", "openmetrics"), 1, "reject", "reject"),
    "a line that is none": ("m one\n", (), 1, "reject", "reject"),
    "carriage returns": ("m 1\r\n", (), 1, "reject", "reject"),
}


@pytest.mark.parametrize(("body", "options", "code", "ingest", "letter"), BODIES.values(), ids=BODIES)
def test_a_body(body: str, options: tuple[str, ...], code: int, ingest: str, letter: str) -> None:
    """From the standard input: verdicts and exit code."""
    done = judge("-", "--json", *options, given=body.encode())

    verdicts = told(done)["verdicts"]
    assert (done.returncode, verdicts["ingest"]["prometheus-3.5"], verdicts["specification"]) == (code, ingest, letter)
    assert set(verdicts["ingest"]) == {"prometheus-2.42", "prometheus-2.53", "prometheus-3.5"}
    assert set(verdicts) == {"ingest", "specification", "sense"}


def test_json_is_as_it_is_fixed() -> None:
    """Keys, and nothing beside them."""
    whole = told(judge("-", "--json", given=b'# TYPE m counter\nm{a="1"} 1\nm{a="1"} 1\n'))

    assert set(whole) == {"verdicts", "samples", "findings"}
    assert whole["samples"] == 2
    assert whole["verdicts"]["sense"] == "findings"
    for finding in whole["findings"]:
        assert list(finding) == ["check", "severity", "line", "column", "series", "message", "why", "fix"]
    (twice,) = [each for each in whole["findings"] if each["check"] == "duplicate-series"]
    assert (twice["line"], twice["severity"], twice["series"]) == (3, "error", 'm{a="1"}')


@pytest.mark.parametrize(("bar", "code"), [("error", 0), ("warning", 1), ("info", 1), ("never", 0)])
def test_the_bar(bar: str, code: int) -> None:
    """A body with warnings alone."""
    assert judge("-", "--fail-on", bar, given=b"m 1\n").returncode == code


def test_a_reader_sees_the_line(tmp_path: Path) -> None:
    """Verdicts first; then place, line, the piece underlined, what follows, cure."""
    path = tmp_path / "shop.prom"
    path.write_text(f'{GOOD}m{{a="1"}} 1\nm{{a="1"}} 2\n')
    done = judge(str(path))

    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert lines[0] == str(path)
    assert lines[1].split() == ["ingest", "prometheus-2.42:", "accept", "(takes", "the", "scrape)"]
    at = lines.index(f"  --> {path}:8:1")
    assert lines[at + 1] == '    8 | m{a="1"} 2'
    assert lines[at + 2] == "      | ^^^^^^^^"
    assert any(line.startswith("  why  ") for line in lines)
    assert any(line.startswith("  fix  ") for line in lines)


BAD: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "no such file": ("/no/such/file.prom",),
    "no address": ("http://",),
    "no port": ("http://shop:port/metrics",),
    "no such format": ("-", "--exposition", "protobuf"),
    "no system": ("/", "--environment", "staging"),
    "saved from a body": ("-", "--save", "/tmp"),
    "no contracts": ("http://127.0.0.1:1/metrics", "--against", "/no/such/folder"),
    "no bound": ("-", "--most-bytes", "0"),
    "no time": ("http://127.0.0.1:1/metrics", "--timeout", "0"),
    "both": ("http://127.0.0.1:1/metrics", "--prometheus", "http://127.0.0.1:1"),
    "a Prometheus that is not there": ("--prometheus", "http://127.0.0.1:1"),
}


@pytest.mark.parametrize("arguments", BAD.values(), ids=BAD)
def test_bad_input(arguments: tuple[str, ...]) -> None:
    """Exit code 2, a reason, and no traceback."""
    done = judge(*arguments, given=b"m 1\n")

    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr


HOSTILE: dict[str, bytes] = {
    "one line without an end": b"m" * (48 * MEGABYTE),
    "one line of one label": b'm{a="' + b"x" * (48 * MEGABYTE),
    "nothing but NUL": b"\0" * (48 * MEGABYTE),
    "nothing but line feeds": b"\n" * (MEGABYTE // 2),
    "half a line": b'm{a="b',
    "a million labels": b"m{" + b",".join(b'l%d="1"' % i for i in range(1_000_000)) + b"} 1\n",
    "no UTF-8": b'm{a="\xff\xfe"} 1\n' * 1000,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bodies_end(body: bytes) -> None:
    """In a verdict, within 220 MB of memory for all of Python."""
    done = judge_within(220 * MEGABYTE, body)

    assert done.returncode in (0, 1), done.stderr
    assert told(done)["verdicts"]["ingest"]


def test_more_than_the_bound_is_not_read() -> None:
    """It counts as dropped, and says so."""
    whole = told(judge("-", "--json", "--most-bytes", "1000", given=b"m 1\n" * 1000))

    assert whole["verdicts"]["ingest"]["prometheus-3.5"] == "reject"
    assert whole["samples"] == 0
    assert "body-too-large" in {each["check"] for each in whole["findings"]}


def test_judging_ends_in_time() -> None:
    """What is not judged by then counts as dropped; with time enough nothing differs."""
    body = [b"m 1\n" * 100] * 10
    short = judge_patiently(body, Syntax.TEXT, now=1.8e9, seconds=0)
    whole = judge_patiently(body, Syntax.TEXT, now=1.8e9, seconds=600)

    assert set(short.ingest.values()) == {Ingest.REJECT}
    assert short.complaints[0].check == "body-too-slow"
    assert whole == judged(body, Syntax.TEXT, now=1.8e9)


def dropping(_: Visit) -> Reply:
    """Answer as no Prometheus 3 takes it."""
    return Reply(type="text/html")


def test_an_address() -> None:
    """Headers count as much as the body; nothing secret is printed."""
    with serving(healthy) as server:
        well = judge(server.url, "--json")
        url = server.url.replace("//", f"//watch:{SECRET}@") + f"?token={SECRET}"
        hidden = [judge(url), judge(url, "--json")]
    with serving(dropping) as server:
        sick = judge(server.url, "--json")
    lost = judge(f"{server.url}?token={SECRET}")

    assert (well.returncode, told(well)["verdicts"]["ingest"]["prometheus-3.5"]) == (0, "accept")
    assert (sick.returncode, told(sick)["verdicts"]["ingest"]["prometheus-3.5"]) == (1, "reject")
    assert "content-type-refused" in sick.stdout
    assert (lost.returncode, "target-unreachable" in lost.stdout) == (1, True)
    assert not any(SECRET in text for done in (*hidden, lost) for text in (done.stdout, done.stderr))


def test_often() -> None:
    """A counter that falls between two scrapes is seen by who scrapes often, and by nobody else."""
    turns = count()

    def falling(_: Visit) -> Reply:
        return Reply(GOOD.replace("shop_orders_total 3", f"shop_orders_total {3 + next(turns) % 2}").encode())

    assert "shop_orders_total 3" in GOOD
    with serving(healthy) as server:
        well = judge(server.url, "--often")
    with serving(falling) as server:
        once, often = judge(server.url), judge(server.url, "--often")

    assert [done.returncode for done in (well, once, often)] == [0, 0, 1]
    assert "counter-falls" in often.stdout


def test_contracts(tmp_path: Path) -> None:
    """The first run saves, the next one tells what it breaks, and saves what is now."""
    bodies = [GOOD, GOOD.replace("shop_orders_total", "shop_sales_total")]
    with serving(lambda _: Reply(bodies[0].encode())) as server:
        first = judge(server.url, "--save", str(tmp_path), "--once")
        bodies.reverse()
        against = judge(server.url, "--against", str(tmp_path), "--once")
        second = judge(server.url, "--save", str(tmp_path), "--once")
        third = judge(server.url, "--save", str(tmp_path), "--once")

    assert [done.returncode for done in (first, against, second, third)] == [0, 1, 1, 0]
    assert "metric-gone" in against.stdout
    assert "metric-gone" in second.stdout
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".prom", ".yaml"]


def test_a_secret_is_not_saved(tmp_path: Path) -> None:
    """Neither by accident nor in a message; what was judged is printed nevertheless."""
    body = f'# HELP m M.\n# TYPE m gauge\nm{{password="{SECRET}"}} 1\n'.encode()
    with serving(lambda _: Reply(body)) as server:
        refused = judge(server.url, "--save", str(tmp_path / "c"), "--once")
        saved = judge(server.url, "--save", str(tmp_path / "c"), "--save-anyway", "--once")

    assert refused.returncode == 1
    assert "not saved" in refused.stderr
    assert "credential-exposed" in refused.stdout
    assert "saved in" in saved.stderr
    assert not any(SECRET in text for done in (refused, saved) for text in (done.stdout, done.stderr))


CONFIG = """\
scrape_configs:
  - {job_name: shop, static_configs: [{targets: ['127.0.0.1:PORT', 'old:1']}],
     relabel_configs: [{source_labels: [__address__], regex: 'old.*', action: drop}]}
"""


def test_a_system(tmp_path: Path) -> None:
    """All targets of its files; one that its relabelling drops is told, and so is what rules lack."""
    rules = "groups: [{name: g, rules: [{alert: A, expr: 'rate(shop_refunds_total{job=\"shop\"}[5m]) > 1'}]}]\n"
    (tmp_path / "rules.yml").write_text(rules)
    (tmp_path / "system.yaml").write_text(
        "schema: 1\nname: shop\nenvironments:\n  local: {processes: {shop: {command: [sh]}}}\n"
        "  staging: {prometheus: {url: 'http://p'}, addresses: {shop: 'http://127.0.0.1:PORT'}}\n"
    )
    with serving(healthy) as server:
        for name, text in {"prometheus.yml": CONFIG, "system.yaml": (tmp_path / "system.yaml").read_text()}.items():
            (tmp_path / name).write_text(text.replace("PORT", str(server.server_port)))
        files = judge(str(tmp_path), "--json")
        staging = judge(str(tmp_path / "system.yaml"), "--json", "--environment", "staging")
        reader = judge(str(tmp_path))
    local = judge(str(tmp_path), "--environment", "local")

    for done, name in ((files, f"shop/127.0.0.1:{server.server_port}"), (staging, "shop/shop")):
        (target,) = told(done)["targets"]
        assert target["target"].startswith(name)
        assert [each["series"] for each in target["findings"] if each["severity"] == "error"] == ["shop_refunds_total"]
    assert [each["target"] for each in told(files)["not_asked"]] == ["shop/old:1"]
    assert "not asked: shop/old:1: the relabelling of job shop drops it (prometheus.yml:3" in reader.stdout
    assert local.returncode == 2
    assert "pytest -m endpoints" in local.stderr


def test_lines_are_found_and_harmless() -> None:
    """Of a body in pieces: those that are asked for, however it is cut, without what is secret."""
    text = b'a 1\nb{password="' + SECRET.encode() + b'"} 1\n' + b"c" * 200_000 + b"\nd 1"

    class At:
        def __init__(self, line: int) -> None:
            self.line = line

    for size in (1, 7, 1 << 16):
        pieces = [text[i : i + size] for i in range(0, len(text), size)]
        found = lines_of(pieces, [At(2), At(3), At(4)])  # type: ignore[list-item]
        assert sorted(found) == [2, 3, 4]
        assert SECRET not in found[2]
        assert found[4] == "d 1"
        assert len(found[3]) == MOST_LINE
    assert harmless('m{a="b"} 1') == 'm{a="b"} 1'
