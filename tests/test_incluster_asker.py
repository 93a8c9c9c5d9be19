"""What a Job runs: the packed program, with a Python that has nothing else, against a real small server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tocsin.probes.attempt import Outcome
from tocsin.probes.behaviour.tape import Tape
from tocsin.probes.handlers import GrpcCheck, HttpGet, TcpSocket
from tocsin.probes.handlers.kubelet import Kubelet
from tocsin.probes.incluster.asker import packed, unpacked
from tocsin.probes.incluster.job import AskedProbe, Flow, Plan, manifests, program
from tocsin.probes.incluster.watching import attempts_of, requests_of
from tocsin.probes.specification import ProbeKind

HANDLERS = (
    HttpGet(
        "10.0.0.7", "web", "/ready?x=1", "HTTPS", (("Host", "a"), ("X", "1"), ("X", "2")), {"web": 8080}, Kubelet(1, 20)
    ),
    TcpSocket("10.0.0.7", 8080, {"web": 8080}),
    GrpcCheck("10.0.0.7", 9000, "shop", Kubelet(1, 31)),
)


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda each: type(each).__name__)
def test_a_handler_comes_through_a_plan(handler: Any) -> None:
    """It is the same on the other side, through JSON."""
    assert unpacked(json.loads(json.dumps(packed(handler)))) == handler


class _Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Be ready, be broken for who asks for it, or be late."""
        status = {"/ready": 200, "/sick": 503}.get(self.path, 404)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """Serve on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def started(folder: Path, plan: Plan) -> subprocess.Popen[str]:
    """Start the program as a Job does: isolated, without site packages, from nothing but the zip."""
    (folder / "asker.zip").write_bytes(program())
    (folder / "plan.json").write_text(plan.written())
    command = [sys.executable, "-I", "-S", str(folder / "asker.zip"), str(folder / "plan.json")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder)


def test_it_asks_probes_and_sends_requests(tmp_path: Path, port: int) -> None:
    """Each attempt and each request is a line, and becomes what an experiment of our own would have seen."""

    def asked(name: str, path: str) -> AskedProbe:
        return AskedProbe(name, HttpGet("127.0.0.1", port, path), 1.0)

    tape = Tape("idle", "shop/shop")
    probes = [
        asked("shop-1 readiness", "/ready"),
        asked("shop-2 readiness", "/sick"),
        AskedProbe("shop-1 liveness", TcpSocket("127.0.0.1", port), 1.0),
        AskedProbe("shop-3 liveness", TcpSocket("127.0.0.1", 1), 1.0),
    ]
    flows = [
        Flow("shop-1", HttpGet("127.0.0.1", port, "/ready"), 20.0, 1.0),
        Flow("shop-2", HttpGet("127.0.0.1", port, "/sick"), 20.0, 1.0),
    ]
    with started(tmp_path, Plan(probes, 0.05, flows, seconds=1.0)) as process:
        said, _ = process.communicate(timeout=30)
    lines = [json.loads(line) for line in said.splitlines()]
    assert (process.returncode, lines[0]["what"]) == (0, "begun")

    made = attempts_of(lines, tape)
    by = {(each.pod, each.kind): [e.outcome for e in made if (e.pod, e.kind) == (each.pod, each.kind)] for each in made}
    assert {key: set(found) for key, found in by.items()} == {
        ("shop-1", ProbeKind.READINESS): {Outcome.SUCCESS},
        ("shop-2", ProbeKind.READINESS): {Outcome.FAILURE},
        ("shop-1", ProbeKind.LIVENESS): {Outcome.SUCCESS},
        ("shop-3", ProbeKind.LIVENESS): {Outcome.FAILURE},
    }
    assert all(5 <= len(found) <= 21 for found in by.values())
    assert all(each.started >= 0 and each.due <= each.started for each in made)
    assert {each.message for each in made if each.outcome is Outcome.SUCCESS} == {""}

    later = attempts_of(lines, tape, since=made[-1].started)
    assert 0 < len(later) < len(made)
    strict = requests_of(lines, tape, {"shop-1": 60.0, "shop-2": 60.0}, any_status=False)
    assert strict.answered > 0
    assert {why for _, why in strict.lost} == {"shop-2: it was answered 503"}
    assert strict.sent == strict.answered + len(strict.lost)
    assert requests_of(lines, tape, {"shop-1": 60.0, "shop-2": 60.0}, any_status=True).lost == ()
    assert requests_of(lines, tape, {"shop-1": -1.0}, any_status=True).sent == 0


def test_it_ends_when_it_is_told_to(tmp_path: Path, port: int) -> None:
    """At SIGTERM, long before its time is over, with what it was doing given up."""
    plan = Plan([AskedProbe("shop-1 readiness", HttpGet("127.0.0.1", port, "/ready"), 1.0)], 0.05)
    with started(tmp_path, plan) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["what"] == "begun"
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert time.monotonic() - began < 20


def test_the_job_is_as_restricted_as_a_pod_can_be() -> None:
    """(kubernetes.io/docs/concepts/security/pod-security-standards, restricted.) And it ends by itself."""
    files, job = manifests("tocsin-asker-1", Plan([], 0.1), "python:3.13-slim")
    spec = job["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert spec["automountServiceAccountToken"] is False
    assert job["spec"]["backoffLimit"] == 0
    assert 0 < job["spec"]["activeDeadlineSeconds"] < 7200
    assert len(json.dumps(files)) < 1_000_000  # a ConfigMap holds 1 MiB


def test_the_program_is_the_same_each_time() -> None:
    """So that it can be told apart from a changed one."""
    first = program()
    program.cache_clear()
    assert program() == first
