"""`tocsin probe`: what a kubelet would do with the probes of a manifest; asked at an address, or exercised for real."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from tocsin.commands import FAILED, INCONCLUSIVE
from tocsin.explained import Explained
from tocsin.exposition.many.asking.requests import is_loopback
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.workloads import Container, Workload
from tocsin.probes.behaviour.cases import Answered, answered, seen_of
from tocsin.probes.behaviour.checking import problems
from tocsin.probes.behaviour.exercising import exercise
from tocsin.probes.behaviour.pictures import draw
from tocsin.probes.behaviour.questions import Seen, questions
from tocsin.probes.behaviour.subject import subjects
from tocsin.probes.handlers import ExplainedAttempt, Handler, attempt_now
from tocsin.probes.handlers.binding import handler_of
from tocsin.probes.incluster.bench import put_back_all
from tocsin.probes.incluster.live import named
from tocsin.probes.outlook import outlook, picture
from tocsin.probes.specification import ProbeSpec
from tocsin.probes.versions import Version, read_version
from tocsin.report.probing import attempted, exercised, foreseen
from tocsin.system import FILE, BadSystem, Problem, load_system

Chosen = tuple[Workload, Container]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Reads the probes of Kubernetes manifests and tells what a kubelet would do: ready when, restarted when, how "
        "long requests are lost. With --url each probe is asked as the kubelet asks; with --environment the processes "
        "of a system.yaml, or its pods in a cluster, are exercised: idle, under load, without what they depend on, by "
        "starts, hangs and ends. Exit code 0: well; 1: a probe fails, or something is as grave as an error; 2: bad "
        "input; 10: something could not be seen."
    )
    add = parser.add_argument
    add("what", nargs="?", type=Path, default=Path(), metavar="DIR|FILE", help="manifests, or a system's folder")
    add("--workload", metavar="NAME", help="of this workload only")
    add("--kubernetes", metavar="VERSION", help="whose kubelet is foreseen, as 1.31; default: system.yaml's, or 1.36")
    add("--url", metavar="URL", help="ask the probes here, in place of a pod; of this machine only")
    add("--attempts", type=int, default=5, metavar="N", help="with --url: so many of each probe; default: 5")
    add("--environment", metavar="NAME", help="exercise the processes, or pods, of an environment of the system.yaml")
    add("--put-back", action="store_true", help="with --environment: put back what a run has left changed in a cluster")
    add("--picture", type=Path, metavar="DIR", help="draw timelines")
    add("--json", action="store_true", help="for machines")
    add("--quiet", action="store_true", help="no progress on stderr")


def run(options: argparse.Namespace) -> int:
    """Foresee, ask or exercise, print, and return the exit code. Raises Explained for bad input."""
    if options.url and options.environment:
        raise Explained("one of both: --url asks one address, --environment exercises the processes of a system")
    if options.put_back:
        return _put_back(options)
    if not 1 <= options.attempts <= 10_000:
        raise Explained(f"--attempts is from 1 to 10000, and not {options.attempts}")
    model, keep = _model(options.what)
    chosen = list(_chosen(model, keep, options.workload))
    if not chosen:
        what = f" of the name {options.workload}" if options.workload else ""
        raise Explained(f"{options.what}: no workload{what} has a container with probes; name its manifests")
    version = _version(options.kubernetes, model)
    if options.environment:
        return _exercise(options, model, {f"{w.object.name}/{c.name}" for w, c in chosen}, version)
    return _ask(options, chosen) if options.url else _foresee(options, chosen, version)


def _model(what: Path) -> tuple[Model, str | None]:
    """Return what is read, and the one file of it that was named."""
    if not what.exists():
        raise Explained(f"{what}: there is no such file or folder")
    folder = what if what.is_dir() else what.parent
    system = load_system(folder) if (folder / FILE).is_file() else None
    return Model.of(folder, system), None if what.is_dir() or what.name == FILE else what.name


def _chosen(model: Model, keep: str | None, name: str | None) -> Iterator[Chosen]:
    for workload in model.workloads:
        if name is not None and workload.object.name != name:
            continue
        for container in workload.running:
            if container.probes and (keep is None or container.part.place.file == keep):
                yield workload, container


def _version(text: str | None, model: Model) -> Version:
    declared = model.system.declaration.probes.kubernetes if model.system else None
    try:
        return read_version(text or declared or str(Version()))
    except ValueError as error:
        raise Explained(f"--kubernetes {text or declared}: {error}") from error


# Put back


def _put_back(options: argparse.Namespace) -> int:
    """Put back what runs that are over have left changed in the cluster of an environment, and print it."""
    model, _ = _model(options.what)
    if model.system is None or not options.environment:
        raise Explained(
            f"{options.what}: --put-back needs a {FILE}, and --environment with the name of one with `cluster`"
        )
    name, declared = model.system.environment(options.environment)
    if declared.cluster is None:
        place = model.system.place("environments", name)
        raise BadSystem((Problem(place, f"environment {name} has no `cluster`, so nothing was changed in one"),))
    spaces = {named(each, declared.cluster).namespace for each in subjects(model, name)}
    done = list(put_back_all(declared.cluster, model.system.directory, sorted(spaces)))
    print("\n".join(done) or f"nothing is left changed in {', '.join(sorted(spaces))}")
    return 0


# Foreseen


def _foresee(options: argparse.Namespace, chosen: Sequence[Chosen], version: Version) -> int:
    found = [outlook(workload, container, version) for workload, container in chosen]
    if options.picture:
        pictures = {f"{w.object.name}.{c.name}": picture(w, c, version) for w, c in chosen}
        _draw(options.picture, pictures)
    if options.json:
        told = [
            {
                "container": one.name,
                "place": str(one.place),
                "kubernetes": str(version),
                "figures": {name: _plain(asdict(figure)) for name, figure in one.figures.items()},
            }
            for one in found
        ]
        print(json.dumps({"foreseen": told}, indent=1))
    else:
        print("\n\n".join("\n".join(foreseen(one)) for one in found))
    return 0


def _plain(figure: dict[str, Any]) -> dict[str, Any]:
    """Return a figure for JSON, which knows no infinity: null is without end."""
    return {key: None if value == float("inf") else value for key, value in figure.items()}


# Asked


def _ask(options: argparse.Namespace, chosen: Sequence[Chosen]) -> int:
    parts = urlsplit(options.url)
    try:
        port = parts.port or 80
    except ValueError as error:
        raise Explained(f"--url {options.url}: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Explained(f"--url {options.url}: write http://127.0.0.1:8000")
    if not is_loopback(parts.hostname):
        raise Explained(f"--url {options.url}: only this machine is asked; forward the port, and name 127.0.0.1")
    made = [(name, tries) for name, tries in _asked(chosen, parts.hostname, port, options.attempts)]
    if options.json:
        told = {
            name: {probe.kind.value: [_shown(each) for each in attempts] for probe, attempts in tries}
            for name, tries in made
        }
        print(json.dumps({"attempts": told}, indent=1))
    else:
        print("\n\n".join("\n".join(attempted(name, tries)) for name, tries in made))
    well = all(each.outcome.healthy for _, tries in made for _, attempts in tries for each in attempts)
    return 0 if well else FAILED


def _shown(made: ExplainedAttempt) -> dict[str, Any]:
    return {"outcome": str(made.outcome), "seconds": round(made.seconds, 6), "message": made.message}


def _asked(
    chosen: Sequence[Chosen], host: str, port: int, attempts: int
) -> Iterator[tuple[str, list[tuple[ProbeSpec, list[ExplainedAttempt]]]]]:
    for workload, container in chosen:
        tries = []
        for probe in container.probes:
            spec = ProbeSpec.of(probe)
            handler = _handler(spec, host, port)
            if handler is not None:
                tries.append((spec, [attempt_now(handler, spec.timeout) for _ in range(attempts)]))
        if not tries:
            raise Explained(f"{container.part.place}: {container.name} has no probe that can be asked at an address")
        yield f"{workload.object.name}/{container.name}", tries


def _handler(spec: ProbeSpec, host: str, port: int) -> Handler | None:
    """Return what a probe asks at an address; None of one that runs a command in its container."""
    if spec.handler not in ("httpGet", "tcpSocket", "grpc"):
        return None
    action = {key: value for key, value in spec.action.items() if key != "host"}
    return handler_of(replace(spec, action={**action, "port": port}), host)


# Exercised


def _exercise(options: argparse.Namespace, model: Model, names: set[str], version: Version) -> int:
    if model.system is None:
        raise Explained(f"{options.what}: there is no {FILE} that could declare the environment {options.environment}")
    model.system.environment(options.environment)
    if wrong := tuple(problems(model)):
        raise BadSystem(wrong)
    known = {each.name: each for each in subjects(model, options.environment) if each.name in names}
    if not known:
        raise Explained(
            f"environment {options.environment} has no process or address that stands for {', '.join(sorted(names))}: "
            f"name it under `probes: workloads:` in {model.system.place()}"
        )

    def progress(subject: str, experiment: str, seconds: float) -> None:
        if not options.quiet:
            print(f"tocsin: {subject}: {experiment}, about {seconds:.0f} s", file=sys.stderr, flush=True)

    with TemporaryDirectory(prefix="tocsin-probe-") as place:
        folder = Path(place)
        exercise(model, options.environment, folder, now=time.time(), names=set(known), progress=progress)
        seen = [replace(seen_of(model, each, folder), version=version) for each in known.values()]
    answers = [(each, [answered(each, name) for name in questions()]) for each in seen]
    if options.picture:
        _draw(options.picture, dict(_pictures(answers)))
    if options.json:
        print(json.dumps({"exercised": [_told(each, found) for each, found in answers]}, indent=1))
    else:
        print("\n\n".join("\n".join(exercised(each, found)) for each, found in answers))
    return _code([answer for _, found in answers for answer in found])


def _told(seen: Seen, found: Sequence[Answered]) -> dict[str, Any]:
    return {
        "container": seen.subject.name,
        "place": str(seen.subject.place),
        "answers": [
            {
                "question": each.question.id,
                "not_asked": each.not_asked,
                "unproven": each.unproven,
                "remarks": [
                    {
                        "key": each.key(remark),
                        "severity": str(each.severity(remark)),
                        "place": str(seen.place(remark.kind)),
                        "message": remark.message,
                        "why": each.question.title,
                        "fix": remark.fix or each.question.fix,
                    }
                    for remark in each.remarks
                ],
            }
            for each in found
        ],
    }


def _pictures(answers: Sequence[tuple[Seen, Sequence[Answered]]]) -> Iterator[tuple[str, str]]:
    for seen, found in answers:
        for name in dict.fromkeys(remark.episode for each in found for remark in each.remarks if remark.episode):
            yield f"{seen.subject.name.replace('/', '.')}.{name}", draw(seen, name)


def _draw(folder: Path, pictures: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in pictures.items():
            if text:
                (folder / f"{name}.svg").write_text(text, encoding="utf-8")
    except OSError as error:
        raise Explained(f"--picture {folder}: cannot be written: {error.strerror}") from error


def _code(answers: Sequence[Answered]) -> int:
    if any(each.severity(remark) is Severity.ERROR for each in answers for remark in each.remarks):
        return FAILED
    return INCONCLUSIVE if any(each.unproven for each in answers) else 0
