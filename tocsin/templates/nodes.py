"""The tree of a template; every node knows its span in the text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal as OneOf

from tocsin.promql.nodes import Span


@dataclass(frozen=True, slots=True)
class TemplateError:
    """What Go refuses about a template, and where."""

    message: str
    span: Span


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant, `.` or `nil`."""

    kind: OneOf["dot", "nil", "bool", "number", "string"]
    value: str
    """The string without its quotes; of anything else, as written."""
    span: Span


@dataclass(frozen=True, slots=True)
class Field:
    """`.Labels.job`: fields of the dot."""

    names: tuple[str, ...]
    spans: tuple[Span, ...]
    """The span of each name, without its dot."""
    span: Span


@dataclass(frozen=True, slots=True)
class Variable:
    """`$alert.Labels.job`, or `$` alone."""

    name: str
    """With its dollar sign."""
    names: tuple[str, ...]
    spans: tuple[Span, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Function:
    """The name of a function."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Chain:
    """`(index .Alerts 0).Labels.job`: fields of what a pipeline in brackets, or a function, gives."""

    of: Operand
    names: tuple[str, ...]
    spans: tuple[Span, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Command:
    """An operand, or a function or method with its arguments."""

    operands: tuple[Operand, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands of which each gives its result to the next as last argument; it may set variables."""

    commands: tuple[Command, ...]
    sets: tuple[str, ...]
    """Names of variables, with their dollar sign."""
    declares: bool
    """The variables are new (`:=`), not assigned (`=`)."""
    span: Span


Operand = Literal | Field | Variable | Function | Chain | Pipeline


@dataclass(frozen=True, slots=True)
class Text:
    """Text outside of actions, with what is trimmed taken away."""

    value: str
    span: Span


@dataclass(frozen=True, slots=True)
class Action:
    """`{{ pipeline }}`."""

    pipeline: Pipeline
    span: Span


@dataclass(frozen=True, slots=True)
class Branch:
    """`if`, `with` or `range`, with what follows and what follows otherwise."""

    kind: OneOf["if", "with", "range"]
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """`{{ template "name" pipeline }}`, or a `block`, which calls what it defines."""

    name: str
    name_span: Span
    """With its quotes."""
    pipeline: Pipeline | None
    span: Span


@dataclass(frozen=True, slots=True)
class Jump:
    """`break` or `continue`."""

    kind: OneOf["break", "continue"]
    span: Span


Node = Text | Action | Branch | Call | Jump


@dataclass(frozen=True, slots=True)
class Template:
    """A template's text, read."""

    body: tuple[Node, ...]
    defined: Mapping[str, tuple[Node, ...]] = field(default_factory=dict)
    """The templates that it defines, by name."""
    places: Mapping[str, Span] = field(default_factory=dict)
    """Where the name of each stands, with its quotes."""

    def walk(self) -> Iterator[Node]:
        """Yield every node, of the templates that it defines too."""
        waiting = [*self.body, *(node for body in self.defined.values() for node in body)][::-1]
        while waiting:
            node = waiting.pop()
            yield node
            if isinstance(node, Branch):
                waiting.extend(reversed((*node.body, *node.otherwise)))

    def pipelines(self) -> Iterator[Pipeline]:
        """Yield every pipeline, each before those in its brackets."""
        for node in self.walk():
            if isinstance(node, (Action, Branch, Call)) and node.pipeline is not None:
                yield from inner_pipelines(node.pipeline)

    def operands(self) -> Iterator[Operand]:
        """Yield every operand of every command."""
        for pipeline in self.pipelines():
            for command in pipeline.commands:
                for operand in command.operands:
                    yield operand
                    if isinstance(operand, Chain):
                        yield operand.of

    def functions(self) -> Iterator[Function]:
        """Yield every name of a function."""
        return (operand for operand in self.operands() if isinstance(operand, Function))

    def calls(self) -> Iterator[Call]:
        """Yield every call of a template."""
        return (node for node in self.walk() if isinstance(node, Call))

    @property
    def constant(self) -> str | None:
        """What it renders, where that depends on nothing; else None."""
        shown = []
        for node in self.body:
            if isinstance(node, Text):
                shown.append(node.value)
            elif isinstance(node, Action) and (value := _constant(node.pipeline)) is not None:
                shown.append(value)
            else:
                return None
        return "".join(shown)


def inner_pipelines(pipeline: Pipeline) -> Iterator[Pipeline]:
    """Yield a pipeline and those in its brackets."""
    waiting = [pipeline]
    while waiting:
        one = waiting.pop()
        yield one
        for command in one.commands:
            for operand in command.operands:
                inside = operand.of if isinstance(operand, Chain) else operand
                if isinstance(inside, Pipeline):
                    waiting.append(inside)


def _constant(pipeline: Pipeline) -> str | None:
    if pipeline.sets or len(pipeline.commands) != 1 or len(pipeline.commands[0].operands) != 1:
        return None
    only = pipeline.commands[0].operands[0]
    return only.value if isinstance(only, Literal) and only.kind == "string" else None
