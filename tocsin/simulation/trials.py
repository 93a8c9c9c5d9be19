"""Trials: problems solved, their tests run by an engine in batches, and what came of each.

While the engine runs one batch, the next is being made: the two take about as long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from tocsin.engines.rule_engines import QUESTION, Rendered, RuleEngine, RuleFiles, Said, run_files
from tocsin.synthesis import (
    Assertion,
    Emitted,
    Open,
    Outcome,
    Problem,
    Property,
    Solution,
    State,
    emit,
    failed,
    synthesise,
)

_WHOLE = (State.FIRING, State.NEVER_FIRING, State.NEVER_ACTIVE)
"""What hangs on more than one evaluation sooner or later."""
BATCH = 40
"""Test files for one process: a process costs as much as ten files do."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A problem, and who asks."""

    key: str
    problem: Problem
    outcome: Outcome | None = None
    """What is known of it already; None if it has to be searched for."""
    ask_pages: bool = False
    """Whether the engine shall tell what it would send."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What came of a request on an engine."""

    request: Request
    outcome: Outcome
    failed: Mapping[str, str] = field(default_factory=dict)
    """The claims that the engine did not confirm, each with what it said."""
    otherwise: frozenset[str] = frozenset()
    """The claims of which not a moment but the whole came out otherwise: it never fired, or it fired after all."""
    refused: str = ""
    """Why the engine would not run the files."""
    pages: tuple[Rendered, ...] = ()

    @property
    def proven(self) -> frozenset[str]:
        """The claims that the engine confirmed."""
        if not isinstance(self.outcome, Solution) or self.refused:
            return frozenset()
        return frozenset(self.outcome.claims) - self.failed.keys()


@dataclass(frozen=True, slots=True)
class _Written:
    """A solution's files; each holds the tests that are evaluated at one interval."""

    request: Request
    outcome: Outcome
    emitted: tuple[Emitted, ...] = ()
    files: tuple[RuleFiles, ...] = ()


def run_trials(
    engine: RuleEngine, requests: Iterable[Request], *, threads: int = 1, tell: Callable[[int], None] = lambda _: None
) -> Iterator[Trial]:
    """Yield what comes of each request, in their order; `tell` is told how many more are done.

    Raises EngineTrouble if the engine cannot be run.
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: list[tuple[list[_Written], Future[list[Said]]]] = []
        for batch in _batches(_write(request, engine) for request in requests):
            files = [each for written in batch for each in written.files]
            waiting.append((batch, pool.submit(run_files, engine, files)))
            while len(waiting) > threads + 1 or (waiting and waiting[0][1].done()):
                yield from _read(*waiting.pop(0), tell)
        for batch, future in waiting:
            yield from _read(batch, future, tell)


def _batches(written: Iterable[_Written]) -> Iterator[list[_Written]]:
    batch: list[_Written] = []
    count = 0
    for each in written:
        batch.append(each)
        count += len(each.files)
        if count >= BATCH or len(batch) >= 4 * BATCH:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch


def _write(request: Request, engine: RuleEngine) -> _Written:
    outcome = request.outcome or _searched(request.problem)
    if not isinstance(outcome, Solution):
        return _Written(request, outcome)
    emitted = tuple(_emitted(request.problem, outcome))
    files = tuple(RuleFiles(each.rules, each.tests) for each in emitted)
    if request.ask_pages and not engine.vmalert:
        files = tuple(_asking(request.problem, each, made) for each, made in zip(files, emitted, strict=True))
    return _Written(request, outcome, emitted, files)


def _searched(problem: Problem) -> Outcome:
    """Return what the search ends with; a defect of ours in it costs one alert, and is told."""
    try:
        return synthesise(problem)
    except Exception as error:  # noqa: BLE001 one alert must not cost the others
        return Open(reason=f"the search stumbled: {type(error).__name__}: {error}")


def _emitted(problem: Problem, solution: Solution) -> Iterator[Emitted]:
    for evaluation in dict.fromkeys(test.evaluation for test in solution.tests):
        tests = tuple(test for test in solution.tests if test.evaluation == evaluation)
        yield emit(problem, replace(solution, tests=tests))


def _asking(problem: Problem, files: RuleFiles, emitted: Emitted) -> RuleFiles:
    """Return the files with the question which alerts there are where the alert fires for the first time."""
    number = next((n for n, each in enumerate(emitted.assertions) if each.proves is Property.FIRES), None)
    if number is None:
        return files
    head, _, rest = files.tests.partition(f"# claim {number}: ")
    before, found, after = head.rpartition("\n  promql_expr_test:")
    if not found:
        return files
    name = _scalar(problem.alert.name)
    moment = f"{round(emitted.assertions[number].at * 1000)}ms"
    question = (
        f"\n  alert_rule_test:\n  - eval_time: {moment}\n    alertname: {name}\n"
        f"    exp_alerts:\n    - exp_labels: {{{QUESTION}}}"
    )
    return replace(files, tests=f"{before}{question}{found}{after}# claim {number}: {rest}")


def _scalar(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _read(batch: Sequence[_Written], future: Future[list[Said]], tell: Callable[[int], None]) -> Iterator[Trial]:
    said = iter(future.result())
    for written in batch:
        yield _trial(written, [next(said) for _ in written.files])
    tell(len(batch))


def _trial(written: _Written, said: Sequence[Said]) -> Trial:
    failures: dict[str, str] = {}
    held: dict[str, list[bool]] = {}
    for emitted, each in zip(written.emitted, said, strict=True):
        wrong = set(map(id, failed(emitted, each.failures)))
        for number, assertion in enumerate(emitted.assertions):
            if assertion.state in _WHOLE:
                held.setdefault(assertion.claim, []).append(id(assertion) not in wrong)
            if id(assertion) in wrong:
                failures.setdefault(assertion.claim, _told(number, assertion, each.failures))
    return Trial(
        request=written.request,
        outcome=written.outcome,
        failed=failures,
        otherwise=frozenset(claim for claim, kept in held.items() if not any(kept)),
        refused=next((each.refused for each in said if each.refused), ""),
        pages=next((each.rendered for each in said if each.rendered), ()),
    )


def _told(number: int, assertion: Assertion, output: str) -> str:
    """Return what was expected, and what the engine found in its place."""
    block = output.partition(f"# claim {number}: ")[2]
    got = block.partition("got: ")[2] or block.partition("got:")[2]
    found = " ".join(got.split("expr: ", maxsplit=1)[0].split())[:200]
    engine = "nothing" if found in ("nil", "") else found
    return f"at {assertion.at:g}s it should be {assertion.state}; the engine has {engine}"
