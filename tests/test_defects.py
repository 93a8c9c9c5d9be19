"""A defect of our own, in whatever part, costs the drill that meets it, and never the run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.drill_worlds import World
from tests.test_plugin import SYSTEM, Bench
from tocsin.case import CaseResult
from tocsin.deadline import wait_until
from tocsin.drill.judge import DrillResult, judge_folder
from tocsin.drill.perform import AGAIN
from tocsin.drill.planning import PlannedDrill, plan_drills
from tocsin.drill.runs import begin_run
from tocsin.drill.schedule import EARLIER, DrillRun, evidence_folder
from tocsin.drill.site import Refused
from tocsin.evidence import ALERTMANAGER, Recording
from tocsin.report import html
from tocsin.report.results import Results
from tocsin.report.section import Section
from tocsin.report.whole import rendered
from tocsin.runner import RunRequest, cases_of_run, conclude_run
from tocsin.source import Place
from tocsin.system import load_system
from tocsin.verdict import PASSED, Outcome

ROOT = Path(__file__).parents[1]
UNFORESEEN = json.dumps({"time": 22.0, "event": "alerts"}) + "\n"
"""A line that no Tocsin writes, and that no judge foresees: it tells of alerts and has none."""


def disturb(folder: Path) -> None:
    """Write into the evidence of a drill what its judge stumbles over."""
    with (folder / ALERTMANAGER).open("a") as file:
        file.write(UNFORESEEN)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_a_judge_that_stumbles_over_one_drill_judges_the_others(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """That drill is inconclusive, by the exception's name and with its evidence; all reports are written."""
    bench = Bench(tmp_path).system().drill("down").drill("busy")
    disturb(tmp_path / "old" / "evidence" / "busy")

    done = bench.on_system("-m", "load or faults", *workers)

    assert done.returncode == 10, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "could not be judged: KeyError: 'alerts'" in done.stdout
    drills = {drill["name"]: drill for drill in bench.results()["drills"]}
    assert {name: drill["verdict"] for name, drill in drills.items()} == {"down": "passed", "busy": "inconclusive"}
    assert "evidence/busy" in drills["busy"]["reason"]
    assert "KeyError" in (bench.latest / "report.html").read_text()
    assert (bench.latest / "junit.xml").is_file()


def test_rejudging_goes_on_past_a_defect(tmp_path: Path) -> None:
    """The command says so too, with exit code 10 and no traceback."""
    for name in ("down", "busy"):
        World(manifest={"drill": name}).write(tmp_path / "evidence" / name)
    disturb(tmp_path / "evidence" / "busy")
    command = [sys.executable, "-m", "tocsin.cli", "rejudge", str(tmp_path)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 10, done.stdout + done.stderr
    assert "could not be judged: KeyError: 'alerts' (timeline.py:" in done.stdout
    assert "passed" in done.stdout


def results_of(folder: Path, *names: str) -> Results:
    """Return the results of a run in which these drills passed."""
    drills = [World(manifest={"drill": name}).write(folder / "evidence" / name) for name in names]
    place = Place("system.yaml")
    return Results(
        system="small",
        path=".",
        environment="local",
        engines={},
        started=1000.0,
        seconds=60.0,
        cases=[CaseResult(f"{name}@system.yaml", "faults", name, place, PASSED) for name in names],
        alerts=[],
        drills=drills,
    )


def stumbling(name: str) -> Callable[..., Section]:
    """Return the renderer of a drill's section, which cannot take the drill of that name."""
    whole = html.section

    def section(folder: Path, number: int, drill: DrillResult, *, calm: bool) -> Section:
        if drill.name == name and drill.evidence.manifest is not None:
            raise ZeroDivisionError("nothing to divide by")
        return whole(folder, number, drill, calm=calm)

    return section


def test_a_renderer_that_stumbles_over_one_drill_shows_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The drill is inconclusive in all reports, whatever it was judged; the others are shown as they are."""
    results = results_of(tmp_path, "a", "b")
    whole = rendered(tmp_path, results)
    monkeypatch.setattr(html, "section", stumbling("b"))

    found = rendered(tmp_path, results)

    assert [drill.verdict.outcome for drill in whole.results.drills] == [Outcome.PASSED, Outcome.PASSED]
    assert [drill.verdict.outcome for drill in found.results.drills] == [Outcome.PASSED, Outcome.INCONCLUSIVE]
    assert [case.verdict.outcome for case in found.results.cases] == [Outcome.PASSED, Outcome.INCONCLUSIVE]
    reason = found.results.drills[1].verdict.reason
    assert "could not be shown: ZeroDivisionError: nothing to divide by (test_defects.py:" in reason
    assert str(tmp_path / "evidence" / "b") in reason
    assert "ZeroDivisionError" in found.page
    assert "All 2 drills passed" in whole.page


def test_a_renderer_that_stumbles_anyway_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No drill is to blame then: they stay what they are, a case tells of it, and the page says so."""
    results = results_of(tmp_path, "a")

    def broken(*_: object) -> object:
        raise LookupError("no such colour")

    monkeypatch.setattr(html, "_facts", broken)

    found = rendered(tmp_path, results)
    found.write(tmp_path)

    assert [drill.verdict.outcome for drill in found.results.drills] == [Outcome.PASSED]
    assert [case.verdict.outcome for case in found.results.cases] == [Outcome.PASSED, Outcome.INCONCLUSIVE]
    assert "LookupError: no such colour" in (tmp_path / "report.html").read_text()
    assert json.loads((tmp_path / "results.json").read_text())["counts"]["inconclusive"] == 1


class Nowhere:
    """A site that does not come to be, each drill's in its own way; nothing is started."""

    def __init__(self, name: str, stop: threading.Event) -> None:
        self.name = name
        self.stop = stop

    def arm(self, tell: Callable[[str], None]) -> None:
        """Refuse, or wait until the run is stopped."""
        tell("starting")
        if self.name.startswith("waits"):
            wait_until(lambda: False, seconds=60, what="nothing", stop=self.stop)
        raise Refused([f"{self.name} is not well"])

    def close(self) -> None:
        """End, or fail to."""
        if self.name == "closes badly":
            raise OSError("it will not go")

    def now(self) -> float:
        """Return the time."""
        return time.time()

    def _nothing(self) -> Sequence[Mapping[str, Any]]:
        """Return what was seen."""
        if self.name == "tells nonsense":
            raise TypeError("what was that")
        return []

    received = notifications = load_lines = process_events = _nothing


def run_of(folder: Path, *names: str, **known: Any) -> tuple[DrillRun, RunRequest]:
    """Return a run of drills that happen nowhere, one after the other; one that `is lost` has no site."""
    drills = "".join(
        f"  {name}: {{stimulus: {{kill: backend}}, expect: [{{alert: Down, receivers: [pager]}}]}}\n" for name in names
    )
    (folder / "system.yaml").write_text(SYSTEM.partition("  down:")[0] + drills)
    system = load_system(folder)
    plans = plan_drills(system, "local")
    request = RunRequest(system, "local", plans, folder / "run", time.time())
    begin_run(request.folder)

    opened: list[str] = []

    def open_site(plan: PlannedDrill, _: Recording) -> Any:
        opened.append(plan.name)
        if plan.name == "is lost" or (plan.name == "is lost at first" and opened.count(plan.name) == 1):
            raise OSError("no room for it")
        return Nowhere(plan.name, run.stop)

    tell = known.get("tell", lambda _: None)
    run = DrillRun(plans, request.folder, open_site, tell, request.started, active=1, warming=0)
    return run, request


def test_a_drill_whose_site_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    """A site that cannot be made, or ended, or asked, is one inconclusive drill that names the exception."""
    run, request = run_of(tmp_path, "is lost", "closes badly", "tells nonsense", "is refused")

    run.perform()

    verdicts = {plan.name: judge_folder(evidence_folder(request.folder, plan.name)).verdict for plan in run.plans}
    assert {name for name, verdict in verdicts.items() if verdict.outcome is Outcome.INCONCLUSIVE} == {
        "is lost",
        "closes badly",
        "tells nonsense",
    }
    assert "OSError: no room for it" in verdicts["is lost"].reason
    assert "OSError: it will not go" in verdicts["closes badly"].reason
    assert "TypeError: what was that" in verdicts["tells nonsense"].reason
    assert verdicts["is refused"].reason == "is refused is not well"


def test_what_proved_nothing_is_performed_once_more(tmp_path: Path) -> None:
    """The second attempt is the drill's evidence, and knows why the first proved nothing; what failed stays failed."""
    said: list[tuple[str, str]] = []
    run, request = run_of(
        tmp_path, "is lost", "is lost at first", "is refused", tell=lambda told: said.append((told.drill, told.stage))
    )
    run.attempts = 2

    run.perform()

    assert [drill for drill, stage in said if stage == AGAIN] == ["is lost", "is lost at first"]
    lost, found, refused = (judge_folder(evidence_folder(request.folder, plan.name)) for plan in run.plans)
    assert lost.verdict.outcome is Outcome.INCONCLUSIVE, "it is never performed a third time"
    assert found.verdict.outcome is refused.verdict.outcome is Outcome.FAILED
    assert found.verdict.reason == "is lost at first is not well"
    for result in (lost, found):
        assert result.evidence.manifest is not None
        first = judge_folder(request.folder / EARLIER / f"{result.name}-1")
        assert result.evidence.manifest.earlier == (first.verdict.reason,)
        assert "OSError: no room for it" in first.verdict.reason
        assert result.notes[0].startswith("performed again, for an earlier attempt proved nothing: where the drill")
    assert refused.notes == ()


@pytest.mark.parametrize("kept", ["once", "elsewhere"])
def test_nothing_is_performed_again_unasked(tmp_path: Path, kept: str) -> None:
    """Neither if each is to be performed once, nor where a system runs already, whose owners are not to be burdened."""
    run, request = run_of(tmp_path, "is lost at first")
    run.attempts = 1 if kept == "once" else 2
    run.plans = [replace(plan, ours=kept == "once") for plan in run.plans]

    run.perform()

    found = judge_folder(evidence_folder(request.folder, "is lost at first"))
    assert found.verdict.outcome is Outcome.INCONCLUSIVE
    assert "OSError: no room for it" in found.verdict.reason
    assert not (request.folder / EARLIER).exists()


def test_an_interruption_leaves_evidence_of_every_drill(tmp_path: Path) -> None:
    """What was over is judged, what was going on and what had not begun is inconclusive; all of it is reported."""
    asked = threading.Event()

    def tell(progress: Any) -> None:
        if progress.drill.startswith("waits") and not asked.is_set():
            asked.set()
            os.kill(os.getpid(), signal.SIGINT)

    run, request = run_of(tmp_path, "a is over", "waits", "waits too", tell=tell)

    with pytest.raises(KeyboardInterrupt):
        run.perform()

    results = conclude_run(Console(quiet=True), request, cases_of_run(request), time.time())
    verdicts = {drill.name: drill.verdict for drill in results.drills}
    assert verdicts["a is over"].outcome is Outcome.FAILED
    assert {verdicts[name].outcome for name in ("waits", "waits too")} == {Outcome.INCONCLUSIVE}
    assert verdicts["waits"].reason.startswith("interrupted: stopped while waiting for nothing")
    assert verdicts["waits too"].reason.startswith("interrupted: the run was stopped before this drill began")
    written = json.loads((request.folder / "results.json").read_text())
    assert [drill["name"] for drill in written["drills"]] == ["a is over", "waits", "waits too"]
    assert (request.folder / "report.html").is_file()
