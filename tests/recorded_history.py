"""Recorded history for tests: blocks that promtool makes of samples, and the engine that reads them."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tocsin.engines.binaries import Engine, find_engine
from tocsin.engines.prometheus_api import PrometheusApi
from tocsin.simulation.backtest import (
    OURS,
    Backtest,
    History,
    Pace,
    Window,
    backtest,
    covered,
    opened,
    read_rule_set,
    read_storage,
)
from tocsin.supervisor import run_once

BEGIN = 1_700_006_400
"""Unix seconds; a multiple of a day, so that every pace has a tick there."""

Samples = Mapping[str, Iterable[tuple[int, float]]]
"""Seconds after BEGIN and values, by series as PromQL writes it."""


def every(seconds: int, values: Sequence[float | None], first: int = 0) -> list[tuple[int, float]]:
    """Return a value every so many seconds; None is none."""
    return [(first + i * seconds, value) for i, value in enumerate(values) if value is not None]


def make_blocks(directory: Path, samples: Samples) -> Path:
    """Write samples as blocks of a storage."""
    lines: dict[str, list[str]] = {}
    for series, values in samples.items():
        name = series.partition("{")[0]
        lines.setdefault(name, [f"# TYPE {name} gauge"]).extend(f"{series} {v} {BEGIN + at}" for at, v in values)
    text = "\n".join([*(line for each in lines.values() for line in each), "# EOF", ""])
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "samples.om"
        file.write_text(text)
        argv = [find_engine(Engine.PROMTOOL), "tsdb", "create-blocks-from", "openmetrics", file, directory.absolute()]
        done = run_once(argv, cwd=Path(place), env=None, seconds=60)
    assert done.code == 0, done.stderr
    return directory


@contextmanager
def history_of(directory: Path, pace: Pace = OURS) -> Iterator[History]:
    """Give the history of a storage."""
    storage = read_storage(directory)
    with opened(storage, evaluation=60, lookback=300) as prometheus:
        whole = covered(prometheus, storage)
        yield History(PrometheusApi(prometheus.url, timeout=60), pace, begins=whole.begin if whole else None)


def run_over(history: History, rules: Path, window: tuple[int, int], before: Path | None = None) -> Backtest:
    """Run rule files over a window, given in seconds after BEGIN."""
    sets = [read_rule_set([path], default=60) for path in (rules, before) if path is not None]
    return backtest(history, window_of(*window), *sets)


def window_of(begin: int, end: int) -> Window:
    """Return a window, given in seconds after BEGIN."""
    return Window((BEGIN + begin) * 1000, (BEGIN + end) * 1000)


def after(time: int) -> float:
    """Return a time of a backtest in seconds after BEGIN."""
    return time / 1000 - BEGIN


def fired(done: Backtest, alert: str) -> list[tuple[float, float]]:
    """Return when an alert began and ceased to fire, in seconds after BEGIN."""
    return [
        (after(episode.begin), after(episode.end))
        for outcome in done.outcomes
        if outcome.alert.rule.name == alert
        for episode in outcome.firing
    ]


def fingerprint(directory: Path) -> dict[str, str]:
    """Return a digest of every file, and of the time of its last change."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes() if path.is_file() else b"").hexdigest()
        + f" {path.stat().st_mtime_ns} {path.stat().st_mode} {path.stat().st_nlink}"
        for path in sorted(directory.rglob("*"))
    }
