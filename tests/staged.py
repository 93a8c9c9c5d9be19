"""A copy of the reference system that is up on ports of its own, and the environments by which tests drill it."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from tocsin.deadline import Unmet, wait_until
from tocsin.system import load_system
from tocsin.up import environment_of, ports_of

REFERENCE = Path(__file__).parents[1] / "fixtures" / "systems" / "dharmamind"
UP_WITHIN = 60.0
INCONCLUSIVE = 10
RECEIVERS = ["pager", "errors", "warnings", "logbook"]


@dataclass(frozen=True, slots=True)
class Staged:
    """A system that is up."""

    directory: Path
    port_base: int
    process: subprocess.Popen[str]
    output: Path

    def tocsin(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        command = [sys.executable, "-m", "tocsin.cli", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)

    def drill(self, name: str, environment: str, reports: Path, *more: str) -> subprocess.CompletedProcess[str]:
        """Perform one drill in one environment; once more if others left the machine no processor for it."""
        where = ("--environment", environment, "--reports", str(reports))
        done = self.tocsin("drill", str(self.directory), name, *where, *more)
        if done.returncode == INCONCLUSIVE and "the machine was starved" in done.stdout:
            done = self.tocsin("drill", str(self.directory), name, *where, *more)
        return done


def staging_of(base: int, **changed: object) -> dict[str, Any]:
    """Return the environment of what is up on these ports, with fields changed; None takes one away."""
    local = load_system(REFERENCE).declaration.environments["local"]
    whole = {**environment_of(local, ports_of(local, base)), "allow_receivers": RECEIVERS, **changed}
    return {name: value for name, value in whole.items() if value is not None}


def system_with(directory: Path, environments: Mapping[str, Mapping[str, Any]]) -> Path:
    """Copy the reference system and add environments."""
    copy = directory / "system"
    shutil.copytree(REFERENCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    declared = yaml.safe_load((copy / "system.yaml").read_text())
    declared["environments"] = {"local": declared["environments"]["local"], **environments}
    (copy / "system.yaml").write_text(yaml.safe_dump(declared, sort_keys=False))
    return copy


def free_base() -> int:
    """Return a base whose ports are free now; by chance, for other workers look for one too."""
    bases = list(range(20090, 29000, 20))
    random.SystemRandom().shuffle(bases)
    for base in bases:
        if all(_free(base + above) for above in (0, 3, 4, 10, 11)):
            return base
    raise AssertionError("there are no free ports")


def _free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@contextmanager
def staged(directory: Path, base: int) -> Iterator[Staged]:
    """Start a system and give it when it is up; it is told to stop at the end."""
    output = directory.parent / "up.log"
    with output.open("w") as log:
        command = [sys.executable, "-m", "tocsin.cli", "up", str(directory), "--port-base", str(base)]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, text=True)
    try:
        wait_until(lambda: _is_up(process, output), seconds=UP_WITHIN, what="tocsin up to be up")
        yield Staged(directory, base, process, output)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)


def _is_up(process: subprocess.Popen[str], output: Path) -> bool | Unmet:
    said = output.read_text()
    assert process.poll() is None, said
    return "stop it with Ctrl-C" in said or Unmet(said)


def family(pid: int) -> list[psutil.Process]:
    """Return everything that a process started, and what that started."""
    return psutil.Process(pid).children(recursive=True)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return those of the processes that still run."""
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
