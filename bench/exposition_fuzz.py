"""Mutated bodies before real Prometheus servers: they should keep and drop what our lexer says.

    TOCSIN_PROMETHEUSES=PATH[:PATH...] [TOCSIN_CORPUS=FOLDER] python -m bench.exposition_fuzz [--cases 5000] [--seed 1]

Bodies are made of the metrics that tocsin/exporters lists, in both formats, and are those of exposition/*.jsonl in the
folder that TOCSIN_CORPUS names. Each server scrapes every body once, each as a target of its own on one loopback
server. Its verdict is the target's last error and `scrape_samples_scraped`; a scrape that the machine was too slow for
is no verdict, and is waited for again. A body that ends the server's process, as our lexer says, is not shown to it.
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


def family(name: str, type_: str, labels: str, syntax: Syntax) -> str:
    """Return a family as an exporter shows it, made from what is known of its name, type and labels."""
    if type_ in {"histogram", "summary"}:
        if name.endswith(("_sum", "_count")):
            return ""
        name = name.removesuffix("_bucket")
        labels = ",".join(label for label in labels.split(",") if label not in {"le", "quantile"}) or "-"
    told = "unknown" if syntax is Syntax.OPENMETRICS and type_ == "untyped" else type_
    stem = name.removesuffix("_total") if syntax is Syntax.OPENMETRICS and type_ == "counter" else name
    pairs = [f'{label}="{value}"' for label, value in zip(labels.split(","), ("a", "b/c", "d e", "1"), strict=False)]
    labels = "-" if "*" in labels else labels
    pairs = pairs if labels != "-" else []
    plain = "" if labels == "-" else "{" + ",".join(pairs) + "}"
    head = f"# HELP {stem} Some help of {stem}.\n# TYPE {stem} {told}\n"
    if type_ == "histogram":
        inner = "" if labels == "-" else ",".join(pairs) + ","
        buckets = "".join(
            f'{name}_bucket{{{inner}le="{bound}"}} {count}\n' for bound, count in (("0.5", 1), ("+Inf", 2))
        )
        return f"{head}{buckets}{name}_sum{plain} 1.5\n{name}_count{plain} 2\n"
    if type_ == "summary":
        return f"{head}{name}_sum{plain} 1.5\n{name}_count{plain} 2\n"
    if type_ == "counter" and syntax is Syntax.OPENMETRICS:
        return f'{head}{stem}_total{plain} 17 # {{trace_id="abc"}} 1 1700000000.5\n'
    return f"{head}{name}{plain} 17.25\n"


def seeds() -> list[tuple[Syntax, bytes]]:
    """Return the bodies that are mutated."""
    found = []
    for file in sorted(EXPORTERS.glob("*.txt")):
        lines = [line.split() for line in file.read_text().splitlines() if not line.startswith("#")]
        metrics = [words for words in lines if len(words) >= 3]
        for at in range(0, len(metrics), 3):
            few = metrics[at : at + 3]
            text = "".join(family(name, type_, labels, Syntax.TEXT) for name, type_, labels, *_ in few)
            openmetrics = "".join(family(name, type_, labels, Syntax.OPENMETRICS) for name, type_, labels, *_ in few)
            found += [(Syntax.TEXT, text.encode()), (Syntax.OPENMETRICS, f"{openmetrics}# EOF\n".encode())]
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


def errors_of(prometheus: Prometheus) -> dict[int, str]:
    """Return why a server dropped each body that it read, by number; empty where it kept it."""
    return {
        int(target["labels"]["body"]): target["lastError"]
        for target in prometheus.api.targets()
        if target["health"] != "unknown"
        and not target["lastError"].startswith("Get ")
        and not target["lastError"].endswith("context deadline exceeded")
    }


def scraped(
    supervisor: Supervisor, binary: Path, shown: Shown, numbers: list[int], folder: Path
) -> dict[int, tuple[str, int]]:
    """Return why a server dropped each body (empty: it kept it), and how many samples it read."""
    config = folder / "prometheus.yml"
    config.write_text(configuration(shown, numbers))
    settings = PrometheusSettings(config=config, data=folder / "data", binary=binary, name=folder.name, timeout=60)
    prometheus = Prometheus.start(supervisor, settings, seconds=60)

    def all_told() -> tuple[dict[int, str], dict[int, float]] | Unmet:
        prometheus.service.check_running()
        errors, samples = errors_of(prometheus), told(prometheus, "scrape_samples_scraped")
        if len(errors) == len(samples) == len(numbers):
            return errors, samples
        return Unmet(f"{len(errors)} of {len(numbers)} bodies were read")

    errors, samples = wait_until(all_told, seconds=8 * INTERVAL, every=2.0, what="every body is scraped")
    prometheus.stop()
    return {number: (errors[number], int(samples[number])) for number in numbers}


def compare(generation: Generation, every: list[Case], answers: Mapping[int, tuple[str, int]]) -> None:
    """Print how a server and our lexer agree, and each disagreement."""
    verdict_differs = [
        n for n, (error, _) in answers.items() if (error == "") != (every[n].verdicts[generation] is Ingest.ACCEPT)
    ]
    count_differs = [
        n
        for n, (error, samples) in answers.items()
        if not error and n not in verdict_differs and samples != every[n].samples
    ]
    kept = sum(1 for error, _ in answers.values() if not error)
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
