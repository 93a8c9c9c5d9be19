"""Labels for the series of each selector, out of what unification leaves possible and what the ground has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from tocsin.promql.evaluation.store import Series as Sampled
from tocsin.promql.evaluation.store import Store, labels_of
from tocsin.promql.label_values import Values
from tocsin.promql.regex_examples import examples
from tocsin.synthesis.problem import Grounding
from tocsin.synthesis.unifying import NAME, REPLICA, Derivation, Leaf, Unified, candidates

_TRIED = 24
"""Of values for the source of a derived label."""
_GROUNDED = 4_000
"""Of combinations of label sets, after which the search for ones that meet is given up."""

Chosen = dict[int, str]
"""By the root of a class, its value."""


@dataclass(frozen=True, slots=True)
class Copies:
    """Of which class of labels there are several values, and how many."""

    root: int
    count: int


@dataclass(frozen=True, slots=True)
class Labelled:
    """The series of every selector."""

    identities: tuple[Mapping[str, str], ...]
    """The labels of each series, the name among them; of a histogram's buckets, without `le`."""
    slots: Mapping[tuple[int, int], int]
    """By the number of a leaf and of a copy, the identity."""
    copies: Mapping[int, int]
    """By the number of a leaf, how many copies it has."""
    count: int
    """How many copies there are at most."""

    def identity(self, leaf: int, copy: int) -> int:
        """Return the series of a leaf in a copy."""
        return self.slots[leaf, copy if copy < self.copies[leaf] else 0]


def label(unified: Unified, grounding: Grounding, copies: Copies | None) -> Labelled | None:
    """Return labels for every selector; None if there are none that meet."""
    count = copies.count if copies is not None else 1
    root = unified.classes.find(copies.root) if copies is not None else -1
    chosen = list(islice(_choices(unified, grounding, root, count), count))
    if len(chosen) < count:
        return None
    identities: dict[tuple[tuple[str, str], ...], int] = {}
    texts: list[Mapping[str, str]] = []
    slots: dict[tuple[int, int], int] = {}
    counts: dict[int, int] = {}
    for leaf in unified.leaves:
        own: dict[int, None] = {}
        for copy, values in enumerate(chosen):
            labels = _labels(unified, leaf, values)
            key = tuple(sorted(labels.items()))
            if key not in identities:
                identities[key] = len(texts)
                texts.append(labels)
            slots[leaf.number, copy] = identities[key]
            own[identities[key]] = None
        counts[leaf.number] = count if len(own) > 1 else 1
    return Labelled(tuple(texts), slots, counts, count)


def _labels(unified: Unified, leaf: Leaf, values: Chosen) -> dict[str, str]:
    find = unified.classes.find
    labels = {name: values[find(v)] for name, v in leaf.environment.items() if not (leaf.bucket and name == "le")}
    return {NAME: leaf.metric, **{name: value for name, value in labels.items() if value}}


def _choices(unified: Unified, grounding: Grounding, varied: int, count: int) -> Iterator[Chosen]:
    """Yield values of every class, one for each copy."""
    bound = _grounded(unified, grounding) if grounding.label_sets else iter([{}])
    if not grounding.label_sets:
        base = _complete(unified, {})
        if base is None:
            return
        if count == 1:
            yield base
            return
        values = list(islice(_spread(unified, varied, count), count))
        for value in values:
            made = _complete(unified, {varied: value})
            if made is not None:
                yield made
        return
    seen: set[tuple[str, ...]] = set()
    for fixed in bound:
        variables = (v for leaf in unified.leaves for v in leaf.environment.values())
        key = tuple(fixed.get(unified.classes.find(v), "") for v in variables)
        made = _complete(unified, fixed)
        if made is not None and key not in seen:
            seen.add(key)
            yield made


def _spread(unified: Unified, root: int, count: int) -> Iterator[str]:
    values = unified.classes.values(root)
    name = unified.classes.label[root]
    made: set[str] = set()
    for derivation in unified.derivations:
        if not derivation.joined and unified.classes.find(derivation.sources[0]) == root:
            for text in examples(derivation.pattern):
                result = derivation.of((text,), "")
                if values.possible(text) and result not in made:
                    made.add(result)
                    yield text
            return
    found = [text for text in islice(candidates(name, values), count) if text]
    yield from found
    if len(found) < count and values.only is None:
        for number in range(count):  # a pattern without many examples; longer ones may match too
            for text in found[:3]:
                for longer in (f"{text}{number}", f"{number}{text}"):
                    if longer not in found and values.possible(longer):
                        found.append(longer)
                        yield longer


def _complete(unified: Unified, fixed: Mapping[int, str]) -> Chosen | None:
    """Return a value for every class, those that are fixed as they are; None where a class has none."""
    classes, chosen = unified.classes, dict(fixed)
    for derivation in unified.derivations:
        _derive(unified, derivation, chosen)
    avoided = _avoided(unified)
    for leaf in unified.leaves:
        for name, variable in leaf.environment.items():
            root = classes.find(variable)
            if root in chosen or (leaf.bucket and name == "le"):
                continue
            values = classes.values(root)
            value = _choose(name, values, avoided.get(root, ()))
            if name == REPLICA and unified.manner.apart and values.only is None:
                value = f"{REPLICA}{leaf.number + 1}"
            if value is None:
                return None
            chosen[root] = value
    return chosen


def _choose(name: str, values: Values, avoided: tuple[Values, ...]) -> str | None:
    first = None
    if avoided and values.only is None:
        for other in avoided:
            wanted = [*sorted(other.never), *(text for pattern in sorted(other.refused) for text in examples(pattern))]
            for text in wanted:
                if text and values.possible(text) and not any(each.possible(text) for each in avoided):
                    return text
    for number, text in enumerate(candidates(name, values)):
        first = text if first is None else first
        if not any(other.possible(text) for other in avoided):
            return text
        if number >= _TRIED:
            break
    return first


def _avoided(unified: Unified) -> dict[int, tuple[Values, ...]]:
    """Return what narrower selectors of the same metric ask for, so that a wider one is given another series."""
    found: dict[int, list[Values]] = {}
    if unified.manner.merge:
        return {}
    classes = unified.classes
    for one in unified.leaves:
        for other in unified.leaves:
            if one is other or one.metric != other.metric:
                continue
            for name in one.environment:
                mine, theirs = classes.find(one.environment[name]), classes.find(other.environment[name])
                asked = classes.values(theirs)
                own = classes.values(mine)
                if mine != theirs and own != asked and (asked.only or asked.never - {""} or asked.patterns):
                    found.setdefault(mine, []).append(asked)
    return {root: tuple(values) for root, values in found.items()}


def _derive(unified: Unified, derivation: Derivation, chosen: Chosen) -> None:
    """Choose the sources of a derived label so that it can be what it must be."""
    classes = unified.classes
    target = classes.find(derivation.target)
    sources = [classes.find(source) for source in derivation.sources]
    options: list[list[str]] = []
    for root in sources:
        if root in chosen:
            options.append([chosen[root]])
            continue
        values, name = classes.values(root), classes.label[root]
        wished = [text for text in examples(derivation.pattern) if values.possible(text)] if derivation.pattern else []
        options.append([*wished, *islice(candidates(name, values), _TRIED)])
    if not all(options):
        return
    before = chosen.get(classes.find(derivation.before), "")
    width = max(len(each) for each in options)
    for number in range(width):
        taken = tuple(each[min(number, len(each) - 1)] for each in options)
        made = derivation.of(taken, before)
        if chosen.get(target, made) == made and classes.values(target).possible(made):
            chosen.update(zip(sources, taken, strict=True))
            chosen[target] = made
            return


def _grounded(unified: Unified, grounding: Grounding) -> Iterator[Chosen]:
    """Yield the ways of giving each selector a label set that exists, so that all of them meet."""
    asked = [leaf for leaf in unified.leaves if leaf.metric in grounding.label_sets]
    steps = [0]
    yield from _bind(unified, grounding, asked, {}, steps)


def _bind(
    unified: Unified, grounding: Grounding, leaves: list[Leaf], fixed: Chosen, steps: list[int]
) -> Iterator[Chosen]:
    if not leaves:
        yield fixed
        return
    leaf, rest = leaves[0], leaves[1:]
    for labels in grounding.label_sets[leaf.metric]:
        steps[0] += 1
        if steps[0] > _GROUNDED:
            return
        bound = _bound(unified, leaf, labels, fixed)
        if bound is not None:
            yield from _bind(unified, grounding, rest, bound, steps)


def _bound(unified: Unified, leaf: Leaf, labels: Mapping[str, str], fixed: Chosen) -> Chosen | None:
    made, classes = dict(fixed), unified.classes
    selected = Store([Sampled(labels_of({**labels, NAME: leaf.metric}), [0], [0.0])])
    asked = [m for m in leaf.matchers if not (leaf.bucket and m.name == "le")]
    if not selected.select(leaf.metric, asked):
        return None
    for name, variable in leaf.environment.items():
        if leaf.bucket and name == "le":
            continue
        root, value = classes.find(variable), labels.get(name, "")
        if made.setdefault(root, value) != value or not classes.values(root).possible(value):
            return None
    return made
