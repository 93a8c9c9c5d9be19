"""The checks of probes and of Kubernetes objects on systems that others wrote; TOCSIN_CORPUS names their folder."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tocsin.checks import checks
from tocsin.finding import Finding, Severity
from tocsin.model import Model

CORPUS = os.environ.get("TOCSIN_CORPUS", "")
IDS = [each for each in checks() if each.startswith(("probe-", "liveness-", "readiness-", "startup-", "pdb-", "hpa-"))]
IDS += ["kubernetes-object-refused", "grace-period-misfit", "exec-command-not-runnable", "server-bound-to-loopback"]

pytestmark = pytest.mark.skipif(not CORPUS, reason="TOCSIN_CORPUS names no folder of systems")


def findings() -> Iterator[Finding]:
    """Yield what these checks say of every system."""
    for directory in sorted(each for each in Path(CORPUS).iterdir() if each.is_dir()):
        model = Model.of(directory)
        for one in IDS:
            yield from checks()[one].findings(model)


def test_errors_are_the_ones_that_were_read() -> None:
    """Loki's liveness asks whether it is ready, as its readiness does; nothing else of the corpus is an error."""
    errors = {(each.check, each.subject) for each in findings() if each.severity is Severity.ERROR}
    loki = [each for each in errors if "loki" in each[1]]
    assert {check for check, _ in loki} == {"liveness-checks-dependency", "liveness-like-readiness"}
    assert errors == set(loki)


def test_it_is_cheap() -> None:
    """All systems together, reading their files left out, cost seconds at most."""
    models = [Model.of(each) for each in Path(CORPUS).iterdir() if each.is_dir()]
    assert sum(len(model.workloads) for model in models) > 100
    started = time.process_time()
    for model in models:
        for one in IDS:
            list(checks()[one].findings(model))
    assert time.process_time() - started < 4
