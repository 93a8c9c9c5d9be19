"""Which labels the series of an alert's selectors must have so that they meet: by unification.

Each selector has a variable for every label that the expression, or the ground, names. Operators that pair series by
labels make variables one; matchers say what a variable may be; aggregations leave labels out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from tocsin.promql import (
    Aggregation,
    Binary,
    Call,
    Expr,
    Matcher,
    MatrixSelector,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    VectorSelector,
    selectors,
    type_of,
    unwrapped,
    walk,
)
from tocsin.promql.evaluation.compiled import absent_labels, expanded
from tocsin.promql.label_values import ABSENT, ANY, PRESENT, Values, one_of
from tocsin.promql.labels import LabelFacts, matched
from tocsin.promql.regex_examples import examples
from tocsin.synthesis.problem import Problem, Recorded

NAME: Final = "__name__"
REPLICA: Final = "replica"
"""A label by which copies are told apart where no other is free."""
Path = tuple[int, ...]
"""The way to a recorded selector's expression: the selectors that were followed, by number."""
Environment = Mapping[str, int]
"""The variable of each label."""


class ConflictError(Exception):
    """Two labels that must be equal cannot be."""

    def __init__(self, label: str, left: Values, right: Values) -> None:
        super().__init__(f"label {label}: {left} here, {right} there")


class Classes:
    """Variables that were made one, and what each class may be."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._values: list[Values] = []
        self.label: list[str] = []

    def new(self, label: str, values: Values) -> int:
        """Return a variable of a class of its own."""
        self._parent.append(len(self._parent))
        self._values.append(values)
        self.label.append(label)
        return len(self._parent) - 1

    def find(self, variable: int) -> int:
        """Return the root of a variable's class."""
        parent = self._parent
        while parent[variable] != variable:
            parent[variable] = parent[parent[variable]]
            variable = parent[variable]
        return variable

    def values(self, variable: int) -> Values:
        """Return what a variable may be."""
        return self._values[self.find(variable)]

    def narrow(self, variable: int, values: Values) -> None:
        """Leave a variable only some of what it may be; raises ConflictError."""
        root = self.find(variable)
        joined = self._values[root].both(values)
        if not joined.any:
            raise ConflictError(self.label[root], self._values[root], values)
        self._values[root] = joined

    def union(self, one: int, other: int) -> None:
        """Make two variables one; raises ConflictError."""
        one, other = self.find(one), self.find(other)
        if one == other:
            return
        joined = self._values[one].both(self._values[other])
        if not joined.any:
            raise ConflictError(self.label[one], self._values[one], self._values[other])
        self._parent[other] = one
        self._values[one] = joined

    def copy(self) -> Classes:
        """Return classes that can be changed without changing these."""
        made = Classes()
        made._parent, made._values, made.label = [*self._parent], [*self._values], [*self.label]
        return made


@dataclass(frozen=True, slots=True)
class Derivation:
    """A label that label_replace or label_join makes of others."""

    target: int
    sources: tuple[int, ...]
    pattern: str
    """The regular expression of label_replace, else empty."""
    text: str
    """Its replacement, or label_join's separator."""
    before: int
    """What the label is where the pattern does not match."""
    joined: bool

    def of(self, values: tuple[str, ...], before: str) -> str:
        """Return the label that comes of the sources' values."""
        if self.joined:
            return self.text.join(values)
        match = re.compile(self.pattern, re.ASCII | re.DOTALL).fullmatch(values[0])
        return before if match is None else expanded(self.text, match)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A selector of raw series, at one place or at several of the same text."""

    number: int
    metric: str
    """Its name; where a pattern asks for it, one that matches."""
    matchers: tuple[Matcher, ...]
    environment: Environment
    bucket: bool
    """Whether it is read as the buckets of a histogram."""


@dataclass(frozen=True, slots=True)
class Manner:
    """One of the ways in which labels can be chosen where the expression leaves a choice."""

    share: bool = True
    """Whether selectors of one text are the same series."""
    merge: bool = False
    """Whether a wider selector of a metric is given the series of a narrower one, and not another."""
    replicas: bool = False
    """Whether series have a label `replica`, by which to tell copies apart."""
    apart: bool = False
    """Whether selectors that are not shared have different values of it, where nothing makes them equal."""
    recorder: int = 0
    """Which of the rules that record one name is followed, where several may be meant."""


@dataclass(slots=True)
class Unified:
    """The selectors of an alert with their labels, in one manner."""

    manner: Manner
    universe: tuple[str, ...]
    classes: Classes = field(default_factory=Classes)
    leaves: list[Leaf] = field(default_factory=list)
    derivations: list[Derivation] = field(default_factory=list)
    environments: dict[tuple[Path, int], Environment] = field(default_factory=dict)
    """By path and identity of a node, its labels' variables."""
    paths: dict[tuple[Path, int], Path] = field(default_factory=dict)
    """By path and identity of a recorded selector, the path of its expression."""
    rules: dict[tuple[Path, int], Recorded] = field(default_factory=dict)
    """By path and identity of a recorded selector, the rule that is followed."""
    by_place: dict[tuple[Path, int], int] = field(default_factory=dict)
    """By path and identity of a raw selector, its leaf's number."""
    split: list[str] = field(default_factory=list)
    """Where two sides can never meet, and why."""
    under: dict[tuple[Path, int], tuple[int, ...]] = field(default_factory=dict)
    """By path and identity of a node, the leaves under it."""


class Unifier:
    """Walks an alert's expression, and those of the recording rules that it reads."""

    def __init__(self, problem: Problem, manner: Manner) -> None:
        self.problem = problem
        self.recorded: dict[str, list[Recorded]] = {}
        for rule in problem.recorded:
            self.recorded.setdefault(rule.name, []).append(rule)
        self.result = Unified(manner, universe_of(problem, manner))
        self._leaves: dict[object, int] = {}

    def run(self) -> Unified:
        """Return every selector with its labels; raises ConflictError."""
        self.walk(self.problem.alert.tree, (), bucket=False)
        if self.result.manner.merge:
            self._merge()
        return self.result

    # Nodes

    def fresh(self, values: Values = ANY) -> dict[str, int]:
        """Return a variable for every label."""
        return {label: self.result.classes.new(label, values) for label in self.result.universe}

    def nothing(self) -> dict[str, int]:
        """Return the labels of what has none."""
        return self.fresh(ABSENT)

    def walk(self, node: Expr, path: Path, *, bucket: bool) -> Environment:
        """Return the labels of an expression; `bucket`: a quantile is taken of it."""
        before = len(self.result.leaves)
        key = (path, id(node))
        environment = self._walk(node, path, bucket)
        self.result.environments[key] = environment
        inner = {self.result.by_place.get(key, -1)} if isinstance(node, VectorSelector) else set()
        for child in _children(node):
            inner |= set(self.result.under.get((path, id(child)), ()))
        deeper = self.result.paths.get(key)
        if deeper is not None:
            inner |= set(self.result.under.get((deeper, id(self.result.rules[key].tree)), ()))
        inner |= set(range(before, len(self.result.leaves)))
        self.result.under[key] = tuple(sorted(inner - {-1}))
        return environment

    def _walk(self, node: Expr, path: Path, bucket: bool) -> Environment:
        match node:
            case VectorSelector():
                return self._selector(node, path, bucket)
            case MatrixSelector(vector=inner) | Subquery(expr=inner) | Paren(expr=inner):
                return self.walk(inner, path, bucket=bucket)
            case Unary(expr=inner):
                return self._unnamed(self.walk(inner, path, bucket=bucket))
            case Aggregation():
                return self._aggregation(node, path, bucket)
            case Call():
                return self._call(node, path, bucket)
            case Binary():
                return self._binary(node, path, bucket)
            case _:
                return {}

    def _unnamed(self, environment: Environment) -> Environment:
        if NAME not in environment:
            return environment
        return {**environment, NAME: self.result.classes.new(NAME, ABSENT)}

    def _selector(self, node: VectorSelector, path: Path, bucket: bool) -> Environment:
        if node.name in self.recorded and len(path) < 12:
            return self._follow(node, path, bucket)
        key: object = (path, node.metric, node.matchers)
        if not self.result.manner.share:
            key = (key, id(node))
        number = self._leaves.get(key)
        if number is None:
            number = self._leaf(node, bucket)
            self._leaves[key] = number
        self.result.by_place[path, id(node)] = number
        return self.result.leaves[number].environment

    def _leaf(self, node: VectorSelector, bucket: bool) -> int:
        classes, facts = self.result.classes, matched(node.matchers, node.metric)
        environment = self.fresh()
        for name, values in facts.named.items():
            if name == NAME:
                continue
            classes.narrow(environment[name], values)
        if node.name in ("ALERTS", "ALERTS_FOR_STATE"):
            own = Values(never=frozenset({self.problem.alert.name}))
            self._soft("alertname", environment.get("alertname"), own)
            self._soft("alertstate", environment.get("alertstate"), one_of(["firing", "pending"]))
        number, name = len(self.result.leaves), metric_of(node, facts)
        self.result.leaves.append(Leaf(number, name, node.matchers, environment, bucket and "bucket" in name))
        return number

    def _follow(self, node: VectorSelector, path: Path, bucket: bool) -> Environment:
        """Return the labels of a recorded series, those of its expression with the rule's own laid over them."""
        rule = self._rule(node)
        self.result.rules[path, id(node)] = rule
        key = (path, node.metric, node.matchers)
        place = self._leaves.setdefault(key, len(self._leaves) + 1_000)
        deeper = (*path, place)
        self.result.paths[path, id(node)] = deeper
        known = self.result.environments.get((deeper, id(rule.tree)))
        environment = dict(known if known is not None else self.walk(rule.tree, deeper, bucket=bucket))
        classes = self.result.classes
        if not environment:
            environment = self.nothing()
        for name, value in rule.labels.items():
            environment[name] = classes.new(name, one_of([value]) if "{{" not in value else ANY)
        for name, values in matched(node.matchers).named.items():
            if name != NAME:
                self._soft(name, environment.get(name), values)
        return environment

    def _rule(self, node: VectorSelector) -> Recorded:
        """Return the rule that records a selector's series: of several, one whose own labels are asked for."""
        rules = self.recorded[node.name or ""]
        facts = matched(node.matchers)
        fitting = [
            rule for rule in rules if all("{{" in v or facts.of(name).possible(v) for name, v in rule.labels.items())
        ]
        named = [rule for rule in fitting if all(m.name in rule.labels for m in node.matchers if m.op == "=")]
        ordered = [*named, *(rule for rule in fitting if rule not in named)] or rules
        return ordered[self.result.manner.recorder % len(ordered)]

    def _soft(self, label: str, variable: int | None, values: Values) -> None:
        try:
            if variable is not None:
                self.result.classes.narrow(variable, values)
        except ConflictError as conflict:
            self.result.split.append(f"{label}: {conflict}")

    def _aggregation(self, node: Aggregation, path: Path, bucket: bool) -> Environment:
        if node.param is not None:
            self.walk(node.param, path, bucket=False)
        inner = self.walk(node.expr, path, bucket=bucket)
        names = frozenset(node.grouping or ())
        if node.op in ("topk", "bottomk", "limitk", "limit_ratio"):
            return inner
        made = {
            label: inner[label] if (label in names) is not node.without and label in inner else -1
            for label in self.result.universe
        }
        classes = self.result.classes
        made = {label: classes.new(label, ABSENT) if v < 0 else v for label, v in made.items()}
        if node.op == "count_values" and node.param is not None:
            label = unwrapped(node.param)
            if isinstance(label, StringLiteral):
                made[label.value] = classes.new(label.value, PRESENT)
        return made

    def _call(self, node: Call, path: Path, bucket: bool) -> Environment:
        if node.function in ("absent", "absent_over_time"):
            self.walk(node.args[0], path, bucket=False)
            fixed = dict(absent_labels(node.args[0]))
            return {
                label: self.result.classes.new(label, one_of([fixed.get(label, "")])) for label in self.result.universe
            }
        histogram = node.function == "histogram_quantile"
        environment: Environment = {}
        first = len(self.result.leaves)
        for arg in node.args:
            if type_of(arg) == "string":
                continue
            found = self.walk(arg, path, bucket=bucket or histogram)
            if type_of(arg) in ("vector", "matrix"):
                environment = found
        if histogram and not any(leaf.bucket for leaf in self.result.leaves[first:]):
            self.result.leaves[first:] = [replace(leaf, bucket=True) for leaf in self.result.leaves[first:]]
        if type_of(node) == "scalar":
            return {}
        if node.function == "vector":
            return self.nothing()
        if node.function in ("label_replace", "label_join"):
            return self._relabelled(node, environment)
        if histogram and "le" in environment:
            return {**environment, "le": self.result.classes.new("le", ABSENT)}
        return environment

    def _relabelled(self, node: Call, environment: Environment) -> Environment:
        texts = [arg.value if isinstance(arg, StringLiteral) else "" for arg in map(unwrapped, node.args[1:])]
        target, made = texts[0], dict(environment)
        made[target] = self.result.classes.new(target, ANY)
        before = environment.get(target, made[target])
        if node.function == "label_replace":
            sources = [environment[texts[2]]] if texts[2] in environment else []
            found = Derivation(made[target], tuple(sources), texts[3], texts[1], before, joined=False)
        else:
            sources = [environment[name] for name in texts[2:] if name in environment]
            found = Derivation(made[target], tuple(sources), "", texts[1], before, joined=True)
        if sources:
            self.result.derivations.append(found)
        return made

    def _binary(self, node: Binary, path: Path, bucket: bool) -> Environment:
        left, right = self.walk(node.left, path, bucket=bucket), self.walk(node.right, path, bucket=bucket)
        if type_of(node.left) != "vector" or type_of(node.right) != "vector":
            return left if type_of(node.left) == "vector" else right
        if node.op == "or":
            self._pair(node, left, right, needed=False)
            return left
        self._pair(node, left, right, needed=node.op != "unless")
        if node.op in ("and", "unless"):
            return left
        matching = node.matching
        many, one = (right, left) if matching is not None and matching.group == "right" else (left, right)
        if matching is None:
            return many
        if matching.group is None:
            kept = frozenset(matching.labels)
            return {
                label: v if (label in kept) is matching.on else self.result.classes.new(label, ABSENT)
                for label, v in many.items()
            }
        return {**many, **{name: one[name] for name in matching.include if name in one}}

    def _pair(self, node: Binary, left: Environment, right: Environment, *, needed: bool) -> None:
        matching = node.matching
        names = frozenset(matching.labels) if matching is not None else frozenset()
        on = matching is not None and matching.on
        for label in self.result.universe:
            if (label in names) is not on or label == NAME or label not in left or label not in right:
                continue
            try:
                self.result.classes.union(left[label], right[label])
            except ConflictError as conflict:
                if needed:
                    self.result.split.append(str(conflict))
                return

    def _merge(self) -> None:
        """Give each wider selector of a metric the labels of a narrower one, where they can be equal."""
        for one in self.result.leaves:
            for other in self.result.leaves[: one.number]:
                if one.metric == other.metric:
                    saved = self.result.classes.copy()
                    try:
                        for label in self.result.universe:
                            self.result.classes.union(one.environment[label], other.environment[label])
                    except ConflictError:
                        self.result.classes = saved


def _children(node: Expr) -> Iterator[Expr]:
    match node:
        case MatrixSelector(vector=inner) | Subquery(expr=inner) | Paren(expr=inner) | Unary(expr=inner):
            yield inner
        case Aggregation(expr=inner, param=param):
            yield inner
            if param is not None:
                yield param
        case Call(args=args):
            yield from args
        case Binary(left=left, right=right):
            yield left
            yield right
        case _:
            pass


def metric_of(node: VectorSelector, facts: LabelFacts) -> str:
    """Return the name of the series of a selector: what it asks for, or one that matches what it asks."""
    if node.name is not None:
        return node.name
    return next(candidates(NAME, facts.of(NAME)), "metric")


def universe_of(problem: Problem, manner: Manner) -> tuple[str, ...]:
    """Return every label that something is said of, and job and instance."""
    names = dict.fromkeys(("job", "instance"))
    trees = [problem.alert.tree, *(rule.tree for rule in problem.recorded)]
    for tree in trees:
        for node in walk(tree):
            names |= dict.fromkeys(_named(node))
    for rule in problem.recorded:
        names |= dict.fromkeys(rule.labels)
    metrics = {selector.name for tree in trees for selector in selectors(tree)}
    for metric, sets in problem.grounding.label_sets.items():
        if metric in metrics:
            names |= dict.fromkeys(name for labels in sets for name in labels)
    if manner.replicas:
        names[REPLICA] = None
    names.pop(NAME, None)
    return tuple(names)


def _named(node: Expr) -> Iterator[str]:
    match node:
        case VectorSelector(matchers=matchers):
            yield from (matcher.name for matcher in matchers)
        case Aggregation(grouping=grouping, op=op, param=param):
            yield from grouping or ()
            label = unwrapped(param) if param is not None else None
            if op == "count_values" and isinstance(label, StringLiteral):
                yield label.value
        case Binary(matching=matching) if matching is not None:
            yield from (*matching.labels, *matching.include)
        case Call(function="label_replace", args=args):
            yield from (arg.value for arg in map(unwrapped, (args[1], args[3])) if isinstance(arg, StringLiteral))
        case Call(function="label_join", args=args):
            named = map(unwrapped, (args[1], *args[3:]))
            yield from (arg.value for arg in named if isinstance(arg, StringLiteral))
        case Call(function="histogram_quantile"):
            yield "le"
        case _:
            pass


_USUAL = {"instance": "host{}:9100", "job": "job{}", "le": "{}", "namespace": "ns{}", "node": "node{}", "pod": "pod{}"}


def candidates(label: str, values: Values) -> Iterator[str]:
    """Yield values that a label may have, usual ones first, and as different ones as wanted where there are any."""
    if values.only is not None:
        yield from sorted(values.only, key=lambda text: (not text, text))
        return
    for pattern in sorted(values.patterns):
        yield from (text for text in examples(pattern) if text and values.possible(text) and _kept(values, text))
    if not values.patterns:
        usual = _USUAL.get(label, label.strip("_") + "{}")
        for number in range(1, 20_000):
            text = usual.format(number)
            if values.possible(text) and _kept(values, text):
                yield text
    if values.possible(""):
        yield ""


def _kept(values: Values, text: str) -> bool:
    """Tell whether a text meets the patterns by Python's own reading, where the careful one could not tell."""
    return all(_full(pattern, text) for pattern in values.patterns) and not any(
        _full(pattern, text) for pattern in values.refused
    )


def _full(pattern: str, text: str) -> bool:
    try:
        return re.compile(pattern, re.ASCII | re.DOTALL).fullmatch(text) is not None
    except re.error:
        return False


def unify(problem: Problem, manner: Manner) -> Unified | None:
    """Return the selectors with their labels; None where a matcher alone makes that impossible."""
    try:
        return Unifier(problem, manner).run()
    except ConflictError:
        return None
