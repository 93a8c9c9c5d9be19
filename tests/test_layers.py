"""The house's layers hold: imports point down, processes start in one place, and nothing sleeps."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Layer:
    """One line of the house: the names that stand on it, and whether they may know each other."""

    names: tuple[str, ...]
    apart: bool = False


LAYERS = (
    Layer(
        (
            "catalogue",
            "source",
            "part",
            "atomic",
            "explained",
            "verdict",
            "finding",
            "evidence",
            "case",
            "durations",
            "deadline",
        )
    ),
    Layer(("artefacts", "system")),
    Layer(("promql", "templates", "relabelling", "kubernetes_schema", "exporters")),
    Layer(("model",)),
    Layer(("supervisor",)),
    Layer(("engines", "sinks")),
    Layer(("synthesis",)),
    Layer(("checks", "stimuli", "compression"), apart=True),
    Layer(("simulation", "pipeline", "exposition", "probes", "drill"), apart=True),
    Layer(("plan",)),
    Layer(("waivers", "baseline", "suppressions", "foreign_reports")),
    Layer(("static",)),
    Layer(("changes", "live")),
    Layer(("report",)),
    Layer(("runner", "up")),
    Layer(("commands",)),
    Layer(("cli",)),
)
"""From the ground up, as ARCHITECTURE.md draws them; a module may import only from lines under its own."""

RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer.names}
MEMBERS_APART = ("checks", "stimuli")
"""Packages whose modules never see each other: each is one thing in one file."""

PROCESS_MODULES = ("subprocess", "multiprocessing", "pty", "concurrent.futures.process")
PROCESS_CALLS = ("fork", "forkpty", "exec", "spawn", "posix_spawn", "popen", "system")
SLEEPERS = ("time", "asyncio", "gevent", "trio", "anyio")
SHAPELESS = ("util", "utils", "helper", "helpers", "common", "misc")


@dataclass(frozen=True, slots=True)
class Import:
    """One module named by an import, as a full dotted name, and the line that names it."""

    name: str
    line: int


def modules(root: Path, *tops: str) -> dict[str, Path]:
    """Return the Python files under the top-level packages, by dotted name; a package has its own name."""
    found = {}
    for top in tops:
        for path in sorted((root / top).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return every node of a module."""
    return parsed(path.read_text(), str(path))


@cache
def parsed(text: str, file: str) -> tuple[ast.AST, ...]:
    """Return every node of a module's text; `file` is its name in a SyntaxError."""
    return tuple(ast.walk(ast.parse(text, file)))


def imports(path: Path, module: str) -> Iterator[Import]:
    """Yield each module, or name in a module, that a file imports anywhere in it, by statement or by name."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in nodes(path):
        match node:
            case ast.Import(names=names):
                yield from (Import(alias.name, node.lineno) for alias in names)
            case ast.ImportFrom(module=source, names=names, level=level):
                parents = package.split(".")[: len(package.split(".")) - level + 1] if level else []
                base = ".".join([*parents, *([source] if source else [])])
                yield from (Import(f"{base}.{alias.name}", node.lineno) for alias in names)
            case ast.Call(func=function, args=[ast.Constant(value=str(name)), *_]) if named(function) in (
                "import_module",
                "__import__",
            ):
                yield Import(name, node.lineno)


def named(function: ast.expr) -> str:
    """Return the last part of what is called: `run` of `subprocess.run`."""
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def within(name: str, *packages: str) -> bool:
    """Say whether a dotted name is one of the packages or stands in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def upward_imports(root: Path) -> Iterator[str]:
    """Yield each import in tocsin/ that points up, or sideways where that is not allowed."""
    known = modules(root, "tocsin")
    for module, path in known.items():
        here = module.split(".")[1:]
        if not here:
            continue
        if here[0] not in RANK:
            yield f"{module}: stands on no layer; add it to ARCHITECTURE.md and to LAYERS"
            continue
        for imported in imports(path, module):
            there = imported.name.split(".")[1:] if within(imported.name, "tocsin") else []
            if there and there[0] in RANK and (why := objection(here, there, known)):
                yield f"{module}:{imported.line}: imports {imported.name}, {why}"


def objection(here: list[str], there: list[str], known: dict[str, Path]) -> str:
    """Say why one module may not import another; both are given as parts below `tocsin`. Empty if it may."""
    if here[0] == there[0]:
        member = len(here) > 1 and len(there) > 1 and here[1] != there[1] and f"tocsin.{here[0]}.{there[1]}" in known
        return f"and the modules of {here[0]} never see each other" if member and here[0] in MEMBERS_APART else ""
    if RANK[there[0]] > RANK[here[0]]:
        return f"which stands above {here[0]}"
    if RANK[there[0]] == RANK[here[0]] and LAYERS[RANK[here[0]]].apart:
        return f"and siblings on one line ({', '.join(LAYERS[RANK[here[0]]].names)}) never see each other"
    return ""


def lines_for_types(path: Path) -> set[int]:
    """Return the lines that only a type checker reads: what is imported there goes round at no time."""
    blocks = [node for node in nodes(path) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return {line for block in blocks for inner in block.body for line in range(inner.lineno, inner.end_lineno + 1)}


def cycles(root: Path) -> Iterator[str]:
    """Yield a ring of modules in tocsin/ that import each other, if there is one."""
    known = modules(root, "tocsin")
    graph: dict[str, set[str]] = {}
    for module, path in known.items():
        for_types = lines_for_types(path)
        names = {imported.name for imported in imports(path, module) if imported.line not in for_types}
        graph[module] = {name if name in known else name.rpartition(".")[0] for name in names} & known.keys() - {module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield f"imports go round in a ring: {' -> '.join(error.args[1])}"


def foreign_imports(root: Path) -> Iterator[str]:
    """Yield each import of pytest or locust in tocsin/."""
    for module, path in modules(root, "tocsin").items():
        for imported in imports(path, module):
            if within(imported.name, "pytest", "_pytest", "locust", "tocsin_pytest"):
                yield f"{module}:{imported.line}: imports {imported.name}; the library knows neither pytest nor Locust"


def process_starters(root: Path) -> Iterator[str]:
    """Yield each place outside tocsin.supervisor that could start a process."""
    cure = "only tocsin.supervisor starts processes, so that every one of them is ended"
    for module, path in modules(root, "tocsin").items():
        if module.removeprefix("tocsin.").startswith("supervisor"):
            continue
        for imported in imports(path, module):
            call = imported.name.removeprefix("os.") if within(imported.name, "os") else ""
            pool = imported.name.endswith("ProcessPoolExecutor")
            if within(imported.name, *PROCESS_MODULES) or pool or (call and call.startswith(PROCESS_CALLS)):
                yield f"{module}:{imported.line}: imports {imported.name}; {cure}"
        for node in nodes(path):
            match node:
                case ast.Attribute(value=ast.Name(id="os"), attr=call) if call.startswith(PROCESS_CALLS):
                    yield f"{module}:{node.lineno}: uses os.{call}; {cure}"
                case ast.Attribute(attr=call) if call.startswith("create_subprocess") or call == "ProcessPoolExecutor":
                    yield f"{module}:{node.lineno}: uses {call}; {cure}"


def sleeps(root: Path) -> Iterator[str]:
    """Yield each sleep in the library, the plugin and the suites."""
    cure = "wait for a condition, to a deadline"
    for module, path in modules(root, "tocsin", "tocsin_pytest", "suites").items():
        for imported in imports(path, module):
            if imported.name in {f"{source}.sleep" for source in SLEEPERS}:
                yield f"{module}:{imported.line}: imports {imported.name}; {cure}"
        for node in nodes(path):
            match node:
                case ast.Call(func=ast.Attribute(attr="sleep")):
                    yield f"{module}:{node.lineno}: sleeps; {cure}"


def shapeless_names(root: Path) -> Iterator[str]:
    """Yield each module whose name says nothing of its subject."""
    for module in modules(root, "tocsin", "tocsin_pytest", "suites", "loadprofiles", "tests", "fixtures"):
        for part in module.split("."):
            if part.strip("_") in SHAPELESS:
                yield f"{module}: has the name {part!r}; name it for its subject"


RULES = (upward_imports, cycles, foreign_imports, process_starters, sleeps, shapeless_names)


def violations(root: Path) -> set[str]:
    """Return all that is wrong with the house at `root`."""
    return {message for rule in RULES for message in rule(root)}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_house_is_in_order(rule: object) -> None:
    """The checkout breaks no rule of the house."""
    assert callable(rule)
    assert sorted(rule(ROOT)) == []


def test_architecture_draws_these_layers() -> None:
    """ARCHITECTURE.md draws the lines that are enforced, in the same order."""
    drawn = (ROOT / "ARCHITECTURE.md").read_text().partition("\n## Layers\n")[2].split("```")[1].strip().splitlines()
    assert len(drawn) == len(LAYERS)
    for line, layer in zip(reversed(drawn), LAYERS, strict=True):
        assert [name for name in layer.names if name not in line.replace("/*", "").split()] == [], line


def test_something_was_looked_at() -> None:
    """The rules above read the library, the plugin and the suites, not an empty folder."""
    for top in ("tocsin", "tocsin_pytest", "suites"):
        assert modules(ROOT, top), f"{top}/ holds no Python file"


@dataclass(frozen=True, slots=True)
class Plant:
    """A disease planted in a copy of the house: the file, its text, and the words that must name it."""

    file: str
    text: str
    words: str | None


PLANTS = {
    "up": Plant("tocsin/artefacts/planted.py", "from tocsin.cli import main", "which stands above artefacts"),
    "up-into-package": Plant("tocsin/promql/planted.py", "import tocsin.checks.any_check", "stands above promql"),
    "up-relative": Plant("tocsin/artefacts/planted.py", "from .. import report", "which stands above artefacts"),
    "up-relative-deep": Plant("tocsin/artefacts/planted.py", "from ..report import html", "stands above artefacts"),
    "up-in-a-function": Plant("tocsin/promql/planted.py", "def f():\n    from tocsin import plan", "above promql"),
    "up-by-name": Plant("tocsin/promql/planted.py", "import_module('tocsin.plan')", "above promql"),
    "up-for-types": Plant(
        "tocsin/promql/planted.py", "if TYPE_CHECKING:\n    from tocsin.drill import x", "stands above promql"
    ),
    "sideways": Plant("tocsin/simulation/planted.py", "from tocsin.drill import perform", "never see each other"),
    "sideways-kinds": Plant("tocsin/checks/planted.py", "from tocsin.stimuli import kill", "never see each other"),
    "sideways-members": Plant("tocsin/checks/planted.py", "from tocsin.checks import other", "never see each other"),
    "sideways-relative": Plant("tocsin/stimuli/planted.py", "from .other import x", "never see each other"),
    "homeless": Plant("tocsin/planted.py", "", "stands on no layer"),
    "ring": Plant("tocsin/artefacts/planted.py", "import tocsin.artefacts.other", "in a ring"),
    "pytest": Plant("tocsin/report/planted.py", "import pytest", "knows neither pytest nor Locust"),
    "pytest-inside": Plant("tocsin/report/planted.py", "from _pytest.config import Config", "neither pytest"),
    "locust": Plant("tocsin/stimuli/planted.py", "from locust import HttpUser", "nor Locust"),
    "plugin": Plant("tocsin/report/planted.py", "import tocsin_pytest", "neither pytest"),
    "subprocess": Plant("tocsin/engines/planted.py", "from subprocess import run", "only tocsin.supervisor starts"),
    "fork": Plant("tocsin/engines/planted.py", "import os\nos.fork()", "uses os.fork"),
    "exec": Plant("tocsin/engines/planted.py", "import os\nos.execv('/bin/true', [])", "uses os.execv"),
    "exec-by-name": Plant("tocsin/engines/planted.py", "from os import execv", "imports os.execv"),
    "system": Plant("tocsin/sinks/planted.py", "import os\nos.system('true')", "uses os.system"),
    "pool": Plant("tocsin/report/planted.py", "from concurrent.futures import ProcessPoolExecutor", "only tocsin.sup"),
    "async-process": Plant("tocsin/drill/planted.py", "asyncio.create_subprocess_exec('true')", "only tocsin.superv"),
    "sleep": Plant("tocsin/drill/planted.py", "import time\ntime.sleep(1)", "wait for a condition"),
    "sleep-by-name": Plant("tocsin_pytest/planted.py", "from time import sleep", "wait for a condition"),
    "sleep-in-a-suite": Plant("suites/load/planted.py", "import time as t\nt.sleep(1)", "wait for a condition"),
    "shapeless": Plant("tocsin/artefacts/utils.py", "", "name it for its subject"),
    "down": Plant("tocsin/drill/planted.py", "from tocsin.source import Place", None),
    "version": Plant("tocsin/artefacts/planted.py", "from tocsin import __version__", None),
    "own-package": Plant("tocsin/checks/planted.py", "from tocsin.checks import discover", None),
    "supervisor-may": Plant("tocsin/supervisor/planted.py", "import subprocess\nimport os\nos.fork()", None),
    "wait-to-a-deadline": Plant("tocsin/drill/planted.py", "import threading\nthreading.Event().wait(1)", None),
    "load-may-pause": Plant("loadprofiles/planted.py", "import gevent\ngevent.sleep(1)", None),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the house, with a module beside each place where a disease is planted."""
    root = tmp_path_factory.mktemp("house")
    for top in ("tocsin", "tocsin_pytest", "suites", "loadprofiles"):
        if (ROOT / top).is_dir():
            shutil.copytree(ROOT / top, root / top, ignore=shutil.ignore_patterns("__pycache__"))
    for package in ("checks", "stimuli"):
        (root / "tocsin" / package).mkdir(exist_ok=True)
        (root / "tocsin" / package / "other.py").write_text("")
    (root / "tocsin/artefacts/other.py").write_text("import tocsin.artefacts.planted\n")
    return root


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_planted_disease_is_named(house: Path, plant: Plant) -> None:
    """Each breach of a rule, planted in a copy of the house, is named with its file; what is allowed is not."""
    before = violations(house)
    path = house / plant.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(plant.text + "\n")
    try:
        new = violations(house) - before
    finally:
        path.unlink()
    if plant.words is None:
        assert new == set()
    else:
        assert any(plant.words in message and path.stem in message for message in new), new
