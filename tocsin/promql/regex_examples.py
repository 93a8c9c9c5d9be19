"""Texts that a label matcher's regular expression matches, so that series can be made for it."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from itertools import islice, product

MOST = 12
"""No more examples than this are made of a pattern."""
_FREE = ("x1", "x2", "x3", "x4")
"""What stands for anything at all."""
_CLASSES = {"d": "5126", "w": "a1b2", "s": " ", "D": "ab", "W": "-.", "S": "a1b2"}
_POSIX = {"alnum": "a1b2", "alpha": "ab", "digit": "5126", "lower": "ab", "upper": "AB", "space": " ", "punct": "-."}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_ANY = "0123ab-xyz"


@lru_cache(maxsize=4096)
def examples(pattern: str) -> tuple[str, ...]:
    """Return some texts that the anchored `pattern` matches, plain ones first; none if the pattern is beyond us."""
    try:
        with warnings.catch_warnings():  # Python warns of what a set may come to mean in later versions
            warnings.simplefilter("ignore")
            compiled = re.compile(pattern, re.ASCII | re.DOTALL)
        found = _Reader(pattern).whole()
    except (re.error, OverflowError, RecursionError, IndexError, ValueError):
        return ()
    return tuple(text for text in dict.fromkeys(found) if compiled.fullmatch(text) is not None)


class _Reader:
    """Reads a pattern from left to right, and keeps for each piece a few texts that it matches."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0

    def peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def take(self) -> str:
        self.at += 1
        return self.pattern[self.at - 1]

    def whole(self) -> list[str]:
        found = self.choice()
        if self.at != len(self.pattern):
            raise ValueError("a parenthesis too many")
        return found

    def choice(self) -> list[str]:
        branches = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            branches.append(self.sequence())
        first = [branch[0] for branch in branches if branch]
        return [*first, *(text for branch in branches for text in branch[1:])][: MOST * 4]

    def sequence(self) -> list[str]:
        texts = [""]
        while self.peek() not in ("", "|", ")"):
            piece = self.piece()
            # The last piece varies fastest; the product is cut, so its beginning must hold the plain ones.
            texts = ["".join(pair) for pair in islice(product(texts, piece), MOST)]
        return texts

    def piece(self) -> list[str]:
        anything = self.peek() == "."
        texts = self.atom()
        while True:
            counts = self.quantifier()
            if counts is None:
                return texts
            least, most = counts
            if anything and most > 2:
                texts = [text for text in _FREE if len(text) >= least] or ["x1" * least]
                texts = [*texts, ""] if least == 0 else texts
            else:
                texts = _repeated(texts, least, most)

    def quantifier(self) -> tuple[int, int] | None:
        character = self.peek()
        if character in ("*", "+", "?") and character:
            self.at += 1
            found = {"*": (0, 9), "+": (1, 9), "?": (0, 1)}[character]
        elif counted := re.compile(r"\{(\d+)(,?)(\d*)\}").match(self.pattern, self.at):
            self.at = counted.end()
            least = int(counted[1])
            found = (least, int(counted[3] or least + 9) if counted[2] else least)
        else:
            return None
        if self.peek() == "?":
            self.at += 1
        return found

    def atom(self) -> list[str]:
        character = self.take()
        match character:
            case "(":
                return self.group()
            case "[":
                return self.bracket()
            case ".":
                return list(_ANY)
            case "\\":
                return self.escape()
            case "^" | "$":
                return [""]
            case _:
                return [character]

    def group(self) -> list[str]:
        if named := re.compile(r"\?(?:P?<\w+>|[imsU]*(?:-[imsU]+)?:)").match(self.pattern, self.at):
            self.at = named.end()
        elif flags := re.compile(r"\?[imsU]+\)").match(self.pattern, self.at):
            self.at = flags.end()
            return [""]
        found = self.choice()
        if self.take() != ")":
            raise ValueError("a parenthesis too few")
        return found

    def escape(self) -> list[str]:
        character = self.take()
        if character in _CLASSES:
            return list(_CLASSES[character])
        if character in "bBAzZ":
            return [""]
        if character == "x" and re.match(r"[0-9a-fA-F]{2}", self.pattern[self.at :]):
            self.at += 2
            return [chr(int(self.pattern[self.at - 2 : self.at], 16))]
        return [_ESCAPES.get(character, character)]

    def bracket(self) -> list[str]:
        refused = self.peek() == "^"
        self.at += refused
        inside: list[str] = []
        while not inside or self.peek() != "]":
            if posix := re.compile(r"\[:(\w+):\]").match(self.pattern, self.at):
                self.at = posix.end()
                inside += _POSIX.get(posix[1], "a")
                continue
            character = self.take()
            taken = self.escape() if character == "\\" else [character]
            if self.peek() == "-" and self.pattern[self.at + 1 : self.at + 2] not in ("]", "") and len(taken) == 1:
                self.at += 1
                last = self.take()
                end = self.escape()[0] if last == "\\" else last
                taken = [chr(code) for code in range(ord(taken[0]), ord(end) + 1)]
            inside += taken
        self.at += 1
        return [c for c in _ANY + "A-_./" if c not in inside] if refused else inside[:MOST]


def _repeated(texts: list[str], least: int, most: int) -> list[str]:
    usual = max(least, min(1, most))
    counts = dict.fromkeys(count for count in (usual, least, usual + 1) if count <= most)
    return [text * count for count in counts for text in texts][: MOST * 2]
