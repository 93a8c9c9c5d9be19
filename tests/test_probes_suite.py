"""`pytest -m probes` and `tocsin probe`: real pytest and real commands on small systems with real processes."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.sick_processes.system import probe, process, system
from tocsin import cli
from tocsin.probes.behaviour.questions import questions

ROOT = Path(__file__).parents[1]
QUICK = {"livenessProbe": probe("/live"), "readinessProbe": probe("/ready")}


@dataclass(frozen=True)
class Ran:
    """What a pytest said."""

    code: int
    output: str
    cases: dict[str, dict[str, Any]]
    """By question."""
    folder: Path


def run(folder: Path, *arguments: str) -> Ran:
    """Run the suite on the system in a folder."""
    reports = folder / "reports"
    command = [sys.executable, "-m", "pytest", "-m", "probes", "--system", str(folder), "--environment", "local"]
    done = subprocess.run(
        [*command, "--reports", str(reports), "-p", "no:cacheprovider", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    latest = (reports / "latest").resolve()
    results = (
        json.loads((latest / "results.json").read_text()) if (latest / "results.json").is_file() else {"cases": []}
    )
    cases = {case["id"].partition("@")[0]: case for case in results["cases"]}
    return Ran(done.returncode, done.stdout + done.stderr, cases, latest)


def sick(folder: Path, **more: Any) -> None:
    """Write a system whose liveness asks its database, and which ends without a word to anybody."""
    others = {"database": process()}
    asks = ("--live-asks", "{database.url}/started", "--on-term", "exit")
    system(
        folder,
        *asks,
        others=others,
        probes=QUICK,
        said={"boots": 1, "endpoints_lag": "1s", **more.pop("said", {})},
        **more,
    )


def test_a_sick_system_fails_its_questions_and_can_be_judged_again(tmp_path: Path) -> None:
    """Each with its place, its cure and its picture; the evidence of the run is enough to judge it again."""
    sick(tmp_path)
    done = run(tmp_path, "-k", "liveness-independent or no-request-lost or passes-when-healthy")

    found = {name: case["verdict"] for name, case in done.cases.items()}
    assert found == {
        "liveness-independent": "failed",
        "no-request-lost": "failed",
        "passes-when-healthy": "passed",
    }, done.output
    assert done.code == 1
    independent = done.cases["liveness-independent"]
    assert "while database is killed" in independent["message"]
    assert "deployment.yaml:" in independent["message"]
    assert independent["picture"] == "pictures/shop.shop.liveness-independent.svg"
    assert (
        "SIGSTOP database" in (done.folder / independent["picture"]).read_text()
        or "killed database" in (done.folder / independent["picture"]).read_text()
    )

    again = run(tmp_path, "-n", "2", "--evidence", str(done.folder), "-k", "independent or lost or healthy")
    assert {name: case["verdict"] for name, case in again.cases.items()} == found, again.output


def test_without_containers_nothing_is_asked(tmp_path: Path) -> None:
    """And a declaration about a container that no manifest has is refused, at its line."""
    system(tmp_path / "none", environment={"processes": {"other": process()}})
    done = run(tmp_path / "none", "-rs")
    assert done.code == 5, done.output
    assert "has no process of a container with probes" in done.output

    system(tmp_path / "wrong")
    text = (tmp_path / "wrong/system.yaml").read_text()
    (tmp_path / "wrong/system.yaml").write_text(text.replace('"workloads": {\n   "shop"', '"workloads": {\n   "ship"'))
    wrong = run(tmp_path / "wrong")
    assert wrong.code == 4, wrong.output
    assert "no manifest has a workload 'ship' with probes; did you mean shop" in wrong.output


def test_only_when_named(tmp_path: Path) -> None:
    """A plain run starts nothing."""
    sick(tmp_path)
    done = run(tmp_path, "--collect-only", "-q", "-m", "not load")
    assert "test_probe" not in done.output


# The command


def command(*arguments: str) -> tuple[int, str, str]:
    """Run the command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.main(["probe", *arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
    return code, out.getvalue(), err.getvalue()


def test_a_manifest_is_foreseen(tmp_path: Path) -> None:
    """Without anything running; in words and as JSON, with a picture."""
    system(tmp_path, probes={**QUICK, "startupProbe": probe("/started", failures=30)})
    code, told, _ = command(str(tmp_path / "deployment.yaml"), "--kubernetes", "1.31", "--picture", str(tmp_path / "p"))
    plain = command(str(tmp_path), "--workload", "shop", "--json")

    assert (code, plain[0]) == (0, 0)
    assert "shop/shop (deployment.yaml:" in told
    assert "Kubernetes 1.31" in told
    assert "may take to start: 29 to" in told
    assert (tmp_path / "p/shop.shop.svg").read_text().startswith("<svg")
    figures = json.loads(plain[1])["foreseen"][0]["figures"]
    assert figures["out of its Service after a hang"]["least"] == pytest.approx(2.0)
    assert {"ready after its start", "restarted after a hang"} <= figures.keys()


def test_what_never_ends_is_null_for_machines(tmp_path: Path) -> None:
    """JSON has no infinity."""
    system(tmp_path, probes={"readinessProbe": probe("/ready")})
    code, told, _ = command(str(tmp_path), "--json")
    assert code == 0
    assert (
        json.loads(told, parse_constant=pytest.fail)["foreseen"][0]["figures"]["restarted after a hang"]["most"] is None
    )


def test_an_address_is_asked(tmp_path: Path) -> None:
    """As the kubelet asks; what fails is told in its words, and is exit code 1."""
    from tests.scraped_server import serving  # noqa: PLC0415
    from tocsin.exposition.http import Reply  # noqa: PLC0415

    system(tmp_path)
    with serving(lambda visit: Reply(status=503 if visit.path == "/ready" else 200)) as server:
        base = server.url.removesuffix("/metrics")
        code, told, _ = command(str(tmp_path), "--url", base, "--attempts", "3")
        plain = json.loads(command(str(tmp_path), "--url", base, "--json")[1])
    assert code == 1
    assert "liveness: 3 success" in told
    assert "readiness: 3 failure" in told
    assert "HTTP probe failed with statuscode: 503" in told
    assert [each["outcome"] for each in plain["attempts"]["shop/shop"]["readiness"]] == ["failure"] * 5


def test_an_environment_is_exercised(tmp_path: Path) -> None:
    """All questions are answered; what was started has ended."""
    sick(tmp_path)
    code, told, said = command(
        str(tmp_path), "--environment", "local", "--json", "--picture", str(tmp_path / "pictures")
    )
    answers = {each["question"]: each for each in json.loads(told)["exercised"][0]["answers"]}
    assert code == 1
    assert answers.keys() == questions().keys()
    assert answers["liveness-independent"]["remarks"][0]["severity"] == "error"
    assert "load:" in answers["within-timeout-under-load"]["unproven"]
    assert "shop/shop: hang, about" in said
    assert list((tmp_path / "pictures").glob("shop.shop.without-database-*.svg"))


BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "no such file": (("nothing.yaml",), "there is no such file or folder"),
    "no probes": ((".",), "has a container with probes"),
    "both": ((".", "--url", "http://127.0.0.1", "--environment", "x"), "one of both"),
    "attempts": ((".", "--attempts", "0"), "--attempts is from 1 to 10000"),
    "version": (("SYSTEM", "--kubernetes", "2.0"), "--kubernetes 2.0"),
    "workload": (("SYSTEM", "--workload", "ship"), "no workload of the name ship"),
    "elsewhere": (("SYSTEM", "--url", "http://example.org"), "only this machine is asked"),
    "scheme": (("SYSTEM", "--url", "ftp://127.0.0.1"), "write http://127.0.0.1:8000"),
    "port": (("SYSTEM", "--url", "http://127.0.0.1:99999"), "--url http://127.0.0.1:99999"),
    "environment": (("SYSTEM", "--environment", "staging"), "has no environment 'staging'"),
    "option": (("SYSTEM", "--no-such"), "unrecognized arguments"),
}


@pytest.mark.parametrize(("arguments", "said"), BAD.values(), ids=BAD)
def test_bad_input(tmp_path: Path, arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2, and what is wrong."""
    system(tmp_path / "system")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    code, _, told = command(*(str(tmp_path / "system") if each == "SYSTEM" else each for each in arguments))
    assert code == 2
    assert said in told
    assert "Traceback" not in told
    assert not [*Path().iterdir()]
