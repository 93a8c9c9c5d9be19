"""Run alerting rules over recorded history: which would have fired, when, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tocsin.promql import At, Call, Expr, MatrixSelector, PromQLError, Subquery, VectorSelector, parse, selectors, walk
from tocsin.promql.printing import printed
from tocsin.simulation.backtest.alert_labels import AlertLabels
from tocsin.simulation.backtest.episodes import Episode, Outcome, most_at_once
from tocsin.simulation.backtest.history import Answer, History, Labels, Refused
from tocsin.simulation.backtest.inlining import Definitions, NotInlined, inlined, names_read
from tocsin.simulation.backtest.rule_sets import Alert, RuleSet
from tocsin.simulation.backtest.states import Holding, Spell, spells
from tocsin.simulation.backtest.ticks import Run, Skipped, Ticks, Window, gaps, joined, overlapping

HEARTBEAT = "count(up)"
"""What every Prometheus that scrapes anybody records at every scrape: without it, it did not run."""
POINTS_OF_COVERAGE = 200
"""At so many ticks of the window it is looked whether a recorded series is there."""
_LEAST_STEP = 60_000

Progress = Callable[[int, int, str], None]
"""Told before each question: its number, how many there are, and whom it is about."""


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """What came of it."""

    window: Window
    outcomes: tuple[Outcome, ...]
    before: tuple[Outcome, ...] | None
    """Those of the rules that the rules are compared with; None if they are compared with none."""
    gaps: tuple[tuple[int, int], ...] = ()
    """Stretches in which the history holds nothing, from the first tick to the first after it: it was not running."""
    from_history: tuple[str, ...] = ()
    """Recorded names that were read as they were recorded then."""
    inlined: tuple[str, ...] = ()
    """Recorded names whose rules were written out."""
    warnings: tuple[str, ...] = ()
    """What the server said besides."""
    requests: int = 0


@dataclass(frozen=True)
class _Question:
    """An expression at a pace; what several alerts ask is asked once."""

    expression: str
    step: int
    shift: int


@dataclass
class _Run:
    """One backtest on its way."""

    history: History
    window: Window
    sets: Sequence[RuleSet]
    progress: Progress
    holes: dict[int, tuple[Ticks, list[Run]]] = field(default_factory=dict)
    answers: dict[_Question, tuple[Ticks, Answer | str]] = field(default_factory=dict)
    names: frozenset[str] | None = None
    """Of every metric of the window, once it was asked for."""
    present: dict[str, bool] = field(default_factory=dict)
    from_history: set[str] = field(default_factory=set)
    inlined: set[str] = field(default_factory=set)
    warnings: dict[str, None] = field(default_factory=dict)


def backtest(
    history: History,
    window: Window,
    rules: RuleSet,
    before: RuleSet | None = None,
    progress: Progress = lambda *_: None,
) -> Backtest:
    """Run rules over a window of history, and those that they are compared with. Raises EngineTrouble."""
    sets = [rules] if before is None else [rules, before]
    run = _Run(history, window, sets, progress)
    _choose_sources(run)
    asked = [[_question(run, rule_set, alert) for alert in rule_set.alerts] for rule_set in sets]
    _ask(run, [pair for each, one in zip(sets, asked, strict=True) for pair in zip(each.alerts, one, strict=True)])
    outcomes = [
        tuple(_outcome(run, alert, question) for alert, question in zip(each.alerts, one, strict=True))
        for each, one in zip(sets, asked, strict=True)
    ]
    return Backtest(
        window=window,
        outcomes=outcomes[0],
        before=outcomes[1] if before is not None else None,
        gaps=_gaps(run),
        from_history=tuple(sorted(run.from_history)),
        inlined=tuple(sorted(run.inlined)),
        warnings=tuple(run.warnings),
        requests=history.requests,
    )


# Recorded names


def _choose_sources(run: _Run) -> None:
    """Decide of each recorded name that is read whether history is believed, or its rules are written out.

    It is believed where it has the name over the whole window and nothing in the rules of either side differs.
    """
    read: dict[str, None] = {}
    for rule_set in run.sets:
        for alert in rule_set.alerts:
            read |= names_read(alert.rule.expression, rule_set.definitions)
    for name in read:
        differs = len({_defined(name, rule_set.definitions) for rule_set in run.sets}) > 1
        if not differs and _recorded_throughout(run, name):
            run.from_history.add(name)
        else:
            run.inlined.add(name)


def _defined(name: str, definitions: Definitions) -> frozenset[tuple[str, str, tuple[tuple[str, str], ...], int]]:
    """Return all that the series of a name hang on."""
    names = {name: None} if name in definitions else {}
    for each in definitions.get(name, ()):
        names |= names_read(each.expression, definitions)
    return frozenset(
        (one, " ".join(each.expression.split()), each.labels, each.step) for one in names for each in definitions[one]
    )


def _recorded_throughout(run: _Run, name: str) -> bool:
    span = run.window.end - run.window.begin
    step = max(_LEAST_STEP, -(-span // POINTS_OF_COVERAGE))
    ticks = Ticks(run.window.begin, step, span // step + 1)
    try:
        found = joined(each for runs in run.history.evaluated(f"count({name})", ticks).runs.values() for each in runs)
    except Refused:
        return False
    return bool(found) and found[0][0] <= 1 and found[-1][1] >= ticks.count - 2


# Questions


def _question(run: _Run, rule_set: RuleSet, alert: Alert) -> _Question | str:
    """Return what is asked for an alert, or why nothing can be."""
    definitions = {name: each for name, each in rule_set.definitions.items() if name in run.inlined}
    text = alert.rule.expression
    try:
        if names_read(text, definitions):
            text = inlined(text, alert.interval, definitions)
        tree = parse(text)
    except NotInlined as error:
        names = ", ".join(names_read(text, definitions))
        return f"history does not have {names} throughout, and the recording rule cannot be written out: {error}"
    except PromQLError as error:
        return f"the expression cannot be read: {error}"
    if any(at is not None and at.kind != "timestamp" for at in _pinned(tree)):
        return "@ start() and @ end() are each evaluation's own time in a rule, and the window's ends in a range query"
    return _Question(text, alert.interval, alert.offset)


def _pinned(tree: Expr) -> Iterator[At | None]:
    return (node.at for node in walk(tree) if isinstance(node, VectorSelector | MatrixSelector | Subquery))


def _ask(run: _Run, asked: Sequence[tuple[Alert, _Question | str]]) -> None:
    """Ask everything once, each from so long before the window that what was pending or kept then is known."""
    earlier: dict[_Question, int] = {}
    names: dict[_Question, str] = {}
    for alert, question in asked:
        if isinstance(question, _Question):
            earlier[question] = max(earlier.get(question, 0), _before(run, alert))
            names.setdefault(question, alert.rule.name)
    for number, (question, before) in enumerate(earlier.items(), 1):
        run.progress(number, len(earlier), names[question])
        ticks = Ticks.over(run.window, question.step, before=before)
        try:
            answer = run.history.evaluated(question.expression, ticks, shift=question.shift)
        except Refused as error:
            run.answers[question] = (ticks, f"every evaluation fails: {error}")
            continue
        run.answers[question] = (ticks, answer)
        run.warnings.update(dict.fromkeys(answer.warnings))
    for step in {question.step for question in earlier}:
        before = max(each for question, each in earlier.items() if question.step == step)
        ticks = Ticks.over(run.window, step, before=before)
        runs = [each for found in run.history.evaluated(HEARTBEAT, ticks).runs.values() for each in found]
        run.holes[step] = (ticks, gaps(runs, ticks.count) if runs else [])


def _before(run: _Run, alert: Alert) -> int:
    """Return how long before the window an alert is evaluated: until all that it waits for is over, and a tick more."""
    wanted = alert.hold + alert.keep + alert.interval
    known = run.window.begin - run.history.begins if run.history.begins is not None else wanted
    return max(0, min(wanted, known))


# Outcomes


def _outcome(run: _Run, alert: Alert, question: _Question | str) -> Outcome:
    if isinstance(question, str):
        return Outcome(alert=alert, expression=alert.rule.expression, window=run.window, not_evaluated=question)
    ticks, answer = run.answers[question]
    base = Outcome(alert=alert, expression=question.expression, window=run.window)
    if isinstance(answer, str):
        return replace(base, not_evaluated=answer)
    tree = parse(question.expression)
    missing = _missing(run, tree) if not answer.runs or _about_absence(tree) else ()
    rendered = AlertLabels(alert.rule.labels)
    runs: dict[Labels, list[Run]] = {}
    for labels, found in answer.runs.items():
        runs.setdefault(rendered.of(labels), []).extend(found)
    twice = joined(each for found in runs.values() for each in overlapping(found))
    refused = [*answer.refused, *((one, "two alerts of the rule would have the same labels") for one in twice)]
    firing, pending = _states(run, alert, ticks, runs, Skipped(one for one, _ in refused))
    notes = list(_notes(alert, tree, rendered, (*firing, *pending)))
    return replace(
        base,
        firing=firing,
        pending=pending,
        refused=tuple((ticks.time(first), ticks.time(last), why) for (first, last), why in refused),
        missing=missing,
        notes=tuple(notes),
    )


def _states(
    run: _Run, alert: Alert, ticks: Ticks, runs: Mapping[Labels, list[Run]], skipped: Skipped
) -> tuple[tuple[Episode, ...], tuple[Episode, ...]]:
    """Return the episodes in the window: those that fired, and those that were pending alone."""
    holding = Holding.of(alert.hold, alert.keep, ticks.step)
    segments = _segments(run, ticks)
    firing: list[Episode] = []
    pending: list[Episode] = []
    for labels, found in runs.items():
        for segment in segments:
            states = spells(found, holding, segment, skipped)
            firing += _episodes(labels, states.firing, ticks, run.window)
            pending += _episodes(labels, states.pending, ticks, run.window)
    return tuple(sorted(firing, key=_in_time)), tuple(sorted(pending, key=_in_time))


def _in_time(episode: Episode) -> tuple[int, int, Labels]:
    return episode.begin, episode.end, episode.labels


def _segments(run: _Run, ticks: Ticks) -> list[Run]:
    """Return the runs of ticks at which the Prometheus of the history was running."""
    own, holes = run.holes[ticks.step]
    moved = [(ticks.number(own.time(first)), ticks.number(own.time(last))) for first, last in holes]
    inside = [(max(0, first), last) for first, last in moved if last >= 0]
    return gaps(inside, ticks.count)


def _episodes(labels: Labels, states: Iterable[Spell], ticks: Ticks, window: Window) -> Iterator[Episode]:
    for spell in states:
        begin, end = ticks.time(spell.first), min(window.end, ticks.time(spell.end))
        if end > window.begin or (spell.lasting and begin >= window.begin):
            yield Episode(labels, max(begin, window.begin), end, begin < window.begin, spell.lasting)


def _gaps(run: _Run) -> tuple[tuple[int, int], ...]:
    """Return the stretches without a heartbeat, as the shortest interval sees them, clipped to the window."""
    if not run.holes:
        return ()
    ticks, holes = run.holes[min(run.holes)]
    times = [(ticks.time(first), min(run.window.end, ticks.time(last + 1))) for first, last in holes]
    clipped = ((max(begin, run.window.begin), end) for begin, end in times)
    return tuple((begin, end) for begin, end in clipped if end - begin >= ticks.step)


def _missing(run: _Run, tree: Expr) -> tuple[str, ...]:
    """Return the selectors of an expression of which there is no series in the blocks of the window."""
    found: dict[str, None] = {}
    for selector in selectors(tree):
        text = printed(replace(selector, offset=None, at=None))
        if text not in run.present:
            run.present[text] = _present(run, selector, text)
        if not run.present[text]:
            found[text] = None
    return tuple(found)


def _present(run: _Run, selector: VectorSelector, text: str) -> bool:
    """Return whether a selector finds any series; where the server does not tell, it may."""
    try:
        if run.names is None:
            run.names = frozenset(run.history.names(run.window))
        if selector.name is not None and (selector.name not in run.names or not selector.matchers):
            return selector.name in run.names
        return bool(run.history.names(run.window, text))
    except Refused:
        return True


def _about_absence(tree: Expr) -> bool:
    return any(isinstance(node, Call) and node.function.startswith("absent") for node in walk(tree))


def _notes(alert: Alert, tree: Expr, rendered: AlertLabels, episodes: Sequence[Episode]) -> Iterator[str]:
    """Yield what a reader must know to take the numbers for what they are."""
    if rendered.not_rendered:
        names = ", ".join(rendered.not_rendered)
        yield f"the template of the label {names} is left as written; a label that changes starts a new alert"
    if any(selector.name in ("ALERTS", "ALERTS_FOR_STATE") for selector in selectors(tree)):
        yield "reads ALERTS, which history has of the rules that ran then"
    if alert.limit and (most := most_at_once(episodes)) > alert.limit:
        yield f"{most} alerts at once are more than the group's limit of {alert.limit}: Prometheus would drop them all"
