"""What the owners of a system accept of its load drills, and whether they still have to."""

import pytest

from tocsin.case import CaseResult
from tocsin_pytest.settling import Settle

pytestmark = pytest.mark.load


def test_waiver_is_needed(load_waiver: CaseResult, settle: Settle) -> None:
    """The waiver of a drill that passes covers nothing, and has to go."""
    settle(load_waiver)
