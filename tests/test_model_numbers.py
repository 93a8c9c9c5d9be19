"""Numbers that must be one number."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dashboard_texts import dashboard, model, panel, target
from tocsin.checks import checks
from tocsin.model import Model

SHARE = "sum(rate(errors_total[5m])) / sum(rate(requests_total[5m]))"


def rule(expression: str, hold: str = "5m", name: str = "HighErrors", **annotations: str) -> str:
    """Return the text of a rule file with one alert."""
    lines = "".join(f"      {key}: {value!r}\n" for key, value in annotations.items())
    head = f"groups:\n- name: a\n  rules:\n  - alert: {name}\n    expr: {expression!r}\n    for: {hold}\n"
    return f"{head}    annotations:\n{lines}" if lines else head


def told(found: Model) -> list[str]:
    """Return the lines at which numbers differ."""
    places = [finding.place for finding in checks()["number-differs"].findings(found)]
    return [found.text(place.file).split("\n")[place.line - 1].strip() for place in places]


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (f"{SHARE} > 0.05", "More than 5 % fail"),
        (f"100 * {SHARE} > 5", "More than 5 % fail"),
        (f"1 - {SHARE} < 0.95", "More than 5 % fail"),
        ("a_bytes / b_bytes < 0.1", "less than 10% left"),
        ("1 - free_bytes / size_bytes > 0.95", "less than 5 % is free"),
        ("x_seconds > 0.5", "takes longer than 500 ms"),
        ("expiry - time() < 14 * 24 * 3600", "runs out in less than 14 days"),
        ("(expiry - time()) / 86400 < 14", "runs out in less than 14 days"),
        ("x_bytes > 2 * 1024 * 1024 * 1024", "more than 2 GiB"),
        ("queue > 10000", "over 10k entries"),
        ("up == 0", "has been down for 5 minutes"),
        ("rate(x[10m]) > 3", "in the last 10 minutes"),
        ("a:b:rate30m > 3", "over the last half an hour"),
        ("rate(x[5m]) > 3", "has risen for ten minutes"),
        ("x > 3", "is at 100 % for a while"),
        ("hour() > 3", "more than 20 % of something else"),
        ("expiry_seconds < 300", "runs out in less than 0.1 hours"),
        ("gc_time > 100", "more than 10 % of the time"),
    ],
)
def test_what_agrees_or_may_agree_is_no_finding(expression: str, text: str, tmp_path: Path) -> None:
    assert told(model(tmp_path, {"rules.yml": rule(expression, summary=text)})) == []


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (f"{SHARE} > 0.05", "More than 15 % fail"),
        (f"100 * {SHARE} > 5", "More than 15 % fail"),
        ("1 - free_bytes / size_bytes > 0.95", "less than 15 % is free"),
        ("x_seconds > 2", "takes longer than 4 s"),
        ("expiry - time() < 14 * 24 * 3600", "runs out in less than 30 days"),
        ("x_bytes > 2 * 1024 * 1024 * 1024", "more than 4 GiB"),
        ("queue > 10000", "over 20k entries"),
        ("up == 0", "has been down for 10 minutes"),
        ("rate(x[10m]) > 3", "in the last 30 minutes"),
        ("load > 2", "is above 4 for five minutes"),
    ],
)
def test_what_an_annotation_says_otherwise_is_told_there(expression: str, text: str, tmp_path: Path) -> None:
    assert told(model(tmp_path, {"rules.yml": rule(expression, summary=text)})) == [f"summary: {text!r}"]


def page(text: str) -> str:
    """Return a runbook."""
    return f"# HighErrors\n\n## Meaning\n\n{text}\n\n## Mitigation\n\nWait for more than 90 % of an hour.\n"


def test_the_rule_is_told_if_all_others_agree_against_it(tmp_path: Path) -> None:
    sick = rule(f"{SHARE} > 0.4", summary="More than 5 % fail", runbook_url="https://r.example/HighErrors.md")
    files = {"rules.yml": sick, "docs/HighErrors.md": page("More than 5 % of the requests fail.")}

    assert told(model(tmp_path, files)) == [f"expr: '{SHARE} > 0.4'"]


def test_a_page_of_another_alert_says_nothing(tmp_path: Path) -> None:
    healthy = rule(f"{SHARE} > 0.05", runbook_url="https://r.example/Errors.md")
    files = {"rules.yml": healthy, "docs/Errors.md": page("x").replace("# HighErrors", "# Errors") + "More than 70 %"}

    assert told(model(tmp_path, files)) == []


def steps(*values: float, mode: str = "line") -> dict[str, object]:
    """Return a panel's field configuration with thresholds."""
    listed = [{"color": "green", "value": None}, *({"color": "red", "value": value} for value in values)]
    custom = {"thresholdsStyle": {"mode": mode}}
    return {"defaults": {"thresholds": {"mode": "absolute", "steps": listed}, "custom": custom}}


@pytest.mark.parametrize(
    ("expression", "config", "expected"),
    [
        (SHARE, steps(0.05), []),
        (SHARE, steps(0.2), ['"value": 0.2']),
        (SHARE, steps(0.2, mode="off"), []),
        (SHARE, steps(0.02, 0.05), []),
        (SHARE, steps(80), []),
        ("something_else", steps(0.2), []),
    ],
)
def test_a_panel_of_the_alerts_expression_has_its_threshold(
    expression: str, config: dict[str, object], expected: list[str], tmp_path: Path
) -> None:
    text = dashboard(panel(1, target(expression), fieldConfig=config))

    assert told(model(tmp_path, {"rules.yml": rule(f"{SHARE} > 0.05"), "a.json": text})) == expected


SETTINGS = 'CPU = Threshold("cpu", {0})\nMEMORY = Threshold("memory", 0.85)\nDISK = Threshold("disk", 0.9)\n'


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("app/limits.py", SETTINGS.format(0.8), []),
        ("app/limits.py", SETTINGS.format(0.7), ['CPU = Threshold("cpu", 0.7)']),
        ("app/limits.py", 'CPU = Threshold("cpu", 0.7)\n', []),
        ("app/limits.py", 'CPU = Threshold("cpu", 0.7\n', []),
        ("settings.yaml", "thresholds:\n  cpu: 70\n  memory: 85\n  disk: 90\n", ["cpu: 70"]),
        ("settings.yaml", "thresholds:\n  cpu: 80\n  memory: 85\n  disk: 90\n", []),
        ("settings.json", '{"thresholds": {\n"cpu": 0.7,\n"memory": 0.85,\n"disk": 0.9}}\n', ['"cpu": 0.7,']),
    ],
)
def test_a_threshold_of_the_application_is_that_of_the_alert_of_its_name(
    file: str, text: str, expected: list[str], tmp_path: Path
) -> None:
    alerts = "".join(
        f"  - alert: High{name}\n    expr: {name.lower()}_used / {name.lower()}_limit > {value}\n"
        for name, value in (("CPU", 0.8), ("Memory", 0.85), ("Disk", 0.9))
    )

    assert told(model(tmp_path, {"rules.yml": f"groups:\n- name: a\n  rules:\n{alerts}", file: text})) == expected


@pytest.mark.parametrize(
    ("said", "scraped", "expected"),
    [
        ("15s", "15s", []),
        ("5m", "15s", ["jsonData: {timeInterval: 5m}"]),
        ("15s", "1m", ["jsonData: {timeInterval: 15s}"]),
        ("15s", "30s", []),
        ("soon", "30s", []),
    ],
)
def test_grafana_knows_how_often_is_scraped(said: str, scraped: str, expected: list[str], tmp_path: Path) -> None:
    sources = f"datasources:\n- name: P\n  type: prometheus\n  url: x\n  jsonData: {{timeInterval: {said}}}\n"
    prometheus = f"global: {{scrape_interval: {scraped}}}\nscrape_configs: [{{job_name: a}}]\n"

    assert told(model(tmp_path, {"sources.yml": sources, "prometheus.yml": prometheus})) == expected
