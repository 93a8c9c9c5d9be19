"""Options and their defaults: which system, which environment, where the reports go."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from tocsin.drill.planning import plan_drills
from tocsin.drill.runs import has_begun, run_folder
from tocsin.exposition.cases import ENDPOINTS
from tocsin.probes import PROBES
from tocsin.runner import RunRequest
from tocsin.system import BadSystem, System, load_system
from tocsin_pytest.collecting import asked_for
from tocsin_pytest.probing import check_probed
from tocsin_pytest.reporting import Reporting
from tocsin_pytest.session import DRILL_MARKERS, SESSION, SUITES

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
    group.addoption("--dry-run", action="store_true", help="print the plan of the drills, and stop")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Load the system once, in the controller; workers are told which run they belong to."""
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
    request = _session(config, Path(directory))
    config.stash[SESSION] = request
    if PROBES in asked_for(config.option.markexpr or "") and not hasattr(config, "workerinput"):
        check_probed(config)
    if not _only_looks(config):
        _default_allure(config, request.folder)
    if not hasattr(config, "workerinput"):
        reporting = Reporting()
        if not _only_looks(config):
            _default_junit(config, request.folder)
            _leave_nothing(config, request.folder, reporting)
        config.pluginmanager.register(reporting, "tocsin_reporting")


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


def _session(config: pytest.Config, directory: Path) -> RunRequest:
    named = config.getoption("environment") or os.environ.get("TOCSIN_ENVIRONMENT")
    try:
        system = load_system(config.invocation_params.dir / directory)
        environment, _ = system.environment(named) if _needs_environment(config, system, named) else ("", None)
        plans = plan_drills(system, environment) if environment else ()
    except BadSystem as error:
        raise pytest.UsageError(f"the system cannot be used:\n{error}") from error
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        return RunRequest(system, environment, plans, Path(worker["tocsin_run"]), worker["tocsin_started"])
    started = time.time()
    old = old_evidence(config)
    if old is not None and not old.is_dir():
        said = f"--evidence {config.getoption('evidence')}: is not the folder of a run: it holds no folder `evidence`"
        raise pytest.UsageError(said)
    reports = (config.invocation_params.dir / (config.getoption("reports") or "reports")).resolve()
    folder = reports if _only_looks(config) else run_folder(reports, started)
    return RunRequest(system, environment, plans, folder, started)


def _needs_environment(config: pytest.Config, system: System, named: str | None) -> bool:
    """Whether it has to be known where drills happen: files are the same in every environment."""
    known = system.declaration.environments
    asked = asked_for(config.getoption("markexpr") or "") & {ENDPOINTS, *DRILL_MARKERS}
    return bool(named or len(known) == 1 or (known and (asked or config.getoption("dry_run"))))


def old_evidence(config: pytest.Config) -> Path | None:
    """Return the evidence that is to be judged again; None if drills are to be performed."""
    old = config.getoption("evidence")
    return config.invocation_params.dir / old / "evidence" if old else None


def _only_looks(config: pytest.Config) -> bool:
    """Whether nothing is going to run, so that no run has to be kept and `latest` stays where it is."""
    return bool(config.getoption("collectonly") or config.getoption("dry_run"))


def _default_junit(config: pytest.Config, folder: Path) -> None:
    """Let JUnit write into the run's folder, unless the user said where."""
    if not config.option.xmlpath:
        config.option.xmlpath = str(folder / "junit.xml")


def _leave_nothing(config: pytest.Config, folder: Path, reporting: Reporting) -> None:
    """Have the run's folder removed at the end if the run never began: JUnit and Allure write whatever happens."""
    first = not folder.parent.exists()

    def discard() -> None:
        if not has_begun(folder) and not reporting.not_collected:
            shutil.rmtree(folder, ignore_errors=True)
            if first:
                with suppress(OSError):
                    folder.parent.rmdir()

    config.add_cleanup(discard)


def _default_allure(config: pytest.Config, folder: Path) -> None:
    """Let Allure write there too; each worker writes for itself, and knows only what the command line said."""
    if not getattr(config.option, "allure_report_dir", None):
        config.option.allure_report_dir = str(folder / "allure")
