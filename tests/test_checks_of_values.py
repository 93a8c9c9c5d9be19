"""What the checks of values and times say of rules, and above all where they say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tocsin.checks import checks
from tocsin.model import Model

ONE_JOB = "rule_files: [rules.yml]\nglobal: {scrape_interval: 1m}\nscrape_configs: [{job_name: api}]\n"
TWO_JOBS = ONE_JOB.replace("[{job_name: api}]", "[{job_name: api}, {job_name: node, scrape_interval: 15s}]")
HISTOGRAM = "from prometheus_client import Histogram\nH = Histogram('app_seconds', 'Time.', buckets=(1, 10))\n"
METRICS = """from prometheus_client import Counter, Gauge
C = Counter("app_failures_total", "Failures.")
G = Gauge("app_done_total", "A gauge with the name of a counter.")
L = Counter("app_kinds_total", "By kind.", ["kind"])
"""
ABSENT = "absent-always-satisfied"
WINDOW = "rate-window-too-short"
LONGER = "for-longer-than-window"
RAW = "counter-without-rate"

CASES = [
    # check, expression, for, further files, severity
    (ABSENT, "absent(up)", "", {}, "warning"),
    (ABSENT, "absent(up)", "", {"prometheus.yml": TWO_JOBS}, "error"),
    (ABSENT, "absent(up)", "", {"prometheus.yml": ONE_JOB}, None),
    (ABSENT, 'absent(up{job="api"})', "", {"prometheus.yml": TWO_JOBS}, None),
    (ABSENT, 'absent(up{instance=~".*"})', "", {"prometheus.yml": TWO_JOBS}, "error"),
    (ABSENT, "absent(up == 1)", "", {"prometheus.yml": TWO_JOBS}, None),
    (ABSENT, "absent(sum(x) or vector(0))", "", {}, "error"),
    (ABSENT, "absent(app_failures_total)", "", {"a/m.py": METRICS, "b/m.py": METRICS}, "warning"),
    (ABSENT, "absent(app_failures_total)", "", {"a/m.py": METRICS}, None),
    ("absent-without-for", "absent(x) or y > 1", "", {}, "warning"),
    ("absent-without-for", "absent(x) == 1", "", {}, "warning"),
    ("absent-without-for", "y > 1 and absent(x)", "", {}, None),
    ("absent-without-for", "absent(x)", "1m", {}, None),
    (WINDOW, "rate(x[1m])", "", {"prometheus.yml": ONE_JOB}, "error"),
    (WINDOW, "rate(x[90s])", "", {"prometheus.yml": ONE_JOB}, "warning"),
    (WINDOW, "rate(x[2m])", "", {"prometheus.yml": ONE_JOB}, None),
    (WINDOW, "rate(x[1m])", "", {"prometheus.yml": TWO_JOBS}, None),
    (WINDOW, 'rate(x{job="api"}[1m])', "", {"prometheus.yml": TWO_JOBS}, "error"),
    (WINDOW, "rate(x[1m])", "", {}, None),
    (WINDOW, "rate(x[1m:1m])", "", {}, "error"),
    (WINDOW, "max_over_time(x[1m])", "", {"prometheus.yml": ONE_JOB}, None),
    (WINDOW, "max_over_time(x[30s])", "", {"prometheus.yml": ONE_JOB}, "warning"),
    (WINDOW, "absent_over_time(x[30s])", "", {"prometheus.yml": ONE_JOB}, "error"),
    (LONGER, "increase(restarts_total[5m]) > 0", "10m", {}, "error"),
    (LONGER, "increase(restarts_total[5m]) > 0", "5m", {}, None),
    (LONGER, "increase(restarts_total[5m]) > 3", "10m", {}, None),
    (LONGER, "increase(restarts_total[5m]) > 0 or y > 1", "10m", {}, None),
    (LONGER, "sum(changes(process_start_time_seconds[5m])) >= 1", "10m", {}, "error"),
    (LONGER, "rate(errors_total[5m]) > 0", "10m", {}, None),
    (LONGER, "increase(errors_total[5m]) > 0", "10m", {}, "info"),
    (LONGER, "x unless x offset 1h", "2h", {}, "error"),
    (LONGER, "x == 0 and on (job) x offset 1h > 0", "1h", {}, "warning"),
    (LONGER, "x == 0 and on (job) x offset 1h > 0", "30m", {}, None),
    (RAW, "app_failures_total > 5", "", {"m.py": METRICS}, "error"),
    (RAW, "sum(app_failures_total) > 5", "", {"m.py": METRICS}, "error"),
    (RAW, "5 < app_failures_total", "", {"m.py": METRICS}, "error"),
    (RAW, "app_done_total > 5", "", {"m.py": METRICS}, None),
    (RAW, "other_errors_total > 5", "", {}, "warning"),
    (RAW, "disk_total > 5", "", {}, None),
    (RAW, "other_errors_total == 0", "", {}, None),
    (RAW, "other_errors_total - other_errors_total offset 5m > 0", "", {}, None),
    (RAW, "y > 1 and other_errors_total > 0", "", {}, None),
    (RAW, "a_errors_total / a_requests_total * 100 > 5", "", {}, "warning"),
    (RAW, "disk_free / disk_total > 0.5", "", {}, None),
    (RAW, "increase(app_failures_total[5m]) > 5", "", {"m.py": METRICS}, None),
    ("threshold-out-of-range", "up > 1", "", {}, "error"),
    ("threshold-out-of-range", "up > 1 or x > 1", "", {}, "warning"),
    ("threshold-out-of-range", "sum(rate(a_total{c='5'}[5m])) / sum(rate(a_total[5m])) > 5", "", {}, "error"),
    ("threshold-out-of-range", "changes(x[5m]) > 10", "", {"prometheus.yml": ONE_JOB}, "error"),
    ("threshold-out-of-range", "changes(x[15m]) > 10", "", {"prometheus.yml": ONE_JOB}, None),
    ("threshold-out-of-range", "scrape_duration_seconds > 60", "", {"prometheus.yml": ONE_JOB}, "error"),
    ("threshold-out-of-range", "scrape_duration_seconds > 9", "", {"prometheus.yml": ONE_JOB}, None),
    ("threshold-out-of-range", "histogram_quantile(0.9, app_seconds_bucket) > 20", "", {"m.py": HISTOGRAM}, None),
    ("threshold-always-met", "sum(x) > 5 or vector(0)", "", {}, "error"),
    ("threshold-always-met", "vector(1)", "", {}, None),
    ("conditions-contradict", "x > 5 and x < 3", "", {}, "error"),
    ("conditions-contradict", "x > 5 and y < 3", "", {}, None),
    ("quantile-threshold-above-top-bucket", "histogram_quantile(0.9, app_seconds_bucket) > 20", "",
     {"m.py": HISTOGRAM}, "error"),
    ("quantile-threshold-above-top-bucket", "histogram_quantile(0.9, app_seconds_bucket) * 1000 > 9999", "",
     {"m.py": HISTOGRAM}, None),
    ("quantile-threshold-above-top-bucket", "histogram_quantile(0.9, other_seconds_bucket) > 20", "",
     {"m.py": HISTOGRAM}, None),
    ("rate-of-gauge", "rate(app_done_total[5m]) > 1", "", {"m.py": METRICS}, "warning"),
    ("rate-of-gauge", "rate(app_failures_total[5m]) > 1", "", {"m.py": METRICS}, None),
    ("delta-of-counter", "deriv(app_failures_total[5m]) > 1", "", {"m.py": METRICS}, "warning"),
    ("delta-of-counter", "delta(app_done_total[5m]) > 1", "", {"m.py": METRICS}, None),
    ("first-event-missed", "increase(app_kinds_total[5m]) > 0", "", {"m.py": METRICS}, "info"),
    ("first-event-missed", "increase(app_failures_total[5m]) > 0", "", {"m.py": METRICS}, None),
    ("increase-compared-exactly", "sum(increase(x_total[5m])) == 3", "", {}, "warning"),
    ("increase-compared-exactly", "increase(x_total[5m]) == 0", "", {}, None),
    ("increase-compared-exactly", "changes(x_total[5m]) == 3", "", {}, None),
    ("count-silent-at-zero", "count(up == 1) < 3", "", {}, "warning"),
    ("count-silent-at-zero", "count(up == 1) < 1", "", {}, None),
    ("count-silent-at-zero", "count(up) < 3", "", {}, None),
    ("count-silent-at-zero", "(count(up == 1) or vector(0)) < 3", "", {}, None),
]  # fmt: skip


def said(directory: Path, check: str, rule: dict[str, object], files: dict[str, str]) -> list[str]:
    """Return the severities of what a check finds in a system of one rule."""
    groups = {"groups": [{"name": "a", "rules": [rule]}]}
    for name, text in {"rules.yml": yaml.safe_dump(groups), **files}.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return [str(finding.severity) for finding in checks()[check].findings(Model.of(directory))]


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]}: {case[1]}" for case in CASES])
def test_a_rule_is_judged(case: tuple[str, str, str, dict[str, str], str | None], tmp_path: Path) -> None:
    """Each check finds its own, with the severity that its proof deserves, and leaves what looks alike alone."""
    check, expression, hold, files, severity = case
    rule: dict[str, object] = {"alert": "A", "expr": expression} | ({"for": hold} if hold else {})

    assert said(tmp_path, check, rule, files) == ([severity] if severity else [])


@pytest.mark.parametrize(("interval", "rule", "severity"), [
    ("10m", 'up{job="slow"} == 0', "error"),
    ("10m", 'max_over_time(up{job="slow"}[1h]) == 0', "warning"),
    ("10m", 'up{job="other"} == 0', "warning"),
    ("5m", 'up{job="slow"} == 0', "warning"),
    ("2m", 'up{job="slow"} == 0', None),
])  # fmt: skip
def test_a_slow_job_is_an_error_where_rules_read_it(
    interval: str, rule: str, severity: str | None, tmp_path: Path
) -> None:
    """What finds older samples by a range, or reads nothing of it, is no worse than a graph with gaps."""
    config = f"rule_files: [rules.yml]\nscrape_configs: [{{job_name: slow, scrape_interval: {interval}}}]\n"
    found = said(tmp_path, "scrape-interval-over-lookback", {"alert": "A", "expr": rule}, {"prometheus.yml": config})

    assert found == ([severity] if severity else [])


@pytest.mark.parametrize(("text", "line"), [("It takes more than 20 s", "app_seconds_bucket"), ("It is slow", "> 20")])
def test_the_histogram_is_at_fault_where_the_threshold_is_meant(text: str, line: str, tmp_path: Path) -> None:
    """A threshold that the alert's own text repeats is no slip: the buckets end too early."""
    rule: dict[str, object] = {
        "alert": "A",
        "expr": "histogram_quantile(0.9,\n  app_seconds_bucket\n) > 20\n",
        "annotations": {"summary": text},
    }
    said(tmp_path, "quantile-threshold-above-top-bucket", rule, {"m.py": HISTOGRAM})
    rules = "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: |\n      histogram_quantile(0.9,\n"
    rules += f"        app_seconds_bucket\n      ) > 20\n    annotations: {{summary: {text}}}\n"
    (tmp_path / "rules.yml").write_text(rules)
    model = Model.of(tmp_path)
    findings = list(checks()["quantile-threshold-above-top-bucket"].findings(model))

    assert [line in rules.split("\n")[finding.place.line - 1] for finding in findings] == [True]
