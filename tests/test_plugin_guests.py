"""Beside other people's tests and settings the plugin keeps to what is its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_plugin import SYSTEM

ROOT = Path(__file__).parents[1]
THEIRS = """\
import pytest

@pytest.mark.load
def test_theirs():
    pass
"""
STRANGE = '[tool.pytest.ini_options]\naddopts = "--nonsense"\n'


def run(cwd: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as a user of this environment does, with these environment variables and no other of ours."""
    known = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "TOCSIN_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:locust", "-p", "no:cacheprovider", *arguments],
        cwd=cwd,
        env={**known, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """Write a small system into a repository whose settings pytest cannot use."""
    (tmp_path / "repository" / "monitoring").mkdir(parents=True)
    (tmp_path / "repository" / "pyproject.toml").write_text(STRANGE)
    (tmp_path / "repository" / "monitoring" / "system.yaml").write_text(SYSTEM)
    return tmp_path / "repository" / "monitoring"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Write a test of other people's, with a marker that is ours too."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "test_theirs.py").write_text(THEIRS)
    return tmp_path / "theirs"


def test_other_peoples_tests_keep_their_markers(theirs: Path) -> None:
    """Their `load` runs without being named."""
    done = run(theirs)

    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_other_peoples_tests_do_not_wait_for_us(theirs: Path) -> None:
    """A pytest that was told of no system imports what declares the options, and nothing of the library."""
    (theirs / "test_imports.py").write_text(
        "import sys\n\ndef test_imports():\n"
        "    ours = {name for name in sys.modules if name.partition('.')[0] in ('tocsin', 'tocsin_pytest', 'suites')}\n"
        "    assert ours == {'tocsin_pytest', 'tocsin_pytest.options', 'suites'}\n"
    )

    done = run(theirs)

    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_other_peoples_tests_are_no_run_of_ours(theirs: Path, system: Path) -> None:
    """A system in the environment is of no matter to a pytest that was told to run something else."""
    done = run(theirs, "test_theirs.py", TOCSIN_SYSTEM=str(system))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert not (theirs / "reports").exists()


def test_the_environment_names_the_system(tmp_path: Path, system: Path) -> None:
    """TOCSIN_SYSTEM and TOCSIN_ENVIRONMENT stand for the two options."""
    (tmp_path / "empty").mkdir()

    found = run(tmp_path / "empty", "--collect-only", "-q", "-m", "faults", TOCSIN_SYSTEM=str(system))
    moon = run(tmp_path / "empty", TOCSIN_SYSTEM=str(system), TOCSIN_ENVIRONMENT="moon")

    assert "test_drill[down]" in found.stdout, found.stdout + found.stderr
    assert moon.returncode == 4
    assert "has no environment 'moon'" in moon.stderr


def test_a_checkout_keeps_its_own_settings(system: Path) -> None:
    """By itself, pytest would take those of the repository that the system is in, and stumble over them."""
    done = run(ROOT, "--collect-only", "-q", "-m", "faults", "--system", str(system))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "suites/faults/test_faults.py::test_drill[down]" in done.stdout
