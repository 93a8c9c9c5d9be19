"""Durations as Prometheus writes them: `1h30m`, `15s`, `500ms`, `0`.

The grammar is that of `ParseDuration` in github.com/prometheus/common/model/time.go: whole numbers, each unit at
most once, from years down to milliseconds. Days, weeks and years are of fixed length (24 h, 7 d, 365 d).
"""

from __future__ import annotations

import math
import re

MILLISECONDS = {
    "y": 31_536_000_000,
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
"""The length of each unit, longest first."""

_LONGEST = (2**63 - 1) // 1_000_000
"""Milliseconds; Prometheus counts nanoseconds in 63 bits."""

_MOST_DIGITS = len(str(_LONGEST))
_SHOWN = 40
_PATTERN = re.compile("".join(f"(?:([0-9]+){unit})?" for unit in MILLISECONDS), re.ASCII)
_WRITTEN = [unit for unit in MILLISECONDS if unit not in ("y", "w")]


def parse_duration(text: str) -> float:
    """Return the seconds that a Prometheus duration stands for.

    Raises ValueError, with a message that says what a duration looks like, for anything that Prometheus 2.42 refuses:
    decimals, signs, blanks, a bare number other than `0`, units out of order, or more than 292 years.
    """
    if text == "0":
        return 0.0
    match = _PATTERN.fullmatch(text) if text else None
    if match is None:
        raise ValueError(
            f"{text!r} is not a Prometheus duration: write whole numbers with units, longest first, such as "
            f"1h30m, 15s or 1s500ms{_hint(text)}"
        )
    # A number of more digits than any that fits is not converted: int() of it would cost their square, or be refused.
    if any(amount and len(amount.lstrip("0")) > _MOST_DIGITS for amount in match.groups()):
        raise ValueError(_too_long(text))
    amounts = zip(match.groups(), MILLISECONDS.values(), strict=True)
    milliseconds = sum(int(amount) * unit for amount, unit in amounts if amount)
    if milliseconds > _LONGEST:
        raise ValueError(_too_long(text))
    return milliseconds / 1000


def format_duration(seconds: float) -> str:
    """Return `seconds` as a Prometheus duration of whole milliseconds: 1.5 is `1s500ms`, 90 is `1m30s`.

    Anything above zero is at least `1ms`, because no engine knows a finer interval; zero is `0s`.
    Raises ValueError for what cannot be written: a negative, infinite or undefined number of seconds.
    """
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"{seconds} seconds cannot be written as a Prometheus duration: it must be 0 or more")
    rest = max(1, round(seconds * 1000)) if seconds > 0 else 0
    if rest > _LONGEST:
        raise ValueError(_too_long(f"{seconds}s"))
    pieces: list[str] = []
    for unit in _WRITTEN:
        amount, rest = divmod(rest, MILLISECONDS[unit])
        if amount:
            pieces.append(f"{amount}{unit}")
    return "".join(pieces) or "0s"


def scale_duration(text: str, factor: float) -> str:
    """Return the duration `text` divided by `factor`: `scale_duration("1m30s", 60)` is `1s500ms`.

    Zero stays zero, and anything else is at least `1ms`. Raises ValueError if `text` is no duration, or if `factor`
    is not a positive number.
    """
    if not (math.isfinite(factor) and factor > 0):
        raise ValueError(f"the time factor must be a positive number, not {factor}")
    return format_duration(parse_duration(text) / factor)


def _too_long(text: str) -> str:
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return f"{shown!r} is longer than Prometheus can hold (292 years)"


def _hint(text: str) -> str:
    if not text:
        return " (it is empty)"
    if text[0] in "+-":
        return " (no sign is allowed here)"
    if "." in text:
        return " (no decimals: half a second is 500ms)"
    if text.isascii() and text.isdigit():
        return f" (the unit is missing: {text}s?)"
    return ""
