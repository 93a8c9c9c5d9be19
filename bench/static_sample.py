"""A sample of findings to be read by a person, who says of each whether it is true.

    python bench/static_sample.py FOLDER [--severity error] [--count 100]

Drawn with the first 8 hexadecimal digits of the folder's hash (SHA-256 over names and contents, in order) as seed; at
most three of one check and fifteen of one system, so that no single habit of one owner decides.
"""

from __future__ import annotations

import argparse
import hashlib
import random
from collections import Counter
from pathlib import Path

from tocsin.checks import checks
from tocsin.finding import Finding
from tocsin.model import Model

MOST_OF_CHECK, MOST_OF_SYSTEM = 3, 15


def digest(folder: Path) -> str:
    """Return the hash of a folder."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def main() -> None:
    """Print the sample, each finding with its lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--severity", default="error")
    parser.add_argument("--count", type=int, default=100)
    options = parser.parse_args()
    seed = digest(options.folder)[:8]
    found: list[tuple[str, Finding, str]] = []
    for system in sorted(path for path in options.folder.iterdir() if path.is_dir()):
        model = Model.of(system)
        for check in checks().values():
            for finding in check.findings(model):
                if finding.severity == options.severity:
                    lines = model.text(finding.place.file).split("\n")
                    at = finding.place.line - 1
                    found.append((system.name, finding, " ".join(" ".join(lines[at : at + 2]).split())[:300]))
    random.Random(int(seed, 16)).shuffle(found)  # noqa: S311 no secret
    of_check: Counter[str] = Counter()
    of_system: Counter[str] = Counter()
    drawn = 0
    for system, finding, lines in found:
        if of_check[finding.check] >= MOST_OF_CHECK or of_system[system] >= MOST_OF_SYSTEM or drawn >= options.count:
            continue
        drawn += 1
        of_check[finding.check] += 1
        of_system[system] += 1
        print(f"{drawn}. {system}/{finding.place} {finding.check}: {finding.message}\n     {lines}")
    print(f"seed {seed}: {drawn} of {len(found)} findings of severity {options.severity}, {len(of_check)} checks")


if __name__ == "__main__":
    main()
