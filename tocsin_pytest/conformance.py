"""What a session that was told of a system consists of: hooks and fixtures, registered as a plugin of their own."""

from __future__ import annotations

from tocsin_pytest.asking import endpoint_case, endpoint_waiver
from tocsin_pytest.collecting import pytest_collection_modifyitems, pytest_generate_tests, pytest_ignore_collect
from tocsin_pytest.performing import (
    pytest_collection_finish,
    pytest_configure_node,
    pytest_xdist_node_collection_finished,
)
from tocsin_pytest.probing import probe_case, probe_waiver
from tocsin_pytest.proving import alert_proof, owners_test
from tocsin_pytest.settling import (
    artefact_case,
    check_case,
    faults_drill,
    faults_waiver,
    load_drill,
    load_waiver,
    pytest_runtest_makereport,
    report_case,
    security_drill,
    security_waiver,
    settle,
    settle_drill,
    waiver_case,
)

__all__ = [
    "alert_proof",
    "artefact_case",
    "check_case",
    "endpoint_case",
    "endpoint_waiver",
    "faults_drill",
    "faults_waiver",
    "load_drill",
    "load_waiver",
    "owners_test",
    "probe_case",
    "probe_waiver",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_configure_node",
    "pytest_generate_tests",
    "pytest_ignore_collect",
    "pytest_runtest_makereport",
    "pytest_xdist_node_collection_finished",
    "report_case",
    "security_drill",
    "security_waiver",
    "settle",
    "settle_drill",
    "waiver_case",
]
