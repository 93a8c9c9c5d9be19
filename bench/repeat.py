"""Run the whole fire drill again and again, and count the verdicts and the margins.

    .venv/bin/python bench/repeat.py [TIMES]

Each run is `script/drill` on its own. Prints a line a run, and at the end for each alert the least, median and greatest
of crossed -> notified beyond its theoretical minimum. Exits 1 if any verdict was other than passed.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]


def main() -> int:
    """Repeat and count."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    verdicts: Counter[str] = Counter()
    beyond: dict[str, list[float]] = {}
    for number in range(1, times + 1):
        began = time.monotonic()
        done = subprocess.run([CHECKOUT / "script" / "drill", "-q"], check=False, capture_output=True, text=True)
        took = time.monotonic() - began
        results = json.loads((CHECKOUT / "reports" / "latest" / "results.json").read_text())
        found = Counter(drill["verdict"] for drill in results["drills"])
        verdicts += found
        for drill in results["drills"]:
            for e in drill["expected"]:
                if e["took_seconds"] is not None and e["minimum_seconds"] is not None:
                    beyond.setdefault(e["alert_id"], []).append(e["took_seconds"] - e["minimum_seconds"])
            if drill["verdict"] != "passed":
                print(f"  {drill['name']}: {drill['verdict']}: {drill['reason']}", flush=True)
        peak = results["resources"].get("peak_pss_bytes", 0) / 2**20
        print(f"{number:3} exit {done.returncode} {took:6.1f} s, {peak:.0f} MiB, {dict(found)}", flush=True)
    for alert, seconds in sorted(beyond.items()):
        print(
            f"{alert}: beyond the minimum {min(seconds):.3f} / {statistics.median(seconds):.3f} / {max(seconds):.3f} s"
            f" (least / median / greatest of {len(seconds)})"
        )
    print(dict(verdicts))
    return 0 if set(verdicts) == {"passed"} else 1


if __name__ == "__main__":
    sys.exit(main())
