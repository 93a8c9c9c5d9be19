"""What running processes use at this moment, with all that comes from them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from tocsin.supervisor.client import Process


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeUse:
    """Sums over processes and their descendants; those that ended are not in it."""

    processes: int
    rss_bytes: int
    """Resident sets; pages that are shared count once for each process."""
    pss_bytes: int | None
    """Resident sets, each shared page divided among its sharers; None where the kernel does not tell."""
    cpu_seconds: float


def usage(processes: Iterable[Process | int]) -> TreeUse:
    """Return what the processes (or pids) and their descendants use now."""
    members: dict[int, psutil.Process] = {}
    for root in processes:
        try:
            top = psutil.Process(root if isinstance(root, int) else root.pid)
            members |= {each.pid: each for each in (top, *top.children(recursive=True))}
        except psutil.NoSuchProcess:
            continue
    count, rss, cpu = 0, 0, 0.0
    pss: int | None = 0
    for member in members.values():
        try:
            with member.oneshot():
                times, memory = member.cpu_times(), member.memory_info()
                share = _pss(member)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        count, rss, cpu = count + 1, rss + memory.rss, cpu + times.user + times.system
        pss = None if pss is None or share is None else pss + share
    return TreeUse(processes=count, rss_bytes=rss, pss_bytes=pss, cpu_seconds=cpu)


def machine_pressure() -> dict[str, float]:
    """Return the load average of a minute, and how short of processors the machine is.

    `cpu_waited_10s` is the share of ten seconds in which something waited for a CPU (PSI, /proc/pressure), and
    `stolen_seconds` what a virtual machine's host has kept of its CPUs since it was started (proc(5), /proc/stat). What
    the kernel does not account for is left out.
    """
    found = {"load_1m": os.getloadavg()[0]}
    stolen = getattr(psutil.cpu_times(), "steal", None)
    if stolen is not None:
        found["stolen_seconds"] = stolen
    with contextlib.suppress(OSError, IndexError, ValueError):
        some = Path("/proc/pressure/cpu").read_text(encoding="ascii").splitlines()[0]
        found["cpu_waited_10s"] = float(some.split("avg10=")[1].split()[0]) / 100
    return found


def _pss(process: psutil.Process) -> int | None:
    try:
        return int(process.memory_full_info().pss)
    except (AttributeError, psutil.AccessDenied):
        return None
