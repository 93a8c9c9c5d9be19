"""Alertmanager's own judge of its configuration, and of where an alert is routed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tocsin.engines.binaries import Engine, find_engine
from tocsin.engines.trouble import EngineTrouble
from tocsin.supervisor import Completed, Trouble, run_once

CHECK_SECONDS = 60.0


def check_config(config: Path, *, seconds: float = CHECK_SECONDS) -> Completed:
    """Return what `amtool check-config` says; the templates that the configuration names are checked too."""
    return _amtool(["check-config", config], config.parent, seconds)


def route(config: Path, labels: Mapping[str, str], *, seconds: float = CHECK_SECONDS) -> tuple[str, ...]:
    """Return the receivers of an alert with these labels, in order; raises EngineTrouble if amtool will not say."""
    # quoted as JSON, which is how matchers are quoted; amtool 0.27 and later complain of anything else
    pairs = [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items()]
    done = _amtool(["config", "routes", "test", f"--config.file={config}", *pairs], config.parent, seconds)
    if done.code != 0:
        raise EngineTrouble("amtool cannot route an alert", str(config), (done.stderr or done.stdout).strip())
    return tuple(done.stdout.strip().splitlines()[-1].split(","))  # warnings come before


def _amtool(arguments: Sequence[str | Path], cwd: Path, seconds: float) -> Completed:
    try:
        return run_once([find_engine(Engine.AMTOOL), *arguments], cwd=cwd, env=None, seconds=seconds)
    except EngineTrouble:
        raise
    except Trouble as trouble:
        raise EngineTrouble(trouble.what, trouble.where, trouble.detail, trouble.kind) from trouble
