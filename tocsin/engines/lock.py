"""One run at a time on a machine: two would measure each other's load."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import psutil
from filelock import FileLock, Timeout

from tocsin.deadline import DeadlineExceeded, Unmet, wait_until
from tocsin.engines.trouble import EngineTrouble
from tocsin.supervisor import Kind

LOCK = Path("/tmp/tocsin/machine.lock")  # noqa: S108 - the same for every user, whatever TMPDIR says
EVERY_SECONDS = 0.2


@contextlib.contextmanager
def machine_lock(
    *,
    seconds: float,
    on_wait: Callable[[str], None] | None = None,
    stop: Event | None = None,
    path: Path = LOCK,
) -> Iterator[None]:
    """Hold the machine's lock; the kernel releases it when the process ends, however it ends.

    While another holds it, `on_wait` is called once with a message that names its pid and start. Raises EngineTrouble
    (timed out) with the same after so many seconds, and Stopped if `stop` is set.
    """
    _make_place(path)
    lock = FileLock(path, mode=0o666, thread_local=False)
    told = False

    def take() -> bool | Unmet:
        nonlocal told
        try:
            lock.acquire(timeout=0)
        except Timeout:
            message = f"another run is in progress: {holder(path)}"
            if not told and on_wait is not None:
                on_wait(f"{message}; waiting for its end, at most {seconds:g} s")
            told = True
            return Unmet(message)
        except OSError as error:
            detail = f"{error.strerror}; remove it, or make it writable for everyone"
            raise EngineTrouble("the machine's lock cannot be taken", str(path), detail) from error
        return True

    what = "the machine's lock is held"
    try:
        wait_until(take, seconds=seconds, what=what, every=EVERY_SECONDS, stop=stop)
    except DeadlineExceeded as error:
        raise EngineTrouble(what, str(path), f"after {seconds:g} s {error.reason}", Kind.TIMED_OUT) from error
    try:
        yield
    finally:
        lock.release()


def holder(path: Path = LOCK) -> str:
    """Return who holds the lock, by /proc/locks: pid, start and command; nothing needs to be written for it."""
    try:
        number = path.stat().st_ino
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return "its holder is not known"
    for line in lines:
        fields = line.split()
        # 1: FLOCK  ADVISORY  WRITE 22774 fe:00:2220270 0 EOF, and "->" before the kind for one that waits
        if "->" not in fields and fields[5].rpartition(":")[2] == str(number):
            return _describe(int(fields[4]))
    return "its holder is not known"


def _describe(pid: int) -> str:
    try:
        process = psutil.Process(pid)
        started = datetime.fromtimestamp(process.create_time(), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"pid {pid}, started {started}: {' '.join(process.cmdline())[:160]}"
    except psutil.Error:
        return f"pid {pid}"


def _make_place(path: Path) -> None:
    """Make the directory, open to every user.

    It is not sticky as /tmp is: in a sticky directory the kernel (fs.protected_regular) refuses another user's file.
    """
    try:
        path.parent.mkdir(parents=True)
        path.parent.chmod(0o777)
    except FileExistsError:
        return
    except OSError as error:
        raise EngineTrouble(
            "the machine's lock cannot be made", str(path.parent), os.strerror(error.errno or 0)
        ) from error
