"""What the owners of a system accept of its drills that kill or cut, and whether they still have to."""

import pytest

from tocsin.case import CaseResult
from tocsin_pytest.settling import Settle

pytestmark = pytest.mark.faults


def test_waiver_is_needed(faults_waiver: CaseResult, settle: Settle) -> None:
    """The waiver of a drill that passes covers nothing, and has to go."""
    settle(faults_waiver)
