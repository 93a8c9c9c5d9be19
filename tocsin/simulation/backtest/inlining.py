"""Recording rules written out: an expression that reads what they record becomes one that reads what they read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tocsin.durations import format_duration
from tocsin.promql import (
    Call,
    Duration,
    Expr,
    Matcher,
    MatrixSelector,
    PromQLError,
    Span,
    Subquery,
    VectorSelector,
    children,
    parse,
    selectors,
    unwrapped,
)
from tocsin.promql.printing import quoted

LONGEST = 20_000
"""Characters of an expression; a longer one would be a burden to the server."""
_MARK = "__tocsin_matched__"
"""A label that no series has: it is set where a regular expression matches."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One recording rule."""

    expression: str
    labels: tuple[tuple[str, str], ...]
    step: int
    """Milliseconds between two evaluations."""


Definitions = Mapping[str, Sequence[Definition]]
"""The recording rules by the name that they record."""


class NotInlined(ValueError):
    """Why an expression cannot be written out."""


def names_read(text: str, definitions: Definitions) -> dict[str, None]:
    """Return the recorded names that an expression reads, those too that their rules read, in order of appearance."""
    found: dict[str, None] = {}
    waiting = [text]
    while waiting:
        try:
            tree = parse(waiting.pop())
        except PromQLError:
            continue
        for name in (selector.name for selector in selectors(tree)):
            if name is not None and name in definitions and name not in found:
                found[name] = None
                waiting.extend(each.expression for each in definitions[name])
    return found


def inlined(text: str, step: int, definitions: Definitions, passed: frozenset[str] = frozenset()) -> str:
    """Return an expression, evaluated every `step` milliseconds, with the recorded names written out.

    Of what is recorded less often than it is read, the latest evaluation counts, as in the storage. Raises NotInlined,
    and PromQLError if the text is no expression.
    """
    tree = parse(text)
    edits: dict[Span, str] = {}
    waiting: list[tuple[Expr, int | None]] = [(tree, step)]
    while waiting:
        node, pace = waiting.pop()
        new = _written_out(node, pace, definitions, passed)
        if new is not None:
            edits[node.span] = new
            continue
        if isinstance(node, Subquery):
            pace = None if node.step is None else round(node.step.seconds * 1000)
        waiting.extend((child, pace) for child in children(node))
    result = _edited(text, edits)
    if len(result) > LONGEST:
        raise NotInlined(f"written out, it has more than {LONGEST} characters")
    return result


def _written_out(node: Expr, pace: int | None, definitions: Definitions, passed: frozenset[str]) -> str | None:
    match node:
        case Call(function="absent", args=(argument,)):
            inner = unwrapped(argument)
            if not isinstance(inner, VectorSelector) or inner.name not in definitions:
                return None
            return _labelled(f"absent({_instant(inner, pace, definitions, passed)})", _asked_for(inner))
        case Call(function="absent_over_time", args=(argument,)):
            inner = unwrapped(argument)
            if not isinstance(inner, MatrixSelector) or inner.vector.name not in definitions:
                return None
            return _labelled(f"absent_over_time({_ranged(inner, definitions, passed)})", _asked_for(inner.vector))
        case MatrixSelector(vector=vector) if vector.name in definitions:
            return _ranged(node, definitions, passed)
        case VectorSelector() if node.name in definitions:
            return _instant(node, pace, definitions, passed)
    return None


def _instant(selector: VectorSelector, pace: int | None, definitions: Definitions, passed: frozenset[str]) -> str:
    return _union(
        _latest(each, _recorded(selector, each, definitions, passed), selector, pace)
        for each in definitions[selector.name or ""]
    )


def _latest(definition: Definition, written: str, selector: VectorSelector, pace: int | None) -> str:
    """Return what the storage holds of a rule: at each tick, its own result or that of its last evaluation before."""
    if selector.offset is None and pace is not None and pace % definition.step == 0:
        return written
    # a range without its last millisecond holds one evaluation, whether or not its left end belongs to it
    window = format_duration((definition.step - 1) / 1000) if definition.step > 1 else "1ms"
    step = format_duration(definition.step / 1000)
    return f"last_over_time({written}[{window}:{step}]{_shift(selector.offset)})"


def _ranged(node: MatrixSelector, definitions: Definitions, passed: frozenset[str]) -> str:
    found = definitions[node.vector.name or ""]
    steps = {each.step for each in found}
    if len(steps) > 1 or node.boundary is not None:
        raise NotInlined(f"{node.vector.name} is recorded at several intervals, and read over a range")
    selector = replace(node.vector, at=node.at or node.vector.at)
    written = _union(_recorded(selector, each, definitions, passed) for each in found)
    step = format_duration(steps.pop() / 1000)
    return f"{written}[{format_duration(node.range.seconds)}:{step}]{_shift(node.offset)}"


def _recorded(selector: VectorSelector, rule: Definition, definitions: Definitions, passed: frozenset[str]) -> str:
    """Return the expression of one rule, with its labels, as far as the matchers of a selector let it through."""
    name = selector.name or ""
    if name in passed:
        raise NotInlined(f"the rule that records {name} reads what it records")
    if selector.at is not None:
        raise NotInlined(f"{name} is read at a time of its own (@)")
    # the line break ends a comment in which the expression may end
    written = f"({inlined(rule.expression, rule.step, definitions, passed | {name})}\n)"
    for label, value in rule.labels:
        written = _set(written, label, value)
    for matcher in selector.matchers:
        if matcher.name != "__name__":
            written = _matched(written, matcher)
    return written


def _matched(written: str, matcher: Matcher) -> str:
    """Return those of an expression's series that a matcher lets through."""
    if matcher.op in ("=", "!="):
        one = _set("vector(1)", matcher.name, matcher.value)
        return f"({written} {'and' if matcher.op == '=' else 'unless'} on ({_label(matcher.name)}) {one})"
    regex = quoted(matcher.value)
    marked = f'label_replace({written}, "{_MARK}", "yes", {quoted(matcher.name)}, {regex})'
    one = _set("vector(1)", _MARK, "yes")
    kept = f"({marked} {'and' if matcher.op == '=~' else 'unless'} on ({_MARK}) {one})"
    return _set(kept, _MARK, "")


def _asked_for(selector: VectorSelector) -> Iterator[tuple[str, str]]:
    """Yield the labels that absent() gives: those that one matcher, and no other, asks to be equal."""
    for matcher in selector.matchers:
        alone = sum(other.name == matcher.name for other in selector.matchers) == 1
        if matcher.op == "=" and matcher.name != "__name__" and alone:
            yield matcher.name, matcher.value


def _labelled(written: str, labels: Iterable[tuple[str, str]]) -> str:
    for name, value in labels:
        written = _set(written, name, value)
    return written


def _set(written: str, label: str, value: str) -> str:
    return f'label_replace({written}, {quoted(label)}, {quoted(value.replace("$", "$$"))}, "", "")'


def _label(name: str) -> str:
    if not name.replace("_", "a").isalnum() or not name.isascii():
        raise NotInlined(f"the label {name!r} cannot be written in a list of labels")
    return name


def _union(parts: Iterable[str]) -> str:
    found = list(dict.fromkeys(parts))
    return found[0] if len(found) == 1 else f"({' or '.join(found)})"


def _shift(offset: Duration | None) -> str:
    if offset is None or not offset.seconds:
        return ""
    return f" offset {'-' if offset.seconds < 0 else ''}{format_duration(abs(offset.seconds))}"


def _edited(text: str, edits: Mapping[Span, str]) -> str:
    pieces: list[str] = []
    at = 0
    for span in sorted(edits):
        pieces += [text[at : span.start], edits[span]]
        at = span.end
    return "".join([*pieces, text[at:]])
