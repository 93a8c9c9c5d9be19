"""One run at a time on a machine."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tocsin.deadline import Stopped
from tocsin.engines.lock import holder, machine_lock
from tocsin.engines.trouble import EngineTrouble
from tocsin.supervisor import Kind

ROOT = Path(__file__).parents[1]
HOLDER = """
import sys
from pathlib import Path
from tocsin.engines.lock import machine_lock
with machine_lock(seconds=5, path=Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a lock of the test's own."""
    return tmp_path / "place" / "machine.lock"


@pytest.fixture
def other(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start another process that holds the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_holder_is_named(path: Path, other: subprocess.Popen[str]) -> None:
    """Who waits is told, once, who holds the lock and since when; and again when the time is up."""
    told: list[str] = []
    with (
        pytest.raises(EngineTrouble, match=f"pid {other.pid}, started 2") as caught,
        machine_lock(seconds=0.5, path=path, on_wait=told.append),
    ):
        pytest.fail("two hold the lock")
    assert caught.value.kind is Kind.TIMED_OUT
    (message,) = told
    assert f"pid {other.pid}" in message
    assert "waiting for its end, at most 0.5 s" in message


def test_the_lock_is_free_when_its_holder_is_killed(path: Path, other: subprocess.Popen[str]) -> None:
    """SIGKILL of the holder releases the lock, and who waits gets it."""
    told = threading.Event()
    killer = threading.Thread(target=lambda: (told.wait(10), other.kill()))
    killer.start()
    with machine_lock(seconds=20, path=path, on_wait=lambda _: told.set()):
        assert told.is_set()
        assert "pid" in holder(path)
    killer.join()
    assert holder(path) == "its holder is not known"


@pytest.mark.usefixtures("other")
def test_a_stop_ends_the_wait(path: Path) -> None:
    """The stop event ends the wait for the lock."""
    stop = threading.Event()
    with pytest.raises(Stopped), machine_lock(seconds=60, path=path, stop=stop, on_wait=lambda _: stop.set()):
        pytest.fail("two hold the lock")


def test_the_lock_can_be_taken_again_and_by_everyone(path: Path) -> None:
    """It is released at the end, an error included; file and directory are open to every user."""
    with pytest.raises(ValueError, match="on purpose"), machine_lock(seconds=1, path=path):
        raise ValueError("on purpose")
    with machine_lock(seconds=0, path=path):
        assert path.parent.stat().st_mode & 0o1777 == 0o777
        assert path.stat().st_mode & 0o666 == 0o666


def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file where the directory should be is told with its path, and gives no traceback."""
    (tmp_path / "place").write_text("")
    with pytest.raises(EngineTrouble, match="place"), machine_lock(seconds=1, path=tmp_path / "place" / "machine.lock"):
        pytest.fail("there is no such lock")
