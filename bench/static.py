"""What the static checks cost: CPU and memory over all rules of a folder beside promtool, and how long a shell waits.

    python bench/static.py [FOLDER] [--rounds 11]

FOLDER holds systems (one a folder); TOCSIN_CORPUS names its parent by default. CPU is of whole processes, in seconds;
memory is the peak of the resident set.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tocsin.engines.binaries import Engine, find_engine
from tocsin.model import Model

REFERENCE = Path(__file__).parents[1] / "fixtures" / "systems" / "dharmamind"
EXAMINE = """
import resource, sys
from pathlib import Path
from datetime import date
from tocsin.model import Model
from tocsin.static import Request, examine
rules = found = 0
for name in sys.argv[1:]:
    done = examine(Model.of(Path(name)), Request(date.today()))
    rules += done.artefacts.get("alerts", 0) + done.artefacts.get("recording_rules", 0)
    found += len(done.judged)
used = resource.getrusage(resource.RUSAGE_SELF)
print(rules, found, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    corpus = os.environ.get("TOCSIN_CORPUS")
    parser.add_argument("folder", type=Path, nargs="?", default=Path(corpus) / "systems" if corpus else None)
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    if options.folder is not None:
        _corpus(sorted(path for path in options.folder.iterdir() if path.is_dir()))
    _waiting(options.rounds)


def _corpus(systems: list[Path]) -> None:
    rules, found, seconds, kilobytes = _examined(systems)
    print(f"every file of {len(systems)} systems, {rules} rules, all checks: {float(seconds):.1f} s of CPU, "
          f"{int(kilobytes) / 1024:.0f} MB at most, {found} findings")  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        files = _rule_files(systems, Path(place))
        rules, found, seconds, kilobytes = _examined([Path(place)])
        print(f"the {len(files)} rule files alone, {rules} rules, all checks: {float(seconds):.1f} s of CPU, "
              f"{int(kilobytes) / 1024:.0f} MB at most, {found} findings")  # fmt: skip
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [find_engine(Engine.PROMTOOL), "check", "rules", *files]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        failed = done.stderr.count("FAILED")
        print(f"promtool check rules, the same files: {cpu:.1f} s of CPU, exit {done.returncode}, {failed} refused")


def _examined(systems: list[Path]) -> list[str]:
    command = [sys.executable, "-c", EXAMINE, *systems]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def _rule_files(systems: list[Path], place: Path) -> list[Path]:
    """Write the rule groups of every system as plain rule files, each by itself, so that promtool can read them."""
    import yaml  # noqa: PLC0415 only here

    files = []
    for system in systems:
        model = Model.of(system)
        groups: dict[str, list[object]] = {}
        for group in model.rule_groups:
            groups.setdefault(group.file, []).append(group.part.value)
        for file, values in groups.items():
            target = place / system.name / Path(file).with_suffix(".rules.yml")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(yaml.safe_dump({"groups": values}, width=10_000, sort_keys=False))
            files.append(target)
    return files


def _waiting(rounds: int) -> None:
    command = [Path(sys.executable).with_name("tocsin"), "check", REFERENCE]
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run(command, capture_output=True, check=False)
        took.append(time.perf_counter() - began)
    print(f"`tocsin check` on the reference system, {rounds} times: median {statistics.median(took):.2f} s, "
          f"at most {max(took):.2f} s of wall time")  # fmt: skip


if __name__ == "__main__":
    main()
