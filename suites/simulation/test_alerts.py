"""Every alert in virtual time: tests made from its rule, run by the engine; and the tests that its owner wrote."""

import pytest

from tocsin.case import CaseResult
from tocsin_pytest.settling import Settle

pytestmark = pytest.mark.simulation


def test_alert(alert_proof: CaseResult, settle: Settle) -> None:
    """It fires, stays silent on the other side of its edges, is not fooled by a blip, and resolves."""
    settle(alert_proof)


def test_owners_tests(owners_test: CaseResult, settle: Settle) -> None:
    """The owner's own promtool tests pass."""
    settle(owners_test)
