"""Splits the text of a PromQL expression into tokens, in one pass.

The tokens are those of promql/parser/lex.go of Prometheus, except that words are told from keywords by the parser:
inside braces none is a keyword, and in many places a keyword may be a name.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from tocsin.promql.nodes import PromQLError, Span

Kind = Literal["word", "number", "duration", "string", "mark", "end"]


class Token(NamedTuple):
    """A piece of text of one kind. `mark` is an operator or a bracket; `end` is the empty token after the last."""

    kind: Kind
    text: str
    start: int
    end: int

    @property
    def span(self) -> Span:
        """The token's place."""
        return Span(self.start, self.end)


# Quantifiers are possessive throughout: what one branch has taken is never tried again, so time is linear.
_SKIPPED = re.compile(r"(?:[ \t\r\n]++|#[^\r\n]*+)*+")
_STRING = r"""(?P<string>"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+'|`[^`]*+`)"""
_NUMBER = (
    r"(?P<duration>(?:[0-9]++(?:ms|[smhdwy]))++)(?![A-Za-z0-9_])"
    r"|(?P<number>(?:0[xX]_?[0-9A-Fa-f_]++|(?:\.[0-9][0-9_]*+|[0-9][0-9_]*+(?:\.[0-9_]*+)?)(?:[eE][+-]?[0-9_]++)?))"
    r"(?![A-Za-z0-9_.])"
)
_PATTERNS = {
    "": re.compile(
        rf"{_STRING}|{_NUMBER}|(?P<word>[A-Za-z_:][A-Za-z0-9_:]*+)|(?P<mark>==|!=|<=|>=|[-+*/%^<>=,(){{\[\]@])",
        re.ASCII,
    ),
    "{": re.compile(rf"{_STRING}|(?P<word>[A-Za-z_][A-Za-z0-9_]*+)|(?P<mark>=~|!~|!=|[=,}}])", re.ASCII),
    "[": re.compile(rf"{_NUMBER}|(?P<mark>[\]:])", re.ASCII),
}
"""What may stand outside, inside braces, and inside a range's brackets."""

_AFTER = {"{": "{", "}": "", "[": "[", "]": ""}


def tokens(text: str) -> list[Token]:
    """Return the tokens of `text`, blanks and comments left out, with an `end` token last.

    Raises PromQLError at the first character that begins none.
    """
    found: list[Token] = []
    inside, at = "", _skip(text, 0)
    while at < len(text):
        match = _PATTERNS[inside].match(text, at)
        if match is None:
            raise _stray(text, at, inside)
        kind = match.lastgroup
        piece = match[0]
        found.append(Token(kind, piece, at, match.end()))  # type: ignore[arg-type]  # the groups are named by kind
        if kind == "mark":
            inside = _AFTER.get(piece, inside)
        at = _skip(text, match.end())
    if inside:
        opened = next(token for token in reversed(found) if token.text == inside)
        raise PromQLError(f"{inside!r} is never closed", opened.start, len(text))
    found.append(Token("end", "", len(text), len(text)))
    return found


def _skip(text: str, at: int) -> int:
    match = _SKIPPED.match(text, at)
    return match.end() if match else at


def _stray(text: str, at: int, inside: str) -> PromQLError:
    character = text[at]
    where = {"": "here", "{": "inside braces", "[": "inside a range's brackets"}[inside]
    if character in "\"'`":
        return PromQLError(f"this string has no closing {character}", at, len(text))
    if character.isdigit() and character.isascii():
        end = at + len(re.match(r"[A-Za-z0-9_.]*+", text[at : at + 100])[0])  # type: ignore[index]  # matches ""
        message = f"{text[at:end]!r} is neither a number nor a duration such as 5m"
        return PromQLError(message, at, end)
    if inside == "[":
        return PromQLError(f"{character!r} cannot stand {where}: write a duration such as [5m] or [1h:1m]", at, at + 1)
    return PromQLError(f"{character!r} cannot stand {where}", at, at + 1)
