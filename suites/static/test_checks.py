"""What can be known of a system without running it, by every check."""

import pytest

from tocsin.case import CaseResult
from tocsin_pytest.settling import Settle

pytestmark = pytest.mark.static


def test_check(check_case: CaseResult, settle: Settle) -> None:
    """A check finds nothing that its severity, its waivers and the baseline do not allow."""
    settle(check_case)


def test_other_linters(report_case: CaseResult, settle: Settle) -> None:
    """What pint, kube-linter and dashboard-linter reported is held to the same waivers."""
    settle(report_case)
