"""Options and their defaults: which system, which environment, where the reports go."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import suites
from tocsin.drill.planning import plan_drills
from tocsin.drill.runs import new_run, point_latest
from tocsin.runner import RunRequest
from tocsin.system import BadSystem, load_system
from tocsin_pytest.reporting import Reporting

SUITES = Path(suites.__file__).resolve().parent
MARKERS = (
    "static: looks at files only; nothing is started and nothing is asked.",
    "endpoints: asks a running target for its metrics and judges what it exposes.",
    "probes: asks the health checks of a running container, attempt by attempt.",
    "simulation: proves an alerting rule in virtual time with promtool, on synthesised series.",
    "routing: asks which receivers an alert reaches by the routes of Alertmanager.",
    "pipeline: sends synthesised series through a Prometheus and an Alertmanager of ours; only when -m names it.",
    "dashboards: asks whether the queries of dashboards find what they show.",
    "logs: asks whether what is logged can be found and counted.",
    "load: puts real load on a running system, and never kills or cuts anything; only when -m names it.",
    "faults: kills, stops or cuts parts of a running system; only when -m names it.",
    "security: tries what an attacker would try on the monitoring; only when -m names it.",
)
"""For an installed Tocsin, whose user has a pytest.ini of their own, or none."""


SESSION = pytest.StashKey[RunRequest]()
"""The system under test, and the run that this session is."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options; each may come from the environment too."""
    group = parser.getgroup("tocsin", "Tocsin: the system under test")
    group.addoption("--system", metavar="DIR", default=None, help="folder of the system.yaml (TOCSIN_SYSTEM)")
    group.addoption("--environment", metavar="NAME", default=None, help="one of its environments (TOCSIN_ENVIRONMENT)")
    group.addoption("--reports", metavar="DIR", default=None, help="where runs are kept; default: reports/")
    group.addoption("--dry-run", action="store_true", help="print the plan of the drills, and stop")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Load the system once, in the controller; workers are told which run they belong to."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    directory = config.getoption("system") or os.environ.get("TOCSIN_SYSTEM")
    if not directory:
        if _asks_for_suites(config):
            raise pytest.UsageError(
                "no system was named, and there is no default: say --system DIR (the folder of a system.yaml), "
                "or set TOCSIN_SYSTEM"
            )
        return
    if config.pluginmanager.hasplugin("locust"):
        raise pytest.UsageError("Locust's pytest plugin patches the whole process: run pytest with -p no:locust")
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = [str(SUITES)]
    request = _session(config, Path(directory))
    config.stash[SESSION] = request
    if not hasattr(config, "workerinput"):
        _default_reports(config, request.folder)
        config.pluginmanager.register(Reporting(request), "tocsin_reporting")


def _asks_for_suites(config: pytest.Config) -> bool:
    paths = [(config.invocation_params.dir / arg.partition("::")[0]).resolve() for arg in config.args]
    return any(path.is_relative_to(SUITES) for path in paths)


def _session(config: pytest.Config, directory: Path) -> RunRequest:
    named = config.getoption("environment") or os.environ.get("TOCSIN_ENVIRONMENT")
    try:
        system = load_system(config.invocation_params.dir / directory)
        environment, _ = system.environment(named) if named or system.declaration.environments else ("", None)
        plans = plan_drills(system, environment) if environment else ()
    except BadSystem as error:
        raise pytest.UsageError(f"the system cannot be used:\n{error}") from error
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        return RunRequest(system, environment, plans, Path(worker["tocsin_run"]), worker["tocsin_started"])
    started = time.time()
    reports = Path(config.getoption("reports") or config.rootpath / "reports")
    return RunRequest(system, environment, plans, new_run(reports.resolve(), started), started)


def _default_reports(config: pytest.Config, folder: Path) -> None:
    """Let JUnit and Allure write into the run's folder, unless the user said where."""
    point_latest(folder)
    if not config.option.xmlpath:
        config.option.xmlpath = str(folder / "junit.xml")
    if not getattr(config.option, "allure_report_dir", None):
        config.option.allure_report_dir = str(folder / "allure")
