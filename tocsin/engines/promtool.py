"""Prometheus's own judge of configurations, rules and test files, and the reader of its storage."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tocsin.engines.binaries import Engine, find_engine
from tocsin.engines.trouble import EngineTrouble
from tocsin.supervisor import Completed, Trouble, run_once

CHECK_SECONDS = 60.0

_LINE = re.compile(r"(?P<labels>\{.*\}) (?P<value>\S+) (?P<time>-?\d+)")
_LABEL = re.compile(r'(?P<name>[A-Za-z_:][A-Za-z0-9_:]*|"(?:[^"\\]|\\.)*")="(?P<value>(?:[^"\\]|\\.)*)"')
_GO_ESCAPE = re.compile(r"\\(?:(?P<hex>x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})|(?P<plain>.))")
_GO_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class DumpedSample(NamedTuple):
    """A sample as it stands in the storage. A stale marker shows as NaN, as an ordinary NaN does.

    The API leaves stale markers out and keeps ordinary NaNs: a NaN here that is not in the API's raw samples is a
    stale marker.
    """

    labels: dict[str, str]
    time: float
    """Unix time in seconds, exact to the millisecond."""
    value: float


def check_config(config: Path, *, syntax_only: bool = False, seconds: float = CHECK_SECONDS) -> Completed:
    """Return what `promtool check config` says; the files that the configuration names are checked too."""
    options = ["--syntax-only"] if syntax_only else []
    return _promtool(["check", "config", *options, config], config.parent, seconds)


def check_rules(files: Sequence[Path], *, cwd: Path = Path("/"), seconds: float = CHECK_SECONDS) -> Completed:
    """Return what `promtool check rules` says of rule files."""
    return _promtool(["check", "rules", *files], cwd, seconds)


def run_rule_tests(files: Sequence[Path], *, cwd: Path, seconds: float = CHECK_SECONDS) -> Completed:
    """Return what `promtool test rules` says of test files."""
    return _promtool(["test", "rules", *files], cwd, seconds)


READS = 3
"""How often a storage is read on which promtool panics."""
PANIC = "panic: "


def tsdb_dump(
    data: Path, matcher: str, *, start: float, end: float, seconds: float = CHECK_SECONDS
) -> Iterator[DumpedSample]:
    """Return the samples of a series selector between two unix times, stale markers included.

    It reads the directory of a Prometheus that runs, or of one that was stopped. One that cuts a file at that moment
    may make promtool panic (tsdb/head_append.go, handleChunkWriteError); then it is read again. Raises EngineTrouble.
    """
    argv = ["tsdb", "dump", f"--min-time={round(start * 1000)}", f"--max-time={round(end * 1000)}"]
    for _ in range(READS):
        with tempfile.TemporaryDirectory(prefix="tocsin-dump-") as place:
            (Path(place) / "data").mkdir()  # promtool 2.53 works in data/ of the current directory, whatever it reads
            done = _promtool([*argv, f"--match={matcher}", data.absolute()], Path(place), seconds)
        if PANIC not in done.stderr:
            break
    if done.code != 0:
        raise EngineTrouble("promtool cannot read the storage", str(data), done.stderr.strip() or done.stdout.strip())
    return _dumped(done.stdout, str(data))


def _promtool(arguments: Sequence[str | Path], cwd: Path, seconds: float) -> Completed:
    try:
        return run_once([find_engine(Engine.PROMTOOL), *arguments], cwd=cwd, env=None, seconds=seconds)
    except EngineTrouble:
        raise
    except Trouble as trouble:
        raise EngineTrouble(trouble.what, trouble.where, trouble.detail, trouble.kind) from trouble


def _dumped(text: str, where: str) -> Iterator[DumpedSample]:
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            raise EngineTrouble("promtool's dump is in a form not known here", where, line[:200])
        yield DumpedSample(_labels(match["labels"]), int(match["time"]) / 1000, float(match["value"]))


def _labels(text: str) -> dict[str, str]:
    """Return the labels of `{__name__="up", job="x"}`; since 3.0 a name may be quoted too."""
    found = {}
    for match in _LABEL.finditer(text):
        name = match["name"]
        found[unquoted(name[1:-1]) if name.startswith('"') else name] = unquoted(match["value"])
    return found


def unquoted(text: str) -> str:
    """Undo Go's strconv.Quote."""

    def plain(match: re.Match[str]) -> str:
        if match["hex"]:
            return chr(int(match["hex"][1:], 16))
        return _GO_PLAIN.get(match["plain"], match["plain"])

    return _GO_ESCAPE.sub(plain, text) if "\\" in text else text


def failures(done: Completed) -> list[str]:
    """Return the lines of what promtool says that tell a failure."""
    lines = (done.stdout + "\n" + done.stderr).splitlines()
    return [line.strip() for line in lines if "FAILED" in line or "error" in line.casefold()]
