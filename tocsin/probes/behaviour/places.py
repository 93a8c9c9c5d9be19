"""Where the episodes of a subject are kept, and how it is known that they are all there."""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from tocsin.atomic import write_json
from tocsin.deadline import wait_until

DONE = "DONE"
"""Written last: whoever finds it finds all of the rest."""
LOCK = "lock"
Progress = Callable[[str, str, float], None]
"""Is told the subject, the experiment that begins, and about how many seconds it will take; on any thread."""
_LONGEST_WAIT = 6 * 3600.0
_EVERY = 0.2


def folder_of(folder: Path, name: str) -> Path:
    """Return the folder of a subject's episodes; no two subjects have the same, for a container's name has no dot."""
    return folder / (re.sub(r"[^A-Za-z0-9_.-]+", "-", name.replace("/", ".")).strip("-.") or "subject")


def is_done(folder: Path, name: str, only: Collection[str] | None = None) -> bool:
    """Tell whether a subject's episodes are all there; of some kinds of experiments, if these are named."""
    try:
        done = json.loads((folder_of(folder, name) / DONE).read_text(encoding="utf-8"))["only"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return done is None or (only is not None and set(only) <= set(done))


def note_done(folder: Path, name: str, only: Collection[str] | None) -> None:
    """Write down that they are."""
    write_json(folder_of(folder, name) / DONE, {"subject": name, "only": None if only is None else sorted(only)})


@contextmanager
def held(path: Path, stop: Event, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock among threads and processes, alone or with others that share it; the kernel ends it with them.

    Raises Stopped as soon as `stop` is set while it is waited for, and OSError if there can be no such file.
    """
    wanted = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    with path.open("ab") as file:

        def taken() -> bool:
            try:
                fcntl.flock(file, wanted)
            except BlockingIOError:
                return False
            return True

        wait_until(taken, seconds=_LONGEST_WAIT, what=f"the lock {path.name}", every=_EVERY, stop=stop)
        yield
