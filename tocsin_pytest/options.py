"""The options, and whether pytest began as the suites need it; all that a pytest without a system takes in."""

from __future__ import annotations

import os
import shlex
import sys
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

import pytest

import suites

MARKERS = (
    "static: looks at files only; nothing is started and nothing is asked.",
    "endpoints: asks running targets for their metrics and judges what they expose; only when -m names it.",
    "probes: exercises the health checks of containers, under load, outages, starts and ends; only when -m names it.",
    "simulation: proves an alerting rule in virtual time with promtool, on synthesised series.",
    "routing: asks which receivers an alert reaches by the routes of Alertmanager.",
    "pipeline: sends synthesised series through a Prometheus and an Alertmanager of ours; only when -m names it.",
    "dashboards: asks whether the queries of dashboards find what they show.",
    "logs: asks whether what is logged can be found and counted.",
    "load: puts real load on a running system, and never kills or cuts anything; only when -m names it.",
    "faults: kills, stops or cuts parts of a running system; only when -m names it.",
    "security: sends what an attacker would send, to see that somebody is told; only when -m names it.",
)
"""For an installed Tocsin, whose user has a pytest.ini of their own, or none."""
SUITES = Path(suites.__file__).resolve().parent
BEGUN_AGAIN = "TOCSIN_BEGUN_AGAIN"
"""Set in the environment of a pytest that was begun again, so that it happens once."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options; each may come from the environment too."""
    group = parser.getgroup("tocsin", "Tocsin: the system under test")
    group.addoption("--system", metavar="DIR", default=None, help="folder of the system.yaml (TOCSIN_SYSTEM)")
    group.addoption("--environment", metavar="NAME", default=None, help="one of its environments (TOCSIN_ENVIRONMENT)")
    group.addoption("--reports", metavar="DIR", default=None, help="where runs are kept; default: reports/")
    group.addoption(
        "--evidence", metavar="RUN", default=None, help="judge the evidence of an old run instead of performing drills"
    )
    group.addoption(
        "--fail-on",
        choices=["error", "warning", "info", "never"],
        default="error",
        help="the least severity of a static finding that fails; default: error",
    )
    group.addoption(
        "--attempts", type=int, choices=(1, 2), default=2, help="1: do not perform a drill again that proved nothing"
    )
    group.addoption("--dry-run", action="store_true", help="print the plan of the drills, and stop")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Begin a session of the suites, if a system was named; what that takes is imported only then."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    directory = _system_folder(config.option)
    if not directory:
        if _are_suites(config.args):
            raise pytest.UsageError(
                "no system was named, and there is no default: say --system DIR (the folder of a system.yaml), "
                "or set TOCSIN_SYSTEM"
            )
        return
    if not hasattr(config, "workerinput"):
        _begin_again_if_misled(config, config.option)
    if not config.option.file_or_dir:
        config.args = [str(SUITES)]
    from tocsin_pytest import beginning, conformance  # noqa: PLC0415 seconds, for pytests that have no such session

    config.pluginmanager.register(conformance, "tocsin_conformance")
    beginning.begin(config, Path(directory))


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Begin again before the settings of another folder, if those were found, can make pytest stumble."""
    if _system_folder(early_config.known_args_namespace) and not hasattr(early_config, "workerinput"):
        _begin_again_if_misled(early_config, early_config.known_args_namespace)


def _system_folder(options: Namespace) -> str | None:
    """Return which folder was named; TOCSIN_SYSTEM is of no matter to who runs something else than the suites."""
    named: str | None = getattr(options, "system", None)
    return named or (os.environ.get("TOCSIN_SYSTEM") if _asks_for_suites(options) else None)


def _asks_for_suites(options: Namespace) -> bool:
    """Whether no path was named, or the suites are among those that were."""
    return not options.file_or_dir or _are_suites(options.file_or_dir)


def _are_suites(arguments: Iterable[str]) -> bool:
    return any(Path(named.partition("::")[0]).resolve().is_relative_to(SUITES) for named in arguments)


def _begin_again_if_misled(config: pytest.Config, options: Namespace) -> None:
    """Run pytest again, in this process's place, if it began with settings that are not those of the suites.

    pytest takes an option's value for a path to collect from before it knows the option, so `--system /elsewhere`
    makes it pass over the pytest.ini of a checkout, or take that of the repository that the system is in; begun in
    another folder, it does not even look for it. And Locust's own plugin, which an installation brings along, patches
    sockets and threads of the whole process. All that is decided before any plugin has a say.
    """
    more = ["-p", "no:locust"] if config.pluginmanager.hasplugin("locust") else []
    ini = SUITES.parent / "pytest.ini"
    if options.inifilename is None and _asks_for_suites(options) and ini.is_file() and config.inipath != ini:
        more += ["-c", str(ini), "--rootdir", str(ini.parent)]
        if not options.file_or_dir and config.invocation_params.dir != ini.parent:
            more.append(str(SUITES))  # a conftest.py that names a plugin must be known from the start
    if not more:
        return
    if BEGUN_AGAIN in os.environ:
        raise pytest.UsageError(
            f"pytest began with settings that are not those of the suites; begin it with: {shlex.join(more)}"
        )
    if capture := config.pluginmanager.getplugin("capturemanager"):
        capture.stop_global_capturing()  # else the terminal that it holds back is lost to what begins
    program = [sys.argv[0]] if Path(sys.argv[0]).name != "__main__.py" else ["-m", "pytest"]
    arguments = [sys.executable, *program, *more, *map(str, config.invocation_params.args)]
    os.execve(sys.executable, arguments, {**os.environ, BEGUN_AGAIN: "1"})  # noqa: S606 ourselves, with our arguments
