"""Checks of clusters and compose files say something of any file, or nothing; they never stumble."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.artefacts.folder import Folder
from tocsin.checks import checks
from tocsin.model import Model
from tocsin.system import load_system

REFERENCE = Path(__file__).parents[1] / "fixtures" / "systems" / "dharmamind"
HEALTHY = Folder(REFERENCE)
FILES = (
    "k8s/production/access.yaml",
    "k8s/production/deployment.yaml",
    "k8s/production/network-policies.yaml",
    "k8s/production/services.yaml",
    "k8s/production/monitoring/exporters.yaml",
    "k8s/production/monitoring/alertmanager.yaml",
    "monitoring/kustomization.yaml",
    "compose/docker-compose.yml",
)
CHECKS = [
    checks()[name]
    for name in (
        "alertmanager-peer-missing", "autoscaler-without-requests", "compose-dependency-never-healthy",
        "compose-file-refused", "compose-networks-apart", "engine-flag-unknown", "exporter-resource-missing",
        "kubernetes-reference-missing", "limit-differs", "mounted-file-missing", "multiprocess-metrics-off",
        "network-policy-blocks-dashboard", "network-policy-blocks-notification", "network-policy-blocks-scrape",
        "service-port-not-listened", "service-without-endpoints", "volume-shared-by-pods",
    )
]  # fmt: skip
WRONG: list[Any] = [
    None, [], {}, "", 0, -1, 1.5, True, "x", [None], [[]], [{}], {"a": None}, "${X", "$", "::", {"name": {}},
    "1e99", "1e-99", "-", " ", "0.0.0.0/99", "http://[", "http://a:b:c/", "--", "-w", "1" * 30,
]  # fmt: skip


def routes(value: Any, route: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to everything inside a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield (*route, key)
        yield from routes(child, (*route, key))


DOCUMENTS = {name: list(yaml.safe_load_all((REFERENCE / name).read_text())) for name in FILES}
PLACES = [(name, route) for name, documents in DOCUMENTS.items() for route in routes(documents) if len(route) > 1]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(WRONG)), min_size=1, max_size=3))
def test_nothing_in_a_file_stops_a_check(changes: list[tuple[tuple[str, tuple[Any, ...]], Any]]) -> None:
    """Whatever stands where something else was meant."""
    texts = {}
    for (name, route), wrong in changes:
        documents = copy.deepcopy(DOCUMENTS[name])
        there = documents
        for step in route[:-1]:
            there = there[step]
        there[route[-1]] = wrong
        texts[name] = yaml.safe_dump_all(documents)
    model = Model(HEALTHY.with_texts(texts), load_system(REFERENCE))

    for check in CHECKS:
        for finding in check.findings(model):
            assert finding.message
            assert finding.place.line >= 1
