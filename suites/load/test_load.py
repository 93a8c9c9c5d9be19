"""Real load on a running system; nothing is killed or cut."""

import pytest

from tocsin.drill.judge import DrillResult
from tocsin_pytest.settling import SettleDrill

pytestmark = pytest.mark.load


def test_drill(load_drill: DrillResult, settle_drill: SettleDrill) -> None:
    """Exactly the declared alerts ring, reach their receivers and resolve, each within its budget."""
    settle_drill(load_drill)
