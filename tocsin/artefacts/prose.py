"""Numbers in prose: `more than 5 % ... for ten minutes`, as runbooks, annotations and panels have them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Dimension = Literal["share", "time", "bytes", "count"]
Direction = Literal["over", "under"]

_WORDS: Mapping[str, float] = {
    word: float(number)
    for number, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
        ]
    )
} | {"twenty": 20.0, "thirty": 30.0, "forty": 40.0, "fifty": 50.0, "sixty": 60.0, "ninety": 90.0, "hundred": 100.0}
_SECONDS: Mapping[str, float] = {
    "ms": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3, "msec": 1e-3,
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hr": 3600.0, "hrs": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0, "w": 604800.0, "week": 604800.0, "weeks": 604800.0,
}  # fmt: skip
_BYTES: Mapping[str, float] = {
    "b": 1.0, "byte": 1.0, "bytes": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
    "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30, "tib": 2.0**40,
}  # fmt: skip
_NO_NOUNS = frozenset(
    [
        "for",
        "on",
        "in",
        "at",
        "of",
        "over",
        "during",
        "since",
        "and",
        "or",
        "with",
        "per",
        "to",
        "from",
        "by",
        "is",
        "was",
        "has",
    ]
)
_SHARES = frozenset({"%", "percent", "per cent", "percents", "pct"})

_NUMBER = r"(?:\d{1,3}(?:[ ,\u00a0\u202f]\d{3})+|\d{1,15})(?:\.\d{1,9})?(?!\d|[.,]\d)"
_SPELT = "|".join(sorted(_WORDS, key=len, reverse=True))
_AMOUNT = (
    rf"(?:(?P<number>{_NUMBER})\s?(?P<unit>%|per ?cents?\b|pct\b|[A-Za-z]{{1,12}}\b)?"
    rf"|(?P<word>{_SPELT})\s(?P<word_unit>per ?cents?\b|[A-Za-z]{{1,12}}\b)"
    r"|(?P<fraction>an? (?:tenth|quarter|half|third|fifth)\b|half(?= of| the)|half an? (?=hour|minute|day))"
    r"\s?(?:of an? |an? )?(?P<fraction_unit>[A-Za-z]{1,12}\b)?"
    r"|(?:an? )?(?P<one>second|minute|hour|day|week)\b)"
)
_OVER = r"more than|over|above|greater than|higher than|longer than|larger than|exceed(?:s|ed|ing)?|at least|beyond|>=?"
_UNDER = r"less than|under|below|fewer than|lower than|smaller than|shorter than|at most|<=?"
_COMPARISON = re.compile(
    rf"(?<![\w$])(?:(?P<over>{_OVER})|(?P<under>{_UNDER}))\s?(?:about |around |its |the |a |)?{_AMOUNT}", re.IGNORECASE
)
_LASTING = re.compile(
    rf"(?<![\w$])(?:for|(?:in|over|within|during) the (?:last|past)|in last|over last|the last|the past)"
    rf"\s(?:more than |over |at least |longer than |about |around |the last |the past |last |)?{_AMOUNT}",
    re.IGNORECASE,
)
_OTHER_MATTER = re.compile(
    r"\b(?:wait\w*|silenc\w+|mut(?:e|ed|ing)|keeps?|kept|hold\w*|lasts?|retain\w*|retr\w+|stor\w+|buffer\w*|sleep\w*"
    r"|valid|expire\w*|enough|check\w*|look\w*)\W+(?:\w+\W+){0,3}$",
    re.IGNORECASE,
)
_FRACTIONS = {"tenth": 0.1, "quarter": 0.25, "half": 0.5, "third": 1 / 3, "fifth": 0.2}


@dataclass(frozen=True, slots=True)
class Claim:
    """A number that a text claims: of what, and how many."""

    kind: Literal["threshold", "duration"]
    dimension: Dimension
    value: float
    """Shares as shares of one, times in seconds, sizes in bytes."""
    written: float
    """The number as it stands there, without its unit."""
    direction: Direction | None
    start: int
    end: int
    text: str
    rounding: float = 0.0
    """By how much of itself the number may have been rounded: `0.1` by half, `7.2` by a hundredth, whole ones not."""
    bare: bool = False
    """Whether nothing says what is counted: `above 2 for ten minutes`."""


def claims(text: str) -> Iterator[Claim]:
    """Yield the numbers that a text compares something with, and the times that it says something has lasted."""
    taken: list[tuple[int, int]] = []
    for match in _LASTING.finditer(text):
        read = _amount(match)
        if read is None or read[0] != "time" or _OTHER_MATTER.search(text[max(0, match.start() - 60) : match.start()]):
            continue
        taken.append(match.span())
        yield Claim("duration", "time", read[1], read[2], None, match.start(), match.end(), match[0].strip())
    for match in _COMPARISON.finditer(text):
        read = _amount(match)
        if read is None or any(start <= match.start() < end for start, end in taken):
            continue
        direction: Direction = "over" if match["over"] else "under"
        unit = (match["unit"] or "").lower()
        bare = read[0] == "count" and match["number"] is not None and (not unit or unit in _NO_NOUNS)
        said = match[0][: match.start("unit") - match.start()] if bare and unit else match[0]
        rounding = _rounding(match["number"] or "")
        yield Claim("threshold", *read, direction, match.start(), match.end(), said.strip(), rounding, bare)


def _rounding(number: str) -> float:
    whole, point, decimals = number.partition(".")
    value = float(f"{re.sub(r'[^0-9]', '', whole)}.{decimals}") if point else 0.0
    return 0.5 * 10.0 ** -len(decimals) / value if value else 0.0


def _amount(match: re.Match[str]) -> tuple[Dimension, float, float] | None:
    """Return the dimension, the value and the number as written; None if it is no amount of anything known."""
    if match["one"]:
        return "time", _SECONDS[match["one"].lower()], 1.0
    if match["fraction"]:
        part = next(value for word, value in _FRACTIONS.items() if word in match["fraction"].lower())
        unit = (match["fraction_unit"] or "").lower()
        return ("time", part * _SECONDS[unit], part) if unit in _SECONDS and len(unit) > 1 else ("share", part, part)
    if match["word"]:
        number, unit = _WORDS[match["word"].lower()], match["word_unit"].lower()
        if len(unit) == 1:
            return None
    else:
        number, unit = float(re.sub(r"[ ,\u00a0\u202f]", "", match["number"])), (match["unit"] or "").lower()
    if match["unit"] == "M":
        return None  # a million, or a minute
    if len(unit) == 1 and unit not in _SECONDS and unit not in _BYTES and unit != "%":
        return ("count", number * 1e3, number * 1e3) if unit == "k" else None
    if unit.replace(" ", "") in _SHARES or unit.startswith("per"):
        return "share", number / 100, number
    if unit in _SECONDS:
        return "time", number * _SECONDS[unit], number
    if unit in _BYTES:
        return "bytes", number * _BYTES[unit], number
    return "count", number, number
