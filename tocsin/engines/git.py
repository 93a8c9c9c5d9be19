"""git, asked what has changed since a commit; nothing is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tocsin.source import Place
from tocsin.supervisor import Trouble, run_once
from tocsin.system import BadSystem, Problem

SECONDS = 30.0
_HUNK = re.compile(r"@@ -\S+ \+(?P<first>\d+)(?:,(?P<count>\d+))? @@")


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different in a folder from what a commit has of it. Names are relative to the folder."""

    before: Mapping[str, str | None]
    """The text that each changed file had; None of one that was not there."""
    lines: Mapping[str, frozenset[int]]
    """The lines of each changed file that are new, as they are numbered now."""


def changes_since(directory: Path, commits: str) -> Changes:
    """Return what has changed since the start of a range: `main`, `main..HEAD`, or `main...HEAD` (since they parted).

    What is not committed counts too. Raises BadSystem if git does not know the range, or the folder.
    """
    base = _base(directory, commits)
    names = _git(directory, commits, "diff", "--name-status", "--no-renames", "--relative", "-z", base, "--", ".")
    fields = names.split("\0")
    status = {name: letter for letter, name in zip(fields[::2], fields[1::2], strict=False) if name}
    new = _git(directory, commits, "ls-files", "--others", "--exclude-standard", "-z", "--", ".").split("\0")
    before: dict[str, str | None] = {name: None for name in new if name}
    for name, letter in status.items():
        before[name] = None if letter == "A" else _git(directory, commits, "show", f"{base}:./{name}")
    lines = _lines(_git(directory, commits, "diff", "-U0", "--no-renames", "--no-color", "--relative", base, "--", "."))
    return Changes(before, lines | {name: frozenset(range(1, 10**6)) for name in new if name})


def _base(directory: Path, commits: str) -> str:
    parted = "..." in commits
    first, _, last = commits.partition("..." if parted else "..")
    if first.startswith("-") or last.startswith("-"):
        raise BadSystem((Problem(Place("--changed"), f"{commits!r} is no range of commits"),))
    if parted:
        return _git(directory, commits, "merge-base", first or "HEAD", last or "HEAD").strip()
    return _git(directory, commits, "rev-parse", "--verify", f"{first or 'HEAD'}^{{commit}}").strip()


def _git(directory: Path, commits: str, *arguments: str) -> str:
    try:
        done = run_once(["git", *arguments], cwd=directory, env=None, seconds=SECONDS)
    except Trouble as error:
        raise BadSystem((Problem(Place("--changed"), f"git cannot be asked: {error}"),)) from error
    if done.code != 0:
        said = next(iter(done.stderr.strip().splitlines()), f"it ended with code {done.code}")
        raise BadSystem((Problem(Place("--changed"), f"{commits}: git does not know what has changed: {said}"),))
    return done.stdout


def _lines(diff: str) -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    name = ""
    for line in diff.split("\n"):
        if line.startswith("+++ "):
            name = line[4:].removeprefix("b/").split("\t")[0]
        elif match := _HUNK.match(line):
            first, count = int(match["first"]), int(match["count"] or 1)
            found.setdefault(name, set()).update(range(first, first + count))
    return {name: frozenset(numbers) for name, numbers in found.items()}
