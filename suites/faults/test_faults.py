"""Parts of a running system are killed, stopped or cut."""

import pytest

from tocsin.drill.judge import DrillResult
from tocsin_pytest.settling import SettleDrill

pytestmark = pytest.mark.faults


def test_drill(faults_drill: DrillResult, settle_drill: SettleDrill) -> None:
    """Exactly the declared alerts ring, reach their receivers and resolve, each within its budget."""
    settle_drill(faults_drill)
