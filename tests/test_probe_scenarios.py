"""No scenario of the kubelet's probes is missing: each has a test here, or one with the handlers."""

from __future__ import annotations

from tests import (
    test_probe_handlers_scenarios,
    test_probe_scenarios_pod,
    test_probe_scenarios_timing,
    test_probe_scenarios_worker,
)
from tests.probe_scenarios import LAST, SINGLE_ATTEMPTS, numbers

MODULES = (test_probe_scenarios_worker, test_probe_scenarios_timing, test_probe_scenarios_pod)


def test_none_is_missing() -> None:
    here = {number for module in MODULES for number in numbers(vars(module).values())}
    with_handlers = set(numbers(vars(test_probe_handlers_scenarios).values()))
    assert with_handlers >= SINGLE_ATTEMPTS
    assert here | with_handlers == set(range(1, LAST + 1))


def test_a_missing_one_would_be_seen() -> None:
    tests = [each for each in vars(test_probe_scenarios_pod).values() if getattr(each, "scenarios", ()) != (121,)]
    assert 121 not in numbers(tests)
