"""`tocsin check`: what it prints in every format, its exit codes, and what owners can say of findings."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tocsin.artefacts.folder import Folder
from tocsin.checks import checks
from tocsin.finding import Severity
from tocsin.foreign_reports import read_report
from tocsin.model import Model
from tocsin.report.findings import formats
from tocsin.static import COMPLETED, Request, examine
from tocsin.system import BadSystem, load_system
from tocsin.verdict import Outcome

TWICE = "groups:\n- name: g\n  rules:\n  - alert: Down\n    expr: up == 0\n    for: 5m\n    for: 1m\n"
SOUND = "groups:\n- name: g\n  rules:\n  - alert: Down\n    expr: up == 0\n    for: 5m\n"
KEY = "yaml-duplicate-key@rules.yml#groups.0.rules.0.for"
TODAY = date(2026, 11, 1)


def tocsin(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, "-m", "tocsin.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def system(folder: Path, rules: str = TWICE, declared: str = "") -> Path:
    """Write a system with one rule file, declared or not."""
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "rules.yml").write_text(rules)
    if declared:
        (folder / "system.yaml").write_text(f"schema: 1\nname: small\n{declared}\n")
    return folder


def examined(folder: Path, **asked: Any) -> dict[str, Outcome]:
    """Return the verdicts of the duplicate keys of a folder, by key."""
    declared = load_system(folder) if (folder / "system.yaml").exists() else None
    done = examine(Model(Folder(folder), declared), Request(**({"today": TODAY} | asked)))
    return {each.finding.key: each.verdict.outcome for each in done.judged if each.finding.check in (
        "yaml-duplicate-key", "waiver-covers-a-finding", COMPLETED)}  # fmt: skip


CODES: dict[str, tuple[str, tuple[str, ...], int, str]] = {
    "clean": (SOUND, (), 0, "nothing found"),
    "an error": (TWICE, (), 1, "error[yaml-duplicate-key]"),
    "never fails": (TWICE, ("--fail-on", "never"), 0, "error[yaml-duplicate-key]"),
    "another check": (TWICE, ("--check", "threshold-out-of-range"), 0, "nothing found"),
    "no such check": (TWICE, ("--check", "yaml-duplicate-keys"), 2, "did you mean yaml-duplicate-key"),
    "no such option": (TWICE, ("--frmat", "json"), 2, "unrecognized arguments"),
    "no such format": (TWICE, ("--format", "xml"), 2, "invalid choice"),
    "no baseline there": (TWICE, ("--baseline", "none.json"), 2, "none.json:1:1: cannot be read"),
    "no range": (TWICE, ("--changed", "main"), 2, "git does not know"),
    "no such environment": (TWICE, ("--live", "staging"), 2, "--live"),
}


@pytest.mark.parametrize(("rules", "options", "code", "said"), CODES.values(), ids=CODES)
def test_the_exit_code_says_how_it_ended(
    tmp_path: Path, rules: str, options: tuple[str, ...], code: int, said: str
) -> None:
    """0 nothing that counts, 1 something, 2 bad input, and never a traceback."""
    done = tocsin("check", system(tmp_path / "s", rules), *options, cwd=tmp_path)

    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


NOTHING = {
    "an empty folder": ({}, "holds nothing that can be examined"),
    "only a page": ({"README.md": "# Hello\n"}, "holds nothing that can be examined"),
    "only templates": ({"templates/x.yaml": "{{- if .Values.x }}\na: 1\n{{- end }}\n"}, "render them"),
    "a bad system.yaml": ({"system.yaml": "schema: 2\n"}, "system.yaml:1:1"),
}


@pytest.mark.parametrize(("files", "said"), NOTHING.values(), ids=NOTHING)
def test_nothing_to_examine_is_bad_input(tmp_path: Path, files: dict[str, str], said: str) -> None:
    """A run that looked at nothing is no pass."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    done = tocsin("check", ".", cwd=tmp_path)

    assert done.returncode == 2, done.stdout
    assert said in done.stderr


def test_a_folder_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    """Nor is there a traceback."""
    done = tocsin("check", "nowhere", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere" in done.stderr


def test_json_holds_what_machines_need(tmp_path: Path) -> None:
    """Every finding with all its fields; what was looked at; what could not be read."""
    folder = system(tmp_path)
    (folder / "broken.yml").write_text("groups:\n- name: x\n  rules:\n  - alert: A\n  expr: [\n")
    (folder / "chart.yaml").write_text("kind: Service\n{{ include `x` . }}\n")

    done = tocsin("check", ".", "--format", "json", cwd=folder)
    found = json.loads(done.stdout)

    assert done.returncode == 1
    one = next(each for each in found["findings"] if each["check"] == "yaml-duplicate-key")
    assert one["severity"] == "error"
    assert one["verdict"] == "failed"
    assert (one["file"], one["line"], one["column"]) == ("rules.yml", 7, 5)
    assert all(one[field] for field in ("subject", "message", "why", "fix"))
    assert found["artefacts"]["alerts"] == 1
    assert {(each["file"], each["kind"], each["severity"]) for each in found["unreadable"]} == {
        ("broken.yml", "rules", "error"),
        ("chart.yaml", "template", "note"),
    }


def test_text_shows_the_line_and_the_cure(tmp_path: Path) -> None:
    """The place, the line, the piece underlined, what follows, how to mend it."""
    done = tocsin("check", system(tmp_path), cwd=tmp_path)

    lines = done.stdout.split("\n")
    at = lines.index("  --> rules.yml:7:5")
    assert lines[at + 1] == "    7 |     for: 1m"
    assert lines[at + 2] == "      |     ^^^"
    assert any(line.startswith("  why  ") for line in lines)
    assert any(line.startswith("  fix  ") for line in lines)


def test_sarif_names_rule_place_and_fingerprint(tmp_path: Path) -> None:
    """A code host can show it, and knows it again after an edit."""
    done = tocsin("check", system(tmp_path), "--format", "sarif", cwd=tmp_path)

    log = json.loads(done.stdout)
    run = log["runs"][0]
    result = next(each for each in run["results"] if each["ruleId"] == "yaml-duplicate-key")
    assert log["version"] == "2.1.0"
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "yaml-duplicate-key"
    assert result["partialFingerprints"] == {"findingKey/v1": KEY}
    region = result["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 7, "startColumn": 5, "endColumn": 8}


def test_junit_has_a_case_for_each_check(tmp_path: Path) -> None:
    """The check that found something has failed, and the others have not."""
    done = tocsin("check", system(tmp_path), "--format", "junit", cwd=tmp_path)

    suite = ET.fromstring(done.stdout.encode())  # noqa: S314 our own
    failed = [case.get("name") for case in suite if case.find("failure") is not None]
    assert int(suite.get("tests") or 0) >= len(checks())
    assert "yaml-duplicate-key" in failed
    assert suite.get("failures") == str(len(failed))


def test_github_commands_are_escaped(tmp_path: Path) -> None:
    """One line a finding, at its place."""
    done = tocsin("check", system(tmp_path), "--format", "github", cwd=tmp_path)

    line = next(line for line in done.stdout.splitlines() if "yaml-duplicate-key" in line)
    assert line.startswith("::error file=rules.yml,line=7,col=5,title=yaml-duplicate-key%3A ")
    assert "%0AFix: " in line


@pytest.mark.parametrize("name", formats())
def test_every_format_can_show_nothing(name: str, tmp_path: Path) -> None:
    """A clean system is shown too."""
    done = tocsin("check", system(tmp_path, SOUND), "--format", name, "--check", "yaml-duplicate-key", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "yaml-duplicate-key[" not in done.stdout


def waiver(key: str, until: str = "2026-12-31") -> str:
    """Return the declaration of a waiver."""
    return f"waivers:\n- {{finding: '{key}', owner: ann, reason: known, until: {until}}}"


SAID: dict[str, tuple[str, str, dict[str, Outcome]]] = {
    "nothing": (TWICE, "", {KEY: Outcome.FAILED}),
    "a waiver": (TWICE, waiver(KEY), {KEY: Outcome.WAIVED}),
    "a waiver that is over": (TWICE, waiver(KEY, "2026-10-31"), {
        KEY: Outcome.FAILED, "waiver-covers-a-finding@system.yaml#rules.yml#groups.0.rules.0.for": Outcome.FAILED}),
    "a waiver of nothing": (SOUND, waiver(KEY), {
        "waiver-covers-a-finding@system.yaml#rules.yml#groups.0.rules.0.for": Outcome.FAILED}),
    "vendored": (TWICE, "static: {vendored: {'*.yml': never}}", {KEY: Outcome.PASSED}),
    "vendored, and elsewhere": (TWICE, "static: {vendored: {'vendor/*': never}}", {KEY: Outcome.FAILED}),
    "a comment of pint": (TWICE.replace("    for: 1m", "    # pint disable yaml/parse\n    for: 1m"), "", {
        KEY: Outcome.WAIVED}),
    "a comment of another check": (TWICE.replace("    for: 1m", "    # pint disable promql/rate\n    for: 1m"), "", {
        KEY: Outcome.FAILED}),
    "a comment above": (TWICE.replace("  - alert", "  # pint disable yaml/parse\n  - alert"), "", {
        KEY: Outcome.WAIVED}),
    "snoozed": (TWICE.replace("  - alert", "  # pint snooze 2026-11-30 yaml/parse\n  - alert"), "", {
        KEY: Outcome.WAIVED}),
    "snoozed until last month": (TWICE.replace("  - alert", "  # pint snooze 2026-10-01 yaml/parse\n  - alert"), "", {
        KEY: Outcome.FAILED}),
    "for the file": ("# pint file/disable yaml/parse\n" + TWICE, "", {KEY: Outcome.WAIVED}),
    "lines that are not read": ("# pint ignore/begin\n" + TWICE + "# pint ignore/end\n", "", {KEY: Outcome.WAIVED}),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "declared", "verdicts"), SAID.values(), ids=SAID)
def test_what_owners_say_is_heard(tmp_path: Path, rules: str, declared: str, verdicts: dict[str, Outcome]) -> None:
    """What is accepted is waived, as long as it is accepted; a waiver that covers nothing fails."""
    assert examined(system(tmp_path, rules, declared)) == verdicts


def test_a_comment_in_one_rule_says_nothing_of_the_next(tmp_path: Path) -> None:
    """It holds for the rule that it stands in."""
    second = "  - alert: Other\n    expr: up == 0\n    for: 5m\n    for: 1m\n"
    rules = TWICE.replace("    for: 1m", "    for: 1m # pint disable yaml/parse") + second

    assert examined(system(tmp_path, rules)) == {KEY: Outcome.WAIVED, KEY.replace("rules.0", "rules.1"): Outcome.FAILED}


def test_a_baseline_lets_only_new_findings_fail(tmp_path: Path) -> None:
    """What was written down is known, by its key and number; what comes later is not."""
    folder = system(tmp_path / "s")
    written = tocsin("check", folder, "--write-baseline", "known.json", cwd=tmp_path)
    same = tocsin("check", folder, "--baseline", "known.json", cwd=tmp_path)
    system(folder, TWICE + "    annotations: {}\n    annotations: {}\n")
    more = tocsin("check", folder, "--baseline", "known.json", cwd=tmp_path)

    assert written.returncode == 1
    assert json.loads((tmp_path / "known.json").read_text())["findings"][KEY] == 1
    assert same.returncode == 0, same.stdout
    assert "baseline" in same.stdout
    assert more.returncode == 1
    assert "annotations" in more.stdout


@pytest.mark.parametrize("text", ["[]", '{"schema": 1}', '{"schema": 1, "findings": {"a": "b"}}', "x"])
def test_a_bad_baseline_is_bad_input(tmp_path: Path, text: str) -> None:
    """With its name and the cure."""
    (tmp_path / "known.json").write_text(text)

    done = tocsin("check", system(tmp_path / "s"), "--baseline", "known.json", cwd=tmp_path)

    assert done.returncode == 2
    assert "known.json" in done.stderr


def git(folder: Path, *arguments: str) -> None:
    """Run git with a name and an address."""
    known = ("-c", "user.name=ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *known, *arguments], cwd=folder, check=True, capture_output=True)


def test_only_what_a_change_brought_is_shown(tmp_path: Path) -> None:
    """An old finding stays quiet, a new one speaks, and so does an old one in a line that was touched."""
    system(tmp_path, TWICE)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    untouched = tocsin("check", ".", "--changed", "HEAD", cwd=tmp_path)
    (tmp_path / "more.yml").write_text(TWICE.replace("Down", "New"))
    new = tocsin("check", ".", "--changed", "HEAD", "--format", "json", cwd=tmp_path)
    (tmp_path / "more.yml").unlink()
    system(tmp_path, TWICE.replace("for: 1m", "for: 2m"))
    touched = tocsin("check", ".", "--changed", "HEAD", "--format", "json", cwd=tmp_path)

    assert untouched.returncode == 0, untouched.stdout
    assert {each["file"] for each in json.loads(new.stdout)["findings"]} == {"more.yml"}
    assert {each["key"] for each in json.loads(touched.stdout)["findings"]} == {KEY}


@pytest.mark.parametrize("commits", ["--output=x", "nowhere", "nowhere...HEAD"])
def test_a_range_that_git_does_not_know_is_bad_input(tmp_path: Path, commits: str) -> None:
    """Nor is it ever taken for an option of git's."""
    system(tmp_path, TWICE)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")

    done = tocsin("check", ".", f"--changed={commits}", cwd=tmp_path)

    assert done.returncode == 2
    assert not (tmp_path / "x").exists()


def test_one_file_shows_its_findings_alone(tmp_path: Path) -> None:
    """The whole system is read, for its sake."""
    system(tmp_path, declared="artefacts: {rules: [rules.yml, deep/*.yml]}")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "more.yml").write_text(TWICE)

    done = tocsin("check", "deep/more.yml", "--format", "json", cwd=tmp_path)

    assert {each["file"] for each in json.loads(done.stdout)["findings"]} == {"deep/more.yml"}


def test_a_check_that_stumbles_costs_no_other_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as a failure of its own, for what it would have found is not known."""

    def stumble(_: Model) -> None:
        raise KeyError("it")

    system(tmp_path)
    monkeypatch.setattr("tocsin.model.sorting.Sorted.counts", stumble)
    real = checks()["yaml-duplicate-key"]
    broken = type(real)(**{f: getattr(real, f) for f in real.__slots__} | {
        "id": "broken", "subject": "model", "function": stumble})  # fmt: skip
    monkeypatch.setattr("tocsin.static.checks", lambda: {real.id: real, "broken": broken})

    assert examined(tmp_path) == {KEY: Outcome.FAILED, f"{COMPLETED}@system.yaml#broken": Outcome.FAILED}


REPORTS: dict[str, tuple[str, tuple[str, str, int, str, Severity]]] = {
    "pint": (
        json.dumps([{"reportedPath": "rules.yml", "rule": {"name": "Down"}, "problem": {
            "Reporter": "promql/series", "Summary": "no such metric", "Lines": {"First": 5, "Last": 5},
            "Severity": 2}}]),
        ("pint/promql/series", "rules.yml", 5, "no such metric", Severity.WARNING),
    ),
    "kube-linter": (
        json.dumps({"Reports": [{"Check": "no-liveness-probe", "Diagnostic": {"Message": "no probe"},
            "Remediation": "add one", "Object": {"Metadata": {"FilePath": "k8s.yaml"}, "K8sObject": {
                "Namespace": "shop", "Name": "web", "GroupVersionKind": {"Kind": "Deployment"}}}}]}),
        ("kube-linter/no-liveness-probe", "k8s.yaml", 1, "no probe", Severity.WARNING),
    ),
    "sarif": (
        json.dumps({"runs": [{"tool": {"driver": {"name": "Other"}}, "results": [
            {"ruleId": "r1", "level": "note", "message": {"text": "hm"}, "locations": [{"physicalLocation": {
                "artifactLocation": {"uri": "a.yml"}, "region": {"startLine": 3}}}]},
            {"ruleId": "r2", "message": {"text": "passed over"}, "suppressions": [{"kind": "inSource"}]}]}]}),
        ("other/r1", "a.yml", 3, "hm", Severity.INFO),
    ),
    "dashboard-linter": (
        "rule\n[✔️] OK\n[❌] Dashboard 'Shop', panel 'Errors' has no units\n",
        ("dashboard-linter/rule", "report", 3, "Dashboard 'Shop', panel 'Errors' has no units", Severity.WARNING),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), REPORTS.values(), ids=REPORTS)
def test_reports_of_other_linters_are_read(
    tmp_path: Path, text: str, expected: tuple[str, str, int, str, Severity]
) -> None:
    """Each says what, where and how bad, and no worse than a warning."""
    (tmp_path / "report").write_text(text)

    found = read_report(tmp_path / "report", "report")

    assert [(f.check, f.place.file, f.place.line, f.message, f.severity) for f in found] == [expected]


@pytest.mark.parametrize("text", ["{}", "7", '"x"', "hello"])
def test_what_is_no_report_is_bad_input(tmp_path: Path, text: str) -> None:
    """Whatever it is."""
    (tmp_path / "report").write_text(text)

    with pytest.raises(BadSystem, match="report"):
        read_report(tmp_path / "report", "report")


def test_a_report_is_waived_like_any_finding(tmp_path: Path) -> None:
    """By the same key, and a waiver of it that covers nothing fails."""
    declared = f"static: {{reports: [pint.json]}}\n{waiver('pint/promql/series@rules.yml#Down')}"
    folder = system(tmp_path, SOUND, declared)
    (folder / "pint.json").write_text(REPORTS["pint"][0])

    done = examine(Model(Folder(folder), load_system(folder)), Request(TODAY, fail_on=Severity.WARNING))

    by_check = {each.finding.check: each.verdict.outcome for each in done.judged}
    assert by_check["pint/promql/series"] is Outcome.WAIVED
    assert "waiver-covers-a-finding" not in by_check


def test_the_pages_are_up_to_date() -> None:
    """CHECKS.md is what the checks say of themselves."""
    root = Path(__file__).parents[1]
    done = tocsin("explain", "--markdown", cwd=root)

    assert (root / "CHECKS.md").read_text() == done.stdout, "make it anew: tocsin explain --markdown > CHECKS.md"


def test_a_check_is_explained(tmp_path: Path) -> None:
    """By its id, with both examples; near names are offered for one that there is not."""
    one, none = (tocsin("explain", name, cwd=tmp_path) for name in ("yaml-duplicate-key", "duplicate-key"))

    assert one.returncode == 0
    assert all(word in one.stdout for word in ("## yaml-duplicate-key", "**Mend it:**", "Bad:", "Good:", "```yaml"))
    assert none.returncode == 2
    assert "did you mean yaml-duplicate-key" in none.stderr
