"""How late a prober of many probes is: from each tick to the start of its attempt, on the real clock.

python -m bench.probe_timing [--probes 200] [--period 1] [--seconds 20] [--aligned] [--worst MILLISECONDS]

The endpoints run in a process of their own: most answer at once, over HTTP, TLS, TCP and gRPC; some hang. It prints
p50, p99 and the largest lateness, and the CPU seconds of the prober's process. With --aligned all ticks come at the
same moment, and the last attempt waits for all that begin before it. The exit code is 1 if p99 is over --worst.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import sys
import tempfile
import threading
from pathlib import Path

from tests.probe_endpoints import server
from tests.probe_endpoints.server import BEHAVIOURS, Behaviour
from tocsin.probes.handlers import GrpcCheck, Handler, HttpGet, TcpSocket
from tocsin.probes.prober import Observation, Probe, Prober
from tocsin.supervisor import Supervisor, await_line

READY = re.compile(r'(?P<ready>\{"ready".*)')
ASKED = ("ok",) * 12 + ("redirect-302", "tls-self-signed", "http2", "tcp-closes", "grpc-serving", "hang", "big-body")


def main() -> int:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--probes", type=int, default=200)
    parser.add_argument("--period", type=float, default=1.0, help="seconds between two ticks of a probe")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--aligned", action="store_true", help="all ticks at the same moment")
    parser.add_argument("--worst", type=float, default=20.0, help="milliseconds that p99 may have")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Supervisor("probe-timing", Path(folder)) as supervisor:
        argv = [sys.executable, server.__file__, "--forever"]
        process = supervisor.start("endpoints", argv, cwd=Path(folder))
        line = await_line(process, READY, what="the endpoints did not start", seconds=20)
        ports = json.loads(line["ready"])["ready"]
        seen, spent = measure(probes(options, ports), options.seconds)
    late = sorted(each.late * 1000 for each in seen)
    p99 = late[int(len(late) * 0.99)]
    print(f"{options.probes} probes every {options.period:g} s for {options.seconds:g} s: {len(late)} attempts")
    print(f"late by, ms: p50 {late[len(late) // 2]:.2f}  p99 {p99:.2f}  max {late[-1]:.2f}")
    print(f"CPU of the prober: {spent:.2f} s, {spent / options.seconds:.1%} of one core")
    unforeseen = {(each.probe.name.split()[0], each.attempt.outcome.value) for each in seen} - {
        (name, behaviour.expected) for name, behaviour in BEHAVIOURS.items()
    }
    print(f"outcomes that were not foreseen: {sorted(unforeseen) or 'none'}")
    return 1 if p99 > options.worst or unforeseen else 0


def probes(options: argparse.Namespace, ports: dict[str, int]) -> list[Probe]:
    """Return so many probes, their ticks spread over the period unless they are to come together."""
    found = []
    for number in range(options.probes):
        name = ASKED[number % len(ASKED)]
        phase = 0.5 + (0.0 if options.aligned else options.period * number / options.probes)
        handler = handler_of(BEHAVIOURS[name], ports[name])
        found.append(Probe(f"{name} {number}", handler, options.period, phase=phase))
    return found


def handler_of(behaviour: Behaviour, port: int) -> Handler:
    """Return how a behaviour is probed."""
    match behaviour.handler:
        case "tcp":
            return TcpSocket("127.0.0.1", port)
        case "grpc":
            return GrpcCheck("127.0.0.1", port)
    return HttpGet("127.0.0.1", port, scheme=behaviour.handler.upper())


def measure(asked: list[Probe], seconds: float) -> tuple[list[Observation], float]:
    """Run the probes for so long; return what was observed and the CPU seconds that it took."""
    seen: list[Observation] = []
    before = resource.getrusage(resource.RUSAGE_SELF)
    prober = Prober(asked, seen.append)
    prober.start()
    threading.Event().wait(seconds)
    prober.stop()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return seen, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
