"""Find the engines' programs: named by environment, on PATH, or unpacked in the checkout."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import cache
from pathlib import Path

from tocsin.engines.trouble import EngineTrouble
from tocsin.supervisor import run_once

CHECKOUT = Path(__file__).resolve().parents[2]
UNPACKED = CHECKOUT / ".engines" / "usr" / "bin"
"""Where script/bootstrap unpacks the distribution's packages."""

_VERSION = re.compile(r"\bversion (\S+)")


class Engine(Enum):
    """A program that is needed: environment variable, names it goes by, Debian package."""

    PROMETHEUS = ("TOCSIN_PROMETHEUS", ("prometheus",), "prometheus")
    ALERTMANAGER = ("TOCSIN_ALERTMANAGER", ("alertmanager", "prometheus-alertmanager"), "prometheus-alertmanager")
    PROMTOOL = ("TOCSIN_PROMTOOL", ("promtool",), "prometheus")
    AMTOOL = ("TOCSIN_AMTOOL", ("amtool",), "prometheus-alertmanager")
    NODE_EXPORTER = ("TOCSIN_NODE_EXPORTER", ("node_exporter", "prometheus-node-exporter"), "prometheus-node-exporter")

    def __init__(self, variable: str, names: tuple[str, ...], package: str) -> None:
        self.variable = variable
        self.names = names
        self.package = package


class MissingEngines(EngineTrouble):
    """Programs that are needed and not there: all of them in one message, with the ways to get them."""

    def __init__(self, problems: Mapping[Engine, str]) -> None:
        self.engines = tuple(problems)
        packages = " ".join(dict.fromkeys(engine.package for engine in problems))
        lines = [f"  {engine.names[0]}: {problem}" for engine, problem in problems.items()]
        cure = (
            f"On Debian or Ubuntu, script/bootstrap unpacks {packages} into {UNPACKED.parents[1]} without starting"
            " a service. Elsewhere put the programs on PATH (https://prometheus.io/download/), or name them: "
            + " ".join(f"{engine.variable}=/path/to/{engine.names[0]}" for engine in problems)
        )
        super().__init__("engines are missing", str(UNPACKED), "\n".join(["", *lines, cure]))


def find_engines(
    engines: Iterable[Engine] = tuple(Engine), *, environ: Mapping[str, str] | None = None, unpacked: Path = UNPACKED
) -> dict[Engine, Path]:
    """Return the program of each engine; raises MissingEngines, which names every one that is missing."""
    environment = os.environ if environ is None else environ
    found: dict[Engine, Path] = {}
    problems: dict[Engine, str] = {}
    for engine in engines:
        place = _find(engine, environment, unpacked)
        if isinstance(place, Path):
            found[engine] = place
        else:
            problems[engine] = place
    if problems:
        raise MissingEngines(problems)
    return found


def find_engine(engine: Engine) -> Path:
    """Return the program of one engine; raises MissingEngines."""
    return find_engines((engine,))[engine]


def _find(engine: Engine, environ: Mapping[str, str], unpacked: Path) -> Path | str:
    """Return the program, or why it is not to be had."""
    if named := environ.get(engine.variable):
        place = shutil.which(named, path=environ.get("PATH", os.defpath))
        return Path(place).absolute() if place else f"{engine.variable} names {named}, which is no program"
    for directory in (environ.get("PATH", os.defpath), str(unpacked)):
        for name in engine.names:
            if place := shutil.which(name, path=directory):
                return Path(place).absolute()
    return f"not on PATH as {' or '.join(engine.names)}, nor unpacked in the checkout"


@cache
def version(binary: Path) -> str:
    """Return the version that a program tells with --version; raises EngineTrouble if it tells none."""
    done = run_once([binary, "--version"], cwd=Path("/"), env=None, seconds=20)
    match = _VERSION.search(done.stdout) or _VERSION.search(done.stderr)
    if match is None:
        said = (done.stdout + done.stderr).strip()[:200]
        raise EngineTrouble("a program does not tell its version", str(binary), f"--version says {said!r}")
    return match[1]
