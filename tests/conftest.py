"""Options of the harness's own tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what tests/test_parity.py is asked for on the command line."""
    group = parser.getgroup("parity with a real kubelet")
    group.addoption("--parity-report", metavar="FILE", help="write each change, predicted and observed, to this file")
    group.addoption("--parity-record", metavar="FILE", help="write what was observed to this file (gzipped JSON)")
    group.addoption("--parity-record-attempts", metavar="FILE", help="the same for the single attempts")
    group.addoption("--parity-record-endpoints", metavar="FILE", help="the same for the table of endpoints")


@pytest.fixture(scope="session", autouse=True)
def _quick_children() -> Iterator[None]:
    """Have the hundreds of pytests that tests start do without Hypothesis' plugin: it takes a second to load."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")
        yield
