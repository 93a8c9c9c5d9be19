"""Splits a template into tokens, as text/template/parse/lex.go of Go does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from tocsin.promql.nodes import Span

Kind = Literal[
    "text", "left", "right", "space", "identifier", "keyword", "field", "variable", "dot", "nil", "bool", "number",
    "string", "character", "raw", "mark", "end",
]  # fmt: skip

KEYWORDS = frozenset({"block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"})


class Token(NamedTuple):
    """A piece of a template. `value` is the text that a `text` leaves after trimming, and else what was written."""

    kind: Kind
    value: str
    span: Span


class Refused(Exception):
    """What Go refuses, and where."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message = message
        self.span = Span(start, max(start + 1, end))


_SPACE = " \t\r\n"
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_NUMBER = re.compile(
    r"[+-]?(?:0[xX][0-9A-Fa-f_]++(?:\.[0-9A-Fa-f_]*+)?(?:[pP][+-]?[0-9_]++)?|0[bB][01_]++|0[oO][0-7_]++"
    r"|(?:[0-9][0-9_]*+(?:\.[0-9_]*+)?|\.[0-9_]++)(?:[eE][+-]?[0-9_]++)?)i?"
)
_QUOTED = {
    '"': (re.compile(r'"(?:[^"\\\n]|\\.)*+"'), "string"),
    "`": (re.compile(r"`[^`]*+`"), "raw"),
    "'": (re.compile(r"'(?:[^'\\\n]|\\.)*+'"), "character"),
}
_MARKS = "(),|=:"
_WORD = re.compile(r"\w*+")


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a template, an `end` last; raises Refused at the first thing that begins none."""
    at = 0
    trimmed = False
    while True:
        opens = text.find("{{", at)
        stop = len(text) if opens < 0 else opens
        shown = text[at:stop]
        trims_left = opens >= 0 and text[opens + 2 : opens + 3] == "-" and text[opens + 3 : opens + 4] in tuple(_SPACE)
        shown = shown.lstrip(_SPACE) if trimmed else shown
        shown = shown.rstrip(_SPACE) if trims_left else shown
        if shown:
            yield Token("text", shown, Span(at, stop))
        if opens < 0:
            yield Token("end", "", Span(len(text), len(text)))
            return
        inside = opens + (4 if trims_left else 2)
        if text.startswith("/*", inside):
            at, trimmed = _comment(text, opens, inside)
            continue
        yield Token("left", "{{", Span(opens, inside))
        action = _Action(text, opens, inside)
        yield from action.tokens()
        at, trimmed = action.at, action.trims


def _comment(text: str, opens: int, inside: int) -> tuple[int, bool]:
    """Return where a comment's action ends, and whether it trims what follows."""
    found = _COMMENT.match(text, inside)
    if found is None:
        raise Refused("this comment is never closed", opens, _line_end(text, opens))
    closes = _closes(text, found.end())
    if closes is None:
        raise Refused("a comment must stand alone in its action: `{{/* ... */}}`", opens, found.end())
    return closes


def _closes(text: str, at: int) -> tuple[int, bool] | None:
    """Return where an action ends that may end at a place, and whether it trims what follows."""
    if text.startswith("}}", at):
        return at + 2, False
    if text[at : at + 1] in tuple(_SPACE) and text.startswith("-}}", at + 1):
        return at + 4, True
    return None


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


class _Action:
    """The tokens of one action."""

    def __init__(self, text: str, opens: int, at: int) -> None:
        self.text = text
        self.opens = opens
        self.at = at
        self.trims = False
        self.brackets: list[int] = []

    def tokens(self) -> Iterator[Token]:
        while True:
            closes = _closes(self.text, self.at)
            if closes is not None:
                if self.brackets:
                    raise Refused("this bracket is never closed", self.brackets[-1], self.brackets[-1] + 1)
                start = self.at
                self.at, self.trims = closes
                yield Token("right", "}}", Span(start, self.at))
                return
            yield self._token()

    def _token(self) -> Token:
        text, at = self.text, self.at
        if at >= len(text):
            raise Refused("this action is never closed: `}}` is missing", self.opens, _line_end(text, self.opens))
        first = text[at]
        if first in _SPACE:
            end = at
            while end < len(text) and text[end] in _SPACE and _closes(text, end) is None:
                end += 1
            return self._made("space", end)
        if first in _QUOTED:
            pattern, kind = _QUOTED[first]
            found = pattern.match(text, at)
            if found is None:
                raise Refused(f"this string has no closing {first}", at, _line_end(text, at))
            return self._made(kind, found.end())  # type: ignore[arg-type]  # the table holds kinds
        if first == ".":
            return self._dotted("field", "dot") if not text[at + 1 : at + 2].isdigit() else self._number()
        if first == "$":
            return self._dotted("variable", "variable")
        if first.isdigit() or first in "+-":
            return self._number()
        if first == "_" or first.isalnum():
            return self._word()
        return self._mark(first)

    def _mark(self, first: str) -> Token:
        if first == ":" and not self.text.startswith(":=", self.at):
            raise Refused("`:` stands alone; a variable is set with `:=`", self.at, self.at + 1)
        if first == "(":
            self.brackets.append(self.at)
        if first == ")":
            if not self.brackets:
                raise Refused("this bracket was never opened", self.at, self.at + 1)
            self.brackets.pop()
        if first == "}":
            raise Refused("this action is closed with one `}`; it takes two", self.at, self.at + 1)
        if first not in _MARKS:
            raise Refused(f"`{first}` cannot stand in an action", self.at, self.at + 1)
        return self._made("mark", self.at + (2 if first == ":" else 1))

    def _made(self, kind: Kind, end: int) -> Token:
        start, self.at = self.at, end
        return Token(kind, self.text[start:end], Span(start, end))

    def _number(self) -> Token:
        found = _NUMBER.match(self.text, self.at)
        if found is None or _WORD.match(self.text, found.end())[0]:  # type: ignore[index]  # it matches nothing too
            end = _WORD.match(self.text, self.at + 1).end()  # type: ignore[union-attr]
            raise Refused(f"`{self.text[self.at : end]}` is no number", self.at, end)
        return self._made("number", found.end())

    def _dotted(self, kind: Kind, bare: Kind) -> Token:
        end = _WORD.match(self.text, self.at + 1).end()  # type: ignore[union-attr]
        self._must_end(end)
        return self._made(kind if end > self.at + 1 else bare, end)

    def _word(self) -> Token:
        end = _WORD.match(self.text, self.at).end()  # type: ignore[union-attr]
        self._must_end(end)
        word = self.text[self.at : end]
        if word in KEYWORDS:
            return self._made("keyword", end)
        return self._made({"true": "bool", "false": "bool", "nil": "nil"}.get(word, "identifier"), end)  # type: ignore[arg-type]

    def _must_end(self, end: int) -> None:
        """Refuse a name that does not end before a space, a mark that may follow one, or the action's end."""
        after = self.text[end : end + 1]
        if after and after not in _SPACE + ".,|:()" and not self.text.startswith("}}", end):
            raise Refused(f"`{after}` cannot follow a name", end, end + 1)
