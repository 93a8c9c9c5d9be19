"""Probes as pytest items: one question to one container, which is exercised once in a run, by whoever is first."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tocsin.atomic import write_whole
from tocsin.case import CaseResult
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.probes import PROBES
from tocsin.probes.behaviour.cases import Answered, Bar, answered, case_of, failing, seen_of, waiver_verdict
from tocsin.probes.behaviour.checking import problems
from tocsin.probes.behaviour.exercising import Progress, exercise
from tocsin.probes.behaviour.pictures import draw
from tocsin.probes.behaviour.questions import Seen, questions
from tocsin.probes.behaviour.subject import Subject, subjects
from tocsin.system import BadSystem
from tocsin.waivers import waived
from tocsin_pytest.session import PICTURES, SESSION, lacking, waiver_params
from tocsin_pytest.settling import proven

_MODEL = pytest.StashKey[Model]()
_SEEN = pytest.StashKey[dict[str, Seen]]()


def probe_params(config: pytest.Config) -> Iterator[object]:
    """Yield every question to every container; those of one stay together, for they are answered by one exercise."""
    session = config.stash[SESSION]
    found = _subjects(config)
    for name in found:
        for question in questions():
            group = pytest.mark.xdist_group(f"{PROBES}-{name}")
            yield pytest.param((name, question), id=f"{name}-{question}", marks=group)
    if not found:
        where = f"environment {session.environment}" if session.environment else "no environment was named, so it"
        yield lacking(f"{session.system.name}: {where} has no process of a container with probes", "no-probes")


def check_probed(config: pytest.Config) -> None:
    """Raise pytest.UsageError for what system.yaml says of containers that no manifest has."""
    if wrong := tuple(problems(_model(config))):
        raise pytest.UsageError(str(BadSystem(wrong)))


def probe_waiver_params(config: pytest.Config) -> Iterator[object]:
    """Yield the waivers of what is wrong with probes."""
    yield from waiver_params(config.stash[SESSION], PROBES, "probes")


@pytest.fixture
def probe_case(request: pytest.FixtureRequest) -> CaseResult:
    """Give the answer to one question to one container; skip one that has nothing to answer."""
    name, question = request.param
    seen = _seen(request, name)
    answer = answered(seen, question)
    if answer.not_asked:
        pytest.skip(answer.not_asked)
    session = request.config.stash[SESSION]
    fail_on = request.config.getoption("fail_on")
    bar = Bar(
        fail_on=None if fail_on == "never" else Severity(fail_on),
        waivers=session.system.declaration.waivers,
        today=session.today,
        waived=waived,
    )
    return proven(request.node, case_of(answer, bar, seen, _picture(request.config, answer, bar, seen)))


@pytest.fixture
def probe_waiver(request: pytest.FixtureRequest) -> CaseResult:
    """Give whether a waiver of something about probes is needed."""
    session = request.config.stash[SESSION]
    index: int = request.param
    waiver = session.system.declaration.waivers[index]
    named = waiver.finding.partition("@")[2].partition("#")[0]
    known = [named] if named in _subjects(request.config) else []
    answers = [answered(_seen(request, name), question) for name in known for question in questions()]
    verdict = waiver_verdict(waiver, answers, session.today)
    place = session.system.place("waivers", index)
    case = CaseResult(f"waiver-is-needed@{waiver.finding}", PROBES, waiver.finding, place, verdict)
    return proven(request.node, case)


def _picture(config: pytest.Config, answer: Answered, bar: Bar, seen: Seen) -> str:
    """Draw what a failing answer is about, and return the picture's file under the run's folder."""
    episode = next((each.episode for each in failing(answer, bar) if each.episode), "")
    drawn = draw(seen, episode)
    if not drawn:
        return ""
    name = f"{PICTURES}/{answer.subject.name.replace('/', '.')}.{answer.question.id}.svg"
    path = config.stash[SESSION].folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, [drawn.encode()])
    return name


def _model(config: pytest.Config) -> Model:
    if _MODEL not in config.stash:
        system = config.stash[SESSION].system
        config.stash[_MODEL] = Model.of(system.directory, system)
    return config.stash[_MODEL]


def _subjects(config: pytest.Config) -> dict[str, Subject]:
    """Return the containers that there are to exercise."""
    environment = config.stash[SESSION].environment
    if not environment:
        return {}
    model = _model(config)
    found: dict[str, Subject] = {}
    for each in subjects(model, environment):
        found.setdefault(each.name, each)
    return found


def _seen(request: pytest.FixtureRequest, name: str) -> Seen:
    """Return what was seen of a container: exercised once, under a lock, and judged from the evidence."""
    config = request.config
    known = config.stash.setdefault(_SEEN, {})
    if name not in known:
        session = config.stash[SESSION]
        model, folder = _model(config), evidence_of(session.folder)
        if old := config.getoption("evidence"):
            folder = evidence_of(config.invocation_params.dir / old)
        else:
            session.folder.mkdir(parents=True, exist_ok=True)
            exercise(
                model,
                session.environment,
                folder,
                now=session.started,
                names=_wanted(request, name),
                progress=_progress(config),
            )
        known[name] = seen_of(model, _subjects(config)[name], folder)
    return known[name]


def _wanted(request: pytest.FixtureRequest, name: str) -> set[str]:
    """Return the containers to exercise together: all that are asked for; of xdist's workers, each its own."""
    if hasattr(request.config, "workerinput"):
        return {name}
    calls = [getattr(item, "callspec", None) for item in request.session.items]
    asked = [call.params.get("probe_case") for call in calls if call is not None]
    return {name, *(each[0] for each in asked if each)}


def _progress(config: pytest.Config) -> Progress | None:
    """Return what tells how far an exercise is, where somebody looks."""
    if hasattr(config, "workerinput") or not sys.stderr.isatty():
        return None

    def told(subject: str, experiment: str, seconds: float) -> None:
        print(f"tocsin: {subject}: {experiment}, about {seconds:.0f} s", file=sys.stderr)

    return told


def evidence_of(run: Path) -> Path:
    """Return where a run keeps what it saw of probes."""
    return run / PROBES
