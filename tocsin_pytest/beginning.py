"""How a session begins: the system is loaded, and where its run's files go is settled."""

from __future__ import annotations

import os
import shutil
import time
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
from tocsin_pytest.session import DRILL_MARKERS, SESSION


def begin(config: pytest.Config, directory: Path) -> None:
    """Load the system once, in the controller; workers are told which run they belong to."""
    request = _session(config, directory)
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
    return RunRequest(system, environment, plans, folder, started, config.getoption("attempts"))


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
