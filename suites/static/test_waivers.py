"""What the owners of a system accept, and whether they still have to."""

import pytest

from tocsin.case import CaseResult
from tocsin_pytest.settling import Settle

pytestmark = pytest.mark.static


def test_waiver_covers_a_finding(waiver_case: CaseResult, settle: Settle) -> None:
    """A waiver that covers nothing, or is past its last day, has to go."""
    settle(waiver_case)
