"""What a system's files are, and whether they can be read at all."""

import pytest

from tocsin.case import CaseResult
from tocsin_pytest.settling import Settle

pytestmark = pytest.mark.static


def test_every_file_is_readable(artefact_case: CaseResult, settle: Settle) -> None:
    """Every file of this kind can be read, and every glob that names some finds one."""
    settle(artefact_case)
