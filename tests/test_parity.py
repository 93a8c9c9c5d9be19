"""Sixty probed pods on a real kubelet, beside what is predicted of them.

TOCSIN_KUBECONFIG names a cluster in which one namespace may be made (it is deleted again), whose node holds the image
that tests/parity/image.py writes (or another with a python3: TOCSIN_PARITY_IMAGE). A run takes about six minutes.
--parity-report keeps the table, --parity-record the recording, which tests/test_parity_recorded.py can compare anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.parity import NAME_OF_IMAGE, endpoints, single_attempts
from tests.parity.comparison import LEAST_MISSED, MISREADINGS, Compared, compare, summary, table
from tests.parity.generator import LEFT_OUT, scenarios
from tests.parity.recording import Run, write
from tests.parity.runner import run
from tocsin.probes.cluster import Cluster
from tocsin.probes.ground import REAL_1_20, Ground, from_source
from tocsin.probes.versions import read_version

KUBECONFIG = os.environ.get("TOCSIN_KUBECONFIG", "")
IMAGE = os.environ.get("TOCSIN_PARITY_IMAGE", NAME_OF_IMAGE)
AT_ONCE = int(os.environ.get("TOCSIN_PARITY_AT_ONCE", "12"))

pytestmark = [
    pytest.mark.xdist_group("exclusive"),
    pytest.mark.skipif(not KUBECONFIG, reason="TOCSIN_KUBECONFIG names no cluster to run probed pods in"),
]


def kept(request: pytest.FixtureRequest, option: str) -> Path | None:
    """Return the file that an option names, in a folder that is there."""
    name = request.config.getoption(option)
    if not name:
        return None
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture(scope="module")
def ground() -> Ground:
    """Return what a prediction for this cluster stands on."""
    with Cluster(Path(KUBECONFIG)) as cluster:
        version = read_version(cluster.version())
    return REAL_1_20 if version == REAL_1_20.version else from_source(version)


@pytest.fixture(scope="module")
def performed(request: pytest.FixtureRequest) -> Run:
    """Run the sixty, once."""
    with Cluster(Path(KUBECONFIG)) as cluster:
        performed = run(cluster, scenarios(), at_once=AT_ONCE, image=IMAGE)
    if path := kept(request, "--parity-record"):
        write(performed, path)
    return performed


@pytest.fixture(scope="module")
def compared(request: pytest.FixtureRequest, performed: Run, ground: Ground) -> list[Compared]:
    """Compare them, and write the table."""
    found = [compare(each, ground) for each in performed.recorded]
    left_out = "\n".join(f"left out: {what}: {why}" for what, why in LEFT_OUT.items())
    head = f"kubelet {performed.kubelet}, {performed.date}, {performed.machine}; predicted by: {ground}"
    text = f"{head}\n{table(found)}\n{left_out}\n{summary(found)}\n"
    print(f"\n{text}", flush=True)
    if path := kept(request, "--parity-report"):
        path.write_text(text)
    return found


def test_every_change_comes_as_predicted(compared: list[Compared]) -> None:
    """Each change of Ready, kill and restart lies in its interval; none is missing and none was not told."""
    assert len(compared) == len(scenarios())
    wrong = [each for each in compared if not each.hit]
    assert wrong == [], table(wrong)


def test_no_interval_is_too_wide(compared: list[Compared], ground: Ground) -> None:
    """An interval that holds everything says nothing: there is a width that none may exceed."""
    if ground is not REAL_1_20:
        pytest.skip(f"the widths are for a kubelet 1.20 whose latencies were measured, not for {ground}")
    wide = [each for each in compared if each.hit and not each.right]
    assert wide == [], table(wide)


@pytest.mark.parametrize("belief", MISREADINGS)
def test_a_wrong_belief_would_show(performed: Run, ground: Ground, belief: str) -> None:
    """Who believes what is wrong of probes gets at least ten of the sixty wrong."""
    wrong = [each for each in performed.recorded if not compare(each, ground, reading=MISREADINGS[belief]).hit]
    print(f"{belief}: {len(wrong)} of {len(performed.recorded)} wrong", flush=True)
    assert len(wrong) >= LEAST_MISSED


def test_single_attempts_end_as_foreseen(request: pytest.FixtureRequest) -> None:
    """Success, warning, failure or discarded error: the kubelet takes each behaviour as the rules say."""
    with Cluster(Path(KUBECONFIG)) as cluster:
        performed = run(cluster, single_attempts.scenarios(), at_once=AT_ONCE, image=IMAGE, await_events=True)
    if path := kept(request, "--parity-record-attempts"):
        write(performed, path)
    found = {each.scenario.name.removeprefix("attempt-"): each for each in performed.recorded}
    if not any(each.counts for each in found.values()):
        pytest.skip("the kubelet's probe counts cannot be read, and outcomes are read from them")
    wrong = {
        name: f"{single_attempts.outcome(found[name])}, not {foreseen}"
        for name, (_, _, foreseen) in single_attempts.BEHAVIOURS.items()
        if single_attempts.outcome(found[name]) is not foreseen
    }
    assert wrong == {}


def test_every_endpoint_is_taken_as_foreseen(request: pytest.FixtureRequest) -> None:
    """What the table of tests/probe_endpoints says of each behaviour, asked from another pod's probe."""
    with Cluster(Path(KUBECONFIG)) as cluster:
        performed = run(cluster, endpoints.serving, at_once=AT_ONCE, image=IMAGE, await_events=True)
    found = endpoints.outcomes(performed)
    if path := kept(request, "--parity-record-endpoints"):
        endpoints.write(performed, path)
    if not any(each["counts"] for each in found.values()):
        pytest.skip("the kubelet's probe counts cannot be read, and outcomes are read from them")
    wrong = {name: each for name, each in found.items() if each["outcome"] != endpoints.ASKED[name].expected}
    assert wrong == {}
