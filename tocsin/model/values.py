"""What a system's files say of the values of its series, and the proofs that rest on it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from tocsin.artefacts.rules import Rule
from tocsin.model.metrics import Metric
from tocsin.model.stacks import Stack
from tocsin.model.timing import most_samples
from tocsin.promql import Expr, VectorSelector
from tocsin.promql.dead import Proof, Proofs
from tocsin.promql.intervals import Known
from tocsin.promql.past import Stretch, longest_stretch
from tocsin.promql.ranges import Interval, between

if TYPE_CHECKING:
    from tocsin.model import Model

OVERTIME = 1.5
"""A scrape that is given up may have lasted longer than its timeout by what ending it takes; never by half as much."""
_Answer = TypeVar("_Answer")
_NEAR = ("saved", "application")


class SystemKnown(Known):
    """What is known of the series that the Prometheus of some stacks have."""

    def __init__(self, model: Model, stacks: tuple[Stack, ...]) -> None:
        self._model = model
        self._stacks = stacks
        self.lookback = model.timing.lookback

    def series(self, selector: VectorSelector) -> Interval | None:
        """Return the values of a selector's series, as far as their type or their jobs tell."""
        name = selector.name or ""
        if name == "scrape_duration_seconds":
            timeout = self._model.timing.timeout(selector, self._stacks)
            if timeout is None:
                return between(0, math.inf).because("domain", "a duration is never under 0")
            text = f"a scrape is given up after {timeout:g} s, its timeout"
            return between(0, timeout * OVERTIME).because("domain", text)
        told = self._told(name)
        if told and all(metric.type == "counter" for metric in told):
            return between(0, math.inf, nan=True).because("counter", f"{name} is a counter")
        return None

    def top_bucket(self, selector: VectorSelector) -> float | None:
        """Return the highest finite bound of a histogram's buckets, of all who declare it.

        Of several applications that declare it, the one is meant whose folder has the name of the job.
        """
        told = self._told(selector.name or "")
        job = _job(selector)
        nearer = [metric for metric in told if job and job in metric.place.file.split("/")]
        bounds = [metric.buckets for metric in nearer or told]
        return max(max(each) for each in bounds) if bounds and all(bounds) else None

    def gauge(self, name: str) -> bool:
        """Tell whether what exports a metric says that it is a gauge."""
        return any(metric.type == "gauge" for metric in self._told(name))

    def recorded(self, name: str) -> tuple[Expr, ...]:
        """Return the expressions that record a series of that name; none if not all of them can be read."""
        rules = self._model.timing.recorders(name)
        if not rules or any(metric.origin != "recorded" for metric in self._model.metrics.named(name)):
            return ()
        trees = [self._model.tree(rule) for rule in rules]
        return tuple(tree for tree in trees if tree is not None) if None not in trees else ()

    def samples(self, selector: VectorSelector, seconds: float) -> int | None:
        """Return how many samples of one series a window holds at most, by the interval of its scrapes."""
        pace = self._model.timing.pace(selector, self._stacks)
        return most_samples(seconds, pace.seconds) if pace is not None and pace.seconds > 0 else None

    def _told(self, name: str) -> list[Metric]:
        return [metric for metric in self._model.metrics.named(name) if metric.origin in _NEAR]


class Values:
    """The proofs of a system's expressions, by the Prometheus that evaluates them."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._proofs: dict[tuple[int, ...], Proofs] = {}
        self._never: dict[int, Proof | None] = {}
        self._dead: dict[int, tuple[tuple[Proof, bool], ...]] = {}

    def proofs(self, rule: Rule) -> Proofs:
        """Return what can be proven of the expressions of a rule's Prometheus."""
        stacks = self._model.timing.stacks_of(rule)
        key = tuple(id(stack) for stack in stacks)
        if key not in self._proofs:
            self._proofs[key] = Proofs(SystemKnown(self._model, stacks))
        return self._proofs[key]

    def never(self, rule: Rule) -> Proof | None:
        """Return why a rule's expression yields nothing, whatever happens; None if it may yield something."""
        if id(rule) not in self._never:
            self._never[id(rule)] = self._asked(rule, lambda proofs, tree: proofs.never(tree))
        return self._never[id(rule)]

    def always(self, rule: Rule) -> Proof | None:
        """Return why an alert rings whenever there are data; None if it need not."""
        return self._asked(rule, lambda proofs, tree: proofs.always(tree))

    def stretch(self, rule: Rule) -> Stretch | None:
        """Return for how long a rule's condition can hold at most; None if nothing limits it."""
        return self._asked(rule, lambda proofs, tree: longest_stretch(tree, proofs))

    def _asked(self, rule: Rule, question: Callable[[Proofs, Expr], _Answer | None]) -> _Answer | None:
        tree = self._model.tree(rule)
        try:
            return question(self.proofs(rule), tree) if tree is not None else None
        except RecursionError:
            return None  # recording rules inside recording rules, each as long as may be: nothing is claimed of them

    def dead(self, rule: Rule) -> tuple[tuple[Proof, bool], ...]:
        """Return why a rule, or an alternative in it, yields nothing, and whether that is the whole rule."""
        if id(rule) not in self._dead:
            whole = self.never(rule)
            pieces = self._asked(rule, lambda proofs, tree: tuple(proofs.dead_pieces(tree))) if whole is None else ()
            self._dead[id(rule)] = ((whole, True),) if whole else tuple((proof, False) for proof in pieces or ())
        return self._dead[id(rule)]

    @cached_property
    def plain(self) -> Proofs:
        """What can be proven of expressions that no known Prometheus evaluates."""
        return Proofs(SystemKnown(self._model, ()))


def _job(selector: VectorSelector) -> str:
    """Return the job that a selector asks for by name."""
    return next((m.value for m in selector.matchers if m.name == "job" and m.op == "="), "")
