"""Sixty scenarios from a seed: the same seed gives the same pods.

The families set what a scenario is about; the numbers, the handlers and the ways of failing are drawn. Phases last long
enough for what follows from them to be certain whatever the phase of the kubelet's ticks: a prediction that may be
either of two things could not be wrong.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tests.parity.scenario import Life, Scenario, Script, ScriptedProbe

SEED = 20
COUNT = 60
LEFT_OUT = {
    "gRPC": "Kubernetes 1.20 has no gRPC probes (alpha in 1.23, on in 1.24)",
    "grace of a probe": "terminationGracePeriodSeconds of a probe came with 1.21, on in 1.22",
    "readiness out of turn": "a readiness attempt at once after the container started came with 1.21",
    "sidecars": "init containers with restartPolicy Always came with 1.28, on in 1.29",
    "restart rules of a container": "came with 1.34, on in 1.35",
    "hanging TCP": "a listening port always accepts; a network that loses packets is not the container's doing",
    "second CrashLoopBackOff": "after its wait the kubelet tries again 10 to 15 s later: wider than is allowed here",
}
"""What no scenario has, and why."""
HTTP_FAILS = ("500", "404", "refused", "hang", "reset")
EXEC_FAILS = ("500", "hang")


def scenarios(seed: int = SEED) -> tuple[Scenario, ...]:
    """Return the scenarios of a seed."""
    found = []
    for family, (make, count) in FAMILIES.items():
        for number in range(count):
            draw = random.Random(f"{seed} {family} {number}")
            made = make(draw)
            found.append(replace(made, name=f"{family}-{number:02d}", family=family))
    return tuple(found)


def _probe(draw: random.Random, kind: str, **numbers: int | str) -> ScriptedProbe:
    handler = draw.choices(("http", "tcp", "exec"), (6, 2, 2))[0]
    chosen: dict[str, int | str] = {"handler": handler, "period": draw.randint(1, 5), "timeout": draw.randint(1, 2)}
    chosen |= {"failures": draw.randint(1, 4), "successes": draw.randint(1, 3) if kind == "readiness" else 1}
    return ScriptedProbe(kind, **{**chosen, **numbers})  # type: ignore[arg-type]


def _fails(draw: random.Random, probe: ScriptedProbe) -> str:
    """Draw a way of failing that the probe's handler can see."""
    if probe.handler == "tcp":
        return "refused"
    return draw.choice(EXEC_FAILS if probe.handler == "exec" else (*HTTP_FAILS, f"slow:{probe.timeout + 0.7}"))


def _well(draw: random.Random, probe: ScriptedProbe) -> str:
    """Draw a way of being well."""
    if probe.handler != "http":
        return "ok"
    return draw.choice(("ok", "ok", "ok", "redirect-here", "redirect-away", "slow:0.3"))


def _long(probe: ScriptedProbe, attempts: int) -> float:
    """Return seconds in which so many attempts are made for certain, and acted on."""
    spacing = max(probe.period, probe.timeout)
    return (attempts + 1) * spacing + probe.timeout + 3.0


def startup_fails(draw: random.Random) -> Scenario:
    """Let startup never succeed in the first lives, and succeed in the last."""
    period = draw.choice((3, 4, 5, 5))
    probe = _probe(draw, "startup", period=period, failures=draw.randint(2, 3))
    well = Life({"startup": Script(((0.0, "refused"), (round(draw.uniform(0, 2), 1), "ok")))})
    sick = Life({"startup": Script(((0.0, _fails(draw, probe)),))})
    probes = [probe]
    if draw.random() < 0.5:
        probes.append(_probe(draw, "readiness", period=draw.randint(1, 3), successes=1))
    if draw.random() < 0.3:
        probes.append(_probe(draw, "liveness", failures=3))
    lives = (sick, well) if draw.random() < 0.6 else (sick, sick, well)
    watched = (_budget(probe) + 8) * len(lives) + 10
    return Scenario("", "", tuple(probes), lives, init_seconds=draw.choice((0.0, 3.2)), watched=watched)


def _budget(probe: ScriptedProbe) -> int:
    return probe.delay + probe.failures * max(probe.period, probe.timeout) + probe.timeout


def delayed(draw: random.Random) -> Scenario:
    """Delay the first attempt, after an init container that takes longer than the delay and a period."""
    period = draw.randint(1, 2)
    delay = draw.randint(7, 11)
    kind = draw.choice(("readiness", "readiness", "liveness"))
    probe = _probe(draw, kind, delay=delay, period=period, failures=draw.randint(1, 2), successes=1)
    life = Life() if kind == "readiness" else Life({kind: Script(((0.0, _fails(draw, probe)),))})
    init = round(draw.uniform(9, 13), 1)
    return Scenario("", "", (probe,), (life, Life()), init_seconds=init, watched=2 * delay + 20)


def readiness_flips(draw: random.Random) -> Scenario:
    """Readiness that comes, goes, and comes again."""
    probe = _probe(draw, "readiness", delay=draw.choice((0, 0, 3)), failures=draw.randint(1, 3))
    boots = round(draw.uniform(0, 4), 1)
    fails = boots + probe.delay + _long(probe, probe.successes)
    mends = fails + _long(probe, probe.failures)
    phases = ((0.0, "refused"), (boots, _well(draw, probe)), (fails, _fails(draw, probe)), (mends, _well(draw, probe)))
    watched = round(mends + _long(probe, probe.successes) + 4)
    init = draw.choice((0.0, 2.5))
    return Scenario("", "", (probe,), (Life({"readiness": Script(phases)}),), init_seconds=init, watched=watched)


def readiness_by_attempt(draw: random.Random) -> Scenario:
    """Readiness that answers attempt by attempt: runs that reach a threshold and runs that do not."""
    handler = draw.choice(("http", "exec"))
    probe = _probe(draw, "readiness", handler=handler, period=draw.randint(2, 4), failures=draw.randint(2, 3))
    fails = "500" if handler == "exec" else draw.choice(("500", "reset", "404"))
    runs = [
        *[fails] * draw.randint(0, 2),
        *["ok"] * (probe.successes + 1),
        *[fails] * (probe.failures - 1),
        *["ok"] * draw.randint(1, 2),
        *[fails] * probe.failures,
        *["ok"] * (probe.successes + 1),
    ]
    life = Life({"readiness": Script(attempts=tuple(runs))})
    return Scenario("", "", (probe,), (life,), watched=round((len(runs) + 2) * probe.period + 4))


def liveness_kills(draw: random.Random) -> Scenario:
    """Liveness that ends the container once or twice; some processes take their time to end."""
    probe = _probe(draw, "liveness", delay=draw.choice((0, 2, 4)), failures=draw.randint(1, 3))
    breaks = round(draw.uniform(12, 16) + probe.delay, 1)
    sick = Life(
        {"liveness": Script(((0.0, _well(draw, probe)), (breaks, _fails(draw, probe))))},
        ignores_sigterm=draw.choice((0.0, 0.0, 3.0, 60.0)),
    )
    probes = [probe]
    if draw.random() < 0.6:
        probes.append(_probe(draw, "readiness", period=draw.randint(1, 3), successes=1, failures=1))
    grace = draw.choice((3, 5))
    watched = round(breaks + _long(probe, probe.failures) + grace + 16)
    return Scenario("", "", tuple(probes), (sick, Life()), grace=grace, watched=watched)


def all_three(draw: random.Random) -> Scenario:
    """Startup that passes, then readiness that goes and liveness that ends it."""
    startup = _probe(draw, "startup", period=draw.randint(1, 3), failures=12)
    readiness = _probe(draw, "readiness", period=draw.randint(1, 3), successes=1, failures=draw.randint(1, 2))
    liveness = _probe(draw, "liveness", delay=draw.choice((0, 5)), failures=draw.randint(3, 4))
    boots = round(draw.uniform(2, 6), 1)
    breaks = round(boots + _long(startup, 1) + _long(readiness, 1) + 4, 1)
    phases = {
        "startup": Script(((0.0, "refused"), (boots, "ok"))),
        "readiness": Script(((0.0, "refused"), (boots, "ok"), (breaks, _fails(draw, readiness)))),
        "liveness": Script(((0.0, "refused"), (boots, "ok"), (breaks, _fails(draw, liveness)))),
    }
    well = Life({each: Script(((0.0, "refused"), (boots, "ok"))) for each in phases})
    watched = round(breaks + _long(liveness, liveness.failures) + boots + _long(startup, 1) + _long(readiness, 1) + 4)
    return Scenario("", "", (startup, readiness, liveness), (Life(phases), well), watched=watched)


def dies(draw: random.Random) -> Scenario:
    """End the process by itself; run counts go on in the next life."""
    kinds = draw.choice((("readiness",), ("liveness", "readiness"), ("startup", "readiness"), ("liveness",)))
    probes = tuple(
        _probe(
            draw,
            kind,
            period=draw.randint(1, 4),
            failures=3,
            successes=draw.randint(1, 2) if kind == "readiness" else 1,
        )
        for kind in kinds
    )
    exits = round(draw.uniform(22, 26), 1)
    sick = Life(exits_at=exits, exit_code=draw.choice((0, 1, 3, 137)))
    return Scenario("", "", probes, (sick, Life()), watched=round(exits) + 26)


def in_error(draw: random.Random, handler: str) -> Scenario:
    """End attempts in an error, so that they are discarded: nothing follows from them, ever."""
    kind = draw.choice(("liveness", "readiness"))
    probe = _probe(draw, kind, handler=handler, failures=draw.randint(1, 2), successes=1, timeout=1)
    script = Script(((0.0, "ok"), (10.0, "body-hang")))
    return Scenario("", "", (probe,), (Life({kind: script}),), watched=40)


FAMILIES: dict[str, tuple[Callable[[random.Random], Scenario], int]] = {
    "startup-fails": (startup_fails, 16),
    "delayed": (delayed, 14),
    "readiness-flips": (readiness_flips, 8),
    "readiness-by-attempt": (readiness_by_attempt, 5),
    "liveness-kills": (liveness_kills, 5),
    "all-three": (all_three, 4),
    "dies": (dies, 4),
    "body-hangs": (partial(in_error, handler="http"), 2),
    "missing-program": (partial(in_error, handler="missing-program"), 1),
    "undeclared-port": (partial(in_error, handler="undeclared-port"), 1),
}
"""What is drawn from, and how often."""
