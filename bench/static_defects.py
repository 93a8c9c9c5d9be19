"""The seeded defects of the reference system: which are found, by the right check, at the right line.

python bench/static_defects.py [--only WORD ...] [--missed]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from tocsin.artefacts.folder import Folder
from tocsin.checks import checks
from tocsin.finding import Finding
from tocsin.model import Model
from tocsin.system import load_system

SYSTEMS = Path(__file__).parents[1] / "fixtures" / "systems"
REFERENCE = SYSTEMS / "dharmamind"


def findings(folder: Folder) -> list[Finding]:
    """Return everything that all checks have to say of the reference system."""
    model = Model(folder, load_system(REFERENCE))
    return [finding for check in checks().values() for finding in check.findings(model)]


def main() -> int:
    """Print the table; exit 1 if any defect was missed or the healthy system has findings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="words of which one is in the defect's or check's name")
    parser.add_argument("--missed", action="store_true", help="show only what was missed")
    options = parser.parse_args()
    defects: dict[str, dict[str, Any]] = yaml.safe_load((SYSTEMS / "defects.yaml").read_text())
    healthy = Folder(REFERENCE)
    started = time.process_time()
    false = findings(healthy)
    for finding in false:
        print(f"healthy: {finding.severity} {finding.place} {finding.check} {finding.message}")
    found = asked = 0
    for name, defect in defects.items():
        if options.only and not any(word in f"{name} {defect['check']} {defect['kind']}" for word in options.only):
            continue
        asked += 1
        change = defect["break"]
        text = (REFERENCE / change["file"]).read_text().replace(change["replace"], change["by"])
        sick = healthy.with_texts({change["file"]: text})
        told = [f for f in findings(sick) if f not in false]
        shown = [sick_line(sick, f) for f in told]
        at = defect["at"]
        right = [
            f
            for f, line in zip(told, shown, strict=True)
            if f.check == defect["check"] and f.place.file == at["file"] and at["text"] in line
        ]
        found += bool(right)
        word = "found " if right else "MISSED"
        if right and right[0].severity != defect["severity"]:
            word = f"{right[0].severity}!"
        if not (options.missed and word == "found "):
            print(f"{word} {name}: {defect['check']} ({defect['severity']}) at {at['file']}: {at['text'].strip()}")
            if not right:
                for finding in told[:4]:
                    print(f"         but {finding.severity} {finding.place} {finding.check}: {finding.message}")
    print(f"{found} of {asked} found; {len(false)} on the healthy system; {time.process_time() - started:.1f} s of CPU")
    return 0 if found == asked and not false else 1


def sick_line(folder: Folder, finding: Finding) -> str:
    """Return the line that a finding points at."""
    lines = (folder.text(finding.place.file) or "").split("\n")
    return lines[finding.place.line - 1] if finding.place.line <= len(lines) else ""


if __name__ == "__main__":
    sys.exit(main())
