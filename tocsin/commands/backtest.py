"""`tocsin backtest`: run alerting rules over recorded history, and compare them with those that they replace."""

from __future__ import annotations

import argparse
import base64
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tocsin.drill.discovery import headers
from tocsin.durations import parse_duration
from tocsin.engines.prometheus_api import PrometheusApi
from tocsin.report.backtest import FORMATS, render
from tocsin.simulation.backtest import (
    LIVE,
    OURS,
    Backtest,
    History,
    RuleSet,
    Storage,
    Window,
    backtest,
    covered,
    opened,
    parse_moment,
    read_rule_set,
    read_storage,
    written,
)
from tocsin.source import Place
from tocsin.system import FILE, BadSystem, Problem, load_system

BAD_INPUT = 2
DEFAULT_INTERVAL = 60.0
"""Seconds between evaluations where nobody says (Prometheus, config/config.go)."""
DEFAULT_WINDOW = "1d"
"""How far back a running Prometheus is asked where nothing is said."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Evaluates every alerting rule over recorded history by a real Prometheus, and tells when each would have "
        "fired, how often and for how long. Exit code 0: done; 2: bad input, trouble, or no history of any of it."
    )
    parser.add_argument("paths", nargs="*", type=Path, default=[Path()], metavar="SYSTEM|FILE",
                        help="a folder with rules, or rule files; default: here")  # fmt: skip
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--prometheus", metavar="URL",
                        help="a running Prometheus, or the environment of system.yaml that names it")  # fmt: skip
    source.add_argument("--tsdb", type=Path, metavar="DIR",
                        help="the storage of a Prometheus, or a snapshot of it; it is not changed")  # fmt: skip
    moment = "2026-03-01T12:00:00Z, a Unix time, now, or 7d for a week ago"
    parser.add_argument("--from", dest="begin", metavar="T", help=f"{moment}; default: a day before, of a --tsdb all")
    parser.add_argument("--to", dest="end", metavar="T", help="default: now, of a --tsdb its last sample")
    parser.add_argument("--step", metavar="DURATION", help="in place of every group's own evaluation interval")
    parser.add_argument("--against", type=Path, action="append", metavar="DIR|FILE",
                        help="the rules that these replace: tell what differs; may be given again")  # fmt: skip
    parser.add_argument("--format", choices=FORMATS, default="text")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the episodes too: .png, .svg or .pdf")
    parser.add_argument("--requests-per-second", type=float, default=LIVE.per_second, metavar="N",
                        help="to a running Prometheus, at most; default: %(default)g")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Run the rules, print, and return the exit code. Raises BadSystem for bad input, and Trouble."""
    _check(options)
    now = datetime.now(UTC)
    done = _of_storage(options, now) if options.tsdb is not None else _of_server(options, now)
    if options.picture is not None:
        from tocsin.report.backtest.picture import draw  # noqa: PLC0415 Matplotlib takes its time, and is rarely wanted

        draw(done, options.picture)
    print(render(done, options.format))
    if all(outcome.state in ("no data", "not evaluated") for outcome in done.outcomes):
        print("tocsin: none of the rules could be evaluated on anything, so nothing is known of them", file=sys.stderr)
        return BAD_INPUT
    return 0


def _of_storage(options: argparse.Namespace, now: datetime) -> Backtest:
    step = _step(options)
    rules = read_rule_set(options.paths, default=DEFAULT_INTERVAL, step=step)
    before = _before(options, DEFAULT_INTERVAL, step)
    storage = read_storage(options.tsdb)
    evaluation = rules.evaluation or DEFAULT_INTERVAL
    with opened(_needed(storage, options, now), evaluation=evaluation, lookback=rules.lookback) as prometheus:
        whole = covered(prometheus, storage)
        if whole is None:
            raise _bad("--tsdb", f"{options.tsdb} holds no samples")
        asked = _window(options, now, whole)
        window = Window(max(asked.begin, whole.begin), min(asked.end, whole.end))
        if window.begin >= window.end:
            said = f"{options.tsdb} holds nothing of that time: it goes from {written(whole.begin)} to "
            raise _bad("--from", said + written(whole.end))
        with closing(PrometheusApi(prometheus.url, timeout=OURS.seconds)) as api:
            return backtest(History(api, OURS, begins=whole.begin), window, rules, before, _told)


def _of_server(options: argparse.Namespace, now: datetime) -> Backtest:
    window = _window(options, now, None)
    step = _step(options)
    with _server(options) as api:
        history = History(api, replace(LIVE, per_second=options.requests_per_second))
        default = history.evaluation_interval() or DEFAULT_INTERVAL
        rules = read_rule_set(options.paths, default=default, step=step)
        return backtest(history, window, rules, _before(options, default, step), _told)


@contextmanager
def _server(options: argparse.Namespace) -> Iterator[PrometheusApi]:
    url, sent = options.prometheus, {}
    if not url.startswith(("http://", "https://")):
        folder = next((path for path in options.paths if (path / FILE).is_file()), None)
        if folder is None:
            raise _bad("--prometheus", f"{url!r} is neither a URL nor, without a {FILE}, an environment")
        system = load_system(folder)
        name, declared = system.environment(url)
        if declared.prometheus is None:
            raise BadSystem((Problem(system.place("environments", name), "names no `prometheus` that runs"),))
        url, sent = declared.prometheus.url, dict(headers(system, declared.prometheus))
    parts = urlsplit(url)
    if parts.username is not None:  # they have no place in a message
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        sent = {"Authorization": "Basic " + base64.b64encode(secret.encode()).decode()}
        url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    api = PrometheusApi(url, headers=sent)
    with closing(api):
        yield api


def _before(options: argparse.Namespace, default: float, step: float | None) -> RuleSet | None:
    return read_rule_set(options.against, default=default, step=step) if options.against else None


def _needed(storage: Storage, options: argparse.Namespace, now: datetime) -> Storage:
    """Return a storage without its logs where the window ends before they begin: they are copied and replayed."""
    if storage.window is None or options.end is None:
        return storage
    return replace(storage, logs=()) if _moment("--to", options.end, now) <= storage.window.end else storage


def _window(options: argparse.Namespace, now: datetime, whole: Window | None) -> Window:
    end = _moment("--to", options.end or "now", now)
    if options.end is None and whole is not None:
        end = whole.end
    if options.begin is not None:
        begin = _moment("--from", options.begin, now)
    elif whole is not None:
        begin = whole.begin
    else:
        begin = end - round(parse_duration(DEFAULT_WINDOW) * 1000)
    if begin >= end:
        raise _bad("--from", f"{written(begin)} is not before {written(end)}, the end of the window")
    return Window(begin, end)


def _moment(option: str, text: str, now: datetime) -> int:
    try:
        return parse_moment(text, now)
    except ValueError as error:
        raise _bad(option, str(error)) from error


def _step(options: argparse.Namespace) -> float | None:
    if options.step is None:
        return None
    try:
        step = parse_duration(options.step)
    except ValueError as error:
        raise _bad("--step", str(error)) from error
    if step <= 0:
        raise _bad("--step", "must be longer than 0")
    return step


def _check(options: argparse.Namespace) -> None:
    if not options.requests_per_second > 0:
        raise _bad("--requests-per-second", "must be more than 0")
    if options.picture is not None and options.picture.suffix not in (".png", ".svg", ".pdf"):
        raise _bad("--picture", f"{options.picture} must end in .png, .svg or .pdf")


def _told(number: int, count: int, name: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{number}/{count} {name}", end="\n" if number == count else "", file=sys.stderr, flush=True)


def _bad(option: str, said: str) -> BadSystem:
    return BadSystem((Problem(Place(option), said),))
