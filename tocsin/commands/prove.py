"""`tocsin prove`: prove every alert of a system, or of some rule files, by tests made from it and run by the engine."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tocsin.atomic import write_json
from tocsin.engines.rule_engines import RuleEngine, environment_engines, rule_engine
from tocsin.model import Model
from tocsin.report.console import run_console
from tocsin.report.proofs.text import print_report, summary
from tocsin.simulation.coverage import coverage
from tocsin.simulation.exporting import export, file_names
from tocsin.simulation.mutating import mutation
from tocsin.simulation.problems import Subject, subjects
from tocsin.simulation.proofs import AlertProof, published
from tocsin.simulation.proving import Asked, prove
from tocsin.simulation.sharding import prove_in_shards, read_shard
from tocsin.simulation.storage import Storage, cache_folder
from tocsin.source import Place
from tocsin.system import FILE, BadSystem, Problem, load_system

FAILED, INCONCLUSIVE = 1, 10
ALERTS_A_WORKER = 50
"""So many alerts are worth a process."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Makes tests from every alerting rule and has a real engine run them: the alert fires, stays silent on the "
        "other side of each of its edges, is not fooled by a blip, and resolves; or it is proven why it never can. "
        "Exit code 0: all proven; 1: an alert that never fires, or less than a minimum; 10: something stayed open; "
        "2: bad arguments, or no alerts."
    )
    parser.add_argument("paths", nargs="*", type=Path, default=[Path()], metavar="DIR|FILE",
                        help="a system's folder, or rule files of one; default: here")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--engine", action="append", type=Path, metavar="PATH",
                        help="a promtool or vmalert-tool; the first is the one whose verdict counts")  # fmt: skip
    parser.add_argument("--free", action="store_true", help="prove on free input only, not on that of the system")
    parser.add_argument("--shard", metavar="I/N", help="prove the I-th of N parts only; see tocsin report --merge")
    parser.add_argument("--workers", type=int, metavar="N", help="processes; default: by the alerts and processors")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where proofs are kept; default: the user's cache")
    parser.add_argument("--no-cache", action="store_true", help="prove everything anew, and keep nothing")
    parser.add_argument("--export", type=Path, metavar="DIR", help="write the tests as promtool's files")
    parser.add_argument("--picture", type=Path, metavar="DIR", help="draw each alert's test: input, value, states")
    parser.add_argument("--mutation", action="store_true", help="try the tests on mutants of every rule")
    parser.add_argument("--min-coverage", type=_share, metavar="PERCENT",
                        help="of the alerts, how many the owner's own tests must see fire and be silent")  # fmt: skip
    parser.add_argument("--min-mutation-score", type=_share, metavar="PERCENT",
                        help="of the mutants that are not equivalent, how many must be told from the rule")  # fmt: skip
    parser.add_argument("--all", action="store_true", help="list every alert, however many there are")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser.add_argument("--progress", type=Path, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Prove, print, and return the exit code. Raises BadSystem for bad input and EngineTrouble."""
    directory, files = _asked_for(options.paths)
    engines, shard = _engines(options.engine), read_shard(options.shard)
    with ThreadPoolExecutor(1) as pool:
        # Where it is known how many processes there will be, they begin while this one reads the system too.
        begun = None
        if options.progress is None and (options.workers or 0) > 1:
            begun = pool.submit(prove_in_shards, _again(options), shard, options.workers, _tell(options))
        report = _whole(options, directory, files, engines, begun)
    return _finish(options, report)


def _whole(
    options: argparse.Namespace,
    directory: Path,
    files: list[str] | None,
    engines: tuple[RuleEngine, ...],
    begun: Future[dict[str, Any]] | None,
) -> dict[str, Any]:
    """Return the report, of processes that have `begun`, of such that begin now, or of this one."""
    shard = read_shard(options.shard)
    model = Model.of(directory, load_system(directory) if (directory / FILE).is_file() else None)
    every = subjects(model, keep=files)
    if not every:
        raise BadSystem((Problem(Place(str(directory)), "holds no alerting rule: there is nothing to prove"),))
    chosen = shard.of(every)
    workers = _workers(options, len(chosen))
    covered = options.progress is None and shard.index == 1
    if begun is not None:
        coverage = _coverage(model, engines[0], options) if covered else None
        report = begun.result()
        return {**report, "coverage": coverage} if coverage is not None else report
    if workers > 1:
        report = prove_in_shards(_again(options), shard, workers, _tell(options))
    else:
        report = _report(options, model, every, chosen, engines)
    if covered:
        report["coverage"] = _coverage(model, engines[0], options)
    return report


def _finish(options: argparse.Namespace, report: dict[str, Any]) -> int:
    """Print a report, and return the exit code."""
    if options.json:
        if not options.quiet:
            print(f"tocsin: {summary(report)}", file=sys.stderr)
        print(json.dumps(report, indent=1))
    else:
        print_report(run_console(), report, whole=options.all)
    short = list(_short(options, report))
    for said in short:
        print(f"tocsin: {said}", file=sys.stderr)
    return _code(report, short=bool(short))


def _report(
    options: argparse.Namespace,
    model: Model,
    every: Sequence[Subject],
    chosen: Sequence[Subject],
    engines: tuple[RuleEngine, ...],
) -> dict[str, Any]:
    """Return what is proven by this process, after all that is written besides was written."""
    proofs = list(prove(chosen, _request(options, engines), _tell(options)))
    pairs = tuple(zip(chosen, proofs, strict=True))
    report = published([each.name for each in engines], proofs)
    names = file_names(every)
    if options.export is not None:
        _export(options, model, pairs, engines[0], names)
    if options.picture is not None:
        _pictures(options.picture, pairs, engines[0], names)
    if options.mutation or options.min_mutation_score is not None:
        report["mutation"] = mutation(model, pairs, engines[0], _more(options, len(chosen)))
    return report


def _pictures(
    folder: Path, pairs: Iterable[tuple[Subject, AlertProof]], engine: RuleEngine, names: Mapping[str, str]
) -> None:
    from tocsin.report.proofs.picture import picture_of  # noqa: PLC0415 loads Matplotlib, which nobody else needs

    folder.mkdir(parents=True, exist_ok=True)
    for subject, proof in pairs:
        drawn = picture_of(subject, proof, engine.generation)
        if drawn:
            (folder / f"{names[subject.id]}.svg").write_text(drawn, encoding="utf-8")


def _short(options: argparse.Namespace, report: dict[str, Any]) -> Iterator[str]:
    """Yield which minimum is missed, and by how much."""
    for name, key, field, what in (
        ("min_coverage", "coverage", "coverage", "of the alerts are seen by the owner's tests"),
        ("min_mutation_score", "mutation", "score", "of the mutants are told from their rules"),
    ):
        least = getattr(options, name)
        found = report[key].get(field, 0.0)
        if least is not None and found < least:
            yield f"{found:.1%} {what}, and --{name.replace('_', '-')} asks for {least:.1%}"


def _code(report: dict[str, Any], *, short: bool) -> int:
    verdicts = {each["verdict"] for each in report["alerts"]}
    return FAILED if "failed" in verdicts or short else INCONCLUSIVE if "inconclusive" in verdicts else 0


def _export(
    options: argparse.Namespace,
    model: Model,
    pairs: Iterable[tuple[Subject, AlertProof]],
    engine: RuleEngine,
    names: Mapping[str, str],
) -> None:
    try:
        writing = export(model, pairs, options.export, engine, names)
    except OSError as error:
        raise BadSystem((Problem(Place(str(options.export)), f"cannot be written: {error.strerror}"),)) from error
    if not options.quiet:
        print(f"tocsin: {len(writing.files)} test files written to {options.export}", file=sys.stderr)
        for said in writing.left_out:
            print(f"tocsin: left out: {said}", file=sys.stderr)


def _coverage(model: Model, engine: RuleEngine, options: argparse.Namespace) -> dict[str, Any]:
    """Return what the owner's own tests see of the alerts; nothing if there are no such tests."""
    if engine.vmalert or not model.promtool_tests:
        return {"alerts": len(model.alerts), "covered": 0, "coverage": 0.0, "findings": [], "by_alert": {}}
    return dict(coverage(model, engine, _more(options, len(model.alerts), "the owner's tests")).written())


def _more(options: argparse.Namespace, of: int, said: str = "mutants") -> Callable[[int], None]:
    """Return what tells of every twentieth step of many."""
    tell = _tell(options)
    done = [0]

    def more(count: int) -> None:
        before, done[0] = done[0], done[0] + count
        if done[0] // 20 > before // 20 or done[0] == of:
            tell(said, done[0], of)

    return more


def _share(text: str) -> float:
    """Return a share of one from percents: `80`, `80%`."""
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no share in percent, from 0 to 100")
    return value / 100


def _asked_for(paths: Sequence[Path]) -> tuple[Path, list[str] | None]:
    """Return the folder that is read, and the files whose alerts are proven; all, where a folder was named."""
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise BadSystem(tuple(Problem(Place(str(path)), "there is no such folder or file") for path in missing))
    if len(paths) == 1 and paths[0].is_dir():
        return paths[0], None
    if any(path.is_dir() for path in paths):
        raise BadSystem((Problem(Place(str(paths[0])), "name one folder, or files"),))
    resolved = [path.resolve() for path in paths]
    above = next((folder for folder in resolved[0].parents if (folder / FILE).is_file()), None)
    base = above if above and all(path.is_relative_to(above) for path in resolved) else _common(resolved)
    return base, [path.relative_to(base).as_posix() for path in resolved]


def _common(paths: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([path.parent for path in paths]))


def _engines(paths: Sequence[Path] | None) -> tuple[RuleEngine, ...]:
    """Return the engines that were named, or the promtool that is found and those of TOCSIN_PROMTOOLS; each once."""
    named = [rule_engine(path) for path in paths or ()]
    found = named or [rule_engine(), *environment_engines(os.environ.get("TOCSIN_PROMTOOLS"))]
    return tuple({engine.name: engine for engine in reversed(found)}.values())[::-1]


def _request(options: argparse.Namespace, engines: tuple[RuleEngine, ...]) -> Asked:
    grounded = not options.free
    storage = None if options.no_cache else Storage(options.cache or cache_folder(), engines, grounded=grounded)
    return Asked(engines=engines, storage=storage, grounded=grounded)


def _workers(options: argparse.Namespace, alerts: int) -> int:
    """Return how many processes prove: one costs reading the system again, which a few alerts are not worth."""
    if options.workers is not None:
        return max(1, min(int(options.workers), alerts))
    return max(1, min(len(os.sched_getaffinity(0)), alerts // ALERTS_A_WORKER))


def _again(options: argparse.Namespace) -> list[str]:
    """Return the arguments for the processes that prove parts."""
    given = [str(path) for path in options.paths]
    given += [f"--engine={path}" for path in options.engine or ()]
    given += [f"--{name}" for name in ("free", "no-cache") if getattr(options, name.replace("-", "_"))]
    given += ["--mutation"] if options.mutation or options.min_mutation_score is not None else []
    for name in ("cache", "export", "picture"):
        if getattr(options, name) is not None:
            given.append(f"--{name}={getattr(options, name)}")
    return given


def _tell(options: argparse.Namespace) -> Callable[[str, int, int], None]:
    """Return what tells how far it is: in a line to stderr, or into a file that another process reads."""
    if options.progress is not None:
        return lambda said, done, of: write_json(options.progress, [said, done, of])
    if options.quiet:
        return lambda *_: None
    last = [""]

    def tell(said: str, done: int, of: int) -> None:
        line = f"tocsin: {said}: {done} of {of}"
        if line != last[0]:
            print(line, file=sys.stderr, flush=True)
        last[0] = line

    return tell
