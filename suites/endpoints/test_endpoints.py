"""What the targets of an environment expose: one question to one target."""

import pytest

from tocsin.case import CaseResult
from tocsin_pytest.settling import Settle

pytestmark = pytest.mark.endpoints


def test_endpoint(endpoint_case: CaseResult, settle: Settle) -> None:
    """Prometheus keeps the scrape, it is to the letter and makes sense, HTTP is in order, and nobody is let down."""
    settle(endpoint_case)


def test_waiver_is_needed(endpoint_waiver: CaseResult, settle: Settle) -> None:
    """The waiver of something about a target that is well covers nothing, and has to go."""
    settle(endpoint_waiver)
