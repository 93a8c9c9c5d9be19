"""What an attacker would send, to see that somebody is told of it."""

import pytest

from tocsin.drill.judge import DrillResult
from tocsin_pytest.settling import SettleDrill

pytestmark = pytest.mark.security


def test_drill(security_drill: DrillResult, settle_drill: SettleDrill) -> None:
    """Exactly the declared alerts ring, reach their receivers and resolve, each within its budget."""
    settle_drill(security_drill)
