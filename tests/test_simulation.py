"""Alerts proven: what the engine confirms, what a system's files refute, what is kept, exported and merged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tocsin.engines.binaries import Engine, find_engine
from tocsin.engines.rule_engines import MEMORY, RuleEngine, RuleFiles, rule_engine, run_files, scratch
from tocsin.model import Model
from tocsin.promql.evaluation import PROMETHEUS_3
from tocsin.simulation import proving, trials
from tocsin.simulation.exporting import export, file_names
from tocsin.simulation.merging import merged
from tocsin.simulation.partial_tests import partial_case, partial_test_files
from tocsin.simulation.problems import Subject, subjects
from tocsin.simulation.proofs import BASE, AlertProof, Ground, Standing, as_plain, from_plain, published
from tocsin.simulation.proving import Asked, prove
from tocsin.simulation.sharding import Shard
from tocsin.simulation.storage import Storage
from tocsin.supervisor import run_once
from tocsin.synthesis import Outcome, Problem, Solution, synthesise
from tocsin.verdict import Outcome as Verdict

RULES = """groups:
- name: g
  rules:
  - alert: Down
    expr: up == 0
    for: 2m
    labels: {severity: page}
    annotations: {summary: "{{ $labels.job }} is down", nothing: "{{ $labels.gone }}"}
  - alert: Slow
    expr: job:latency:avg > 4
  - record: job:latency:avg
    expr: avg by (job) (latency_seconds)
  - alert: Never
    expr: sum by (job) (x == 0) > 0
  - alert: Always
    expr: vector(1)
"""
SCRAPED = """global: {{scrape_interval: {interval}, evaluation_interval: 30s}}
rule_files: [rules.yml]
scrape_configs:
- job_name: prometheus
  static_configs: [{{targets: ["localhost:9090"]}}]
"""
ORDERS = "groups:\n- name: g\n  rules:\n  - alert: Orders\n    expr: rate(x[1m]) > 0.1\n    for: 2m\n"
QUEUE = """groups:
- name: prometheus
  rules:
  - alert: PrometheusNotificationQueueRunningFull
    expr: |
      predict_linear(prometheus_notifications_queue_length{job="prometheus"}[5m], 60 * 30)
      >
      min_over_time(prometheus_notifications_queue_capacity{job="prometheus"}[5m])
    for: 15m
"""
SINCE_3_10 = """# TYPE prometheus_notifications_queue_capacity gauge
prometheus_notifications_queue_capacity 10000
# TYPE prometheus_notifications_queue_length gauge
prometheus_notifications_queue_length{alertmanager="http://localhost:9093/api/v2/alerts"} 0
"""
BEFORE = """# TYPE prometheus_notifications_queue_capacity gauge
prometheus_notifications_queue_capacity 10000
# TYPE prometheus_notifications_queue_length gauge
prometheus_notifications_queue_length 0
"""


@pytest.fixture(scope="module")
def engine() -> RuleEngine:
    """Give the promtool that is found."""
    return rule_engine()


def folder(place: Path, files: Mapping[str, str]) -> Path:
    """Write files."""
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


def proofs(place: Path, engine: RuleEngine, **asked: Any) -> dict[str, AlertProof]:
    """Return what is proven of a system, by the alert's name."""
    given = subjects(Model.of(place))
    return {each.name: each for each in prove(given, Asked(engines=(engine,), **asked))}


def tocsin(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, "-m", "tocsin.cli", *map(str, arguments)]
    env = {**os.environ, "TOCSIN_PROMTOOLS": "", **environment}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=env)


# What is proven


def test_each_property_is_proven_by_the_engine_and_what_never_fires_is_dead(tmp_path: Path, engine: RuleEngine) -> None:
    found = proofs(folder(tmp_path, {"rules.yml": RULES}), engine)
    assert {found["Down"].properties[name].standing for name in BASE} == {Standing.PROVEN}
    assert found["Slow"].verdict.outcome is Verdict.PASSED
    assert found["Slow"].properties["blip"].standing is Standing.NOT_APPLICABLE
    assert found["Never"].fires is Standing.DEAD
    assert found["Never"].verdict.outcome is Verdict.FAILED
    assert found["Always"].verdict.outcome is Verdict.PASSED
    assert found["Always"].properties["inactive"].standing is Standing.NOT_APPLICABLE


def test_the_engine_tells_what_it_would_send(tmp_path: Path, engine: RuleEngine) -> None:
    down = proofs(folder(tmp_path, {"rules.yml": RULES}), engine)["Down"]
    assert down.pages[0].labels["severity"] == "page"
    assert down.pages[0].annotations["summary"] == f"{down.pages[0].labels['job']} is down"
    assert down.empty_parts == ("the annotation nothing comes out empty",)


def test_what_the_engine_does_not_confirm_is_not_proven(
    tmp_path: Path, engine: RuleEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(problem: Problem) -> Outcome:
        asked.append(problem.seed)
        found = synthesise(problem)
        assert isinstance(found, Solution)
        stale = [replace(s, values="1x500") for test in found.tests for s in test.series]  # it never goes down
        return replace(found, tests=(replace(found.tests[0], series=(stale[0],)),))

    asked: list[int] = []
    monkeypatch.setattr(trials, "synthesise", wrong)
    place = folder(tmp_path, {"rules.yml": RULES.split("  - alert: Slow", maxsplit=1)[0]})
    down = proofs(place, engine)["Down"]
    assert down.fires is Standing.OPEN
    assert "it should be firing; the engine has nothing" in down.properties["fires"].reason
    assert down.verdict.outcome is Verdict.INCONCLUSIVE
    assert asked == list(range(proving.ATTEMPTS))


def test_a_defect_of_the_search_costs_one_alert(
    tmp_path: Path, engine: RuleEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumbling(problem: Problem) -> Outcome:
        if problem.alert.name == "Slow":
            raise ZeroDivisionError
        return synthesise(problem)

    monkeypatch.setattr(trials, "synthesise", stumbling)
    found = proofs(folder(tmp_path, {"rules.yml": RULES}), engine)
    assert "ZeroDivisionError" in found["Slow"].properties["fires"].reason
    assert found["Down"].fires is Standing.PROVEN


def test_what_the_engine_refuses_to_read_is_dead_and_the_others_are_proven(tmp_path: Path, engine: RuleEngine) -> None:
    found = proofs(folder(tmp_path, {"rules.yml": RULES + "  - {alert: Broken, expr: 'up{'}\n"}), engine)
    assert found["Broken"].fires is Standing.DEAD
    assert "refuses the expression" in found["Broken"].verdict.reason
    assert found["Down"].fires is Standing.PROVEN


# Grounds


@pytest.mark.parametrize(
    ("interval", "grounded"), [("75s", Ground.REFUTED), ("15s", Ground.PROVEN), ("90s", Ground.REFUTED)]
)
def test_a_window_that_never_holds_two_samples_is_refuted(
    tmp_path: Path, engine: RuleEngine, interval: str, grounded: Ground
) -> None:
    place = folder(tmp_path, {"rules.yml": ORDERS, "prometheus.yml": SCRAPED.format(interval=interval)})
    orders = proofs(place, engine)["Orders"]
    assert orders.fires is Standing.PROVEN  # on input that is made up
    assert orders.grounded is grounded
    assert orders.simulated is (grounded is Ground.PROVEN)
    if grounded is Ground.REFUTED:
        assert orders.verdict.outcome is Verdict.FAILED
        assert orders.free_input is not None
        assert orders.grounded_input is not None
        assert orders.grounded_input.interval == float(interval.rstrip("s"))
        assert orders.underlined == (0, len("rate(x[1m])"))


def test_a_range_that_is_open_on_the_left_holds_one_sample_less(tmp_path: Path) -> None:
    place = folder(tmp_path, {"rules.yml": ORDERS, "prometheus.yml": SCRAPED.format(interval="60s")})
    subject = subjects(Model.of(place))[0]
    assert subject.alert is not None
    assert subject.ground.refuted(subject.alert.tree, rule_engine().generation) is None
    refuted = subject.ground.refuted(subject.alert.tree, PROMETHEUS_3)
    assert refuted is not None
    assert "never holds two" in refuted.argument


@pytest.mark.parametrize("scraped", [True, False], ids=["with targets", "without"])
@pytest.mark.parametrize(("body", "refuted"), [(SINCE_3_10, True), (BEFORE, False)], ids=["since 3.10", "before"])
def test_a_join_over_labels_that_one_side_does_not_export_is_refuted(
    tmp_path: Path, engine: RuleEngine, body: str, *, refuted: bool, scraped: bool
) -> None:
    files = {"rules.yml": QUEUE, "metrics/prometheus.prom": body}
    files |= {"prometheus.yml": SCRAPED.format(interval="30s")} if scraped else {}
    found = proofs(folder(tmp_path, files), engine)["PrometheusNotificationQueueRunningFull"]
    assert found.fires is Standing.PROVEN
    assert (found.grounded is Ground.REFUTED) is refuted
    if refuted:
        assert "alertmanager" in str(found.argument)
    elif scraped:
        assert found.grounded is Ground.PROVEN
        assert found.grounded_input is not None
        assert all('instance="localhost:9090"' in name for name, _ in found.grounded_input.series)


def test_a_label_value_that_no_saved_body_has_yet_is_not_refuted(tmp_path: Path, engine: RuleEngine) -> None:
    rules = 'groups:\n- name: g\n  rules:\n  - alert: Errors\n    expr: rate(requests_total{code=~"5.."}[5m]) > 1\n'
    body = '# TYPE requests_total counter\nrequests_total{code="200"} 4\n'
    files = {"rules.yml": rules, "prometheus.yml": SCRAPED.format(interval="15s"), "metrics/prometheus.prom": body}
    assert proofs(folder(tmp_path, files), engine)["Errors"].grounded is Ground.PROVEN


def test_where_files_say_nothing_there_is_no_contract(tmp_path: Path, engine: RuleEngine) -> None:
    assert proofs(folder(tmp_path, {"rules.yml": RULES}), engine)["Down"].grounded is Ground.NO_CONTRACT


# What is kept


def test_a_proof_is_read_again_as_it_was_written(tmp_path: Path, engine: RuleEngine) -> None:
    files = {"rules.yml": ORDERS, "prometheus.yml": SCRAPED.format(interval="75s")}
    orders = proofs(folder(tmp_path, files), engine)["Orders"]
    assert from_plain(json.loads(json.dumps(as_plain(orders)))) == orders


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"name": "Orders"}', "null"])
def test_what_is_damaged_in_the_cache_is_proven_anew(tmp_path: Path, engine: RuleEngine, damage: str) -> None:
    place = folder(tmp_path / "system", {"rules.yml": ORDERS})
    kept = Storage(tmp_path / "cache", [engine])
    first = proofs(place, engine, storage=kept)["Orders"]
    files = list((tmp_path / "cache").rglob("*.json"))
    assert len(files) == 1
    files[0].write_text(damage)
    assert proofs(place, engine, storage=kept)["Orders"] == first
    assert from_plain(json.loads(files[0].read_text())) == first


def test_what_is_kept_is_found_by_content_wherever_it_stands(
    tmp_path: Path, engine: RuleEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Storage(tmp_path / "cache", [engine])
    first = proofs(folder(tmp_path / "one", {"rules.yml": ORDERS}), engine, storage=kept)["Orders"]
    monkeypatch.setattr(trials, "synthesise", lambda _: pytest.fail("searched again"))
    moved = proofs(folder(tmp_path / "two", {"other.yml": "# moved\n" + ORDERS}), engine, storage=kept)["Orders"]
    assert (moved.file, moved.line) == ("other.yml", first.line + 1)
    monkeypatch.undo()
    changed = folder(tmp_path / "three", {"rules.yml": ORDERS.replace("0.1", "0.2")})
    assert proofs(changed, engine, storage=kept)["Orders"].expression != first.expression


# Engines


def test_a_file_that_is_refused_costs_no_other(engine: RuleEngine) -> None:
    good = "rule_files: [rules.yml]\ntests:\n- interval: 1m\n  input_series: []\n"
    rules = "groups: []\n"
    said = run_files(engine, [RuleFiles(rules, good), RuleFiles("groups: 7\n", good), RuleFiles(rules, good)])
    assert [each.passed for each in said] == [True, False, True]
    assert said[1].refused
    assert not said[0].refused


def test_scratch_is_removed_and_so_is_that_of_the_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.engines.rule_engines.MEMORY", tmp_path)
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left = tmp_path / f"tocsin-rules-{int(dead.stdout)}-x"
    left.mkdir()
    living = tmp_path / f"tocsin-rules-{os.getpid()}-x"
    living.mkdir()
    with scratch() as place:
        assert place.is_dir()
        assert not left.exists()
    assert not place.exists()
    assert living.exists()
    assert tmp_path != MEMORY


OTHERS = [path for path in os.environ.get("TOCSIN_PROMTOOLS", "").split(":") if path]


@pytest.mark.skipif(not OTHERS, reason="TOCSIN_PROMTOOLS names no further engines")
def test_other_engines_have_a_verdict_of_their_own(tmp_path: Path, engine: RuleEngine) -> None:
    given = subjects(Model.of(folder(tmp_path, {"rules.yml": RULES})))
    others = tuple(rule_engine(Path(other)) for other in OTHERS)
    down = next(p for p in prove(given, Asked(engines=(engine, *others))) if p.name == "Down")
    assert {name: each.standing for name, each in down.engines.items()} == dict.fromkeys(
        [engine.name, *(each.name for each in others)], Standing.PROVEN
    )
    assert not down.skews


# Export


def test_exported_files_pass_under_plain_promtool_and_fail_when_the_rule_is_broken(
    tmp_path: Path, engine: RuleEngine
) -> None:
    place = folder(tmp_path / "system", {"rules.yml": RULES})
    model = Model.of(place)
    given = subjects(model)
    pairs = list(zip(given, prove(given, Asked(engines=(engine,))), strict=True))
    written = export(model, pairs, tmp_path / "tests", engine, file_names(given))
    assert not written.left_out
    names = {path.name for path in written.files}
    assert {"Down.fires.test.yml", "Down.blip.test.yml", "Down.resolves.test.yml", "Slow.fires.test.yml"} <= names
    promtool = find_engine(Engine.PROMTOOL)

    def plain(*paths: Path) -> int:
        return run_once([promtool, "test", "rules", *paths], cwd=tmp_path, env=None, seconds=60).code

    assert plain(*written.files) == 0
    fires = tmp_path / "tests" / "Down.fires.test.yml"
    assert "../system/rules.yml" in fires.read_text()
    (place / "rules.yml").write_text(RULES.replace("up == 0", "up == 2"))
    assert plain(fires) == 1


def test_rules_of_a_kubernetes_object_are_exported_beside_their_tests(tmp_path: Path, engine: RuleEngine) -> None:
    spec = "".join(f"  {line}\n" for line in ORDERS.splitlines())
    text = f"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {{name: x}}\nspec:\n{spec}"
    model = Model.of(folder(tmp_path / "system", {"rules.yaml": text}))
    given = subjects(model)
    pairs = list(zip(given, prove(given, Asked(engines=(engine,))), strict=True))
    written = export(model, pairs, tmp_path / "tests", engine, file_names(given))
    assert (tmp_path / "tests" / "Orders.rules.yml").is_file()
    done = run_once([engine.path, "test", "rules", *written.files], cwd=tmp_path, env=None, seconds=60)
    assert done.code == 0


def test_alerts_of_one_name_have_files_of_their_own(tmp_path: Path) -> None:
    two = ORDERS + "- name: h\n  rules:\n  - {alert: Orders, expr: x > 1}\n  - {alert: ORDERS, expr: x > 2}\n"
    given = subjects(Model.of(folder(tmp_path, {"rules.yml": two})))
    names = file_names(given)
    assert len({name.lower() for name in names.values()}) == len(given) == 3


# Parts


def test_every_alert_is_in_one_part_and_the_parts_of_a_part_are_it() -> None:
    everything = tuple(range(17))
    parts = [Shard(index, 3).of(everything) for index in (1, 2, 3)]
    assert sorted(each for part in parts for each in part) == list(everything)
    assert sorted(e for i in (1, 2) for e in Shard(2, 3).within(i, 2).of(everything)) == sorted(parts[1])


def test_reports_of_parts_are_put_together_and_others_refused(tmp_path: Path, engine: RuleEngine) -> None:
    given = subjects(Model.of(folder(tmp_path, {"rules.yml": RULES})))
    found = list(prove(given, Asked(engines=(engine,))))
    whole = published([engine.name], found)
    parts = [published([engine.name], found[0::2]), published([engine.name], found[1::2])]
    assert merged(parts)["alerts"] == sorted(whole["alerts"], key=lambda each: (each["file"], each["line"], each["id"]))
    with pytest.raises(ValueError, match="in two of them"):
        merged([whole, parts[0]])
    with pytest.raises(ValueError, match="different engines"):
        merged([parts[0], {**parts[1], "engines": ["9.9.9"]}])
    with pytest.raises(ValueError, match="no report"):
        merged([{"alerts": 7}])


# The command


def test_the_command_prints_what_machines_read(tmp_path: Path) -> None:
    place = folder(tmp_path / "s", {"rules.yml": ORDERS, "prometheus.yml": SCRAPED.format(interval="75s")})
    done = tocsin("prove", place, "--json", "--cache", tmp_path / "c", cwd=tmp_path)
    report = json.loads(done.stdout)
    assert done.returncode == 1, done.stderr
    alert = report["alerts"][0]
    assert alert["properties"]["fires"] == "proven"
    assert alert["grounded"] == "refuted"
    assert alert["argument"]
    assert alert["engines"] == {report["engines"][0]: "proven"}
    assert report["mutation"] == {}
    assert "of 1" in done.stderr  # progress


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("rules.yml",), 0, "1 of 1 that can fire do"),
        (("prometheus.yml",), 2, "holds no alerting rule"),
        (("nowhere",), 2, "there is no such folder or file"),
        (("rules.yml", "--shard", "3/2"), 2, "is no part"),
        (("rules.yml", "--engine", "/nowhere/promtool"), 2, "there is no such program"),
        (("rules.yml", "--min-coverage", "50"), 1, "--min-coverage asks for 50.0%"),
        (("--min-coverage", "x", "rules.yml"), 2, "is no share in percent"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_exit_codes(tmp_path: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    folder(tmp_path, {"rules.yml": ORDERS, "prometheus.yml": "scrape_configs: []\n"})
    done = tocsin("prove", *arguments, "--cache", tmp_path / "c", cwd=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout + done.stderr


def test_workers_and_shards_come_to_the_same(tmp_path: Path) -> None:
    place = folder(tmp_path / "s", {"rules.yml": RULES})

    def asked(*arguments: str | Path) -> Any:
        done = tocsin("prove", place, "--json", "--no-cache", *arguments, cwd=tmp_path)
        return json.loads(done.stdout)

    alone, together = asked("--workers", "1"), asked("--workers", "2")
    assert together["alerts"] == alone["alerts"]
    for number in (1, 2):
        (tmp_path / f"{number}.json").write_text(json.dumps(asked("--shard", f"{number}/2")))
    done = tocsin("report", "--merge", "1.json", "2.json", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["alerts"] == alone["alerts"]
    assert done.returncode == 1  # one of them is dead


def test_a_picture_shows_value_threshold_and_states(tmp_path: Path) -> None:
    folder(tmp_path, {"rules.yml": ORDERS})
    tocsin("prove", "rules.yml", "--no-cache", "--picture", "pictures", cwd=tmp_path)
    drawn = (tmp_path / "pictures" / "Orders.svg").read_text()
    assert "rate(x[1m]) &gt; 0.1" in drawn
    assert "firing" in drawn


# The owner's tests

OWN = """rule_files: [rules.yml]
evaluation_interval: 30s
tests:
- interval: 30s
  input_series:
  - {{series: 'up{{job="api"}}', values: '1x10 0x20'}}
  alert_rule_test:
  - {{eval_time: 2m, alertname: Down, exp_alerts: []}}
{fires}
"""
FIRES = """  - eval_time: 10m
    alertname: Down
    exp_alerts:
    - exp_labels: {severity: page, job: api}
      exp_annotations: {summary: api is down, nothing: ""}"""


@pytest.mark.parametrize(("fires", "covered"), [(FIRES, True), ("", False)], ids=["both", "silent only"])
def test_an_alert_is_covered_if_tests_see_it_fire_and_be_silent(tmp_path: Path, fires: str, *, covered: bool) -> None:
    folder(tmp_path, {"rules.yml": RULES, "rules_test.yml": OWN.format(fires=fires)})
    done = tocsin("prove", ".", "--json", "--no-cache", "--min-coverage", "20", cwd=tmp_path)
    coverage = json.loads(done.stdout)["coverage"]
    assert coverage["by_alert"]["Down@rules.yml::g"]["silent"] is True
    assert coverage["by_alert"]["Down@rules.yml::g"]["fires"] is covered
    assert coverage["by_alert"]["Slow@rules.yml::g"] == {"fires": False, "silent": False, "trouble": ""}
    assert coverage["covered"] == int(covered)
    assert ("--min-coverage asks for" in done.stderr) is not covered


PARTIAL = """rule_files: [rules.yml]
evaluation_interval: 30s
alert_tests:
- name: a target goes down
  interval: 30s
  input_series:
  - {series: 'up{job="api", instance="a:1"}', values: '1x10 0x20'}
  - {series: 'up{job="web", instance="b:1"}', values: '1x10 0x20'}
  expect:
"""
MET: dict[str, tuple[str, str]] = {
    "a label": ("- {at: 10m, alert: Down, firing: [{labels: {job: api}}]}", ""),
    "each its own": (
        "- {at: 10m, alert: Down, only: true, firing: [{labels: {severity: page}}, {labels: {job: api}}]}", ""),
    "an expression": ("- {at: 10m, alert: Down, firing: [{annotations: {summary: /web is/}}]}", ""),
    "none before": ("- {at: 1m, alert: Down, firing: []}", ""),
    "an absent label": ("- {at: 10m, alert: Down, firing: [{labels: {job: api, team: ''}}]}", ""),
    "another value": ("- {at: 10m, alert: Down, firing: [{labels: {job: db}}]}", "no alert meets"),
    "twice the same": (
        "- {at: 10m, alert: Down, firing: [{labels: {job: api}}, {labels: {job: api}}]}", "no alert meets"),
    "none, wrongly": ("- {at: 10m, alert: Down, firing: []}", "nothing should fire"),
    "only one": ("- {at: 10m, alert: Down, only: true, firing: [{labels: {job: api}}]}", "no more than these"),
    "no moment": ("- {at: soon, alert: Down, firing: []}", "at:"),
    "nothing asked": ("  []", "it expects nothing"),
}  # fmt: skip


@pytest.mark.parametrize(("expectation", "problem"), MET.values(), ids=MET.keys())
def test_labels_and_annotations_are_matched_in_part(
    tmp_path: Path, engine: RuleEngine, expectation: str, problem: str
) -> None:
    model = Model.of(folder(tmp_path, {"rules.yml": RULES, "down.yml": PARTIAL + f"  {expectation}\n"}))
    assert partial_test_files(model) == ("down.yml",)
    verdict = partial_case(engine, model, "down.yml").verdict
    assert verdict.outcome is (Verdict.FAILED if problem else Verdict.PASSED), verdict.reason
    assert problem in verdict.reason


# pytest


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_each_alert_is_an_item_and_so_is_each_file_of_the_owners(tmp_path: Path, workers: tuple[str, ...]) -> None:
    place = folder(
        tmp_path / "system",
        {
            "system.yaml": "schema: 1\nname: small\n",
            "rules.yml": RULES,
            "rules_test.yml": OWN.format(fires=FIRES),
            "down.yml": PARTIAL + "  - {at: 10m, alert: Down, firing: [{labels: {job: db}}]}\n",
        },
    )
    command = [sys.executable, "-m", "pytest", "--system", str(place), "-m", "simulation", *workers]
    command += ["--reports", str(tmp_path / "reports")]
    root = Path(__file__).resolve().parent.parent
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 1, done.stdout
    results = json.loads((tmp_path / "reports" / "latest" / "results.json").read_text())
    verdicts = {case["id"]: case["verdict"] for case in results["cases"]}
    assert verdicts == {
        "Down@rules.yml::g": "passed",
        "Slow@rules.yml::g": "passed",
        "Never@rules.yml::g": "failed",
        "Always@rules.yml::g": "passed",
        "owners-tests@rules_test.yml": "passed",
        "owners-tests@down.yml": "failed",
    }
    levels = {alert["name"]: alert["level"] for alert in results["alerts"]}
    assert levels == {"Down": "simulated", "Slow": "simulated", "Never": "none", "Always": "simulated"}


def test_an_alert_that_is_not_proven_gets_its_picture(tmp_path: Path) -> None:
    """Named in the failure, given to Allure, linked from the page; one that is proven needs none."""
    declared = {"system.yaml": "schema: 1\nname: small\n", "prometheus.yml": SCRAPED.format(interval="75s")}
    well = "  - {alert: Down, expr: up == 0, for: 5m}\n"
    place = folder(tmp_path / "system", {**declared, "rules.yml": ORDERS + well})
    command = [sys.executable, "-m", "pytest", "--system", str(place), "-m", "simulation"]
    command += ["--reports", str(tmp_path / "reports")]
    root = Path(__file__).resolve().parent.parent
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, env=env)

    latest = (tmp_path / "reports" / "latest").resolve()
    results = json.loads((latest / "results.json").read_text())
    pictures = {case["id"]: (case["verdict"], case["picture"]) for case in results["cases"]}
    assert pictures == {
        "Orders@rules.yml::g": ("failed", "pictures/Orders.svg"),
        "Down@rules.yml::g": ("passed", ""),
    }
    drawn = (latest / "pictures/Orders.svg").read_text()
    assert drawn.startswith("<?xml")
    assert "Orders" in drawn
    assert f"picture: {latest}/pictures/Orders.svg" in done.stdout
    assert '<a href="pictures/Orders.svg">' in (latest / "report.html").read_text()
    assert [path.read_text() for path in (latest / "allure").glob("*-attachment.svg")] == [drawn]


def test_an_alert_that_never_fires_can_be_waived_and_one_that_does_cannot(tmp_path: Path) -> None:
    waivers = "".join(
        f"- {{finding: 'simulation@rules.yml#g/{name}', owner: me, reason: later, until: 2999-01-01}}\n"
        for name in ("Never", "Down")
    )
    declared = f"schema: 1\nname: small\nwaivers:\n{waivers}"
    place = folder(tmp_path / "system", {"system.yaml": declared, "rules.yml": RULES})
    command = [sys.executable, "-m", "pytest", "--system", str(place), "-m", "simulation"]
    command += ["--reports", str(tmp_path / "reports")]
    root = Path(__file__).resolve().parent.parent
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, env=env)
    results = json.loads((tmp_path / "reports" / "latest" / "results.json").read_text())
    verdicts = {case["id"]: case["verdict"] for case in results["cases"]}
    assert verdicts["Never@rules.yml::g"] == "waived"
    assert verdicts["Down@rules.yml::g"] == "failed"
    assert "covers nothing" in next(c["message"] for c in results["cases"] if c["id"] == "Down@rules.yml::g")


def test_subjects_read_recording_rules_in_their_order_the_nearest_first(tmp_path: Path) -> None:
    chain = """groups:
- name: g
  rules:
  - {record: b, expr: a + 1}
  - {record: a, expr: raw}
  - {alert: A, expr: b > 1}
"""
    other = "groups:\n- name: h\n  rules:\n  - {record: a, expr: elsewhere}\n"
    given: tuple[Subject, ...] = subjects(Model.of(folder(tmp_path, {"x/rules.yml": chain, "y/rules.yml": other})))
    assert [(each.name, each.expression) for each in given[0].recorded] == [("a", "raw"), ("b", "a + 1")]
