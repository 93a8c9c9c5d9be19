"""Read the log of a running process: what is new in it, and the moment a line appears."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from threading import Event

from tocsin.deadline import DeadlineExceeded, Unmet, wait_until
from tocsin.supervisor.client import Process
from tocsin.supervisor.trouble import Kind, Trouble

TAIL_LINES = 12
_TAIL_BYTES = 1 << 14


class LineReader:
    """Yields the complete lines of a growing file, each once; half a line waits for its end."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self.offset = offset
        """Bytes taken in so far."""

    def new_lines(self) -> Iterator[str]:
        """Yield the lines that were completed since the last call; of a file that is not there, none."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                data = file.read()
        except FileNotFoundError:
            return
        complete = data[: data.rfind(b"\n") + 1]
        self.offset += len(complete)
        for line in complete.splitlines():
            yield line.decode("utf-8", "replace")


def tail(process: Process, lines: int = TAIL_LINES) -> str:
    """Return the last lines that a process wrote to its log."""
    try:
        with process.log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(process.log_offset, size - _TAIL_BYTES))
            found = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return "(no log)"
    return "\n".join(found[-lines:]) or "(its log is empty)"


def check_running(process: Process, what: str) -> None:
    """Raise Trouble with the end of its log if the process has exited."""
    if process.exited is not None:
        detail = f"{process.name} {process.exited}. The end of its log:\n{tail(process)}"
        raise Trouble(what, str(process.log), detail, Kind.EXITED)


def await_line(
    process: Process, pattern: re.Pattern[str], *, what: str, seconds: float, stop: Event | None = None
) -> re.Match[str]:
    """Return the match of a pattern in the first line that has one, waiting for it to be written.

    Only what this process wrote is looked at; a log that is used again holds lines of earlier ones. Raises Trouble
    if the process exits or the time is up, and Stopped if `stop` is set.
    """
    reader = LineReader(process.log, process.log_offset)

    def look() -> re.Match[str] | Unmet:
        exited = process.exited is not None  # first: what it wrote before it exited counts
        found = next((match for line in reader.new_lines() if (match := pattern.search(line))), None)
        if found is None and exited:
            check_running(process, what)
        return found or Unmet("not written yet")

    try:
        return wait_until(look, seconds=seconds, what=what, stop=stop)
    except DeadlineExceeded as error:
        detail = f"nothing like {pattern.pattern!r} in {seconds:g} s. The end of its log:\n{tail(process)}"
        raise Trouble(what, str(process.log), detail, Kind.TIMED_OUT) from error
