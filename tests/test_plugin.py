"""The pytest side: real pytest on small systems; exit codes, selection, JUnit, Allure, waivers."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.drill_worlds import World
from tocsin_pytest.collecting import asked_for

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "fixtures" / "systems" / "dharmamind"
SYSTEM = """\
schema: 1
name: small
artefacts: {dashboards: [], runbooks: []}
environments:
  local: {processes: {backend: {command: [sh]}}}
drills:
  down: {stimulus: {kill: backend}, expect: [{alert: Down, labels: {severity: critical}, receivers: [pager]}]}
  busy:
    stimulus: {load: {profile: browse, target: backend}}
    expect: [{alert: Down, labels: {severity: critical}, receivers: [pager]}]
"""
MONITORING = {
    "prometheus.yml": "scrape_configs: [{job_name: backend}]\n",
    "rules.yml": "groups: [{name: g, rules: [{alert: Down, expr: up == 0, labels: {severity: critical}}]}]\n",
    "alertmanager.yml": "route: {receiver: pager}\nreceivers: [{name: pager}]\n",
}
SILENT: dict[str, Any] = {"notified": {}, "resolution": {}}
TROUBLED: dict[str, Any] = {"counters": (2.0, 5.0)}


@dataclass
class Bench:
    """A small system in a folder, with the evidence of a run."""

    folder: Path

    def system(self, text: str = SYSTEM, *extra: str) -> Bench:
        """Write the system."""
        (self.folder / "system").mkdir(exist_ok=True)
        (self.folder / "system" / "system.yaml").write_text("".join((text, *extra)))
        return self

    def monitored(self) -> Bench:
        """Write the files of its monitoring."""
        for name, text in MONITORING.items():
            (self.folder / "system" / name).write_text(text)
        return self

    def drill(self, name: str, **world: Any) -> Bench:
        """Write the evidence of one drill."""
        marker = "load" if name == "busy" else "faults"
        manifest = {"drill": name, "marker": marker, **world.pop("manifest", {})}
        World(manifest=manifest, **world).write(self.folder / "old" / "evidence" / name)
        return self

    def pytest(self, *arguments: str, evidence: bool = True) -> subprocess.CompletedProcess[str]:
        """Run pytest on it from the checkout, with the evidence in place of performing."""
        command = [sys.executable, "-m", "pytest", "--reports", str(self.folder / "reports"), *arguments]
        old = self.folder / "old"
        command += ["--evidence", str(old)] if evidence and old.is_dir() else []
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    def on_system(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run pytest on the written system."""
        return self.pytest("--system", str(self.folder / "system"), "--environment", "local", *arguments)

    @property
    def latest(self) -> Path:
        """The folder of the newest run."""
        return self.folder / "reports" / "latest"

    def results(self) -> dict[str, Any]:
        """Return results.json."""
        found: dict[str, Any] = json.loads((self.latest / "results.json").read_text())
        return found

    def allure(self) -> dict[str, dict[str, Any]]:
        """Return Allure's results by name."""
        read = [json.loads(p.read_text()) for p in (self.latest / "allure").glob("*-result.json")]
        return {result["name"]: result for result in read}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Give a folder for a small system."""
    return Bench(tmp_path)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two workers"])
@pytest.mark.parametrize(
    ("worlds", "code", "tags"),
    [
        ({"down": {}, "busy": {}}, 0, {}),
        ({"down": SILENT, "busy": {}}, 1, {"down": "failure"}),
        ({"down": TROUBLED, "busy": {}}, 10, {"down": "error"}),
        ({"down": TROUBLED, "busy": SILENT}, 1, {"down": "error", "busy": "failure"}),
    ],
    ids=["passed", "failed", "inconclusive", "failed and inconclusive"],
)
def test_verdicts_become_exit_codes_and_reports(
    bench: Bench, worlds: dict[str, dict[str, Any]], code: int, tags: dict[str, str], workers: tuple[str, ...]
) -> None:
    """Failed is a failure, Inconclusive an error and exit code 10, and workers change nothing."""
    bench.system()
    for name, world in worlds.items():
        bench.drill(name, **world)

    done = bench.on_system("-m", "load or faults", *workers)

    assert done.returncode == code, done.stdout + done.stderr
    junit = ET.parse(bench.latest / "junit.xml").getroot()  # noqa: S314 what pytest wrote a moment ago
    marked = {
        case.attrib["name"].removeprefix("test_drill[").removesuffix("]"): child.tag
        for case in junit.iter("testcase")
        for child in case
        if child.tag in ("failure", "error")
    }
    assert marked == tags
    broken = {"failure": "failed", "error": "broken"}
    allure = {name: result["status"] for name, result in bench.allure().items()}
    assert allure == {f"test_drill[{n}]": broken.get(tags.get(n, ""), "passed") for n in worlds}
    verdicts = {"failure": "failed", "error": "inconclusive"}
    assert {d["name"]: d["verdict"] for d in bench.results()["drills"]} == {
        name: verdicts.get(tags.get(name, ""), "passed") for name in worlds
    }


def test_stages_are_steps_and_evidence_is_attached(bench: Bench) -> None:
    """Allure shows a drill as a story: a step for each alert, one in it for each stage, and the evidence beside."""
    bench.system().drill("down", **SILENT)

    bench.on_system("-m", "faults")

    result = bench.allure()["test_drill[down]"]
    steps = result["steps"][0]
    assert result["status"] == "failed"
    assert steps["name"].startswith("Down severity=critical")
    assert [s["name"].split(":")[0] for s in steps["steps"]][:3] == ["injected", "crossed", "scraped"]
    assert "manifest.json" in {a["name"] for a in result["attachments"]}


def test_what_is_inconclusive_says_why_and_nothing_else(bench: Bench) -> None:
    """The reason stands in the summary, in JUnit and in Allure; no way through our own code stands before it."""
    bench.system().drill("down", **TROUBLED)

    done = bench.on_system("-m", "faults")

    error = ET.parse(bench.latest / "junit.xml").getroot().find(".//error")  # noqa: S314 what pytest wrote a moment ago
    assert error is not None
    assert "inconclusive: Prometheus dropped alerts" in error.attrib["message"]
    assert "settling.py" not in done.stdout + str(error.text)
    assert "dropped alerts on their way" in bench.allure()["test_drill[down]"]["statusDetails"]["message"]


MISTAKES = {
    "no system": ((), {}, "no system was named"),
    "no such folder": (("--system", "/nowhere"), {}, "there is no system.yaml"),
    "no such environment": (("--environment", "moon"), {}, "has no environment 'moon'"),
    "a broken line": ((), {"extra": "\tx: 1\n"}, "system.yaml:11:1"),
    "an unknown field": ((), {"extra": "colour: red\n"}, "system.yaml:11:1: colour"),
    "an unknown stimulus": ((), {"replace": ("{kill: backend}", "{melt: backend}")}, "there is no stimulus 'melt'"),
    "a drill without rules to ring": ((), {}, "system.yaml:3:12: a drill needs a prometheus file"),
    "evidence that is none": (("--evidence", "/tmp"), {}, "is not the folder of a run"),
}


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two workers"])
@pytest.mark.parametrize(("arguments", "changes", "said"), MISTAKES.values(), ids=MISTAKES)
def test_bad_input_is_a_usage_error(
    bench: Bench, arguments: tuple[str, ...], changes: dict[str, Any], said: str, workers: tuple[str, ...]
) -> None:
    """Exit code 4, one message that says what and where, and no traceback."""
    text = SYSTEM.replace(*changes["replace"]) if "replace" in changes else SYSTEM
    bench.system(text, changes.get("extra", ""))
    named = () if said == "no system was named" else ("--system", str(bench.folder / "system"))

    done = bench.pytest(*named, "-m", "faults", *workers, *arguments, evidence=False)

    assert done.returncode == 4, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("expression", "asked"),
    [
        ("", set()),
        ("load", {"load"}),
        ("load or faults", {"load", "faults"}),
        ("load and not faults", {"load"}),
        ("not static", set()),
        ("not load", set()),
        ("not (load and faults)", set()),
        ("not (not load)", {"load"}),
        ("load or not static", {"load"}),
        ("loads and", set()),
    ],
)
def test_an_expression_asks_for_the_markers_that_it_affirms(expression: str, asked: set[str]) -> None:
    """A marker that is only denied is not asked for; what is no expression is for pytest to tell."""
    assert asked_for(expression) == asked


@pytest.mark.parametrize(
    ("arguments", "collected"),
    [
        (("-m", "load"), {"busy"}),
        (("-m", "faults"), {"down"}),
        (("-m", "load or faults"), {"busy", "down"}),
        (("-m", "not static"), set()),
        (("-m", "not load"), set()),
        ((), set()),
        (("-m", "load or faults", "-k", "down"), {"down"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_drills_run_only_when_their_marker_is_named(
    bench: Bench, arguments: tuple[str, ...], collected: set[str]
) -> None:
    """`-m load` never selects what kills or cuts, and no drill comes without its marker's name."""
    bench.system()

    done = bench.on_system("--collect-only", "-q", *arguments)

    assert not (bench.folder / "reports").exists(), "a look keeps no run, and leaves `latest` where it was"

    lines = [line for line in done.stdout.splitlines() if "test_drill[" in line]
    assert {line.split("[")[1].rstrip("]") for line in lines} == collected


SECURITY = """
  probe:
    stimulus: {load: {profile: browse, target: backend, users: 1}}
    marker: security
    hold: 1m
    expect: []
"""


@pytest.mark.parametrize(("markers", "collected"), [("load", set()), ("security", {"probe"}), ("faults", {"down"})])
def test_load_of_an_attacker_is_selected_by_security_alone(bench: Bench, markers: str, collected: set[str]) -> None:
    """A drill that says `marker: security` is no load drill, and is collected where security is named."""
    done = bench.system(SYSTEM, SECURITY).on_system("--collect-only", "-q", "-m", markers, "-k", "not busy")

    lines = [line for line in done.stdout.splitlines() if "test_drill[" in line]
    assert {line.split("[")[1].rstrip("]") for line in lines} - {"no-load-drills"} == collected


def test_what_kills_cannot_be_called_security(bench: Bench) -> None:
    """The marker would let `-m security` kill something, so it is refused at its place."""
    killing = SECURITY.replace("{load: {profile: browse, target: backend, users: 1}}", "{kill: backend}")

    done = bench.system(SYSTEM, killing).on_system("--collect-only", "-m", "security")

    assert done.returncode == 4
    assert "`marker: security` is for load, and kill kills or cuts" in done.stdout + done.stderr


CHOSEN = {
    "by -k": ("-k", "down"),
    "by its id": ("suites/faults/test_faults.py::test_drill[down]", "suites/static"),
    "by -k, two workers": ("-k", "down", "-n", "2"),
}


@pytest.mark.parametrize("arguments", CHOSEN.values(), ids=CHOSEN)
def test_only_selected_drills_are_performed(bench: Bench, arguments: tuple[str, ...]) -> None:
    """The plan names what will be done, and nothing else; --dry-run stops there."""
    bench.system().monitored()

    done = bench.on_system("--dry-run", "-m", "load or faults", *arguments)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 drill of small in local" in done.stdout
    assert "down [faults]" in done.stdout
    assert "busy [load]" not in done.stdout
    assert not (bench.folder / "reports").exists()


UNKNOWN = SYSTEM.replace("receivers: [pager]}]}", "receivers: [pagr]}]}")


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two workers"])
@pytest.mark.parametrize("look", [(), ("--dry-run",)], ids=["performed", "looked at"])
@pytest.mark.parametrize("chosen", ["down", "busy"])
def test_only_what_is_selected_must_be_well(
    bench: Bench, chosen: str, look: tuple[str, ...], workers: tuple[str, ...]
) -> None:
    """A receiver that does not exist is a usage error of its drill, looked at or not; others are planned all the same.

    And a run that is refused leaves nothing: no folder, and `latest` where it was.
    """
    bench.system(UNKNOWN).monitored()
    (bench.folder / "reports" / "old").mkdir(parents=True)
    (bench.folder / "reports" / "latest").symlink_to("old")
    asked = ("-m", "load or faults", "-k", chosen, *workers)

    done = bench.on_system(*asked, *(look if chosen == "down" else ("--dry-run",)))

    assert done.returncode == (4 if chosen == "down" else 0), done.stdout + done.stderr
    assert ("did you mean pager?" in done.stderr) == (chosen == "down")
    assert "Traceback" not in done.stdout + done.stderr
    assert sorted(path.name for path in (bench.folder / "reports").iterdir()) == ["latest", "old"]
    assert bench.latest.readlink() == Path("old")


@pytest.mark.parametrize("arguments", [("--dry-run", "-m", "static"), ("-m", "faults", "-k", "nothing")])
def test_nothing_to_do_is_no_success(bench: Bench, arguments: tuple[str, ...]) -> None:
    """A plan without drills, and a selection without items, end with 5, and leave no run."""
    assert bench.system().on_system(*arguments).returncode == 5
    assert not (bench.folder / "reports").exists()


def test_reports_are_about_what_was_selected(bench: Bench) -> None:
    """Old evidence of other drills is neither counted nor shown."""
    bench.system().drill("down").drill("busy", **SILENT)

    done = bench.on_system("-m", "load or faults", "-k", "down")

    assert done.returncode == 0, done.stdout
    assert [drill["name"] for drill in bench.results()["drills"]] == ["down"]
    assert "busy" not in done.stdout


def test_a_drill_without_evidence_is_inconclusive(bench: Bench) -> None:
    """What the old run did not perform, it does not prove."""
    bench.system().drill("down")

    done = bench.on_system("-m", "load or faults")

    assert done.returncode == 10, done.stdout
    assert bench.results()["counts"] == {"passed": 1, "waived": 0, "inconclusive": 1, "failed": 0}


def test_a_kind_that_is_lacking_is_one_skipped_item_that_names_it(bench: Bench) -> None:
    """What the system does not have is said, and a selection of nothing else is not green."""
    bench.system()

    lacking = bench.on_system("-m", "static", "-rs", "-k", "every_file_is_readable")
    drills = bench.system(SYSTEM.partition("drills:")[0]).on_system("-m", "load", "-rs")

    assert lacking.returncode == 5, lacking.stdout
    assert "small declares that it has no dashboards" in lacking.stdout
    assert "small has no rules" in lacking.stdout
    assert "NOTHING WAS ASKED" in lacking.stdout
    assert drills.returncode == 5
    assert "small (environment local) declares no load drills" in drills.stdout


def test_a_file_that_cannot_be_read_fails_its_kind_at_its_place(bench: Bench) -> None:
    """One kind fails, with the place; the others are asked all the same."""
    bench.system()
    (bench.folder / "system" / "alertmanager.yml").write_text("route: {receiver: x}\nreceivers: []\n")
    (bench.folder / "system" / "rules.yml").write_text("groups:\n  - name: a\n    name: b\n")
    bench.system(SYSTEM.replace("{dashboards", "{rules: [rules.yml], dashboards"))

    done = bench.on_system("-m", "static", "-k", "every_file_is_readable")

    assert done.returncode == 1, done.stdout
    assert "rules.yml:3:5: names the key 'name' twice" in done.stdout
    assert "1 failed, 1 passed" in done.stdout


def waiver(finding: str, until: str = "2999-12-31") -> str:
    """Return the lines of a waiver."""
    return f"waivers: [{{finding: '{finding}', owner: ann, reason: known since May, until: {until}}}]\n"


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_a_waived_drill_is_skipped_with_owner_and_last_day(bench: Bench, workers: tuple[str, ...]) -> None:
    """Waived is visible, is counted, and is not red."""
    bench.system(SYSTEM, waiver("drill@system.yaml#down")).drill("down", **SILENT)

    done = bench.on_system("-m", "faults", "-rs", *workers)

    assert done.returncode == 0, done.stdout
    assert "waived by ann until 2999-12-31: known since May" in done.stdout
    assert bench.results()["counts"] == {"passed": 1, "waived": 1, "inconclusive": 0, "failed": 0}, "and its waiver"
    assert bench.allure()["test_drill[down]"]["status"] == "skipped"
    assert "heard nothing" in bench.results()["cases"][0]["message"]


LIMITS = {
    "past its last day": (waiver("drill@system.yaml#down", "2020-01-01"), SILENT, 1, "heard nothing"),
    "covers nothing": (waiver("drill@system.yaml#down"), {}, 1, "remove the waiver"),
    "of another drill": (waiver("drill@system.yaml#busy"), SILENT, 1, "heard nothing"),
    "of an inconclusive drill": (waiver("drill@system.yaml#down"), TROUBLED, 10, "dropped alerts"),
}


@pytest.mark.parametrize(("waived", "world", "code", "said"), LIMITS.values(), ids=LIMITS)
def test_a_waiver_covers_what_it_names_until_its_day(
    bench: Bench, waived: str, world: dict[str, Any], code: int, said: str
) -> None:
    """Nothing else is waived, and a waiver that is not needed is itself a failure."""
    bench.system(SYSTEM, waived).drill("down", **world)

    done = bench.on_system("-m", "faults")

    assert done.returncode == code, done.stdout
    assert said in done.stdout


@pytest.mark.parametrize(
    ("finding", "until", "said"),
    [
        ("drill@system.yaml#dawn", "2999-12-31", "there is no drill 'dawn'; did you mean down?"),
        ("every-file-is-readable@x.yml#rules", "2999-12-31", "it covers no finding"),
        ("nonsense@x.yml#rules", "2999-12-31", "there is no check 'nonsense'"),
        ("drill@system.yaml#down", "2020-01-01", "its last day was 2020-01-01"),
    ],
)
def test_a_waiver_that_can_cover_nothing_fails_its_own_item(bench: Bench, finding: str, until: str, said: str) -> None:
    """Files alone tell that much, without any drill."""
    bench.system(SYSTEM, waiver(finding, until))

    done = bench.on_system("-m", "static", "-k", "waiver")

    assert done.returncode == 1, done.stdout
    assert said in done.stdout


@pytest.mark.xdist_group("exclusive")
def test_one_real_drill_is_performed_once_for_two_workers(bench: Bench) -> None:
    """The controller performs it, whichever worker judges it."""
    done = bench.pytest(
        *("--system", str(REFERENCE), "--environment", "local", "-m", "faults", "-k", "backend-down", "-n", "2"),
        evidence=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("backend-down           injecting") == 1
    assert [d["name"] for d in bench.results()["drills"]] == ["backend-down"]
    assert (bench.latest / "report.html").is_file()
    performed = bench.results()
    alone = bench.pytest(
        *("--system", str(REFERENCE), "--environment", "local", "-m", "faults", "-k", "backend-down"),
        *("--evidence", str(bench.latest.resolve())),
        evidence=False,
    )
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert "injecting" not in alone.stdout
    assert {part: bench.results()[part] for part in ("cases", "drills", "alerts", "counts")} == {
        part: performed[part] for part in ("cases", "drills", "alerts", "counts")
    }
