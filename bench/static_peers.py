"""The seeded defects as promtool and amtool see them: what they say of a broken system and not of the healthy one.

    python bench/static_peers.py [--unit-tests] [PROMTOOL ...]

Besides the installed ones, other promtools by path; a newer one is asked with all its lints. A defect counts as found
if a tool ends otherwise than on the healthy system, or says something that it does not say there. With `--unit-tests`
the owner's own tests are run too, which takes ten seconds a defect.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from tocsin.engines.binaries import Engine, find_engine

SYSTEMS = Path(__file__).parents[1] / "fixtures" / "systems"
REFERENCE = SYSTEMS / "dharmamind"
UNIT_TESTS = "--unit-tests"
PARTS = ("monitoring", "k8s", "compose", "grafana", "docs")
_VARYING = re.compile(r"\d+(\.\d+)?(ms|s)\b|0x[0-9a-f]+")


def main() -> None:
    """Print what each tool finds of each kind of defect."""
    newer = [Path(argument) for argument in sys.argv[1:] if argument != UNIT_TESTS]
    defects: dict[str, dict[str, Any]] = yaml.safe_load((SYSTEMS / "defects.yaml").read_text())
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as place:
        here = Path(place) / "system"
        here.mkdir()
        for part in PARTS:
            shutil.copytree(REFERENCE / part, here / part, ignore=shutil.ignore_patterns("__pycache__"))
        healthy = said(here, newer)
        for name, defect in defects.items():
            change = defect["break"]
            path = here / change["file"]
            if not path.exists():
                continue
            text = path.read_text()
            path.write_text(text.replace(change["replace"], change["by"]))
            now = said(here, newer, change["file"])
            path.write_text(text)
            tools = [tool for tool, answer in now.items() if answer != healthy[tool]]
            found.update(tools)
            found["any"] += bool(tools)
            if tools:
                print(f"{name} ({defect['check']}): {', '.join(tools)}")
    print(f"{found['any']} of {len(defects)} found by promtool and amtool together")
    for tool, count in found.most_common():
        print(f"  {tool}: {count}")


def said(here: Path, newer: list[Path], changed: str = "") -> dict[str, str]:
    """Return what each tool says of a system, with how it ended; of one file that changed, what reads that file."""
    promtool, amtool = find_engine(Engine.PROMTOOL), find_engine(Engine.AMTOOL)
    monitoring = here / "monitoring"
    rules, tests, config = (monitoring / f"{name}.yml" for name in ("alert_rules", "alert_rules_test", "prometheus"))
    asked: dict[str, tuple[list[str | Path], tuple[str, ...]]] = {}
    for tool in (promtool, *newer):
        name = f"{tool.parent.parent.parent.name}/{tool.name}" if tool in newer else "promtool"
        asked |= {
            f"{name} check rules": ([tool, "check", "rules", "--lint=all", rules], ("alert_rules.yml",)),
            f"{name} check config": ([tool, "check", "config", "--lint=all", config], ("prometheus.yml",)),
            f"{name} test rules": ([tool, "test", "rules", tests], ("alert_rules.yml", "alert_rules_test.yml")),
        }
    routing = monitoring / "alertmanager.yml"
    asked["amtool check-config"] = ([amtool, "check-config", routing], ("alertmanager.yml", ".tmpl"))
    answers = {}
    for name, (command, reads) in asked.items():
        wanted = UNIT_TESTS in sys.argv or not name.endswith("test rules")
        if wanted and (not changed or changed.endswith(reads)):
            done = subprocess.run(command, cwd=monitoring, capture_output=True, text=True, check=False)
            answers[name] = _VARYING.sub("_", f"{done.returncode} {done.stdout} {done.stderr}")
    return answers


if __name__ == "__main__":
    main()
