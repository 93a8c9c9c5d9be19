"""What input a system can really give to a rule, as far as its files say so.

What is not said is left free: of a metric of which no file knows all labels, any label may be invented. Of a label
that is exported, but whose values are not all known, any value may be: a counter of errors is born with the first one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice, product

from tocsin.artefacts.exposition import samples_of
from tocsin.artefacts.prometheus import ScrapeJob
from tocsin.artefacts.rules import Rule
from tocsin.model import Model
from tocsin.model.lineage import SYNTHETIC
from tocsin.model.metric_labels import Labels
from tocsin.model.metrics import Metric
from tocsin.model.stacks import Stack
from tocsin.model.targets import Target, discovered_here
from tocsin.promql import (
    Expr,
    Matcher,
    MatrixSelector,
    Subquery,
    VectorSelector,
    longest_window,
    selectors,
    walk,
)
from tocsin.promql.dead import Proof
from tocsin.promql.evaluation import Generation
from tocsin.promql.intervals import LOOKBACK
from tocsin.promql.label_values import ABSENT, ANY, PRESENT, Values, one_of
from tocsin.promql.labels import NAME, LabelFacts
from tocsin.promql.regex import matches
from tocsin.promql.regex_examples import examples
from tocsin.relabelling import relabel, steps
from tocsin.simulation.refuting import Contract, Refutation, refute
from tocsin.synthesis import FREE, Grounding, Recorded

MOST_TARGETS = 4
MOST_SAMPLES = 500
"""Of one series in a test, where sparser ones would do."""
WINDOW_SAMPLES = 2.5
"""What is left of the shortest window, in samples."""
MOST_SETS = 24
"""Label sets of one metric that are offered."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a rule stands on in its system."""

    grounding: Grounding = FREE
    said: tuple[str, ...] = ()
    """The contract in words, a line each: `samples every 75s (job node)`."""
    contract: Contract | None = field(default=None, repr=False)
    """What of it is sure."""
    proven: Proof | None = field(default=None, repr=False)
    """Why nothing that this system can give fires the rule, by the values that its files tell of."""

    @property
    def free(self) -> bool:
        """Whether the files say nothing."""
        return self.grounding.free and self.contract is None and self.proven is None

    def refuted(self, tree: Expr, generation: Generation) -> Refutation | None:
        """Return why nothing that this system can give fires the rule; None if something may."""
        if self.proven is not None:
            return Refutation(self.proven.argument, self.proven.span)
        return refute(tree, self.contract, generation) if self.contract is not None else None


def ground_of(model: Model, rule: Rule, tree: Expr, recorded: Sequence[Recorded]) -> Ground:
    """Return what is known of the input of a rule with the recording rules that it reads."""
    stacks = model.timing.stacks_of(rule)
    names = {each.name for each in recorded}
    leaves = [each for one in (tree, *(r.tree for r in recorded)) for each in selectors(one) if each.name not in names]
    said: list[str] = []
    scrape = _scrape(model, leaves, stacks, said)
    labels = _LabelSets(model, rule, leaves, stacks)
    sets = labels.all(said)
    buckets = {
        name: (*bounds, math.inf) for name in {each.name or "" for each in leaves} if (bounds := _bounds(model, name))
    }
    facts = labels.facts(sets)
    contract = Contract(scrape_seconds=scrape, facts=facts, recorded=recorded)
    if scrape is None and not sets and not buckets:
        return Ground(contract=contract if facts else None, proven=_proven(model, rule, stacks))
    evaluation = model.timing.evaluation(rule)
    if evaluation:
        said.append(f"evaluated every {evaluation:g}s")
    if scrape and evaluation:
        trees = [tree, *(each.tree for each in recorded)]
        most = _longest_pace(trees, rule.hold_seconds)
        coarse = [pace * max(1, math.floor(most / pace)) for pace in (scrape, evaluation)]
        if coarse != [scrape, evaluation]:
            every = f"samples every {coarse[0]:g}s, evaluated every {coarse[1]:g}s"
            said.append(f"its windows are long, so the tests have {every}")
        scrape, evaluation = coarse
    external = stacks[0].prometheus.external_labels if len(stacks) == 1 else {}
    grounding = Grounding(
        scrape_seconds=scrape,
        evaluation_seconds=evaluation,
        external_labels=external,
        label_sets=sets,
        buckets=buckets,
    )
    return Ground(grounding=grounding, said=tuple(said), contract=contract, proven=_proven(model, rule, stacks))


def _proven(model: Model, rule: Rule, stacks: Sequence[Stack]) -> Proof | None:
    """Return the proof that rests on what this system's files say; what holds of any system is not about grounds."""
    return model.values.never(rule) if stacks else None


def _scrape(model: Model, leaves: Iterable[VectorSelector], stacks: Sequence[Stack], said: list[str]) -> float | None:
    """Return the seconds between two samples: of several jobs the fastest, so that nothing is wrongly refuted."""
    paces = [model.timing.pace(leaf, stacks) for leaf in leaves]
    known = [pace for pace in paces if pace is not None]
    if not stacks or not known or len(known) < len(paces):
        return None
    fastest = min(known, key=lambda pace: pace.seconds)
    said.append(f"samples every {fastest.seconds:g}s ({fastest.source})")
    return fastest.seconds


def _longest_pace(trees: Sequence[Expr], hold: float) -> float:
    """Return how many seconds there may be between samples, so that a test of long windows stays short.

    An alert that fires on a series of fewer samples fires on one with more of them between. The shortest window keeps
    several samples, and none of the series is ever taken for gone.
    """
    horizon = hold + sum(longest_window(tree) for tree in trees)
    windows = [
        node.range.seconds
        for tree in trees
        for node in walk(tree)
        if isinstance(node, (MatrixSelector, Subquery)) and node.range.seconds > 0
    ]
    most = min([LOOKBACK / 2, *(window / WINDOW_SAMPLES for window in windows)])
    return min(horizon / MOST_SAMPLES, most)


def _bounds(model: Model, name: str) -> tuple[float, ...]:
    """Return every bucket's bound of a histogram, of all who tell of it; nothing if one does not tell them."""
    told = [metric for metric in model.metrics.own(name) if metric.origin in ("saved", "application")]
    if not told or not all(metric.buckets for metric in told):
        return ()
    return tuple(sorted({bound for metric in told for bound in metric.buckets}))


class _LabelSets:
    """The label sets of the metrics that one rule reads."""

    def __init__(self, model: Model, rule: Rule, leaves: Sequence[VectorSelector], stacks: Sequence[Stack]) -> None:
        self._model = model
        self._rule = rule
        self._leaves = leaves
        self._stacks = stacks
        self._fixed: dict[str, frozenset[str]] = {}
        """Labels of targets whose every value is known, by metric."""

    def all(self, said: list[str]) -> Mapping[str, tuple[Mapping[str, str], ...]]:
        """Return them by metric, of the metrics of which all labels are known."""
        found: dict[str, tuple[Mapping[str, str], ...]] = {}
        for name in dict.fromkeys(leaf.name for leaf in self._leaves):
            sets = self._of(name) if name else None
            if name and sets is not None:
                found[name] = sets
                names = sorted({label for each in sets for label in each})
                said.append(f"{name} has the labels {', '.join(names)}" if sets else f"{name} has no series")
        return found

    def facts(self, sets: Mapping[str, tuple[Mapping[str, str], ...]]) -> Mapping[str, LabelFacts]:
        """Return what is sure of the labels of each metric: which there are, and of those of targets the values."""
        known = {name: self._facts(name, found) for name, found in sets.items()}
        others = {leaf.name for leaf in self._leaves if leaf.name and leaf.name not in sets}
        labels = {name: found for name in others if (found := self._own_labels(name)) is not None}
        every = {label for each in labels.values() for label in each.own}
        every |= {label for each in known.values() for label in each.named}
        return known | {name: self._partly(name, found, every) for name, found in labels.items()}

    def _own_labels(self, name: str) -> Labels | None:
        """Return which labels a metric has, where all of its own are known; None if they are not."""
        use = next((use for use in self._model.lineage.users_of(name) if use.rule is self._rule), None)
        return self._model.metric_labels.of(use) if use is not None else None

    def _partly(self, name: str, labels: Labels, every: Iterable[str]) -> LabelFacts:
        """Return what is sure of a metric whose targets are not known: which of some labels it has, and which not."""
        seen = [each for metric in labels.metrics for each in self._seen(metric)]
        named = {
            label: PRESENT if label != "le" and all(label in each for each in seen) else ANY
            for label in labels.own
            if all(label in metric.labels for metric in labels.metrics)
        }
        absent = {label: ABSENT for label in every if label not in labels.own and labels.lacks(label)}
        return LabelFacts({**absent, **named, NAME: one_of([name])})

    def _facts(self, name: str, sets: tuple[Mapping[str, str], ...]) -> LabelFacts:
        if not sets:
            return LabelFacts(nothing=True)
        named: dict[str, Values] = {}
        for label in {label for each in sets for label in each}:
            everywhere = all(label in each for each in sets)
            values = {each.get(label, "") for each in sets}
            sure = label in self._fixed.get(name, ())
            named[label] = one_of(values) if sure else PRESENT if everywhere else ANY
        return LabelFacts({**named, NAME: one_of([name])}, ABSENT)

    def _of(self, name: str) -> tuple[Mapping[str, str], ...] | None:
        """Return the label sets of a metric; None if not all of its labels are known."""
        leaves = [leaf for leaf in self._leaves if leaf.name == name]
        targets: list[tuple[ScrapeJob, Mapping[str, str]]] = []
        for leaf in leaves:
            known = self._targets(leaf)
            if known is None:
                return None
            targets += known
        if name in SYNTHETIC:
            own: list[Mapping[str, str]] | None = [{}] if not name.startswith("ALERTS") else None
        else:
            own = self._own(name, leaves)
        if own is None:
            return None
        found = (self._scraped(name, labels, job, target) for job, target in _each_once(targets) for labels in own)
        kept = {tuple(sorted(each.items())): each for each in found if each is not None}
        return tuple(islice(kept.values(), MOST_SETS * MOST_TARGETS))

    def _targets(self, leaf: VectorSelector) -> list[tuple[ScrapeJob, Mapping[str, str]]] | None:
        """Return the labels of the targets that a selector may be about; None if some are not known."""
        found = []
        told = {metric.by for metric in self._model.metrics.own(leaf.name or "") if metric.origin == "saved"}
        for stack in self._stacks:
            jobs = list(self._model.timing.candidates(leaf, stack))
            jobs = [job for job in jobs if job.name in told] or jobs
            for job in jobs:
                targets = [t for t in self._model.targets if t.job is job and t.stack is stack and t.kept]
                if not targets or any(t.open or not t.certain for t in targets):
                    return None
                if not discovered_here(self._model, stack, job):
                    return None
                for target in targets[:MOST_TARGETS]:
                    found += [(job, labels) for labels in _variants(target, leaf)]
                self._fix(leaf.name or "", targets)
        return found or None

    def _fix(self, name: str, targets: Sequence[Target]) -> None:
        """Remember which labels have no other values than those of the targets that are offered."""
        every = len(targets) <= MOST_TARGETS
        sure = {label for t in targets for label in t.labels} - {label for t in targets for label in t.unknown}
        own = frozenset(sure if every else ())
        self._fixed[name] = self._fixed[name] & own if name in self._fixed else own

    def _own(self, name: str, leaves: Sequence[VectorSelector]) -> list[Mapping[str, str]] | None:
        """Return the label sets that the metric's exporter may give it."""
        metrics = [m for m in self._model.metrics.own(name) if m.origin in ("saved", "application")]
        if not metrics or not all(metric.complete for metric in metrics):
            return None
        if self._own_labels(name) is None:
            return None
        found: list[Mapping[str, str]] = []
        for metric in metrics:
            found += self._seen(metric)
            for leaf in leaves:
                found += self._possible(metric, leaf)
        return list({tuple(sorted(each.items())): each for each in found}.values())[:MOST_SETS]

    def _seen(self, metric: Metric) -> list[Mapping[str, str]]:
        """Return the label sets of the series in a saved body, without `le`."""
        if metric.origin != "saved":
            return []
        return self._bodies.get((metric.place.file, metric.name), [])[:MOST_SETS]

    @cached_property
    def _bodies(self) -> Mapping[tuple[str, str], list[Mapping[str, str]]]:
        found: dict[tuple[str, str], list[Mapping[str, str]]] = {}
        wanted = {leaf.name for leaf in self._leaves}
        for body in self._model.metrics.bodies:
            if not wanted & body.exposition.series.keys():
                continue
            for labels in _read(self._model.text(body.file)):
                name = labels.pop("__name__", "")
                labels.pop("le", None)
                if name in wanted:
                    found.setdefault((body.file, name), []).append(labels)
        return found

    def _possible(self, metric: Metric, leaf: VectorSelector) -> Iterator[Mapping[str, str]]:
        """Yield label sets with the metric's own labels, of values that the selector takes: they may come to be."""
        names = sorted(metric.labels - {"le"})
        values = [_values(label, [m for m in leaf.matchers if m.name == label], metric) for label in names]
        for chosen in islice(product(*values), MOST_SETS):
            yield dict(zip(names, chosen, strict=True))

    def _scraped(
        self, name: str, labels: Mapping[str, str], job: ScrapeJob, target: Mapping[str, str]
    ) -> Mapping[str, str] | None:
        """Return the labels of a series as it is stored; None if relabelling drops it (scrape/scrape.go)."""
        whole = dict(labels)
        for label, value in target.items():
            if label in whole and not job.honor_labels:
                whole[f"exported_{label}"] = whole[label]
                whole[label] = value
            else:
                whole.setdefault(label, value)
        done = relabel({**whole, "__name__": name}, steps(job.metric_relabelling))
        if not done.kept and done.certain:
            return None
        kept = {key: value for key, value in done.labels.items() if key != "__name__"}
        return kept if done.labels.get("__name__", name) == name else None


def _variants(target: Target, leaf: VectorSelector) -> Iterator[Mapping[str, str]]:
    """Yield a target's labels; those whose values are not known have values that a selector takes."""
    names = sorted(target.unknown & target.labels.keys())
    values = [_values(label, [m for m in leaf.matchers if m.name == label], None) for label in names]
    for chosen in islice(product(*values), MOST_TARGETS):
        yield {**target.labels, **dict(zip(names, chosen, strict=True))}


def _read(text: str) -> Iterator[dict[str, str]]:
    try:
        for labels, _ in samples_of(text):
            yield dict(labels)
    except ValueError:
        return


def _values(label: str, asked: Sequence[Matcher], metric: Metric | None) -> list[str]:
    """Return values of a label that some matchers take: of the known ones, else two that may come to be."""
    known = metric.values.get(label) if metric is not None else None
    if known is not None:
        return sorted(value for value in known if all(_takes(m, value) for m in asked))[:MOST_SETS] or sorted(known)[:2]
    offered = [m.value for m in asked if m.op == "="]
    offered += [each for m in asked if m.op == "=~" for each in examples(m.value)]
    offered += [f"{label}-1", f"{label}-2", "1", "2"]
    taken = [value for value in dict.fromkeys(offered) if value and all(_takes(m, value) for m in asked)]
    return taken[:2] or offered[:1]


def _takes(matcher: Matcher, value: str) -> bool:
    if matcher.op in ("=", "!="):
        return (matcher.value == value) == (matcher.op == "=")
    return matches(matcher.value, value) in (None, matcher.op == "=~")


def _each_once(
    targets: Iterable[tuple[ScrapeJob, Mapping[str, str]]],
) -> list[tuple[ScrapeJob, Mapping[str, str]]]:
    found = {(id(job), tuple(sorted(labels.items()))): (job, labels) for job, labels in targets}
    return list(found.values())
