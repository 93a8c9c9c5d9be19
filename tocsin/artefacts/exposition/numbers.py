"""Numbers as Prometheus reads them: Go's `strconv.ParseFloat`, without its hexadecimal and underscores."""

from __future__ import annotations

import math
import re

_NUMBER = re.compile(rb"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_INFINITE = re.compile(rb"[-+]?inf(?:inity)?", re.IGNORECASE)
_NOT_A_NUMBER = re.compile(rb"nan", re.IGNORECASE)


def number_of(text: bytes) -> float | None:
    """Return what a text says as a number; None if Prometheus does not take it for one (`1e400`, `0x10`, `1_000`)."""
    if _NUMBER.fullmatch(text):
        value = float(text)
        return None if math.isinf(value) else value
    if _INFINITE.fullmatch(text):
        return -math.inf if text.startswith(b"-") else math.inf
    return math.nan if _NOT_A_NUMBER.fullmatch(text) else None


def why_no_number(text: bytes) -> tuple[str, str]:
    """Say what is wrong with a text that `number_of` refuses, and the cure."""
    shown = text[:60].decode(errors="backslashreplace")
    if _NUMBER.fullmatch(text):
        return f"{shown} does not fit a 64-bit float", "expose +Inf, or keep the value in range"
    if re.fullmatch(rb"[-+]?[0-9]+,[0-9]+", text):
        return f"{shown} has a decimal comma", "write the number with a point, whatever the locale is"
    if re.fullmatch(rb"[-+]?[0-9.]+([a-zA-Z%]+)", text):
        return f"{shown} has a unit behind the number", "expose the bare number in the base unit"
    if text.lower() in {b"true", b"false", b"null", b"none", b"undefined", b""}:
        return f"{shown or 'nothing'} is no number", "expose 1 or 0, and no sample at all where there is no value"
    return f"{shown!r} is no number", "write a decimal number, +Inf, -Inf or NaN"
