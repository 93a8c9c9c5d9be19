"""Mutated bodies before real Prometheus servers: they should keep and drop what our lexer says.

    TOCSIN_PROMETHEUSES=PATH[:PATH...] [TOCSIN_CORPUS=FOLDER] python -m bench.exposition_fuzz [--cases 5000] [--seed 1]

Bodies are those of tocsin/exporters and, where TOCSIN_CORPUS names it, of exposition/*.jsonl there. Each server scrapes
every body once, each as a target of its own on one loopback server; `up` and `scrape_samples_scraped` are its verdict.
A body of which our lexer says that it ends the server's process is not shown to that server.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.exposition_server import Shown, showing
from tocsin.artefacts.exposition import Generation, Ingest, Syntax
from tocsin.artefacts.exposition.ingest import ingest
from tocsin.deadline import Unmet, wait_until
from tocsin.engines.prometheus import Prometheus, PrometheusSettings
from tocsin.supervisor import Supervisor

EXPORTERS = Path(__file__).parents[1] / "tocsin" / "exporters"
INTERVAL = 60
SNIPPETS = (
    b"\r", b"\0", b"\t", b" ", b"  ", b"\n", b"\n\n", b'"', b"\\", b"\\n", b'\\"', b"\\t", b"{", b"}", b"{}", b",",
    b"=", b",,", b"#", b"# ", b"# EOF\n", b"# TYPE ", b"# HELP ", b"# UNIT ", b"#TYPE", b"# {", b' # {a="b"} 1',
    b" # {} 1 2", b"1", b"-1", b"+1", b"1e5", b"1e400", b"0x1p3", b"1_0", b"NaN", b"nan", b"+Inf", b"-inf",
    b"Infinity", b".5", b"5.", b"1.5", b" 1700000000", b" 1700000000000", b" 99999999999999999999", b" -1", b"\xff",
    b"\xef\xbb\xbf", "é".encode(), "\u202e".encode(), "\u0661".encode(), b'{"a.b"} 1\n', b'{"a", b="c"} 1\n',
    b"{a} 1\n", b"{abc} 1\n", b'{"a"} 1\n', b'a{"b"="c"} 1\n', b'a{"b c"="d"} 1\n', b"m+1\n", b'a{b="c",} 1\n',
    b'a{b="c" d="e"} 1\n', b"__name__", b'job="a",', b'a="",', b'a="1",', b"total", b"_bucket", b"le", b":", b"@",
    b"1a", b"counter", b"untyped", b"unknown", b"gauge ", b" gauge", b'""', b'{""} 1\n', b"\x0b", b"\x1c", b"\x85",
    b"<html>", b"'", b";", b"\\\n",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One body, and what our lexer says of it."""

    syntax: Syntax
    body: bytes
    verdicts: Mapping[Generation, Ingest]
    samples: int


def seeds() -> list[tuple[Syntax, bytes]]:
    """Return the bodies that are mutated."""
    found = []
    for file in sorted(EXPORTERS.glob("*.txt")):
        lines = file.read_bytes().splitlines(keepends=True)
        found += [(Syntax.TEXT, b"".join(lines[at : at + 12])) for at in range(0, len(lines), 12)]
    corpus = os.environ.get("TOCSIN_CORPUS")
    for name in ("cases.jsonl", "probes.jsonl") if corpus else ():
        for line in (Path(str(corpus)) / "exposition" / name).read_text().splitlines():
            row = json.loads(line)
            body = base64.b64decode(row["input_b64"]) if "input_b64" in row else row["input"].encode()
            if len(body) < 20_000:
                found.append((Syntax(row["format"]), body))
    return found


def mutated(body: bytes, random_: random.Random, others: list[tuple[Syntax, bytes]]) -> bytes:
    """Return a body with one to four things wrong."""
    for _ in range(random_.choice((1, 1, 1, 1, 1, 2, 3, 4))):
        at = random_.randrange(len(body) + 1)
        lines = body.splitlines(keepends=True) or [b""]
        line = random_.randrange(len(lines))
        match random_.randrange(9):
            case 0 | 1 | 2:
                body = body[:at] + random_.choice(SNIPPETS) + body[at:]
            case 3:
                body = body[:at] + body[at + random_.choice((1, 1, 2, 5)) :]
            case 4:
                body = body[:at] + random_.choice(SNIPPETS) + body[at + random_.choice((1, 1, 3)) :]
            case 5:
                body = b"".join([*lines[:line], random_.choice(lines), *lines[line:]])
            case 6:
                body = b"".join([*lines[:line], *lines[line + 1 :]])
            case 7:
                body = (
                    body[:at]
                    + bytes([random_.choice((random_.randrange(256), random_.randrange(32, 127)))])
                    + body[at:]
                )
            case 8:
                other = random_.choice(others)[1].splitlines(keepends=True) or [b""]
                body = b"".join([*lines[:line], random_.choice(other), *lines[line:]])
    return body


def cases(count: int, seed: int) -> Iterator[Case]:
    """Yield mutated bodies."""
    random_ = random.Random(seed)  # noqa: S311 no secret
    bodies = seeds()
    healthy = [seed for seed in bodies if ingest((seed[1],), seed[0])[0][Generation.V3_5] is Ingest.ACCEPT]
    for _ in range(count):
        syntax, body = random_.choice(healthy if random_.random() < 0.7 else bodies)
        if random_.random() < 0.05:
            syntax = random_.choice(list(Syntax))
        body = mutated(body, random_, bodies)
        yield Case(syntax, body, *ingest((body,), syntax))


def configuration(shown: Shown, numbers: list[int]) -> str:
    """Return the configuration of a server that scrapes these bodies."""
    targets = [
        {"targets": [shown.address], "labels": {"__metrics_path__": f"/{number}", "body": str(number)}}
        for number in numbers
    ]
    job = {"job_name": "fuzz", "scrape_interval": f"{INTERVAL}s", "scrape_timeout": "30s", "static_configs": targets}
    return json.dumps({"scrape_configs": [job]})


def told(prometheus: Prometheus, metric: str) -> dict[int, float]:
    """Return a metric that a server keeps of each target, by number of the body."""
    series = prometheus.api.query(f'{metric}{{job="fuzz"}}')
    return {int(one.labels["body"]): one.samples[-1].value for one in series if "body" in one.labels}


def scraped(
    supervisor: Supervisor, binary: Path, shown: Shown, numbers: list[int], folder: Path
) -> dict[int, tuple[bool, int]]:
    """Return whether a server kept each body, and how many samples it read."""
    config = folder / "prometheus.yml"
    config.write_text(configuration(shown, numbers))
    settings = PrometheusSettings(config=config, data=folder / "data", binary=binary, name=folder.name, timeout=60)
    prometheus = Prometheus.start(supervisor, settings, seconds=60)

    def all_told() -> tuple[dict[int, float], dict[int, float]] | Unmet:
        prometheus.service.check_running()
        up, samples = told(prometheus, "up"), told(prometheus, "scrape_samples_scraped")
        if len(up) == len(samples) == len(numbers):
            return up, samples
        return Unmet(f"{len(up)} of {len(numbers)} bodies were scraped")

    up, samples = wait_until(all_told, seconds=8 * INTERVAL, every=2.0, what="every body is scraped")
    prometheus.stop()
    return {number: (up[number] == 1, int(samples[number])) for number in numbers}


def compare(generation: Generation, every: list[Case], answers: Mapping[int, tuple[bool, int]]) -> None:
    """Print how a server and our lexer agree, and each disagreement."""
    verdict_differs = [
        n for n, (kept, _) in answers.items() if kept != (every[n].verdicts[generation] is Ingest.ACCEPT)
    ]
    count_differs = [
        n for n, (kept, samples) in answers.items() if kept and n not in verdict_differs and samples != every[n].samples
    ]
    kept = sum(1 for kept, _ in answers.values() if kept)
    shown = len(answers)
    print(
        f"{generation:16} shown {shown:5}  kept {kept:5}  dropped {shown - kept:5}  withheld {len(every) - shown:3}  "
        f"verdict agrees {100 * (1 - len(verdict_differs) / shown):.3f} %  "
        f"count agrees {100 * (1 - len(count_differs) / max(kept, 1)):.3f} %"
    )
    for number in (*verdict_differs, *count_differs)[:40]:
        case = every[number]
        print(f"  #{number} {case.syntax} server {answers[number]} ours {case.verdicts[generation]}, {case.samples}")
        print(f"      {case.body[:600]!r}")


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    binaries = [Path(name) for name in os.environ.get("TOCSIN_PROMETHEUSES", "").split(os.pathsep) if name]
    if not binaries:
        print("TOCSIN_PROMETHEUSES names no Prometheus; give paths, parted by colons", file=sys.stderr)
        return 2
    every = list(cases(options.cases, options.seed))
    bodies = {f"/{number}": (case.syntax.value, case.body) for number, case in enumerate(every)}
    with (
        tempfile.TemporaryDirectory() as place,
        showing(bodies) as shown,
        Supervisor("fuzz", Path(place)) as supervisor,
    ):
        for binary in binaries:
            folder = Path(place) / f"prometheus-{binaries.index(binary)}"
            folder.mkdir()
            generation = generation_of(supervisor, binary, folder)
            numbers = [n for n, case in enumerate(every) if case.verdicts[generation] is not Ingest.CRASH]
            began = time.monotonic()
            compare(generation, every, scraped(supervisor, binary, shown, numbers, folder))
            print(f"  {time.monotonic() - began:.0f} s, seed {options.seed}, {binary.name}", flush=True)
    return 0


def generation_of(supervisor: Supervisor, binary: Path, folder: Path) -> Generation:
    """Return the generation of a server by its version: the newest that is not newer."""
    probe = folder / "probe"
    probe.mkdir()
    (probe / "prometheus.yml").write_text("{}")
    settings = PrometheusSettings(config=probe / "prometheus.yml", data=probe / "data", binary=binary, name="probe")
    prometheus = Prometheus.start(supervisor, settings, seconds=60)
    major, minor = (int(part) for part in prometheus.api.version().split(".")[:2])
    prometheus.stop()
    if major >= 3:
        return Generation.V3_5
    return Generation.V2_53 if minor >= 50 else Generation.V2_42


if __name__ == "__main__":
    sys.exit(main())
