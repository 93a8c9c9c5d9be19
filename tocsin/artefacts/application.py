"""The metrics that an application declares in its Python sources, read and not run.

Found are the instruments of prometheus_client and its custom collectors, however they are made: directly, through
functions and methods of the application's own, from tables, from objects that describe them. What a name hangs on and
the text does not tell stays open: such an instrument has a pattern instead of a name.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from tocsin.artefacts.python_source import GAP, UNKNOWN, Env, Imported, Module, Scope, Site, Sources, last_name
from tocsin.artefacts.python_values import Evaluation
from tocsin.source import Place

InstrumentType = Literal["counter", "gauge", "histogram", "summary", "info", "enum", "untyped"]

DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""prometheus_client.Histogram.DEFAULT_BUCKETS, +Inf left out."""


@dataclass(frozen=True, slots=True)
class Maker:
    """A class of prometheus_client that makes a metric: how its arguments are called, in their order."""

    type: InstrumentType
    arguments: tuple[str, ...] = ("name", "documentation", "labelnames", "namespace", "subsystem", "unit")
    family: bool = False
    """Whether it is what a custom collector yields."""


_FAMILY = ("name", "documentation", "value", "labels", "created", "unit")
MAKERS: Mapping[str, Maker] = {
    "Counter": Maker("counter"),
    "Gauge": Maker("gauge"),
    "Summary": Maker("summary"),
    "Histogram": Maker("histogram"),
    "Info": Maker("info"),
    "Enum": Maker("enum"),
    "CounterMetricFamily": Maker("counter", _FAMILY, family=True),
    "GaugeMetricFamily": Maker("gauge", ("name", "documentation", "value", "labels", "unit"), family=True),
    "UnknownMetricFamily": Maker("untyped", ("name", "documentation", "value", "labels", "unit"), family=True),
    "UntypedMetricFamily": Maker("untyped", ("name", "documentation", "value", "labels", "unit"), family=True),
    "SummaryMetricFamily": Maker(
        "summary", ("name", "documentation", "count_value", "sum_value", "labels", "unit"), family=True
    ),
    "HistogramMetricFamily": Maker(
        "histogram", ("name", "documentation", "buckets", "sum_value", "labels", "unit"), family=True
    ),
    "InfoMetricFamily": Maker("info", ("name", "documentation", "value", "labels"), family=True),
    "StateSetMetricFamily": Maker("enum", ("name", "documentation", "value", "labels"), family=True),
}
"""The classes of prometheus_client 0.26 by name (its modules metrics and metrics_core)."""
_CLIENT = re.compile(r"prometheus_client(?:\.(?:core|metrics|metrics_core|registry))?\.(\w+)$")
_OTHERS = re.compile(
    r"^\s*(?:from|import)\s+(?:opentelemetry\.(?:sdk\.)?metrics|opentelemetry\.exporter\.prometheus"
    r"|prometheus_fastapi_instrumentator|starlette_exporter|starlette_prometheus|django_prometheus"
    r"|prometheus_flask_exporter|aioprometheus|statsd|datadog|prometheus_summary)"
    r"|^\s*from\s+opentelemetry\s+import\s+.*\bmetrics\b"
    r"|prometheus_client(?:\.core|\.metrics_core)?\s+import\s+[^#\n]*\bMetric\b[^#\n]*[\s\S]*\bMetric\(",
    re.MULTILINE,
)
"""Signs that metrics are made in ways that are not followed here."""
_TESTS = re.compile(r"(?:^|/)(?:tests?|testing|examples?|docs)/|(?:^|/)(?:test_[^/]*|[^/]*_test|conftest)\.py$")


@dataclass(frozen=True, slots=True)
class Instrument:
    """A metric as an application declares it."""

    name: str
    """The name of its family, `_total` and `_info` left out; GAP in it where the text does not tell."""
    type: InstrumentType
    labels: frozenset[str]
    complete: bool
    """Whether those are all of its labels."""
    place: Place
    buckets: tuple[float, ...] = ()
    """The bounds of a histogram, +Inf left out; none where they are not known."""
    states: frozenset[str] = frozenset()
    """Of an enumeration, where they are known."""
    lazy: bool = field(default=False, compare=False)
    """Whether its series are born with the label values that they are asked for, so that there are none before."""

    @property
    def known(self) -> bool:
        """Whether its whole name is known."""
        return GAP not in self.name

    @property
    def series(self) -> tuple[tuple[str, frozenset[str]], ...]:
        """The names of its series, each with the labels that it has besides the family's."""
        none: frozenset[str] = frozenset()
        match self.type:
            case "counter":
                return ((f"{self.name}_total", none), (f"{self.name}_created", none))
            case "histogram":
                more = frozenset({"le"})
                return (
                    (f"{self.name}_bucket", more),
                    *((f"{self.name}_{of}", none) for of in ("sum", "count", "created")),
                )
            case "summary":
                return tuple((f"{self.name}_{of}", none) for of in ("sum", "count", "created"))
            case "info":
                return ((f"{self.name}_info", none),)
            case "enum":
                return ((self.name, frozenset({self.name})),)
        return ((self.name, none),)


class Application:
    """What the Python sources of a folder declare."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """Take the texts of Python files by name; tests and examples among them are left out."""
        self.texts = {name: text for name, text in texts.items() if not _TESTS.search(name)}
        self._evaluation = Evaluation(Sources(self.texts))
        self._escaped = False

    @property
    def present(self) -> bool:
        """Whether there is an application that makes metrics with prometheus_client."""
        return bool(self.instruments)

    @cached_property
    def whole(self) -> bool:
        """Whether every metric of the application is among the instruments, those with a pattern included."""
        found = self.instruments
        followed = (
            not self._escaped
            and not self._evaluation.exhausted
            and not any(_OTHERS.search(text) for text in self.texts.values())
        )
        return followed and all(instrument.name != GAP for instrument in found)

    def may_have(self, series: str) -> bool:
        """Tell whether some instrument whose name is not wholly known may have a series of that name."""
        return any(re.fullmatch(pattern, series) for pattern in self._patterns)

    @cached_property
    def _patterns(self) -> frozenset[str]:
        names = {name for i in self.instruments if not i.known for name, _ in i.series}
        return frozenset(".*".join(map(re.escape, re.split(f"{GAP}+", name))) for name in names)

    @cached_property
    def instruments(self) -> tuple[Instrument, ...]:
        """Every metric that is declared, in the order of files; one that several places declare is there for each."""
        found: dict[Instrument, None] = {}
        for file, text in self.texts.items():
            if "prometheus_client" not in text:
                continue
            module = self._evaluation.sources.module(file)
            if module is None:
                self._escaped = True
                continue
            for site, type_ in self._makers(module):
                found |= dict.fromkeys(self._made(site, type_))
        return tuple(found)

    def _makers(self, module: Module) -> Iterator[tuple[Site, ast.expr]]:
        """Yield the calls of a module that may make a metric."""
        hot = _hot(module)
        for site in module.sites:
            named = [n.id for n in ast.walk(site.call.func) if isinstance(n, ast.Name)]
            if not hot.isdisjoint(named):
                yield site, site.call.func

    def _made(self, site: Site, function: ast.expr) -> Iterator[Instrument]:
        named = (k.value for k in site.call.keywords if k.arg in _TELLING)
        for env in self._evaluation.environments(site, [function, *site.call.args[:6], *named]):
            for callee in self._evaluation.values(function, env):
                maker = self._maker(callee)
                if maker is not None:
                    yield from self._instruments(maker, site, env)

    def _maker(self, callee: Any) -> Maker | None:
        if isinstance(callee, Imported):
            found = _CLIENT.search(callee.path)
            return MAKERS.get(found[1]) if found else None
        if isinstance(callee, Scope) and isinstance(callee.node, ast.ClassDef):
            for base in callee.node.bases:
                for value in self._evaluation.values(base, Env(callee.parent or callee)):
                    maker = self._maker(value) if isinstance(value, Imported) else None
                    if maker is not None and "__init__" in callee.scopes:
                        self._escaped = True
                    elif maker is not None:
                        return maker
        return None

    def _instruments(self, maker: Maker, site: Site, env: Env) -> Iterator[Instrument]:
        given = self._given(maker, site.call, env)
        labels, complete = _labels(given.get("labels" if maker.family else "labelnames", ((),)))
        said = [k.value for k in site.call.keywords if k.arg == "name"] or site.call.args[:1]
        passed = any(isinstance(n, ast.Name) and n.id in env.bound for node in said for n in ast.walk(node))
        origin = env.origin if passed and env.origin else site
        place = Place(origin.scope.module.file, origin.call.lineno, origin.call.col_offset + 1)
        buckets = _bounds(given["buckets"]) if "buckets" in given else DEFAULT_BUCKETS
        target = site.scope.module.targets.get(id(site.call)) if self._begun else None
        for name in given.get("name", (UNKNOWN,)):
            whole = _full_name(maker, name, *(given.get(n, ("",))[0] for n in ("namespace", "subsystem", "unit")))
            yield Instrument(
                name=whole,
                type=maker.type,
                labels=labels,
                complete=complete and maker.type != "info",
                place=place,
                buckets=buckets if maker.type == "histogram" and not maker.family else (),
                states=_states(given.get("states", ())),
                lazy=(bool(labels) or not complete) and target not in self._begun,
            )

    @cached_property
    def _begun(self) -> frozenset[str]:
        """The variables and attributes whose series are made before anything is counted: a `.labels(...)` by itself."""
        modules = (self._evaluation.sources.module(file) for file, text in self.texts.items() if ".labels(" in text)
        return frozenset(
            last_name(node.func.value)
            for module in modules
            if module is not None
            for node in _made_in_vain(module.tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "labels"
        )

    def _given(self, maker: Maker, call: ast.Call, env: Env) -> dict[str, tuple[Any, ...]]:
        """Return what a call gives for each argument that a metric hangs on."""
        given: dict[str, tuple[Any, ...]] = {}
        for name, node in zip(maker.arguments, call.args, strict=False):
            if isinstance(node, ast.Starred):
                given |= dict.fromkeys(maker.arguments[list(maker.arguments).index(name) :], (UNKNOWN,))
                break
            if name in _TELLING:
                given[name] = self._evaluation.values(node, env)
        for keyword in call.keywords:
            if keyword.arg is None:
                missing = (*maker.arguments, "buckets")
                given |= {name: (UNKNOWN,) for name in missing if name not in given}
            elif keyword.arg in _TELLING:
                given[keyword.arg] = self._evaluation.values(keyword.value, env)
        return given


def _made_in_vain(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield the expressions whose value nobody uses, and the items of lists, which may be made for what they do."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            yield node.value
        elif isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
            yield node.elt


def _hot(module: Module) -> set[str]:
    """Return the names of a module that may stand for a class of prometheus_client, or lead to one."""
    scopes = [module.scope]
    hot: set[str] = set()
    for scope in scopes:
        scopes += scope.scopes.values()
        hot |= {name for name, path in scope.imports.items() if _of_client(path)}
    for _ in range(2):
        for scope in scopes:
            hot |= {name for name, values in scope.assigned.items() if any(v and _mentions(v, hot) for v in values)}
            if isinstance(scope.node, ast.ClassDef) and any(_mentions(base, hot) for base in scope.node.bases):
                hot.add(scope.node.name)
        hot |= {name for site in module.sites for name in _passed(site, scopes, hot)}
    return hot - {"self", "cls"}


def _of_client(path: str) -> bool:
    tail = path.replace(":", ".").rpartition(".")[2]
    return path.startswith("prometheus_client") and (tail in MAKERS or tail in _MODULES)


def _passed(site: Site, scopes: list[Scope], hot: set[str]) -> Iterator[str]:
    """Yield the parameters of a function of the module that a call may give one of some names."""
    if any(isinstance(argument, ast.Name) and argument.id in hot for argument in site.call.args):
        called = last_name(site.call.func)
        for scope in scopes:
            yield from scope.scopes[called].parameters if called in scope.scopes else ()


_TELLING = frozenset({"name", "labelnames", "labels", "namespace", "subsystem", "unit", "buckets", "states", None})
"""The arguments that a metric's name and series hang on."""
_MODULES = frozenset({"prometheus_client", "core", "metrics", "metrics_core"})


def _mentions(node: ast.expr, hot: set[str]) -> bool:
    """Tell whether an expression is one of some names, or chooses or lists some of them; calls are not looked into."""
    match node:
        case ast.Name(id=name):
            return name in hot
        case ast.Attribute(value=ast.Name(id=name), attr=attribute):
            return name in hot and attribute in MAKERS
        case ast.IfExp(body=body, orelse=other):
            return _mentions(body, hot) or _mentions(other, hot)
        case ast.Dict(values=values) | ast.Tuple(elts=values) | ast.List(elts=values):
            return any(_mentions(value, hot) for value in values)
        case ast.Subscript(value=value):
            return _mentions(value, hot)
        case ast.Call(func=ast.Attribute(value=value, attr="get" | "items" | "values")):
            return _mentions(value, hot)
    return False


def _full_name(maker: Maker, name: Any, namespace: Any, subsystem: Any, unit: Any) -> str:
    """Return a family's name as prometheus_client makes it (metrics.py, _build_full_name; metrics_core.py)."""
    pieces = [_text(piece) for piece in (namespace, subsystem, name) if piece not in ("", None)]
    full = "_".join(pieces) or GAP
    if maker.type == "counter" and full.endswith("_total"):
        full = full.removesuffix("_total")
    if maker.type == "info" and full.endswith("_info") and maker.family:
        full = full.removesuffix("_info")
    suffix = _text(unit) if unit not in ("", None) else ""
    if suffix and not full.endswith(f"_{suffix}"):
        full += f"_{suffix}"
    return full if set(full) != {GAP, "_"} else GAP


def _text(value: Any) -> str:
    return value if isinstance(value, str) else GAP


def _labels(values: tuple[Any, ...]) -> tuple[frozenset[str], bool]:
    """Return the names of labels by the alternatives of their list, and whether there can be no others."""
    found: set[str] = set()
    complete = len(values) == 1
    for value in (tuple(each) if isinstance(each, dict) else each for each in values):
        if value is None or value == "":
            continue
        if not isinstance(value, tuple):
            complete = False
            continue
        known = [label for label in value if isinstance(label, str) and GAP not in label]
        found.update(known)
        complete = complete and len(known) == len(value)
    return frozenset(found), complete


def _bounds(values: tuple[Any, ...]) -> tuple[float, ...]:
    bounds = values[0] if len(values) == 1 and isinstance(values[0], tuple) else ()
    finite = [bound for bound in bounds if not _infinite(bound)]
    numbers = [_float(bound) for bound in finite if isinstance(bound, (int, float)) and not isinstance(bound, bool)]
    return tuple(sorted(numbers)) if len(numbers) == len(finite) else ()


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _infinite(bound: Any) -> bool:
    return bound == math.inf or (isinstance(bound, Imported) and bound.path.endswith((".inf", ".INF")))


def _states(values: tuple[Any, ...]) -> frozenset[str]:
    states = values[0] if len(values) == 1 and isinstance(values[0], tuple) else ()
    known = frozenset(state for state in states if isinstance(state, str) and GAP not in state)
    return known if len(known) == len(set(map(str, states))) else frozenset()
