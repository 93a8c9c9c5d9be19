"""What can be said, from Python, of the regular expressions of label matchers, which are RE2's and anchored.

The two dialects agree on nearly everything that monitoring files hold; where they differ, the answer is the lenient
one, because `promtool check rules` has the last word.
"""

from __future__ import annotations

import math
import re
import warnings
from functools import lru_cache

_ESCAPED = re.compile(r"\\.", re.DOTALL)
_CLASS = re.compile(r"\[:\^?\w+:\]")
_REFUSED = re.compile(r"(?:^|[^\\])(?:\\\\)*(\(\?(?:[=!>]|<[=!])|\\(?:[1-7](?![0-7])|[89])|\(\?P=)")
_CERTAIN = ("unterminated", "unbalanced", "missing )", "bad escape (end of pattern)")
_COUNT = re.compile(r"\{([0-9]{1,9})(?=,?[0-9]*\})")
_MOST_REPEATS = 1000


def problem(pattern: str) -> str | None:
    """Return why RE2 refuses `pattern`, as far as that is certain; None otherwise."""
    refused = _REFUSED.search(pattern)
    if refused:
        return f"{refused[1]} is not known to RE2, the engine that Prometheus uses"
    if any(int(count) > _MOST_REPEATS for count in _COUNT.findall(_ESCAPED.sub("", pattern))):
        return f"it repeats something more than {_MOST_REPEATS} times"
    try:
        _compile(pattern)
    except re.error as error:
        if "\\Q" not in pattern and error.msg.startswith(_CERTAIN):
            return error.msg
    except (OverflowError, RecursionError):
        return "it is too large"
    return None


def matches_empty(pattern: str) -> bool:
    """Whether the anchored `pattern` matches the empty string; False if Python cannot tell."""
    if math.prod(int(count) or 1 for count in _COUNT.findall(pattern)) > _MOST_REPEATS:
        return False  # counts inside counts: trying them all could take for ever, and RE2 refuses them
    try:
        return _compile(pattern).fullmatch("") is not None
    except (re.error, OverflowError, RecursionError):
        return False


def _compile(pattern: str) -> re.Pattern[str]:
    plain = _CLASS.sub("a", pattern)
    if not any(doubled in plain for doubled in ("[[", "--", "&&", "~~", "||")):
        return re.compile(plain)
    with warnings.catch_warnings():  # Python warns of what a set may come to mean in later versions
        warnings.simplefilter("ignore")
        return re.compile(plain)


MOST_ALTERNATIVES = 64
"""A pattern that stands for more texts than this is not spelt out."""
_MOST_TRIED = 256
_QUANTIFIER = re.compile(r"[*+]|\{[0-9]+,?[0-9]*\}")
_BRACKETS = re.compile(r"\[\^?\]?(?:[^\]\\]|\\.)*\]", re.DOTALL)
_SPECIAL = frozenset(".^$*+{}[]|()?\\")


@lru_cache(maxsize=1024)
def alternatives(pattern: str) -> frozenset[str] | None:
    """Return every text that the anchored `pattern` matches; None if they are many, or cannot be spelt out."""
    found = _Spelling(pattern).whole()
    return None if found is None else frozenset(found)


def matches(pattern: str, value: str) -> bool | None:
    """Whether the anchored `pattern` matches `value`; None if that cannot be told in bounded time."""
    spelt = alternatives(pattern)
    if spelt is not None:
        return value in spelt
    bare = _BRACKETS.sub("a", _ESCAPED.sub("a", pattern))
    quantified = len(_QUANTIFIER.findall(bare))
    nested = re.search(r"\)(?:[*+]|\{)", bare) is not None and quantified > 1
    if nested or quantified > 4 or len(value) > _MOST_TRIED or "\\" in _ESCAPED.sub("", pattern):
        return None
    if re.search(r"\\[^.\-_/:@ dDwWsS$^*+?()\[\]{}|\\]|\(\?[^:P]|\[\[:|\(\?P<", pattern):
        return None
    try:
        compiled = _compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return None
    return compiled.fullmatch(value) is not None


class _Spelling:
    """Reads a pattern of literals, groups, alternatives, `?` and small classes, and spells out what it matches."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.depth = 0

    def whole(self) -> list[str] | None:
        start, end = self.pattern.startswith("^"), self.pattern.endswith("$") and not self.pattern.endswith("\\$")
        self.pattern = self.pattern[start : len(self.pattern) - end]
        found = self.choice()
        return found if self.at == len(self.pattern) else None

    def peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def choice(self) -> list[str] | None:
        texts: list[str] = []
        while True:
            branch = self.sequence()
            if branch is None or len(texts) + len(branch) > MOST_ALTERNATIVES:
                return None
            texts += branch
            if self.peek() != "|":
                return texts
            self.at += 1

    def sequence(self) -> list[str] | None:
        texts = [""]
        while self.peek() not in ("", "|", ")"):
            piece = self.piece()
            if piece is None or len(texts) * len(piece) > MOST_ALTERNATIVES:
                return None
            texts = [text + more for text in texts for more in piece]
        return texts

    def piece(self) -> list[str] | None:
        piece = self.atom()
        if self.peek() == "?" and piece is not None:
            self.at += 1
            piece = ["", *piece]
        return None if self.peek() in ("*", "+", "?", "{") and self.peek() else piece

    def atom(self) -> list[str] | None:
        character = self.peek()
        if character == "(":
            return self.group()
        if character == "[":
            return self.bracket()
        if character == "\\":
            escaped = self.pattern[self.at + 1 : self.at + 2]
            self.at += 2
            return [escaped] if escaped and not escaped.isalnum() and escaped.isascii() else None
        self.at += 1
        return None if character in _SPECIAL else [character]

    def group(self) -> list[str] | None:
        self.at += 3 if self.pattern.startswith("(?:", self.at) else 1
        self.depth += 1
        if self.peek() == "?" or self.depth > 20:
            return None
        inner = self.choice()
        self.depth -= 1
        if inner is None or self.peek() != ")":
            return None
        self.at += 1
        return inner

    def bracket(self) -> list[str] | None:
        end = self.pattern.find("]", self.at + 2)
        inside = self.pattern[self.at + 1 : end]
        if end < 0 or not inside or any(c in "^[\\-&~|" for c in inside):
            return None
        self.at = end + 1
        return list(dict.fromkeys(inside))
