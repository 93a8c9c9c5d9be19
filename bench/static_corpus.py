"""What the static checks say of every system of a folder: counts by check, or every finding of some checks.

python bench/static_corpus.py FOLDER [--check ID ...] [--severity error] [--system NAME ...]
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

from tocsin.checks import checks
from tocsin.model import Model


def main() -> None:
    """Print the findings of the checks that are asked for, or how many each check has."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", nargs="*", default=[])
    parser.add_argument("--system", nargs="*", default=[])
    parser.add_argument("--severity")
    options = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    costs: Counter[str] = Counter()
    rules = 0
    for directory in sorted(path for path in options.folder.iterdir() if path.is_dir()):
        if options.system and not any(word in directory.name for word in options.system):
            continue
        model = Model.of(directory)
        rules += len(model.rules)
        for check in checks().values():
            if options.check and check.id not in options.check:
                continue
            started = time.process_time()
            for finding in check.findings(model):
                counts[check.id, finding.severity] += 1
                if (options.check or options.severity) and options.severity in (None, finding.severity):
                    line = model.text(finding.place.file).split("\n")[finding.place.line - 1 : finding.place.line]
                    print(f"{directory.name}/{finding.place} {finding.severity} {finding.check}: {finding.message}")
                    print(f"      | {''.join(line).strip()[:200]}")
            costs[check.id] += time.process_time() - started
    for (check_id, severity), count in sorted(counts.items()):
        print(f"{count:6} {severity:8} {check_id} ({costs[check_id]:.2f} s)")
    print(f"{rules} rules; {sum(costs.values()):.1f} s of CPU")


if __name__ == "__main__":
    main()
