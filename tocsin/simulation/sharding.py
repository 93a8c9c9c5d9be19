"""A system's alerts in parts: for processes of one machine, or machines of their own."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tocsin.engines.rule_engines import scratch
from tocsin.engines.trouble import EngineTrouble
from tocsin.simulation.merging import merged
from tocsin.source import Place
from tocsin.supervisor import Completed, run_once
from tocsin.system import BadSystem, Problem

MOST_SECONDS = 6 * 3600.0
"""What a part may take."""
LOOK_SECONDS = 1.0
"""Between two looks at how far the processes are."""
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Shard:
    """The `index`-th of `count` parts, counted from 1."""

    index: int = 1
    count: int = 1

    def of(self, items: Sequence[_Item]) -> tuple[_Item, ...]:
        """Return its part of a sequence: neighbours go to different parts, for they take about as long."""
        return tuple(items[self.index - 1 :: self.count])

    def within(self, index: int, count: int) -> Shard:
        """Return a part of it."""
        return Shard(self.index + (index - 1) * self.count, self.count * count)


def read_shard(text: str | None) -> Shard:
    """Return the part that `I/N` names; raises BadSystem."""
    if text is None:
        return Shard()
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise BadSystem((Problem(Place("--shard"), f"{text!r} is no part: write 1/4 for the first of four"),))
    return Shard(int(found[1]), int(found[2]))


def prove_in_shards(
    arguments: Sequence[str], shard: Shard, workers: int, tell: Callable[[str, int, int], None]
) -> dict[str, Any]:
    """Return the report of a part, proven by several processes of `tocsin prove` with these arguments.

    Raises EngineTrouble if one of them ends without a report.
    """
    with scratch() as folder, ThreadPoolExecutor(workers) as pool:
        files = [folder / f"{number}.txt" for number in range(1, workers + 1)]
        running = {
            pool.submit(_prove, [*arguments, *_part(shard.within(number, workers)), f"--progress={file}"])
            for number, file in enumerate(files, 1)
        }
        done: set[Future[Completed]] = set()
        while running:
            ended, running = wait(running, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
            done |= ended
            _tell(files, tell)
        return merged([_report(each.result()) for each in done])


def _part(shard: Shard) -> tuple[str, ...]:
    return "--shard", f"{shard.index}/{shard.count}"


def _prove(arguments: Sequence[str]) -> Completed:
    command = [sys.executable, "-m", "tocsin.cli", "prove", *arguments, "--workers=1", "--json", "--quiet"]
    return run_once(command, cwd=Path.cwd(), env=None, seconds=MOST_SECONDS)


def _report(done: Completed) -> dict[str, Any]:
    try:
        report = json.loads(done.stdout)
    except ValueError:
        report = None
    if not isinstance(report, dict):
        said = done.stderr.strip()[-600:] or f"exit code {done.code}"
        raise EngineTrouble("a process that proves a part of the alerts failed", "tocsin prove", said)
    return report


def _tell(files: Sequence[Path], tell: Callable[[str, int, int], None]) -> None:
    """Tell how far all processes are together: each keeps what it does, how much is done and of how much in a file."""
    steps = []
    for file in files:
        with suppress(OSError, ValueError):
            said, done, of = json.loads(file.read_text())
            steps.append((str(said), int(done), int(of)))
    if steps:
        tell(steps[0][0], sum(done for _, done, _ in steps), sum(of for _, _, of in steps))
