"""Tocsin as a user has it: a wheel, an empty folder, no pytest.ini; it asks what the checkout asks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.drill_worlds import World

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "fixtures" / "systems" / "dharmamind"
SOURCES = ("tocsin", "tocsin_pytest", "suites", "loadprofiles")
SYSTEM = """\
schema: 1
name: small
environments:
  local: {processes: {backend: {command: [backend]}}}
drills:
  down: {stimulus: {kill: backend}, expect: [{alert: Down, labels: {severity: critical}, receivers: [pager]}]}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of the sources and unpack it; beside it, all packages but the checkout's own."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    for name in SOURCES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "-w", str(folder), str(source)], check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "wheel")
    (folder / "others").mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "tocsin" not in path.name:
            (folder / "others" / path.name).symlink_to(path)
    return folder


def run(installed: Path, cwd: Path, *arguments: str, module: str = "pytest") -> subprocess.CompletedProcess[str]:
    """Run a module of the installed packages; -S leaves out those of the environment, the checkout among them."""
    cwd.mkdir(exist_ok=True)
    known = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "TOCSIN_"))}
    environment = {**known, "PYTHONPATH": f"{installed / 'wheel'}:{installed / 'others'}"}
    base: str = getattr(sys, "_base_executable", sys.executable)
    command = [base, "-S", "-m", module, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def asked(collected: str) -> set[str]:
    """Return the collected items by file name and case; what comes before depends on where pytest began."""
    return set(re.findall(r"^(?:\S*/)?(test_\w+\.py::\S+)$", collected, re.MULTILINE))


def test_the_installed_asks_what_the_checkout_asks(installed: Path, tmp_path: Path) -> None:
    """The suites are found from an empty folder, and hold the same questions."""
    arguments = ("--collect-only", "-q", "--system", str(REFERENCE), "--environment", "local")
    chosen = ("-m", "static or load or faults")
    here = [sys.executable, "-m", "pytest", *arguments, *chosen]

    there = run(installed, tmp_path / "empty", *arguments, *chosen)
    checkout = subprocess.run(here, cwd=ROOT, capture_output=True, text=True, check=False)

    assert there.returncode == 0, there.stdout + there.stderr
    assert len(asked(there.stdout)) > 10
    assert asked(there.stdout) == asked(checkout.stdout)
    assert not list((tmp_path / "empty").glob("reports/*")), "collecting keeps no run"


def test_the_installed_performs_what_was_selected(installed: Path, tmp_path: Path) -> None:
    """Whatever the ids of the items look like there, their drills are the ones that are planned."""
    done = run(
        *(installed, tmp_path / "empty", "--dry-run", "--system", str(REFERENCE), "--environment", "local"),
        *("-m", "load or faults", "-k", "backend-down or control"),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 drills of dharmamind in local" in done.stdout
    assert "backend-down [faults]" in done.stdout


def test_the_installed_writes_its_reports(installed: Path, tmp_path: Path) -> None:
    """The report's template and the plugin came along; the exit code is that of the checkout."""
    (tmp_path / "system").mkdir()
    (tmp_path / "system" / "system.yaml").write_text(SYSTEM)
    World(counters=(2.0, 5.0)).write(tmp_path / "old" / "evidence" / "down")

    done = run(
        *(installed, tmp_path / "empty", "--system", "../system", "--evidence", "../old", "-m", "faults"),
    )

    assert done.returncode == 10, done.stdout + done.stderr
    latest = tmp_path / "empty" / "reports" / "latest"
    assert {"report.html", "results.json", "junit.xml"} <= {path.name for path in latest.iterdir()}


def test_the_installed_brings_its_load_profiles(installed: Path, tmp_path: Path) -> None:
    """A drill may name a profile of Tocsin's without having a file of it."""
    (tmp_path / "asking.py").write_text(
        "from pathlib import Path\nfrom tocsin.engines.profiles import profile_path\n"
        "print(profile_path(Path(), 'browse'))\n"
    )

    found = run(installed, tmp_path, module="asking")

    assert found.returncode == 0, found.stderr
    assert Path(found.stdout.strip()) == installed / "wheel" / "loadprofiles" / "browse.py"


def test_locusts_own_plugin_is_left_out(installed: Path, tmp_path: Path) -> None:
    """An installation brings Locust's plugin along; it would patch the whole process, so pytest begins again."""
    done = run(
        *(installed, tmp_path / "empty", "--collect-only", "--system", str(REFERENCE), "--environment", "local"),
    )

    plugins = next(line for line in done.stdout.splitlines() if line.startswith("plugins:"))
    assert "tocsin" in plugins
    assert "locust" not in plugins
