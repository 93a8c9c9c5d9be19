"""Grafana's variables in PromQL: an expression as Prometheus would be asked it, and where its pieces were written.

What a variable holds is chosen when a dashboard is looked at. So each is replaced by something with which the query
parses, if there is anything that does; a query for which there is nothing cannot be answered, whatever is chosen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice, product

from tocsin.artefacts.dashboards import REFERENCE, reference_name
from tocsin.promql import Call, Expr, PromQLError, Span, VectorSelector, parsed

NAME = "grafana_variable"
"""What stands for a variable that is a name, or a part of one."""
BUILT_IN = re.compile(r"__\w+|timeFilter|interval_ms|\d+")
"""Names that Grafana itself replaces, and the groups of a regular expression (`$1`), which it leaves alone."""
MOST_ATTEMPTS = 64
"""Combinations of values that are tried on one query."""

_STRING = re.compile(r"""#[^\r\n]*+|"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+'|`[^`]*+`""")
_NUMBERS = re.compile(r"__(?:range|interval|rate_interval|from|to)(?:_m?s)|__(?:from|to)")
_WORD = re.compile(r"[A-Za-z0-9_:]")


@dataclass(frozen=True, slots=True)
class Substitution:
    """A reference to a variable, and what was put in its place."""

    name: str
    written: Span
    """Where it stands in what was written."""
    put: Span
    """Where what replaces it stands in the result; a reference inside a string stays as it is."""
    inside: str
    """`string`, `range` (between the brackets) or neither."""


@dataclass(frozen=True)
class Interpolated:
    """A query with its variables replaced."""

    written: str
    text: str
    substitutions: tuple[Substitution, ...]
    tree: Expr | None = field(repr=False, default=None)
    error: PromQLError | None = None

    def varies(self, span: Span) -> bool:
        """Tell whether a piece of the result is what a variable says."""
        return any(each.put.start < span.end and span.start < max(each.put.end, each.put.start + 1)
                   for each in self.substitutions)  # fmt: skip

    @cached_property
    def known_tree(self) -> Expr | None:
        """The tree without the matchers that depend on a variable: it selects whatever the query may select."""
        if self.tree is None or not any(each.inside == "string" for each in self.substitutions):
            return self.tree
        return self._loosened(self.tree)

    def _loosened(self, node: Expr) -> Expr:
        if isinstance(node, VectorSelector):
            return replace(node, matchers=tuple(m for m in node.matchers if not self.varies(m.span)))
        changed: dict[str, object] = {}
        for name in ("vector", "expr", "param", "left", "right"):
            inner = getattr(node, name, None)
            if inner is not None:
                changed[name] = self._loosened(inner)
        if isinstance(node, Call):
            changed["args"] = tuple(self._loosened(each) for each in node.args)
        return replace(node, **changed) if changed else node  # type: ignore[arg-type]  # each is a field of the node

    @property
    def fragments(self) -> bool:
        """Whether a variable is more than a value: a name, a number, an operator."""
        return any(not each.inside for each in self.substitutions)

    def written_at(self, offset: int) -> int:
        """Return the offset in what was written of a character of the result."""
        moved = 0
        for each in self.substitutions:
            if offset < each.put.start:
                break
            if offset < each.put.end:
                return each.written.start
            moved = each.written.end - each.put.end
        return min(offset + moved, len(self.written))

    def written_span(self, span: Span) -> Span:
        """Return the piece of what was written that a piece of the result was made of."""
        start, end = self.written_at(span.start), self.written_at(max(span.end - 1, span.start)) + 1
        for each in self.substitutions:
            if each.put.start < span.end <= each.put.end:
                end = each.written.end
        return Span(start, min(max(start, end), len(self.written)))


def interpolated(written: str, values: Mapping[str, Sequence[str]]) -> Interpolated:
    """Replace the variables of a query; `values` are those that are known of each. Never raises."""
    found = list(_references(written))
    if not found:
        tree, error = _parsed(written)
        return Interpolated(written, written, (), tree, error)
    free = list(dict.fromkeys(name for name, _, inside in found if inside != "string"))
    where = {name: [(span, inside) for other, span, inside in found if other == name] for name in free}
    choices = [_candidates(written, where[name], name, values.get(name, ())) for name in free]
    first: Interpolated | None = None
    for chosen in islice(product(*choices), MOST_ATTEMPTS):
        made = _put(written, found, dict(zip(free, chosen, strict=True)))
        if made.tree is not None:
            return made
        first = first or made
    return first or _put(written, found, {})


def _references(written: str) -> Iterator[tuple[str, Span, str]]:
    """Yield each reference: its name, its span, and whether it is in a `string`, in a `range` or in neither."""
    strings = [match.span() for match in _STRING.finditer(_masked(written))]
    ends = iter([*strings, (len(written) + 1, len(written) + 1)])
    start, end = next(ends)
    depth = at = 0
    for match in REFERENCE.finditer(written):
        while match.start() >= end and start <= len(written):
            start, end = next(ends)
        between = written[at : match.start()]
        depth = max(0, depth + between.count("[") - between.count("]"))
        at = match.end()
        inside = "string" if start <= match.start() < end else "range" if depth else ""
        yield reference_name(match), Span(*match.span()), inside


def _masked(written: str) -> str:
    """Return the text with each reference replaced by as many letters: a quote inside one begins no string."""
    return REFERENCE.sub(lambda match: "x" * len(match[0]), written)


def _candidates(written: str, places: Sequence[tuple[Span, str]], name: str, values: Sequence[str]) -> tuple[str, ...]:
    """Return what a variable may stand for, likeliest first."""
    span, inside = places[0]
    before, after = written[max(0, span.start - 1) : span.start], written[span.end : span.end + 1]
    if _NUMBERS.fullmatch(name):
        return ("60",)
    if name.startswith("__"):
        return ("5m", NAME, "60")
    if inside == "range" and after.isalpha():
        first: tuple[str, ...] = ("5",)
    elif inside == "range":
        first = ("m", "5") if before.isdigit() else ("5m", "60")
    elif _WORD.fullmatch(before or " ") or _WORD.fullmatch(after or " "):
        first = (NAME, "5", "m")
    else:
        first = (NAME, "5", "5m", f'{NAME}="x"', "sum", "rate", "", ">", "+", f"({NAME})", f"by ({NAME})")
    return tuple(dict.fromkeys((*first, *values[:8])))


def _put(written: str, found: Sequence[tuple[str, Span, str]], chosen: Mapping[str, str]) -> Interpolated:
    pieces: list[str] = []
    substitutions: list[Substitution] = []
    at = length = 0
    for name, span, inside in found:
        between = written[at : span.start]
        value = span.text(written) if inside == "string" else chosen.get(name, NAME)
        length += len(between)
        substitutions.append(Substitution(name, span, Span(length, length + len(value)), inside))
        pieces += [between, value]
        length += len(value)
        at = span.end
    text = "".join([*pieces, written[at:]])
    tree, error = _parsed(text)
    return Interpolated(written, text, tuple(substitutions), tree, error)


def _parsed(text: str) -> tuple[Expr | None, PromQLError | None]:
    found = parsed(text)
    return (None, found) if isinstance(found, PromQLError) else (found, None)
