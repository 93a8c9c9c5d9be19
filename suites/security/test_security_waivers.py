"""What the owners of a system accept of its security drills, and whether they still have to."""

import pytest

from tocsin.case import CaseResult
from tocsin_pytest.settling import Settle

pytestmark = pytest.mark.security


def test_waiver_is_needed(security_waiver: CaseResult, settle: Settle) -> None:
    """The waiver of a drill that passes covers nothing, and has to go."""
    settle(security_waiver)
