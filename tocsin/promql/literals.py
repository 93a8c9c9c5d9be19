"""What numbers and strings of PromQL stand for; both are those of Go."""

from __future__ import annotations

import math
import re

from tocsin.promql.lexer import Token
from tocsin.promql.nodes import NAN, PromQLError

_ESCAPE = re.compile(r"\\(?:([0-7]{3})|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.)|$)", re.DOTALL)
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_UNDERSCORED = re.compile(r"_(?![0-9A-Fa-f])|(?<![0-9A-Fa-fxX])_")
_LARGEST_INTEGER = 2**63 - 1
_WORDS = {"inf": math.inf, "nan": NAN}


def number(token: Token) -> float:
    """Return the value of a number token, as Go's ParseInt and then ParseFloat read it; raises PromQLError."""
    written = token.text.lower()
    if written in _WORDS:
        return _WORDS[written]
    if _UNDERSCORED.search(written):
        raise PromQLError(f"{token.text!r} has an underscore that is not between digits", token.start, token.end)
    digits = written.replace("_", "")
    try:
        value = _value(digits)
    except ValueError as error:
        raise PromQLError(f"{token.text!r} is not a number", token.start, token.end) from error
    if math.isinf(value):
        raise PromQLError("this number is too large for a 64-bit float", token.start, token.end)
    return value


def _value(digits: str) -> float:
    if digits.startswith("0x"):
        whole = int(digits, 16)
        if whole > _LARGEST_INTEGER:
            raise ValueError(digits)
        return float(whole)
    if digits.startswith("0") and digits.isdigit() and not set(digits) & {"8", "9"}:
        octal = int(digits, 8)  # a leading zero makes it octal, in Go as in C
        if octal <= _LARGEST_INTEGER:
            return float(octal)
    return float(digits)


def unquote(token: Token) -> str:
    """Return what a string token stands for; raises PromQLError at an escape that Go does not know."""
    quote, body = token.text[0], token.text[1:-1]
    if quote == "`" or "\\" not in body:
        return body
    pieces: list[bytes] = []
    at = 0
    for match in _ESCAPE.finditer(body):
        pieces.append(body[at : match.start()].encode("utf-8", "surrogatepass"))
        pieces.append(_escaped(match, quote, token))
        at = match.end()
    pieces.append(body[at:].encode("utf-8", "surrogatepass"))
    return b"".join(pieces).decode("utf-8", "surrogateescape")


def _escaped(match: re.Match[str], quote: str, token: Token) -> bytes:
    octal, byte, short, long, plain = match.groups()
    start = token.start + 1 + match.start()
    if octal or byte:
        value = int(octal, 8) if octal else int(byte, 16)
        if value > 255:
            raise PromQLError(f"{match[0]} is more than a byte", start, start + len(match[0]))
        return bytes([value])
    if short or long:
        point = int(short or long, 16)
        if point > 0x10FFFF or 0xD800 <= point < 0xE000:
            raise PromQLError(f"{match[0]} is no Unicode character", start, start + len(match[0]))
        return chr(point).encode()
    if plain == quote:
        return plain.encode()
    if plain in _PLAIN:
        return _PLAIN[plain].encode()
    raise PromQLError(
        f"\\{plain} is no escape that PromQL knows; a backslash itself is written \\\\, or the string in backticks",
        start,
        start + 2,
    )
