"""Reads a template as text/template/parse/parse.go of Go does: what it refuses is refused, at the same place."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from typing import Literal as OneOf

from tocsin.promql.nodes import Span
from tocsin.source import nearest
from tocsin.templates.lexer import Refused, Token, tokens
from tocsin.templates.nodes import (
    Action,
    Branch,
    Call,
    Chain,
    Command,
    Field,
    Function,
    Jump,
    Literal,
    Node,
    Operand,
    Pipeline,
    Template,
    TemplateError,
    Text,
    Variable,
)

MOST_NESTED = 120
"""Levels of brackets and branches; no template that people write has so many."""

_OPERANDS = frozenset({"bool", "character", "dot", "field", "identifier", "number", "nil", "raw", "string", "variable"})
_NOT_CALLED = frozenset({"bool", "dot", "nil", "number", "string"})


def parse_template(
    text: str, *, functions: Collection[str] | None = None, variables: Collection[str] = ()
) -> Template | TemplateError:
    """Return a template's tree, or the first thing that Go refuses.

    `functions` are the names that may be called, any if left out; `variables` are set before it (`$labels`).
    """
    try:
        return _Parser(list(tokens(text)), functions, tuple(variables)).template()
    except Refused as refused:
        return TemplateError(refused.message, refused.span)


class _Parser:
    """One pass over the tokens."""

    def __init__(self, read: list[Token], functions: Collection[str] | None, variables: tuple[str, ...]) -> None:
        self.tokens = read
        self.at = 0
        self.functions = functions
        self.variables = ["$", *variables]
        self.defined: dict[str, tuple[Node, ...]] = {}
        self.places: dict[str, Span] = {}
        self.ranges = 0
        self.depth = 0

    # Tokens

    def next(self) -> Token:
        token = self.tokens[self.at]
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def peek(self) -> Token:
        return self.tokens[self.at]

    def past_space(self) -> Token:
        """Go to the next token that is no space, and return it."""
        while self.tokens[self.at].kind == "space":
            self.at += 1
        return self.tokens[self.at]

    def take(self) -> Token:
        self.past_space()
        return self.next()

    def close(self, context: str) -> Token:
        token = self.take()
        if token.kind != "right":
            raise _unexpected(token, context)
        return token

    # The text

    def template(self) -> Template:
        body: list[Node] = []
        while (token := self.peek()).kind != "end":
            if token.kind == "left" and self._keyword() == "define":
                self.define()
                continue
            node = self.node()
            if isinstance(node, Token):
                raise Refused(f"`{node.value}` has nothing that it could belong to", *node.span)
            body.append(node)
        return Template(tuple(body), self.defined, self.places)

    def _keyword(self) -> str:
        """Return the keyword that the action begins with, which the next token opens; the position stays."""
        for token in self.tokens[self.at + 1 : self.at + 3]:
            if token.kind != "space":
                return token.value if token.kind == "keyword" else ""
        return ""

    def define(self) -> None:
        self.next()
        start = self.take()
        name = self.name("define")
        self.close("define")
        before, self.variables = self.variables, ["$"]
        body, _ = self.nodes(start, otherwise=False)
        self.variables = before
        self.add(name, body)

    def add(self, name: Token, body: tuple[Node, ...]) -> None:
        """Keep what is defined; the same name twice is refused, unless one of the two is empty."""
        called = _unquoted(name)
        if not _is_empty(body) and not _is_empty(self.defined.get(called, ())):
            raise Refused(f"the template {called!r} is defined twice in one text", *name.span)
        if called not in self.defined or not _is_empty(body):
            self.defined[called] = body
            self.places[called] = name.span

    def name(self, context: str) -> Token:
        token = self.take()
        if token.kind not in ("string", "raw"):
            raise Refused(f"the name of a template is a string in quotes, after `{context}`", *token.span)
        return token

    def nodes(self, start: Token, *, otherwise: bool) -> tuple[tuple[Node, ...], Token]:
        """Return what stands before the `end`, or the `else` where one may come, and that token."""
        found: list[Node] = []
        while self.peek().kind != "end":
            node = self.node()
            if not isinstance(node, Token):
                found.append(node)
                continue
            if node.value == "else" and not otherwise:
                raise Refused("`else` has nothing that it could belong to", *node.span)
            return tuple(found), node
        raise Refused(f"`{start.value}` has no `{{{{ end }}}}`", *start.span)

    def node(self) -> Node | Token:
        """Return the next node, or the keyword `end` or `else`."""
        token = self.next()
        if token.kind == "text":
            return Text(token.value, token.span)
        if token.kind != "left":
            raise _unexpected(token, "a text")
        self.depth += 1
        if self.depth > MOST_NESTED:
            raise Refused("this is nested too deeply to be read", *token.span)
        try:
            return self.action(token)
        finally:
            self.depth -= 1

    def action(self, left: Token) -> Node | Token:
        token = self.past_space()
        if token.kind != "keyword":
            pipeline = self.pipeline("an action", "right")
            return Action(pipeline, Span(left.span.start, pipeline.span.end))
        self.next()
        match token.value:
            case "if" | "with" | "range" as kind:
                return self.branch(kind, token)
            case "template":
                return self.call(token)
            case "block":
                return self.block(token)
            case "break" | "continue" as jump:
                if not self.ranges:
                    raise Refused(f"`{jump}` stands outside of any `range`", *token.span)
                self.close(jump)
                return Jump(jump, token.span)
            case "end":
                self.close("end")
                return token
            case "else":
                if not (self.past_space().kind == "keyword" and self.past_space().value in ("if", "with")):
                    self.close("else")
                return token
        raise Refused(f"`{token.value}` must not stand inside of anything else", *token.span)

    def branch(self, kind: OneOf["if", "with", "range"], token: Token) -> Branch:
        scope = len(self.variables)
        pipeline = self.pipeline(kind, "right")
        self.ranges += kind == "range"
        body, last = self.nodes(token, otherwise=True)
        self.ranges -= kind == "range"
        otherwise: tuple[Node, ...] = ()
        if last.value == "else":
            follows = self.past_space()
            if follows.kind == "keyword" and follows.value == kind and kind != "range":
                self.next()
                self.depth += 1
                if self.depth > MOST_NESTED * 4:
                    raise Refused("this has too many branches to be read", *follows.span)
                otherwise = (self.branch(kind, follows),)
                self.depth -= 1
            elif follows.kind == "keyword":
                raise Refused(f"`else {follows.value}` cannot belong to `{kind}`", *follows.span)
            else:
                otherwise, _ = self.nodes(token, otherwise=False)
        del self.variables[scope:]
        return Branch(kind, pipeline, body, otherwise, Span(token.span.start, pipeline.span.end))

    def call(self, token: Token) -> Call:
        name = self.name("template")
        pipeline = None
        if self.past_space().kind == "right":
            self.next()
        else:
            pipeline = self.pipeline("template", "right")
        return Call(_unquoted(name), name.span, pipeline, Span(token.span.start, name.span.end))

    def block(self, token: Token) -> Call:
        name = self.name("block")
        pipeline = self.pipeline("block", "right")
        before, self.variables = self.variables, ["$"]
        body, _ = self.nodes(token, otherwise=False)
        self.variables = before
        self.add(name, body)
        return Call(_unquoted(name), name.span, pipeline, Span(token.span.start, name.span.end))

    # What stands in an action

    def pipeline(self, context: str, end: str) -> Pipeline:
        start = self.past_space().span.start
        sets, declares = self.sets(context)
        commands: list[Command] = []
        while True:
            token = self.past_space()
            if token.kind == end or (end == ")" and token.value == ")" and token.kind == "mark"):
                self.next()
                self.check(commands, context, token)
                return Pipeline(tuple(commands), sets, declares, Span(start, max(start, token.span.start)))
            if token.kind not in _OPERANDS and not (token.kind == "mark" and token.value == "("):
                raise _unexpected(token, context)
            commands.append(self.command())

    def sets(self, context: str) -> tuple[tuple[str, ...], bool]:
        """Return the variables that a pipeline sets, and whether they are new."""
        found: list[str] = []
        while self.past_space().kind == "variable":
            back = self.at
            variable = self.next()
            after = self.past_space()
            if after.kind == "mark" and after.value in ("=", ":="):
                self.next()
                found.append(variable.value)
                self.variables.append(variable.value)
                return tuple(found), after.value == ":="
            if after.kind == "mark" and after.value == ",":
                if context != "range" or found:
                    raise Refused(f"too many variables are set in {context}", *variable.span)
                self.next()
                found.append(variable.value)
                self.variables.append(variable.value)
                if self.past_space().kind not in ("variable", "right"):
                    raise Refused("`range` can only set variables", *self.past_space().span)
                continue
            if found and context == "range":  # `range $a, $b`: what comes is the value
                self.at = back
                break
            self.at = back
            break
        return tuple(found), bool(found)

    def check(self, commands: list[Command], context: str, end: Token) -> None:
        if not commands:
            raise Refused(f"{context} lacks a value", *end.span)
        for command in commands[1:]:
            first = command.operands[0]
            if isinstance(first, Literal) and first.kind in _NOT_CALLED:
                raise Refused("what follows a `|` must be a function or a method", *first.span)

    def command(self) -> Command:
        found: list[Operand] = []
        start = self.past_space().span.start
        while True:
            self.past_space()
            operand = self.operand()
            if operand is not None:
                found.append(operand)
            token = self.next()
            if token.kind == "space":
                continue
            if token.kind == "right" or (token.kind == "mark" and token.value == ")"):
                self.at -= 1
                break
            if token.kind == "mark" and token.value == "|":
                break
            raise _unexpected(token, "an operand")
        if not found:
            raise Refused("a command lacks its function or value", start, token.span.end)
        return Command(tuple(found), Span(start, found[-1].span.end))

    def operand(self) -> Operand | None:
        first = self.term()
        if first is None or self.peek().kind != "field":
            return first
        names: list[str] = []
        spans: list[Span] = []
        while self.peek().kind == "field":
            token = self.next()
            names.append(token.value[1:])
            spans.append(Span(token.span.start + 1, token.span.end))
        whole = Span(first.span.start, spans[-1].end)
        if isinstance(first, Field):
            return Field((*first.names, *names), (*first.spans, *spans), whole)
        if isinstance(first, Variable):
            return Variable(first.name, tuple(names), tuple(spans), whole)
        if isinstance(first, Literal):
            raise Refused(f"a field cannot follow `{first.value}`", *spans[0])
        return Chain(first, tuple(names), tuple(spans), whole)

    def term(self) -> Operand | None:
        token = self.past_space()
        if token.kind == "mark" and token.value == "(":
            return self.bracket()
        if token.kind not in _OPERANDS:
            return None
        self.next()
        match token.kind:
            case "identifier":
                self.known(token)
                return Function(token.value, token.span)
            case "field":
                return Field((token.value[1:],), (Span(token.span.start + 1, token.span.end),), token.span)
            case "variable":
                if token.value not in self.variables:
                    near = nearest(token.value, self.variables, most=1)
                    meant = f"; did you mean `{near[0]}`?" if near and near[0] != "$" else ""
                    raise Refused(f"the variable `{token.value}` is not defined{meant}", *token.span)
                return Variable(token.value, (), (), token.span)
            case "string" | "raw":
                return Literal("string", _unquoted(token), token.span)
            case "dot" | "nil" | "bool" as kind:
                return Literal(kind, token.value, token.span)
        if token.kind == "character":
            _unquoted(token)
        return Literal("number", token.value, token.span)

    def bracket(self) -> Pipeline:
        opens = self.next()
        self.depth += 1
        if self.depth > MOST_NESTED:
            raise Refused("this is nested too deeply to be read", *opens.span)
        inside = self.pipeline("a pipeline in brackets", ")")
        self.depth -= 1
        return Pipeline(inside.commands, inside.sets, inside.declares, Span(opens.span.start, inside.span.end + 1))

    def known(self, token: Token) -> None:
        if self.functions is None or token.value in self.functions:
            return
        near = nearest(token.value, self.functions, most=1)
        contained = [name for name in self.functions if token.value.lower() in name.lower()]
        meant = (near or sorted(contained))[:1]
        offer = f"; did you mean `{meant[0]}`?" if meant else ""
        raise Refused(f"there is no function `{token.value}`{offer}", *token.span)


def _is_empty(body: tuple[Node, ...]) -> bool:
    return all(isinstance(node, Text) and not node.value.strip() for node in body)


def _unexpected(token: Token, context: str) -> Refused:
    shown = {"right": "`}}`", "end": "the end of the text"}.get(token.kind, f"`{token.value[:40]}`")
    return Refused(f"{shown} cannot stand in {context} here", *token.span)


_ESCAPED = re.compile(r"\\(?:[abfnrtv\\'\"]|x[0-9A-Fa-f]{2}|[0-3][0-7]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})")


def _unquoted(token: Token) -> str:
    """Return what a string of Go's holds; raises Refused where it has an escape that Go does not know."""
    if token.kind == "raw":
        return token.value[1:-1].replace("\r", "")
    rest = _ESCAPED.sub("", token.value[1:-1])
    wrong = rest.find("\\")
    if wrong >= 0:
        raise Refused(f"{token.value[:60]} holds `\\{rest[wrong + 1 : wrong + 2]}`, which is no escape", *token.span)
    refused = "'" if token.kind == "string" else '"'
    if f"\\{refused}" in token.value.replace("\\\\", ""):
        raise Refused(f"{token.value[:60]} holds `\\{refused}`, which is no escape here", *token.span)
    try:
        return str(ast.literal_eval(token.value)) if "\\" in token.value else token.value[1:-1]
    except (SyntaxError, ValueError) as error:
        raise Refused(f"{token.value[:60]} is no string", *token.span) from error
