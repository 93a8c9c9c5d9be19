"""From a system's rules to problems: each alert with the recording rules that it reads, free and on its ground."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tocsin.artefacts.rules import Rule, case_ids
from tocsin.model import Model
from tocsin.promql import Expr, PromQLError, selectors
from tocsin.promql.evaluation import Generation
from tocsin.simulation.grounding import Ground, ground_of
from tocsin.synthesis import Alert, Problem, Recorded

DEEPEST = 20
"""How many recording rules deep an alert is followed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """An alert that is to be proven."""

    id: str
    rule: Rule
    alert: Alert | None
    """None where the expression cannot be read."""
    unread: str = ""
    """What is wrong with the expression."""
    recorded: tuple[Recorded, ...] = ()
    ground: Ground = field(default_factory=Ground)

    def free(self, generation: Generation, *, seed: int = 0) -> Problem:
        """Return the problem of the alert on any input that an engine would take."""
        assert self.alert is not None  # noqa: S101 who asks has looked
        return Problem(alert=self.alert, recorded=self.recorded, generation=generation, seed=seed)

    def grounded(self, generation: Generation, *, seed: int = 0) -> Problem:
        """Return the problem of the alert on input that its system can give."""
        return replace(self.free(generation, seed=seed), grounding=self.ground.grounding)


def subjects(model: Model, *, keep: Iterable[str] | None = None) -> tuple[Subject, ...]:
    """Return every alert of a system, or those of some files, in the order of files, groups and rules."""
    files = None if keep is None else set(keep)
    recorders = _Recorders(model)
    return tuple(
        _subject(model, recorders, case, rule)
        for case, rule in case_ids(model.rules).items()
        if files is None or rule.file in files
    )


def _subject(model: Model, recorders: _Recorders, case: str, rule: Rule) -> Subject:
    tree = model.parsed(rule.expression)
    if isinstance(tree, PromQLError):
        return Subject(id=case, rule=rule, alert=None, unread=tree.message)
    alert = Alert(
        name=rule.name,
        expression=rule.expression,
        tree=tree,
        hold_seconds=rule.hold_seconds,
        keep_firing_seconds=rule.keep_firing_seconds,
        labels={**group_labels(model, rule), **rule.labels},
        annotations=rule.annotations,
    )
    recorded = recorders.of(rule, tree)
    return Subject(id=case, rule=rule, alert=alert, recorded=recorded, ground=ground_of(model, rule, tree, recorded))


def group_labels(model: Model, rule: Rule) -> Mapping[str, str]:
    """Return the labels that a rule's group gives to all of its rules (since Prometheus 3.0)."""
    group = model.timing.group_of(rule)
    return group.part.strings("labels") if group is not None else {}


class _Recorders:
    """The recording rules of a system, as each rule sees them: those of its own file come before those elsewhere."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._order = {id(rule): number for number, rule in enumerate(model.rules)}

    def of(self, rule: Rule, tree: Expr) -> tuple[Recorded, ...]:
        """Return the recording rules that an expression reads, each after what it reads itself."""
        found: dict[int, Recorded] = {}
        self._follow(rule, tree, found, ())
        return tuple(found.values())

    def _follow(self, rule: Rule, tree: Expr, found: dict[int, Recorded], passed: tuple[int, ...]) -> None:
        names = dict.fromkeys(each.name for each in selectors(tree) if each.name)
        wanted = [each for name in names for each in self._seen(rule, str(name))]
        for each in sorted(wanted, key=lambda one: self._order[id(one)]):
            own = self._model.tree(each)
            if id(each) in found or id(each) in passed or own is None or len(passed) >= DEEPEST:
                continue
            self._follow(each, own, found, (*passed, id(each)))
            labels = {**group_labels(self._model, each), **each.labels}
            found[id(each)] = Recorded(name=each.name, expression=each.expression, tree=own, labels=labels)

    def _seen(self, rule: Rule, name: str) -> Sequence[Rule]:
        """Return the rules that record a name for another rule: of its file, its Prometheus, its folder, or any."""
        every = self._model.timing.recorders(name)
        if len(every) <= 1:
            return every
        for near in self._nearer(rule):
            found = [each for each in every if near(each)]
            if found:
                return _each_once(found)
        return _each_once(every)

    def _nearer(self, rule: Rule) -> Iterator[Callable[[Rule], bool]]:
        stacks = self._model.timing.stacks_of(rule)
        folder = posixpath.dirname(rule.file)
        yield lambda each: each.file == rule.file
        yield lambda each: any(stack in self._model.timing.stacks_of(each) for stack in stacks)
        yield lambda each: posixpath.dirname(each.file) == folder


def _each_once(rules: Iterable[Rule]) -> Sequence[Rule]:
    """Return rules without those that say the same, as two copies of one file do."""
    found = {(each.expression, tuple(sorted(each.labels.items()))): each for each in reversed(list(rules))}
    return list(found.values())
