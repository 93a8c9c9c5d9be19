"""What findings of every kind look like on a terminal: the line, the piece underlined, and paragraphs under it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from textwrap import wrap

WIDTH = 118
MOST_SHOWN = 160
"""Characters of a line of the user's; a longer one (a dashboard's JSON on one line) is cut around the place."""


def underlined(line: str, number: int, column: int, meant: Callable[[str], int]) -> Iterator[str]:
    """Yield a line by its number, cut to what is around `column` (from 1), and marks under what is meant there.

    `meant` tells how many characters that is, of the text from there on.
    """
    at = max(0, column - 1)
    begin = max(0, at - MOST_SHOWN // 2) if len(line) > MOST_SHOWN else 0
    shown = line[begin : begin + MOST_SHOWN]
    at -= begin
    yield f"{number:>5} | {'…' if begin else ''}{shown}{'…' if begin + MOST_SHOWN < len(line) else ''}"
    marks = max(1, min(meant(shown[at:]), len(shown) - at))
    yield f"      | {' ' * (at + bool(begin))}{'^' * marks}"


def paragraph(title: str, text: str, *, break_on_hyphens: bool = True) -> Iterator[str]:
    """Yield a text in lines, its title before the first."""
    indent = " " * (2 + len(title))
    lines = wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=break_on_hyphens)
    for i, line in enumerate(lines):
        yield f"  {title}{line.lstrip()}" if i == 0 else line
