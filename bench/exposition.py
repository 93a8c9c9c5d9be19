"""What judging a large body costs, beside promtool and prometheus_client on the same file.

    python bench/exposition.py [--megabytes 100] [--promtool PATH] [--only judge|lexer|promtool|prometheus_client]

The body has counters, histograms and gauges with HELP and TYPE. Each reader is a process of its own; prints its CPU
seconds and its peak of memory. Two runs of one reader differ by some 10 % on a busy machine.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

BOUNDS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf")
CHUNK = 64 * 1024
MEBIBYTE = 1024


def counter(name: str, random_: random.Random) -> Iterator[str]:
    """Yield the lines of a counter with 400 series."""
    yield f"# HELP {name}_total Requests that were answered.\n# TYPE {name}_total counter\n"
    for index in range(400):
        labels = f'method="{("GET", "POST")[index % 2]}",path="/api/v1/things/{index // 2}",code="{200 + index % 5}"'
        yield f"{name}_total{{{labels}}} {random_.randrange(10**7)}\n"


def histogram(name: str, random_: random.Random) -> Iterator[str]:
    """Yield the lines of a histogram with 60 series."""
    yield f"# HELP {name}_seconds How long they took.\n# TYPE {name}_seconds histogram\n"
    for index in range(60):
        label, count = f'path="/api/v1/things/{index}"', 0
        for bound in BOUNDS:
            count += random_.randrange(100)
            yield f'{name}_seconds_bucket{{{label},le="{bound}"}} {count}\n'
        yield f"{name}_seconds_sum{{{label}}} {random_.random() * 1000}\n{name}_seconds_count{{{label}}} {count}\n"


def gauge(name: str, random_: random.Random) -> Iterator[str]:
    """Yield the lines of a gauge with 200 series."""
    yield f"# HELP {name}_in_flight Requests that are being answered.\n# TYPE {name}_in_flight gauge\n"
    for index in range(200):
        yield f'{name}_in_flight{{worker="{index}",zone="z{index % 3}"}} {random_.random() * 100}\n'


def write_body(file: Path, size: int) -> None:
    """Write a body of about so many bytes."""
    random_, written, number = random.Random(1), 0, 0  # noqa: S311 no secret
    with file.open("w") as out:
        while written < size:
            number += 1
            family = "".join((counter, histogram, gauge)[number % 3](f"app{number}_requests", random_))
            written += out.write(family)


def chunks(file: Path) -> Iterator[bytes]:
    """Yield a file in pieces."""
    with file.open("rb") as body:
        while chunk := body.read(CHUNK):
            yield chunk


def by_judge(file: Path) -> int:
    """Judge, sense and all."""
    from tocsin.artefacts.exposition import Syntax  # noqa: PLC0415 only the reader that is measured is loaded
    from tocsin.exposition.judging import judge  # noqa: PLC0415

    return judge(chunks(file), Syntax.TEXT, now=time.time()).samples


def by_lexer(file: Path) -> int:
    """Read, and say no more than what servers do."""
    from tocsin.artefacts.exposition import Syntax  # noqa: PLC0415
    from tocsin.artefacts.exposition.ingest import ingest  # noqa: PLC0415

    return ingest(chunks(file), Syntax.TEXT)[1]


def by_prometheus_client(file: Path) -> int:
    """Read by prometheus_client's parser, family by family."""
    from prometheus_client.parser import text_fd_to_metric_families  # noqa: PLC0415

    with file.open() as body:
        return sum(len(family.samples) for family in text_fd_to_metric_families(body))


OURS: dict[str, Callable[[Path], int]] = {
    "judge": by_judge,
    "lexer": by_lexer,
    "prometheus_client": by_prometheus_client,
}


def measured(command: Sequence[str], body: Path, *, piped: bool) -> tuple[float, float, str]:
    """Return the CPU seconds and the peak of memory in MiB of a process that reads the body, and what it printed."""
    with body.open("rb") as stdin, tempfile.TemporaryFile() as stdout:
        process = subprocess.Popen(command, stdin=stdin if piped else None, stdout=stdout, stderr=subprocess.DEVNULL)
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        stdout.seek(0)
        return (
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss / MEBIBYTE,
            stdout.read(200).decode(errors="replace").strip(),
        )


def promtool_of(given: str | None) -> str | None:
    """Return the promtool that is asked, if there is one."""
    from tocsin.engines.binaries import Engine, MissingEngines, find_engine  # noqa: PLC0415

    if given:
        return given
    try:
        return str(find_engine(Engine.PROMTOOL))
    except MissingEngines:
        return None


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--promtool")
    parser.add_argument("--only", choices=[*OURS, "promtool"])
    parser.add_argument("--read", choices=OURS, help=argparse.SUPPRESS)
    parser.add_argument("--body", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        print(f"{OURS[options.read](options.body):,} samples")
        return 0
    with tempfile.TemporaryDirectory() as place:
        body = Path(place) / "metrics.txt"
        write_body(body, options.megabytes * 1_000_000)
        print(f"{body.stat().st_size / 1e6:.0f} MB; load {os.getloadavg()[0]:.1f}")
        print(f"{'reader':20} {'CPU s':>7} {'peak MiB':>9}")
        compare(body, options.only, promtool_of(options.promtool))
    return 0


def compare(body: Path, only: str | None, promtool: str | None) -> None:
    """Print what each reader costs."""
    for name in ("judge", "lexer", "promtool", "prometheus_client"):
        if only not in {None, name}:
            continue
        if name == "promtool":
            if promtool is None:
                print(f"{name:20} is not here: give --promtool, or run script/bootstrap")
                continue
            seconds, peak, _ = measured([promtool, "check", "metrics"], body, piped=True)
            said = promtool
        else:
            command = [sys.executable, __file__, "--read", name, "--body", str(body)]
            seconds, peak, said = measured(command, body, piped=False)
        print(f"{name:20} {seconds:7.2f} {peak:9.0f}  {said}", flush=True)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.exit(main())
