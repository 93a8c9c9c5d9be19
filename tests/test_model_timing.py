"""How often series get samples, and how long those are kept, as a system's files say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.model import Model
from tocsin.model.timing import most_samples
from tocsin.promql import VectorSelector, parse

PROMETHEUS = """global: {scrape_interval: 30s, evaluation_interval: 20s}
rule_files: [rules.yml]
scrape_configs:
- job_name: fast
  scrape_interval: 5s
  static_configs: [{targets: ['fast:80']}]
- job_name: slow
  scrape_timeout: 20s
  static_configs: [{targets: ['slow:80']}]
"""
RULES = """groups:
- name: own
  interval: 2m
  rules:
  - record: job:x:sum
    expr: sum by (job) (x)
- name: other
  rules:
  - alert: A
    expr: x > 1
"""
COMPOSE = """services:
  prometheus:
    image: prom/prometheus:v3.0.0
    command: [--config.file=/etc/prometheus/prometheus.yml{}]
    volumes:
    - ./prometheus.yml:/etc/prometheus/prometheus.yml
    - ./rules.yml:/etc/prometheus/rules.yml
"""
OPERATED = """apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: k8s}
spec: {}
"""


def model(directory: Path, **files: str) -> Model:
    """Return the model of a system of one Prometheus and some more files; `_` in a name stands for a dot."""
    for name, text in {"prometheus_yml": PROMETHEUS, "rules_yml": RULES, **files}.items():
        (directory / name.replace("_", ".")).write_text(text)
    return Model.of(directory)


def selector(text: str) -> VectorSelector:
    """Return a selector."""
    found = parse(text)
    assert isinstance(found, VectorSelector)
    return found


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ('x{job="fast"}', 5),
        ('x{job="slow"}', 30),
        ("x", 5),
        ('x{job=~"s.*"}', 30),
        ('x{job!="fast"}', 30),
        ('x{job="neither"}', None),
        ("job:x:sum", 120),
        ("ALERTS", None),
    ],
)
def test_the_fastest_job_that_may_be_meant_sets_the_pace(text: str, seconds: float | None, tmp_path: Path) -> None:
    """By the label job where it is asked for, by the group where it is recorded; unknown where no job fits."""
    system = model(tmp_path)
    alert = system.alerts[0]
    pace = system.timing.pace(selector(text), system.timing.stacks_of(alert))

    assert (None if pace is None else pace.seconds) == seconds


def test_a_job_that_is_renamed_may_be_any(tmp_path: Path) -> None:
    """What sets the label job itself is a candidate whatever is asked for."""
    renamed = PROMETHEUS.replace("  scrape_interval: 5s\n", "  scrape_interval: 5s\n  honor_labels: true\n")
    system = model(tmp_path, prometheus_yml=renamed)
    pace = system.timing.pace(selector('x{job="slow"}'), system.timing.stacks_of(system.alerts[0]))

    assert pace is not None
    assert pace.seconds == 5


def test_groups_are_evaluated_at_their_own_interval_or_the_global_one(tmp_path: Path) -> None:
    """Of a group without an interval it is that of the Prometheus that loads it."""
    system = model(tmp_path)

    assert [system.timing.evaluation(rule) for rule in system.rules] == [120, 20]


def test_without_a_prometheus_nothing_is_known(tmp_path: Path) -> None:
    """Rules alone tell no pace and no retention."""
    (tmp_path / "rules.yml").write_text(RULES)
    system = Model.of(tmp_path)
    alert = system.alerts[0]

    assert system.timing.stacks_of(alert) == ()
    assert system.timing.pace(selector("x"), ()) is None
    assert system.timing.evaluation(alert) is None
    assert list(system.timing.retentions(alert)) == []
    assert system.timing.lookback == 300


@pytest.mark.parametrize(
    ("flags", "days"),
    [
        ("", 15),
        (", --storage.tsdb.retention.time=2d", 2),
        (", --storage.tsdb.retention=3d", 3),
        (", --storage.tsdb.retention.size=5GB", None),
        (", --enable-feature=agent", None),
    ],
)
def test_retention_is_what_the_flags_say(flags: str, days: int | None, tmp_path: Path) -> None:
    """By time where said, 15 days where nothing is said, and unknown where only the size is."""
    system = model(tmp_path, **{"docker-compose_yml": COMPOSE.format(flags)})
    found = [each.seconds / 86400 for each in system.timing.retentions(system.alerts[0])]

    assert found == ([] if days is None else [days])


@pytest.mark.parametrize(
    ("spec", "days"),
    [("{}", 1), ("{retention: 10d}", 10), ("{retentionSize: 5GB}", None), ("{retention: 1d, thanos: {}}", 1)],
)
def test_retention_of_the_operator(spec: str, days: int | None, tmp_path: Path) -> None:
    """24 hours where nothing is said."""
    system = model(tmp_path, prom_yaml=OPERATED.replace("spec: {}", f"spec: {spec}"))

    assert [each.seconds / 86400 for each in system.timing.operated_retentions()] == ([] if days is None else [days])


def test_lookback_is_the_longest_that_is_said(tmp_path: Path) -> None:
    """The flag of a container counts."""
    system = model(tmp_path, **{"docker-compose_yml": COMPOSE.format(", --query.lookback-delta=10m")})

    assert system.timing.lookback == 600


@pytest.mark.parametrize(("window", "pace", "most"), [(60, 15, 5), (50, 15, 4), (15, 15, 2), (10, 15, 1)])
def test_a_window_holds_so_many_samples(window: float, pace: float, most: int) -> None:
    """Both its ends count."""
    assert most_samples(window, pace) == most


def test_what_jobs_and_buckets_say_bounds_values(tmp_path: Path) -> None:
    """A scrape lasts no longer than its timeout, and changes() sees no more than the window holds."""
    system = model(tmp_path)
    intervals = system.values.proofs(system.alerts[0]).intervals

    assert str(intervals.of(parse('scrape_duration_seconds{job="slow"}'))) == "between 0 and 30"
    assert str(intervals.of(parse('changes(x{job="slow"}[5m])'))) == "between 0 and 10"
    assert str(system.values.plain.intervals.of(parse("changes(x[5m])"))) == "at least 0"
