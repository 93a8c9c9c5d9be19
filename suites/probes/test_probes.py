"""What Kubernetes probes do to the containers of an environment: one question to one container."""

import pytest

from tocsin.case import CaseResult
from tocsin_pytest.settling import Settle

pytestmark = pytest.mark.probes


def test_probe(probe_case: CaseResult, settle: Settle) -> None:
    """Probes pass when all is well, fail when they must, and do no harm under load, outages, starts and ends."""
    settle(probe_case)


def test_waiver_is_needed(probe_waiver: CaseResult, settle: Settle) -> None:
    """The waiver of something about probes that are well covers nothing, and has to go."""
    settle(probe_waiver)
