"""Engines that judge rules on written input: promtool of any version, and vmalert-tool.

Many small test files are given to one process, because a process costs more than a file. What each file is told to
have failed is read back from the output, where the files' numbers stand in comments of the expressions.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tocsin.engines.binaries import Engine, find_engine, version
from tocsin.engines.promtool import unquoted
from tocsin.engines.trouble import EngineTrouble
from tocsin.promql.evaluation import PROMETHEUS_3, Generation, generation_of
from tocsin.supervisor import Completed, Kind, Trouble, run_once

FILE_SECONDS = 20.0
"""What one file of tests may take; a batch may take so long for each of its files, and `BATCH_SECONDS` besides."""
BATCH_SECONDS = 60.0
MEMORY = Path("/dev/shm")  # noqa: S108 a folder in memory, in which a folder of our own is made
"""Where databases of tests are made, if it is there: a file system in memory."""
_PREFIX = "tocsin-rules-"
_VERSION = re.compile(r"\d+\.\d+\.\d+(?:-rc\.\d+)?")
_BLOCK = re.compile(
    r'^ *expr: "(?P<expr>(?:[^"\\]|\\.)*)", time: (?P<rest>.*?)(?=^ *expr: "|^ *FAILED|\Z)', re.MULTILINE | re.DOTALL
)
_NUMBER = re.compile(r"# file (?P<number>\d+) # claim ")
QUESTION = 'tocsin_file: "asked"'
"""Stands in a test file as the label of an alert that cannot be, so that the engine tells what alerts there are."""
_ANSWER = re.compile(
    r'^ *alertname: [^\n]*\n *exp:\[\n *0:\n *Labels:\{[^\n]*tocsin_file="(?P<number>\d+)"\}\n'
    r".*?^ *got:\[(?P<got>.*?)^ *\]",
    re.MULTILINE | re.DOTALL,
)
_EMPTY_ANSWER = re.compile(
    r'tocsin_file="(?P<number>\d+)"\}(?:(?!tocsin_file).)*?^ *got:\[\]', re.MULTILINE | re.DOTALL
)
_RENDERED = re.compile(r"^ *Labels:\{(?P<labels>.*)\}\n *Annotations:\{(?P<annotations>.*)\},?$", re.MULTILINE)
_PAIR = re.compile(r'(?P<name>[a-zA-Z_:][\w:]*|"(?:[^"\\]|\\.)*")="(?P<value>(?:[^"\\]|\\.)*)"')
_REFUSED = re.compile(r'failed to run unit test for file "(?P<file>[^"]+)"')


@dataclass(frozen=True)
class RuleEngine:
    """A program that runs rule tests."""

    path: Path
    version: str
    """As it is told: `2.42.0`; of vmalert-tool, which tells none, the beginning of a digest of the program."""
    vmalert: bool = False
    """Whether it is vmalert-tool, whose tests differ from promtool's in a keyword."""

    @property
    def name(self) -> str:
        """What the reader knows it by: `2.42.0`, `vmalert-tool 1a2b3c4d`."""
        return f"vmalert-tool {self.version}" if self.vmalert else self.version

    @cached_property
    def generation(self) -> Generation:
        """How it evaluates. MetricsQL is like no Prometheus; the latest is nearest."""
        return PROMETHEUS_3 if self.vmalert else generation_of(self.version)


@dataclass(frozen=True, slots=True)
class RuleFiles:
    """A rule file, and a test file that names it `rules.yml`, as `tocsin.synthesis.emit` writes them."""

    rules: str
    tests: str
    more: Mapping[str, str] = field(default_factory=dict)
    """Further files beside them, by name."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """An alert as the engine would send it."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """What an engine says of one test file."""

    passed: bool
    failures: str = ""
    """Its output about expressions that came out otherwise, with their marks."""
    refused: str = ""
    """Why the file was not run, or not to its end: no file of ours should be."""
    rendered: tuple[Rendered, ...] = ()
    """The alerts that it was asked for, where the file has the question."""


def rule_engine(path: Path | None = None) -> RuleEngine:
    """Return the engine at a path, or the promtool that is found; raises EngineTrouble if it is none."""
    if path is None:
        path = find_engine(Engine.PROMTOOL)
    found = shutil.which(path)
    if found is None:
        raise EngineTrouble("an engine cannot be run", str(path), "there is no such program, or it may not be executed")
    program = Path(found).absolute()
    if "vmalert" in program.name:
        return RuleEngine(program, hashlib.sha256(program.read_bytes()).hexdigest()[:8], vmalert=True)
    told = _VERSION.match(version(program))
    if told is None:
        raise EngineTrouble("an engine tells no version", str(path), f"--version says {version(program)!r}")
    return RuleEngine(program, told[0])


def run_files(engine: RuleEngine, files: Sequence[RuleFiles]) -> list[Said]:
    """Return what an engine says of each file; of a file that is refused or takes too long, that.

    Raises EngineTrouble if the program cannot be run at all.
    """
    if not files:
        return []
    with scratch() as folder:
        for number, each in enumerate(files):
            _write(folder / f"{number:05}", number, each, engine)
        return _run(engine, folder, range(len(files)))


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder, in memory if there is such a place, that is gone afterwards; remove those of dead processes."""
    parent = MEMORY if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    _sweep(parent)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Remove what killed processes left: a folder's name holds the process that made it."""
    for left in parent.glob(f"{_PREFIX}*-*"):
        owner = left.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists() and Path("/proc/self").exists():
            shutil.rmtree(left, ignore_errors=True)


def _write(folder: Path, number: int, files: RuleFiles, engine: RuleEngine) -> None:
    folder.mkdir()
    (folder / "rules.yml").write_text(files.rules, encoding="utf-8")
    tests = files.tests.replace("# claim ", f"# file {number} # claim ").replace(QUESTION, f'tocsin_file: "{number}"')
    if engine.vmalert:
        tests = tests.replace("\n  promql_expr_test:", "\n  metricsql_expr_test:")
    (folder / "tests.yml").write_text(tests, encoding="utf-8")
    for name, text in files.more.items():
        (folder / name).write_text(text, encoding="utf-8")


def _run(engine: RuleEngine, folder: Path, numbers: Sequence[int]) -> list[Said]:
    names = [f"{number:05}/tests.yml" for number in numbers]
    try:
        done = _start(engine, folder, names)
    except Trouble as trouble:
        if trouble.kind is not Kind.TIMED_OUT:
            raise EngineTrouble(trouble.what, trouble.where, trouble.detail, trouble.kind) from trouble
        return _halved(engine, folder, numbers, f"{trouble.detail}")
    if done.code == 0:
        return [Said(passed=True)] * len(numbers)
    text = f"{done.stdout}\n{done.stderr}"
    marked: dict[int, list[str]] = {}
    for block in _BLOCK.finditer(text):
        found = _NUMBER.search(block["expr"])
        if found is not None:
            marked.setdefault(int(found["number"]), []).append(block[0].strip())
    if engine.vmalert:
        return _of_vmalert(engine, folder, numbers, marked, text)
    answers = _answers(text)
    if _failed_files(done) != len(marked.keys() | answers.keys()):
        # A file failed of which no claim is told: its rules or series are refused. One file alone tells why.
        return _apart(engine, folder, numbers, done, marked.keys() | answers.keys())
    return [
        Said(passed=n not in marked, failures="\n".join(marked.get(n, ())), rendered=answers.get(n, ()))
        for n in numbers
    ]


def _answers(text: str) -> dict[int, tuple[Rendered, ...]]:
    """Return which alerts there were in each file that asked."""
    if "tocsin_file" not in text:
        return {}
    found: dict[int, tuple[Rendered, ...]] = {int(each["number"]): () for each in _EMPTY_ANSWER.finditer(text)}
    for answer in _ANSWER.finditer(text):
        found[int(answer["number"])] = tuple(
            Rendered(_pairs(each["labels"]), _pairs(each["annotations"])) for each in _RENDERED.finditer(answer["got"])
        )
    return found


def _pairs(text: str) -> dict[str, str]:
    return {each["name"].strip('"'): unquoted(each["value"]) for each in _PAIR.finditer(text)}


def _failed_files(done: Completed) -> int:
    return sum(line.strip() == "FAILED:" for line in done.stderr.splitlines())


def _apart(
    engine: RuleEngine, folder: Path, numbers: Sequence[int], done: Completed, known: Collection[int]
) -> list[Said]:
    """Run apart what failed for a reason that names no file."""
    passed = passed_files(done.stdout)
    if len(numbers) == 1 or not passed:
        return _halved(engine, folder, numbers, _told(done))
    unclear = [n for n in numbers if f"{n:05}/tests.yml" not in passed and n not in known]
    alone = {n: _run(engine, folder, [n])[0] for n in unclear}
    rest = [n for n in numbers if n not in alone]
    said = dict(zip(rest, _run(engine, folder, rest), strict=True)) | alone
    return [said[n] for n in numbers]


def passed_files(output: str) -> set[str] | None:
    """Return the files of which promtool says that they passed; None if it tells no names, as since 3.0."""
    found: set[str] = set()
    current = ""
    for line in output.splitlines():
        if line.startswith("Unit Testing:"):
            current = line.partition(":")[2].strip()
        elif line.strip() == "SUCCESS":
            found.add(current)
    return None if "" in found else found


def _halved(engine: RuleEngine, folder: Path, numbers: Sequence[int], said: str) -> list[Said]:
    if len(numbers) == 1:
        return [Said(passed=False, refused=said)]
    half = len(numbers) // 2
    return [*_run(engine, folder, numbers[:half]), *_run(engine, folder, numbers[half:])]


def _of_vmalert(
    engine: RuleEngine, folder: Path, numbers: Sequence[int], marked: Mapping[int, list[str]], text: str
) -> list[Said]:
    """Return what vmalert-tool says; it stops at the first file that fails, and tells of those before it nothing."""
    named = _REFUSED.search(text)
    stopped = int(Path(named["file"]).parent.name) if named else numbers[0] if len(numbers) == 1 else None
    if stopped is None:
        return _halved(engine, folder, numbers, text.strip())
    at = next(i for i, n in enumerate(numbers) if n == stopped)
    failures = "\n".join(marked.get(stopped, ()))
    own = Said(passed=False, failures=failures, refused="" if failures else text.strip()[:600])
    before = _run(engine, folder, numbers[:at]) if at else []
    after = _run(engine, folder, numbers[at + 1 :]) if at + 1 < len(numbers) else []
    return [*before, own, *after]


def _start(engine: RuleEngine, folder: Path, names: Sequence[str]) -> Completed:
    if engine.vmalert:
        arguments = ["unittest", "--disableAlertgroupLabel", *(f"--files={name}" for name in names)]
    else:
        arguments = ["test", "rules", *names]
    environment = {**os.environ, "TMPDIR": str(folder)}
    seconds = BATCH_SECONDS + FILE_SECONDS * len(names)
    return run_once([engine.path, *arguments], cwd=folder, env=environment, seconds=seconds)


def _told(done: Completed) -> str:
    lines = [line.strip() for line in f"{done.stderr}\n{done.stdout}".splitlines()]
    return "\n".join(line for line in lines if line and not line.startswith("Unit Testing"))[:600]


def environment_engines(names: str | None) -> Iterator[RuleEngine]:
    """Yield the engines that a list of paths, with colons between, names: that of TOCSIN_PROMTOOLS."""
    for name in (names or "").split(":"):
        if name:
            yield rule_engine(Path(name))
