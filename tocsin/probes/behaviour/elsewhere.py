"""Containers that run elsewhere already: their probes are asked, and nothing is done to them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from urllib.parse import urlsplit

from tocsin.probes.behaviour.asking import ask
from tocsin.probes.behaviour.bench import Scene, askings_of, nothing_asked
from tocsin.probes.behaviour.experiment import Experiment
from tocsin.probes.behaviour.experiments.idle import MOST
from tocsin.probes.behaviour.tape import Tape

_PORTS = {"http": 80, "https": 443}
IDLE = "idle"


def reason(scene: Scene, experiment: Experiment) -> str:
    """Return why an experiment is not made on what is not ours."""
    return (
        f"{scene.subject.name} runs already at {scene.environment.addresses[scene.subject.process]} (environment"
        f" {scene.name}), and `{experiment.name}` needs a process that Tocsin starts and ends itself; do it in an"
        " environment with `processes:`"
    )


async def idle(scene: Scene, tape: Tape) -> None:
    """Ask each probe at an address, as often as the effort says. Raises ValueError if none can be asked."""
    address = urlsplit(scene.environment.addresses[scene.subject.process])
    port = address.port or _PORTS.get(address.scheme, 80)
    askings, tape.unasked = askings_of(scene.subject, port, host=address.hostname or "127.0.0.1")
    if not askings:
        raise ValueError(nothing_asked(scene.subject, tape.unasked))
    effort = scene.effort
    stopped = asyncio.Event()
    timer = asyncio.get_running_loop().call_later(effort.attempts * effort.spacing * MOST, stopped.set)
    try:
        await ask(askings, tape, spacing=effort.spacing, count=effort.attempts, stopped=stopped)
    finally:
        timer.cancel()


def lacking(scene: Scene, experiments: Iterable[Experiment]) -> dict[str, str]:
    """Return why each experiment but the attempts is not made there, by name."""
    return {each.name: each.lacking or reason(scene, each) for each in experiments if each.name != IDLE}
