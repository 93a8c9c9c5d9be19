"""What a container does between the word to end and SIGTERM: its preStop hook, as far as it can be imitated."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tocsin.model.workloads import Container
from tocsin.part import Part

_SLEEP = re.compile(r"(?:exec )?(?:/(?:usr/)?bin/)?sleep (\d+(?:\.\d+)?)([smh]?)")
_SHELL = re.compile(r"(?:/(?:usr/)?bin/)?(?:ba|da|a)?sh")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class PreStop:
    """A preStop hook."""

    seconds: float = 0.0
    """How long it waits, where that is all it does; else 0."""
    unknown: str = ""
    """Why it cannot be imitated; empty if it can."""


def pre_stop_of(container: Container) -> PreStop:
    """Return what a container's preStop hook does: nothing, `sleep`, or a command that is `sleep N`."""
    hook = container.part.get("lifecycle", "preStop")
    if not hook:
        return PreStop()
    if (wait := hook.number("sleep", "seconds")) is not None:
        return PreStop(max(0.0, wait))
    words = [part.text for part in hook.list("exec", "command")]
    if words:
        seconds = slept(words)
        return PreStop(seconds) if seconds is not None else PreStop(unknown=_unknown(hook, f"runs {' '.join(words)!r}"))
    return PreStop(unknown=_unknown(hook, "asks its container"))


def slept(command: list[str]) -> float | None:
    """Return for how many seconds a command sleeps, in a shell or not; None if it is not that, or not that alone."""
    if len(command) == 3 and _SHELL.fullmatch(command[0]) and command[1] == "-c":
        command = command[2].split()
    found = _SLEEP.fullmatch(" ".join(command))
    return float(found[1]) * _UNITS[found[2]] if found else None


def _unknown(hook: Part, does: str) -> str:
    return (
        f"its preStop hook ({hook.place}) {does}, which cannot be done on this machine; only waiting can be imitated:"
        " `sleep: {seconds: N}`, or a command that is `sleep N`"
    )
