"""`tocsin judge`: judge what a target exposes, from an address, a saved body, or all targets of a system."""

from __future__ import annotations

import argparse
import base64
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.commands import FAILED, INCONCLUSIVE
from tocsin.engines.prometheus_api import PrometheusApi
from tocsin.explained import Explained
from tocsin.exposition.asked import Asked
from tocsin.exposition.asking import Manner, ask
from tocsin.exposition.bodies import judge_kept, keep
from tocsin.exposition.contract import Contract, NotSaved, changes, file_stem, find, save
from tocsin.exposition.judgement import Complaint
from tocsin.exposition.limits import MOST_BODY_BYTES, MOST_SECONDS, Limits
from tocsin.exposition.needs import Start, complaint_of, lacking_at_start
from tocsin.exposition.often import scrape_often
from tocsin.exposition.scraped import shown_url
from tocsin.exposition.targets import (
    Endpoint,
    Endpoints,
    LeftOut,
    Settings,
    endpoint_of_url,
    endpoints_of_model,
    endpoints_of_prometheus,
)
from tocsin.exposition.verdicts import Said, said_of
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.report.judgements import Shown, lines_of, shown_of
from tocsin.report.judgements.json import render_many, render_one
from tocsin.report.judgements.text import render
from tocsin.system import FILE, load_system
from tocsin.system import Endpoints as EndpointsDeclared

_RANK = [*Severity]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Judges what a target exposes by three questions: would each generation of Prometheus keep the scrape, is it "
        "to the letter of its format, does it make sense. Exit code 0: nothing at or above --fail-on; 1: something; "
        "2: bad input; 10: something could not be judged."
    )
    add = parser.add_argument
    add("what", nargs="?", metavar="URL|FILE|-|DIR",
        help="an address, a saved body, the standard input, or the folder of a system.yaml")  # fmt: skip
    add("--environment", metavar="NAME", help="of the system: its addresses in place of those in the files")
    add("--prometheus", metavar="URL", help="ask the targets that this Prometheus has; tells those that it dropped")
    add("--exposition", choices=[*map(str, Syntax)], help="the format of a body; guessed if left out")
    add("--json", action="store_true", help="for machines")
    add("--fail-on", choices=["error", "warning", "info", "never"], default="error",
        help="the least severity that makes the exit code 1; default: error")  # fmt: skip
    add("--save", type=Path, metavar="DIR", help="save the bodies as contracts, after comparing with what is there")
    add("--save-anyway", action="store_true", help="save a body in which there is a secret too")
    add("--against", type=Path, metavar="DIR", help="compare with the contracts in a folder, and save nothing")
    add("--methods", action="store_true", help="send HEAD, OPTIONS and POST as well; else nothing but GET is sent")
    add("--often", action="store_true",
        help="scrape some fifty times too, and at the same time where it is this machine or load is allowed; sends the "
        "requests that system.yaml declares")  # fmt: skip
    add("--once", action="store_true", help="ask as Prometheus does, and no other way")
    add("--timeout", type=float, metavar="SECONDS", help="of one scrape; default: the job's, or 10")
    add("--most-bytes", type=int, default=MOST_BODY_BYTES, metavar="N",
        help=f"of a body, decoded; what is larger is not judged; default: {MOST_BODY_BYTES}")  # fmt: skip
    add("--now", type=float, metavar="UNIX", help="the time of the scrape, in seconds; default: now")


def run(options: argparse.Namespace) -> int:
    """Judge, print, and return the exit code. Raises Explained for bad input."""
    now = time.time() if options.now is None else options.now
    what: str | None = options.what
    if what is None and not options.prometheus:
        raise Explained("nothing to judge: name an address, a file, - for the standard input, or a system's folder")
    if options.most_bytes < 1 or (options.timeout is not None and not 0 < options.timeout <= MOST_SECONDS):
        raise Explained(f"--most-bytes is at least 1, --timeout more than 0 and at most {MOST_SECONDS:g} seconds")
    if what is not None and not options.prometheus and _is_body(what):
        return _body(options, what, now)
    found, model = _endpoints(options, what)
    return _targets(options, found, model, now)


def _is_url(what: str) -> bool:
    return what.startswith(("http://", "https://"))


def _is_body(what: str) -> bool:
    return not _is_url(what) and not Path(what).is_dir() and Path(what).name != FILE


# One body


def _body(options: argparse.Namespace, what: str, now: float) -> int:
    """Judge a file or the standard input."""
    if options.save or options.against or options.environment:
        raise Explained("--save, --against and --environment are for targets that are asked, not for a body")
    syntax = Syntax(options.exposition) if options.exposition else None
    with TemporaryDirectory(prefix="tocsin-judge-") as folder:
        try:
            source = nullcontext(sys.stdin.buffer) if what == "-" else Path(what).open("rb")  # noqa: SIM115 closed below
        except OSError as error:
            raise Explained(f"{what}: cannot be read: {error.strerror}; name a file, a folder or an address") from error
        with source as body:
            kept = keep(body, Path(folder) / "body", options.most_bytes)
        judgement = judge_kept(kept, syntax, now=now, most=options.most_bytes)
        shown = Shown(
            source="standard input" if what == "-" else what,
            ingest={str(generation): str(verdict) for generation, verdict in judgement.ingest.items()},
            specification="accept" if judgement.specification else "reject",
            sense=judgement.sense,
            samples=judgement.samples,
            complaints=judgement.complaints,
            lines={} if options.json else lines_of(kept.chunks(), judgement.complaints),
        )
    print(render_one(shown) if options.json else render([shown]))
    return _code(options, [shown])


# Targets


def _endpoints(options: argparse.Namespace, what: str | None) -> tuple[Endpoints, Model | None]:
    """Return what is to be asked, and the system that it is of, if there is one."""
    if what is not None and _is_url(what):
        if options.prometheus:
            raise Explained("one of both: an address to judge, or a Prometheus whose targets are judged")
        return Endpoints((_of_url(what, options.timeout),)), None
    model, addresses = _system(Path(what), options) if what is not None else (None, {})
    if options.prometheus:
        return endpoints_of_prometheus(_prometheus(options.prometheus), model), model
    if model is None:
        raise Explained("no system was named")
    return endpoints_of_model(model, addresses), model


def _of_url(url: str, timeout: float | None) -> Endpoint:
    try:
        return endpoint_of_url(url, timeout or Settings().timeout_seconds)
    except ValueError as error:
        raise Explained(f"{shown_url(url)}: {error}") from error


def _system(path: Path, options: argparse.Namespace) -> tuple[Model, dict[str, str]]:
    folder = path if path.is_dir() else path.parent
    system = load_system(path) if (folder / FILE).is_file() else None
    if options.environment is None:
        return Model.of(folder, system), {}
    if system is None:
        raise Explained(f"{folder}: there is no {FILE} that could declare the environment {options.environment}")
    name, environment = system.environment(options.environment)
    if environment.ours:
        raise Explained(
            f"{system.place('environments', name)}: environment {name} is not running: `pytest -m endpoints --system "
            f"{folder} --environment {name}` starts it and asks it"
        )
    return Model.of(system.directory, system), dict(environment.addresses)


def _prometheus(url: str) -> PrometheusApi:
    """Return the interface of a Prometheus; user and password of its address become basic authentication."""
    try:
        endpoint = endpoint_of_url(url)
    except ValueError as error:
        raise Explained(f"--prometheus {shown_url(url)}: {error}") from error
    parts = urlsplit(url)
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    headers = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"} if parts.username else None
    base = endpoint.url if parts.path.strip("/") else endpoint.url.removesuffix("/metrics")
    return PrometheusApi(base, headers=headers)


def _targets(options: argparse.Namespace, found: Endpoints, model: Model | None, now: float) -> int:
    if not found.asked and not found.left_out:
        raise Explained("no target was found: no scrape job of these files, and no Prometheus, tells of one")
    limits = Limits(body_bytes=options.most_bytes)
    manner = Manner(limits=limits, negotiates=not options.once, methods=options.methods)
    with TemporaryDirectory(prefix="tocsin-judge-") as folder:
        said = []
        for number, endpoint in enumerate(_timed(found.asked, options.timeout)):
            asked = ask(endpoint, Path(folder) / str(number), now=now, manner=manner)
            if options.often:
                _scrape_often(options, endpoint, asked, model)
            said.append(said_of(asked))
        contracts = _contracts(options, said)
        said = _with_contracts(said, contracts, model)
        shown = [_shown(each, lines=not options.json) for each in said]
        _print(options, shown, found.left_out)
        saved = not options.save or _save(options, said, datetime.fromtimestamp(now, UTC).date().isoformat())
    return _code(options, shown) or (0 if saved else FAILED)


def _scrape_often(options: argparse.Namespace, endpoint: Endpoint, asked: Asked, model: Model | None) -> None:
    """Scrape an endpoint often; what is declared for it stands under the name of its address in the environment."""
    system = model.system if model else None
    if system is None:
        scrape_often(endpoint, asked, EndpointsDeclared())
        return
    environment = system.environment(options.environment)[1] if options.environment else None
    scrape_often(endpoint, asked, system.declaration.endpoints, at=endpoint.job, environment=environment)


def _timed(endpoints: Sequence[Endpoint], timeout: float | None) -> Sequence[Endpoint]:
    if timeout is None:
        return endpoints
    return [replace(each, settings=replace(each.settings, timeout_seconds=timeout)) for each in endpoints]


def _stems(said: Sequence[Said]) -> list[str]:
    """Return the name of each target's file: its job's, where that is one target."""
    jobs = [each.asked.facts.job for each in said]
    alone = ["job" in each.asked.facts.labels and jobs.count(job) == 1 for each, job in zip(said, jobs, strict=True)]
    return [file_stem(job if one else each.asked.facts.name) for each, job, one in zip(said, jobs, alone, strict=True)]


def _contracts(options: argparse.Namespace, said: Sequence[Said]) -> list[Contract | None]:
    """Return the contract of each target that there is in the folder that was named."""
    folder: Path | None = options.against or options.save
    if folder is None:
        return [None] * len(said)
    if options.against and not folder.is_dir():
        raise Explained(f"--against {folder}: there is no such folder; `tocsin judge --save {folder}` writes it")
    return [find(folder, stem) for stem in _stems(said)]


def _with_contracts(said: Sequence[Said], contracts: Sequence[Contract | None], model: Model | None) -> list[Said]:
    """Return what is said of each target with what it breaks, and what it lacks of what is needed."""
    lacking: dict[str, list[Complaint]] = {}
    if model is not None:
        starts = [
            Start(each.asked.facts.job, each.judgement.digest, contract.lazily_born if contract else {})
            for each, contract in zip(said, contracts, strict=True)
            if each.judgement is not None
        ]
        for job, complaint in lacking_at_start(model, starts):
            lacking.setdefault(job, []).append(complaint)
    found = []
    for each, contract in zip(said, contracts, strict=True):
        told = lacking.pop(each.asked.facts.job, [])
        if contract is not None and each.judgement is not None:
            broken = changes(contract.digest, each.judgement.digest, contract.lazily_born)
            told = [*told, *(complaint_of(change, model, str(contract.path)) for change in broken)]
        found.append(each.with_contract(told))
    return found


def _shown(said: Said, *, lines: bool) -> Shown:
    first = said.asked.first
    shown = shown_of(said)
    if not lines or first is None or said.judgement is None:
        return shown
    return replace(shown, lines=lines_of(said.asked.chunks(first), said.all))


def _save(options: argparse.Namespace, said: Sequence[Said], date: str) -> bool:
    """Save the bodies; tell on the standard error of each, and return whether there was a body of each to save."""
    sys.stdout.flush()
    whole = True
    for each, stem in zip(said, _stems(said), strict=True):
        try:
            path = save(each, options.save, stem, date=date, anyway=options.save_anyway)
        except NotSaved as error:
            print(f"tocsin: {error}", file=sys.stderr)
            whole = False
        except OSError as error:
            raise Explained(f"--save {options.save}: cannot be written: {error.strerror}") from error
        else:
            print(f"tocsin: {each.asked.facts.name}: saved in {path}", file=sys.stderr)
    return whole


def _print(options: argparse.Namespace, shown: Sequence[Shown], left_out: Sequence[LeftOut]) -> None:
    rest = [(each.name, each.reason) for each in left_out]
    if not options.json:
        print(render(shown, rest))
    elif options.what is not None and _is_url(options.what):
        print(render_one(shown[0]))
    else:
        print(render_many(shown, rest))


def _code(options: argparse.Namespace, shown: Sequence[Shown]) -> int:
    bar = -1 if options.fail_on == "never" else _RANK.index(Severity(options.fail_on))
    if any(_RANK.index(complaint.severity) <= bar for each in shown for complaint in each.complaints):
        return FAILED
    return INCONCLUSIVE if any(each.unjudged for each in shown) or not shown else 0
