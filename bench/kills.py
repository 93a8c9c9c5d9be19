"""Kill one of a drill's own instruments at a random moment, many times: the verdict must be Inconclusive, each time.

    .venv/bin/python bench/kills.py [TIMES] [SEED]

Prints a line a kill and a closing count; exits 1 if any drill passed, failed, or left a process behind.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

from tocsin.drill.judge import judge
from tocsin.drill.perform import Progress
from tocsin.drill.planning import PlannedDrill, plan_drills
from tocsin.drill.preparation import Prepared, prepare
from tocsin.drill.schedule import DrillRun, evidence_folder
from tocsin.drill.stack import FreshStack
from tocsin.evidence import Recording, read_evidence
from tocsin.supervisor import MARKER
from tocsin.system import load_system
from tocsin.verdict import Outcome

SYSTEM = Path(__file__).parents[1] / "fixtures" / "systems" / "dharmamind"
VICTIMS = {
    "prometheus": "high-error-rate",
    "alertmanager": "seats-warning",
    "supervisor": "backend-down",
    "load-stimulus": "high-error-rate",
    "sink": "frontend-down",
}
"""Whom to kill, and in which drill."""
AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill and what came of it."""

    victim: str
    drill: str
    after: float
    killed: bool
    outcome: Outcome
    reason: str
    left: int

    @property
    def well(self) -> bool:
        """Whether it ended as it must."""
        return self.killed and self.outcome is Outcome.INCONCLUSIVE and not self.left


class Killer:
    """Kills a victim once, so many seconds after the stimulus was injected."""

    def __init__(self, victim: str, after: float) -> None:
        self.victim = victim
        self.after = after
        self.killed = False
        self.site: FreshStack | None = None
        self._timer: threading.Timer | None = None

    def tell(self, progress: Progress) -> None:
        """Start the clock when the drill injects."""
        if progress.stage == "injecting" and self._timer is None:
            self._timer = threading.Timer(self.after, self._kill)
            self._timer.start()

    def _kill(self) -> None:
        pid = self.site.process_ids().get(self.victim) if self.site else None
        if pid:
            os.kill(pid, signal.SIGKILL)
            self.killed = True

    def cancel(self) -> None:
        """Stop the clock."""
        if self._timer:
            self._timer.cancel()


def kill_once(prepared: Prepared, plan: PlannedDrill, victim: str, after: float) -> Kill:
    """Perform a drill, kill the victim in its midst, and judge."""
    killer = Killer(victim, after)

    def open_site(plan: PlannedDrill, recording: Recording) -> FreshStack:
        killer.site = FreshStack(prepared, recording, name=f"{plan.name}-{victim}", stop=run.stop)
        return killer.site

    with tempfile.TemporaryDirectory() as folder:
        run = DrillRun([plan], Path(folder), open_site, killer.tell, time.time())
        run.perform()
        killer.cancel()
        verdict = judge(read_evidence(evidence_folder(Path(folder), plan.name))).verdict
    marker = killer.site.marker if killer.site else ""
    return Kill(victim, plan.name, after, killer.killed, verdict.outcome, verdict.reason, left_behind(marker))


def left_behind(marker: str) -> int:
    """Count processes that carry a stack's marker."""
    found = 0
    for process in psutil.process_iter():
        try:
            found += process.environ().get(MARKER) == marker
        except psutil.Error:
            continue
    return found


def main() -> int:
    """Kill as often as asked, and count."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(2**31)
    chance = random.Random(seed)  # noqa: S311 moments, not secrets
    system = load_system(SYSTEM)
    prepared = prepare(system, "local")
    plans = {plan.name: plan for plan in plan_drills(system, "local")}
    chosen = [list(VICTIMS.items())[i % len(VICTIMS)] for i in range(times)]
    jobs = [(victim, plans[drill], chance.uniform(0.05, 2.5)) for victim, drill in chosen]
    print(f"seed {seed}, {times} kills")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        kills = list(pool.map(lambda job: kill_once(prepared, job[1], job[0], job[2]), jobs))
    for kill in kills:
        said = (kill.reason.splitlines() or [""])[0]
        mark = "ok " if kill.well else "BAD"
        print(f"{mark} {kill.victim:<13} {kill.drill:<16} {kill.after:5.2f} s {kill.outcome}: {said}")
    counts = Counter(kill.outcome for kill in kills)
    print({str(k): v for k, v in counts.items()}, "left behind:", sum(kill.left for kill in kills))
    return 0 if all(kill.well for kill in kills) else 1


if __name__ == "__main__":
    sys.exit(main())
