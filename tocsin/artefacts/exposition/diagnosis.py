"""Why a piece of a body is not what the grammar has there, in words for who writes the exporter."""

from __future__ import annotations

import re

from tocsin.artefacts.exposition.entries import Problem
from tocsin.artefacts.exposition.numbers import why_no_number
from tocsin.artefacts.exposition.pieces import Reader, said

_LINE = re.compile(rb"[^\n]*")
_WORD = re.compile(rb"[^ \t\n]{0,40}")
LINE_FEEDS = "write lines that end in `\\n`"
CARRIAGE_RETURN = "the line ends in a carriage return (CR LF); only a line feed ends a line"


def no_start(reader: Reader) -> Problem:
    """Say why no entry starts here."""
    position, here = reader.position, reader.at()
    if reader.buffer.startswith(b"\xef\xbb\xbf", position):
        return Problem(position, "a byte order mark (BOM) at the start of the body", "write UTF-8 without a BOM")
    if here in {b" ", b"\t"}:
        return Problem(position, "a blank at the start of a line", "start the line with the metric's name")
    if here == b"\0":
        return Problem(position, "a NUL byte at the start of a line", "find out what writes it")
    if here == b"\r":
        return Problem(position, "a carriage return: only a line feed ends a line", LINE_FEEDS)
    if here == b"<":
        return Problem(position, "this is HTML or XML, no exposition", "check path and port of the target")
    shown = said(reader.take(_WORD) or b"")
    return Problem(position, f"{shown!r} starts no name, comment or brace", "start the line with the metric's name")


def no_label(reader: Reader) -> Problem:
    """Say why no label's name starts here."""
    position, here = reader.position, reader.at()
    if here in {b"\n", b""}:
        return Problem(position, "the line ends within the braces", "close the braces before the value")
    if here in {b" ", b"\t"}:
        return Problem(position, "a blank between labels: OpenMetrics has none there", "leave it out")
    if here == b",":
        return Problem(position, "a comma without a label before it", "leave the comma out")
    if here == b'"':
        return Problem(position, "a quote that is not closed", 'close it, and write \\" for a quote within a value')
    if here.isdigit():
        return Problem(position, "a label's name starts with a digit", "start it with a letter or _")
    return Problem(position, f"{said(here)!r} where a label's name should start", "name labels with letters, digits, _")


def no_equal(reader: Reader, label: str) -> Problem:
    """Say why no = follows a label's name."""
    shown = said(reader.at())
    return Problem(
        reader.position,
        f"{shown!r} behind the label's name {label}, where = should be",
        'name labels with letters, digits and _, and write name="value"',
    )


def no_value(reader: Reader, label: str) -> Problem:
    """Say why no quoted value follows a label's =."""
    position, here = reader.position, reader.at()
    if here == b'"':
        return Problem(position, f"the value of {label} is not closed", 'close the quote; \\" is a quote within it')
    if here in {b",", b"}"}:
        return Problem(position, f"the label {label} has no value", f'write {label}="", or leave the label out')
    return Problem(position, f"the value of {label} is not within double quotes", f'write {label}="value"')


def no_number(token: bytes, position: int) -> Problem:
    """Say why a token at a position is no value."""
    if token.endswith(b"\r"):
        return Problem(position + len(token) - 1, CARRIAGE_RETURN, LINE_FEEDS)
    return Problem(position, *why_no_number(token))


def rest_of_sample(reader: Reader) -> Problem:
    """Say what is wrong with what stands where a sample in OpenMetrics should end."""
    start = reader.position
    rest = reader.take(_LINE) or b""
    if rest.endswith(b"\r"):
        return Problem(reader.position - 1, CARRIAGE_RETURN, LINE_FEEDS)
    cure = "write VALUE, or VALUE SECONDS, with single blanks"
    return Problem(start, f"{said(rest)!r} where the line should end", cure)
