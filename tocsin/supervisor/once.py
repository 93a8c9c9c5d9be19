"""Run a program that ends by itself (promtool, amtool) and return what it said."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tocsin.supervisor.trouble import Kind, Trouble


@dataclass(frozen=True, slots=True)
class Completed:
    """What a program said; a negative code is the signal that ended it."""

    code: int
    stdout: str
    stderr: str


def run_once(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None,
    seconds: float,
    input: str | None = None,  # noqa: A002
) -> Completed:
    """Run a program to its end and return what it said.

    `env` is its whole environment (None: ours). Raises Trouble (timed out) after so many seconds, with its process
    group killed, and Trouble (failed) if it cannot be started. It ends too if this process is killed.
    """
    program = str(argv[0])
    what, where = f"{Path(program).name} did not run", str(cwd)
    found = shutil.which(program, path=(os.environ if env is None else env).get("PATH"))
    if found is None:
        raise Trouble(what, where, f"{program}: no such program, or it may not be executed")
    command = [*_ends_with_us(), found, *map(str, argv[1:])]
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise Trouble(what, where, f"{error.strerror}: {error.filename}") from error
    with process:
        try:
            stdout, stderr = process.communicate(input, timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise Trouble(what, where, f"not done after {seconds:g} s; killed", Kind.TIMED_OUT) from error
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    return Completed(process.returncode, stdout, stderr)


@cache
def _ends_with_us() -> tuple[str, ...]:
    """Return what to put before a command so that the kernel kills it when the thread that waits for it ends.

    setpriv (util-linux) sets the parent-death signal and becomes the program. Here, other than for a child of the
    supervisor, the signal's habit of following the thread does no harm: the thread is the one that waits.
    """
    found = shutil.which("setpriv")
    return (found, "--pdeathsig", "KILL", "--") if found else ()
