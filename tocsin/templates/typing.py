"""What of a template fails when it is rendered: fields that nothing has, functions given what they cannot take.

Go finds these only when the text is rendered, for its data have no types before; but what Prometheus and Alertmanager
give to templates is known. Where a type is not certain, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tocsin.promql.nodes import Span
from tocsin.source import nearest
from tocsin.templates.functions import Signature
from tocsin.templates.nodes import (
    Action,
    Branch,
    Call,
    Chain,
    Command,
    Field,
    Function,
    Literal,
    Node,
    Operand,
    Pipeline,
    Template,
    Variable,
)


@dataclass(frozen=True)
class Type:
    """What is known of a value: its fields and methods, and what it holds where it can be ranged over."""

    name: str
    fields: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Names of the types of fields and of methods that take no argument."""
    methods: Mapping[str, Signature] = field(default_factory=dict, hash=False)
    """Methods that take arguments."""
    holds: str = ""
    """The type of its elements."""
    keyed: bool = False
    """Any other name is a key of it, for it is a map; a key that is not there gives the empty string."""
    open: bool = False
    """There may be more names."""


_TIME_FACTS = (
    "Clock Date Day GoString Hour ISOWeek IsDST IsZero Location MarshalBinary MarshalJSON MarshalText Minute Month"
    " Nanosecond Second Unix UnixMicro UnixMilli UnixNano Weekday Year YearDay Zone ZoneBounds"
)
_TIME = {**dict.fromkeys(_TIME_FACTS.split(), "any"), "Local": "time", "UTC": "time", "String": "string"}
_TIME_METHODS = {
    name: Signature(("any",) * count, gives)
    for name, count, gives in (
        ("Add", 1, "time"),
        ("AddDate", 3, "time"),
        ("After", 1, "bool"),
        ("AppendFormat", 2, "any"),
        ("Before", 1, "bool"),
        ("Compare", 1, "int"),
        ("Equal", 1, "bool"),
        ("Format", 1, "string"),
        ("In", 1, "time"),
        ("Round", 1, "time"),
        ("Sub", 1, "any"),
        ("Truncate", 1, "time"),
    )
}
_TEXTS = {"Names": "strings", "Values": "strings", "String": "string"}
TYPES: Mapping[str, Type] = {
    each.name: each
    for each in (
        Type("any", open=True),
        Type("string"),
        Type("int"),
        Type("number"),
        Type("float"),
        Type("bool"),
        Type("strings", holds="string"),
        Type("time", _TIME, _TIME_METHODS),
        # Alertmanager, template/template.go
        Type(
            "notification",
            {
                "Receiver": "string",
                "Status": "string",
                "Alerts": "alerts",
                "NotificationReason": "string",
                "GroupLabels": "labels",
                "CommonLabels": "labels",
                "CommonAnnotations": "labels",
                "RouteLabels": "labels",
                "ExternalURL": "string",
            },
        ),
        Type("alerts", {"Firing": "some alerts", "Resolved": "some alerts"}, holds="alert"),
        Type("some alerts", holds="alert"),
        Type(
            "alert",
            {
                "Status": "string",
                "Labels": "labels",
                "Annotations": "labels",
                "StartsAt": "time",
                "EndsAt": "time",
                "GeneratorURL": "string",
                "Fingerprint": "string",
            },
        ),
        Type(
            "labels",
            {"SortedPairs": "pairs", **_TEXTS},
            {"Remove": Signature(("strings",), "labels")},
            holds="string",
            keyed=True,
        ),
        Type("pairs", _TEXTS, holds="pair"),
        Type("pair", {"Name": "string", "Value": "string"}),
        # Prometheus, template/template.go
        Type(
            "firing",
            {"Labels": "texts", "ExternalLabels": "texts", "ExternalURL": "string", "Value": "float"},
        ),
        Type("texts", holds="string", keyed=True),
        Type("samples", holds="sample"),
        Type("sample", {"Labels": "texts", "Value": "float"}),
    )
}
_SHOWN = {
    "notification": "the notification",
    "alerts": "the list of alerts",
    "some alerts": "a list of alerts",
    "alert": "an alert",
    "labels": "a set of labels or annotations",
    "texts": "a set of labels",
    "pairs": "a list of pairs",
    "pair": "a pair of name and value",
    "firing": "the alert",
    "samples": "the result of a query",
    "sample": "a sample",
    "strings": "a list of strings",
    "string": "a string",
    "time": "a time",
    "int": "a number",
    "number": "a number",
    "float": "a number",
    "bool": "true or false",
}
ALERT_VARIABLES = {"$labels": "texts", "$externalLabels": "texts", "$externalURL": "string", "$value": "float"}
MOST_CALLS = 2000
"""Calls of templates that are followed; more come only of templates that call each other without end."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that fails when the template is rendered."""

    message: str
    span: Span
    inside: str
    """The defined template in whose text the span is; empty for that of the caller."""


@dataclass(frozen=True, slots=True)
class Use:
    """A label or annotation that a template shows: `CommonLabels`, `job`."""

    of: str
    """`GroupLabels`, `CommonLabels`, `CommonAnnotations`, `Labels` or `Annotations`."""
    name: str
    span: Span
    inside: str
    alone: bool
    """It is shown as it is, not only asked for (`if`, `with`) or compared."""


@dataclass
class Reading:
    """What the rendering of a template comes upon."""

    failures: list[Failure] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    called: set[str] = field(default_factory=set)
    """Names of the templates that are rendered."""
    unknown: list[tuple[Call, str]] = field(default_factory=list)
    """Calls of templates that nobody defines, and the template that calls."""


def read_rendering(
    template: Template,
    data: str,
    defined: Mapping[str, tuple[Node, ...]],
    functions: Mapping[str, Signature],
    variables: Mapping[str, str] | None = None,
) -> Reading:
    """Return what rendering a template with data of a type comes upon, the templates that it calls included."""
    renderer = _Renderer({**defined, **template.defined}, functions)
    renderer.run(template.body, data, "", variables or {})
    return renderer.reading


class _Renderer:
    """Follows what a template would do, with types for values."""

    def __init__(self, defined: Mapping[str, tuple[Node, ...]], functions: Mapping[str, Signature]) -> None:
        self.defined = defined
        self.functions = functions
        self.reading = Reading()
        self.seen: set[tuple[str, str]] = set()
        self.waiting: list[tuple[str, str]] = []
        self.inside = ""
        self.root = "any"
        self.unsure: frozenset[str] = frozenset()
        self.asked = 0
        """How deep we are in what is only asked for, not shown."""

    def run(self, body: tuple[Node, ...], data: str, inside: str, variables: Mapping[str, str]) -> None:
        self._whole(body, data, inside, variables)
        while self.waiting and len(self.seen) < MOST_CALLS:
            name, given = self.waiting.pop()
            self._whole(self.defined[name], given, name, {})

    def _whole(self, body: tuple[Node, ...], data: str, inside: str, variables: Mapping[str, str]) -> None:
        self.inside, self.root = inside, data
        self.unsure = frozenset(_assigned(body))
        self.nodes(body, data, {"$": data, **variables})

    def nodes(self, body: tuple[Node, ...], dot: str, variables: dict[str, str]) -> None:
        for node in body:
            match node:
                case Action(pipeline=pipeline):
                    self.set(pipeline, self.value(pipeline, dot, variables), variables)
                case Branch():
                    self.branch(node, dot, dict(variables))
                case Call():
                    self.call(node, dot, variables)

    def branch(self, node: Branch, dot: str, variables: dict[str, str]) -> None:
        self.asked += 1
        given = self.value(node.pipeline, dot, variables)
        self.asked -= 1
        inner, names = dot, node.pipeline.sets
        if node.kind == "range":
            inner = self.element(given, node)
            if len(names) == 2:
                variables[names[0]] = "string" if TYPES[given].keyed else "int" if TYPES[given].holds else "any"
            if names:
                variables[names[-1]] = inner
        else:
            self.set(node.pipeline, given, variables)
            inner = given if node.kind == "with" else dot
        self.nodes(node.body, inner, dict(variables))
        self.nodes(node.otherwise, dot, dict(variables))

    def element(self, given: str, node: Branch) -> str:
        if TYPES[given].holds:
            return TYPES[given].holds
        if given in ("string", "float", "bool", "time", "alert", "pair", "notification", "firing", "sample"):
            self.fail(f"`range` cannot go through {_SHOWN[given]}", node.pipeline.span)
        return "any"

    def set(self, pipeline: Pipeline, given: str, variables: dict[str, str]) -> None:
        for name in pipeline.sets:
            variables[name] = "any" if name in self.unsure else given

    def call(self, node: Call, dot: str, variables: dict[str, str]) -> None:
        given = "any"
        if node.pipeline is not None:
            self.asked += 1
            given = self.value(node.pipeline, dot, variables)
            self.asked -= 1
            self.set(node.pipeline, given, variables)
        if node.name not in self.defined:
            self.reading.unknown.append((node, self.inside))
            return
        self.reading.called.add(node.name)
        if node.pipeline is not None and (node.name, given) not in self.seen:
            self.seen.add((node.name, given))
            self.waiting.append((node.name, given))

    # Values

    def value(self, pipeline: Pipeline, dot: str, variables: dict[str, str]) -> str:
        given, passed = "any", False
        for i, command in enumerate(pipeline.commands):
            shown = i == len(pipeline.commands) - 1 and not passed
            given = self.command(command, given if passed else "", dot, variables, shown)
            passed = True
        return given

    def command(self, command: Command, passed: str, dot: str, variables: dict[str, str], shown: bool) -> str:
        first, rest = command.operands[0], command.operands[1:]
        is_called = bool(rest) or passed != ""
        if isinstance(first, Function):
            return self.function(first, rest, passed, dot, variables)
        if is_called:
            self.asked += not shown
            given = self.method(first, rest, passed, dot, variables)
            self.asked -= not shown
            return given
        return self.operand(first, dot, variables)

    def function(
        self, function: Function, rest: tuple[Operand, ...], passed: str, dot: str, variables: dict[str, str]
    ) -> str:
        compares = function.name in ("eq", "ne", "lt", "le", "gt", "ge", "len", "and", "or", "not", "match", "index")
        self.asked += compares
        given = [self.operand(operand, dot, variables) for operand in rest]
        self.asked -= compares
        if passed:
            given.append(passed)
        spans = [operand.span for operand in rest] + [function.span]
        signature = self.functions.get(function.name)
        if signature is None:
            return "any"
        self.arguments(f"`{function.name}`", signature, given, spans, function.span)
        if function.name == "index" and len(given) > 1:
            return self.indexed(rest, given)
        return signature.gives

    def indexed(self, rest: tuple[Operand, ...], given: list[str]) -> str:
        kind = given[0]
        for _ in given[1:]:
            kind = TYPES[kind].holds or "any"
        if len(rest) == 2 and isinstance(rest[1], Literal) and rest[1].kind == "string":
            of = _last_name(rest[0])
            if of and TYPES[given[0]].keyed:
                self.use(of, rest[1].value, rest[1].span)
        return kind

    def arguments(self, what: str, signature: Signature, given: list[str], spans: list[Span], place: Span) -> None:
        least = len(signature.takes) - signature.variadic
        if len(given) < least or (len(given) > len(signature.takes) and not signature.variadic):
            wanted = f"at least {least}" if signature.variadic else str(least)
            self.fail(f"{what} takes {wanted} argument{'s' if wanted != '1' else ''}, not {len(given)}", place)
            return
        for i, kind in enumerate(given):
            wanted = signature.takes[min(i, len(signature.takes) - 1)]
            if wanted != "any" and not _assignable(kind, wanted):
                self.fail(f"{what} takes {_SHOWN[wanted]}, not {_SHOWN[kind]}", spans[min(i, len(spans) - 1)])

    def method(
        self, first: Operand, rest: tuple[Operand, ...], passed: str, dot: str, variables: dict[str, str]
    ) -> str:
        """Return what a method gives that is called with arguments."""
        given = [self.operand(operand, dot, variables) for operand in rest] + ([passed] if passed else [])
        spans = [operand.span for operand in rest] + [first.span]
        if isinstance(first, Literal) and first.kind != "dot":
            self.fail(f"`{first.value}` is no function, so it cannot take an argument", first.span)
            return "any"
        base, names, name_spans = self.path(first, dot, variables)
        if not names:
            return "any"
        kind = self.fields(base, names[:-1], name_spans)
        method = TYPES[kind].methods.get(names[-1])
        if method is not None:
            self.arguments(f"`{names[-1]}`", method, given, spans, name_spans[-1])
            return method.gives
        if not TYPES[kind].open and (names[-1] in TYPES[kind].fields or TYPES[kind].keyed):
            self.fail(f"`{names[-1]}` is no method, so it cannot take an argument", name_spans[-1])
            return "any"
        return self.fields(kind, names[-1:], name_spans[-1:])

    def operand(self, operand: Operand, dot: str, variables: dict[str, str]) -> str:
        match operand:
            case Literal(kind="dot"):
                return dot
            case Literal(kind=kind):
                return {"string": "string", "bool": "bool", "number": "number"}.get(kind, "any")
            case Function():
                return self.function(operand, (), "", dot, variables)
            case Pipeline():
                self.asked += 1
                given = self.value(operand, dot, variables)
                self.asked -= 1
                return given
        base, names, spans = self.path(operand, dot, variables)
        return self.fields(base, names, spans)

    def path(
        self, operand: Operand, dot: str, variables: dict[str, str]
    ) -> tuple[str, tuple[str, ...], tuple[Span, ...]]:
        match operand:
            case Field(names=names, spans=spans):
                return dot, names, spans
            case Variable(name=name, names=names, spans=spans):
                return "any" if name in self.unsure else variables.get(name, "any"), names, spans
            case Chain(of=of, names=names, spans=spans):
                return self.operand(of, dot, variables), names, spans
        return self.operand(operand, dot, variables), (), ()

    def fields(self, kind: str, names: tuple[str, ...], spans: tuple[Span, ...]) -> str:
        above = ""
        for name, span in zip(names, spans, strict=False):
            known = TYPES[kind]
            if name in known.fields:
                kind, above = known.fields[name], name
                continue
            if known.open:
                return "any"
            if name in known.methods:
                takes = len(known.methods[name].takes)
                self.fail(f"`{name}` takes {takes} argument{'s' if takes > 1 else ''}, and is given none", span)
                return "any"
            if known.keyed:
                if above:
                    self.use(above, name, span)
                kind, above = known.holds, ""
                continue
            self.fail(f"{_SHOWN.get(kind, kind)} has no `{name}`; {_offered(name, known)}", span)
            return "any"
        return kind

    def use(self, of: str, name: str, span: Span) -> None:
        self.reading.uses.append(Use(of, name, span, self.inside, self.asked == 0))

    def fail(self, message: str, span: Span) -> None:
        failure = Failure(message, span, self.inside)
        if failure not in self.reading.failures:
            self.reading.failures.append(failure)


def _assigned(body: tuple[Node, ...]) -> Iterator[str]:
    """Yield the variables that are assigned to somewhere: what they hold then depends on the way there."""
    for node in Template(body).walk():
        if isinstance(node, (Action, Branch, Call)) and node.pipeline is not None and not node.pipeline.declares:
            yield from node.pipeline.sets


def _assignable(given: str, wanted: str) -> bool:
    if given in ("any", wanted):
        return True
    return given == "number" and wanted in ("int", "float")


def _last_name(operand: Operand) -> str:
    return operand.names[-1] if isinstance(operand, (Field, Variable, Chain)) and operand.names else ""


def _offered(name: str, known: Type) -> str:
    names = [*known.fields, *known.methods]
    near = nearest(name, names, most=2)
    if near:
        return f"did you mean `{'` or `'.join(near)}`?"
    return f"it has {', '.join(names)}" if names else "it has no fields at all"
