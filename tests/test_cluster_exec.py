"""Commands in a container of a cluster, as its exec probes run them.

TOCSIN_KUBECONFIG names a cluster in which one namespace may be made (it is deleted again), whose node holds the
image of tests/parity/image.py; without it the status of a command is read alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parity import NAME_OF_IMAGE
from tests.parity.runner import NAMESPACE, Workbench
from tocsin.deadline import Unmet, wait_until
from tocsin.engines.kubernetes_api import Access
from tocsin.engines.kubernetes_exec import NotRun, exit_code
from tocsin.probes.attempt import Outcome
from tocsin.probes.cluster import Cluster
from tocsin.probes.cluster_exec import NotAllowed, PodContainer, container_command
from tocsin.probes.handlers import Exec, attempt_now
from tocsin.probes.handlers.reason import Reason

KUBECONFIG = os.environ.get("TOCSIN_KUBECONFIG", "")
CAUSES = {"causes": [{"reason": "ExitCode", "message": "3"}]}
NON_ZERO = {"status": "Failure", "reason": "NonZeroExitCode", "details": CAUSES}


@pytest.mark.parametrize(("status", "code"), [({"status": "Success"}, 0), (NON_ZERO, 3)])
def test_a_status_tells_the_exit_code(status: dict[str, object], code: int) -> None:
    assert exit_code(json.dumps(status).encode()) == code


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (b'{"status": "Failure", "reason": "InternalError", "message": "no such file"}', "no such file"),
        (b'{"status": "Failure", "reason": "NonZeroExitCode"}', "cannot be read"),
        (b'{"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": []}}', "cannot be read"),
        (b"[]", "cannot be read"),
        (b"\xff{", "cannot be read"),
        (b"", "cannot be read"),
    ],
)
def test_whatever_else_it_tells_the_command_was_not_run(status: bytes, said: str) -> None:
    with pytest.raises(NotRun, match=said):
        exit_code(status)


def test_without_permission_nothing_is_run() -> None:
    """The message says what to give, and what that means."""
    with pytest.raises(NotAllowed, match=r"shop/pod-1.*pods/exec.*rbac-prober\.yaml"):
        container_command(Access("https://127.0.0.1:1"), "shop", "pod-1", "app", allowed=False)


def test_where_no_api_server_is_the_attempt_is_an_error() -> None:
    """Which a kubelet would discard."""
    nowhere = container_command(Access("https://127.0.0.1:1"), "shop", "pod-1", "app", allowed=True)
    made = attempt_now(Exec(("true",), nowhere), 1)
    assert (made.outcome, made.reason) == (Outcome.ERROR, Reason.COMMAND_NOT_RUN)
    assert "refused" in made.message


@pytest.fixture(scope="module")
def container() -> Iterator[PodContainer]:
    """Run a pod that waits, and give its container."""
    if not KUBECONFIG:
        pytest.skip("TOCSIN_KUBECONFIG names no cluster to run a pod in")
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "waits"},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "dnsPolicy": "Default",
            "containers": [
                {
                    "name": "app",
                    "image": NAME_OF_IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python3", "-I", "-S", "-c", "import threading; threading.Event().wait()"],
                }
            ],
        },
    }
    with Cluster(Path(KUBECONFIG)) as cluster:
        bench = Workbench(cluster)
        with bench.namespace():
            bench.create("pods", manifest)

            def running() -> bool | Unmet:
                status = cluster.get(f"/api/v1/namespaces/{NAMESPACE}/pods/waits")["status"]
                return status["phase"] == "Running" or Unmet(status["phase"])

            wait_until(running, seconds=60, what="the pod to run", every=0.2)
            yield container_command(cluster.access, NAMESPACE, "waits", "app", allowed=True)


PYTHON = ("python3", "-I", "-S", "-c")
RUN = {
    "success": ((*PYTHON, "print('well')"), Outcome.SUCCESS, Reason.ANSWERED, "well\n"),
    "failure": ((*PYTHON, "import sys; print('ill'); sys.exit(3)"), Outcome.FAILURE, Reason.EXIT_CODE, "ill\n"),
    "no such program": (("/there/is/none",), Outcome.ERROR, Reason.COMMAND_NOT_RUN, "no such file"),
    "a space": ((*PYTHON, "import sys; print(sys.argv[1])", "a b&c"), Outcome.SUCCESS, Reason.ANSWERED, "a b&c\n"),
    "an endless output": ((*PYTHON, "print('x' * 100_000)"), Outcome.SUCCESS, Reason.ANSWERED, "xxx"),
}  # fmt: skip


@pytest.mark.parametrize(("command", "outcome", "reason", "said"), RUN.values(), ids=RUN)
def test_a_command_ends_as_the_kubelet_would_have_it(
    container: PodContainer, command: tuple[str, ...], outcome: Outcome, reason: Reason, said: str
) -> None:
    made = attempt_now(Exec(command, container), 20)
    assert (made.outcome, made.reason) == (outcome, reason), made
    assert said in made.message


def test_a_command_that_takes_too_long_fails(container: PodContainer) -> None:
    """At its timeout."""
    made = attempt_now(Exec((*PYTHON, "import threading; threading.Event().wait(30)"), container), 1)
    assert (made.outcome, made.reason) == (Outcome.FAILURE, Reason.COMMAND_TIMED_OUT)
    assert 0.9 < made.seconds < 5


def test_a_container_that_is_not_there_is_an_error(container: PodContainer) -> None:
    """In the API server's own words."""
    other = container_command(container.access, NAMESPACE, "waits", "other", allowed=True)
    made = attempt_now(Exec(("true",), other), 10)
    assert made.outcome is Outcome.ERROR
    assert "container other is not valid for pod waits" in made.message
