"""Selectors of series that no series can match."""

import re
from collections.abc import Iterator

from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.expressions import PlacedExpression, expressions
from tocsin.promql import Matcher, VectorSelector, selectors
from tocsin.promql.label_values import Values
from tocsin.promql.labels import matched
from tocsin.source import Place

_RULES = 'groups:\n- name: a\n  rules:\n  - alert: Down\n    expr: up{{job{}"api|web"}} == 0\n'
_ALTERNATIVES = re.compile(r"\(?[\w.\-]+(?:\|[\w.\-]+)+\)?")
_WILDCARD = re.compile(r"\.[*+]")
_GLOB = re.compile(r"(?:^|\|)[\w.\-/]*[\w\-]\*(?:$|\|)")
_PATTERNS_THEMSELVES = re.compile(
    r"path|route|uri|url|handler|endpoint|pattern|regex|query|rule|match|name$", re.IGNORECASE
)
"""Labels whose values may be patterns: the routes of a web server are."""


@check(
    severity=Severity.ERROR,
    fix='Ask for what the series have; alternatives are one regular expression, `job=~"api|web"`.',
    bad=Example({"rules.yml": _RULES.format("=")}, at="expr: up"),
    good=Example({"rules.yml": _RULES.format("=~")}),
    origin="pint promql/impossible",
)
def selector_matches_nothing(model: Model) -> Iterator[Remark]:
    """No series can have the labels that are asked for, so the selector yields nothing, ever.

    (Prometheus, documentation of selectors: all matchers must hold, and `=` compares the text as it is; of recording
    rules: a recorded series has the labels of the result and those that the rule sets, no others.)
    """
    for each in expressions(model):
        for selector in selectors(each.tree):
            if not each.varies(selector):
                yield from _contradicted(each, selector)
            for matcher in selector.matchers:
                if not each.varies(matcher):
                    yield from _mistaken(each, matcher)


def _contradicted(each: PlacedExpression, selector: VectorSelector) -> Iterator[Remark]:
    own = matched(selector.matchers, selector.metric)
    if own.nothing:
        label = next((name for name, values in own.named.items() if not values.any), "")
        asking = [matcher for matcher in selector.matchers if matcher.name == label]
        asked = " and ".join(f"`{each.said(matcher)}`" for matcher in asking)
        place, width = each.piece(asking[-1].span if asking else selector.span)
        said = f"no series of `{selector.name or 'any metric'}` matches {asked}" + " at once" * (len(asking) > 1)
        yield Remark(place, said, width=width, subject=f"{each.subject}/{label}", severity=each.severity,
                     fix="Ask for one of them; alternatives are one regular expression.")  # fmt: skip
        return
    known = each.model.rule_labels.of_selector(selector, each.file)
    for matcher in selector.matchers:
        has = known.of(matcher.name)
        if not own.of(matcher.name).both(has).any:
            place, width = each.piece(matcher.span)
            yield Remark(place, _said(each, selector, matcher.name, has), width=width,
                         subject=f"{each.subject}/{matcher.name}", severity=each.severity,
                         related=_recorders(each, selector), fix="Keep the label in the recording rule, or do not ask"
                         " for it.")  # fmt: skip


def _said(each: PlacedExpression, selector: VectorSelector, label: str, has: Values) -> str:
    recorders = each.model.rule_labels.recorders.get(selector.name or "", ())
    by = f", recorded as `{' '.join(recorders[0].expression.split())[:120]}`," if recorders else ""
    what = f"has no `{label}`" if has.only == frozenset({""}) else f"has {label}={has}"
    return f"`{each.said(selector)}` matches nothing: `{selector.name}`{by} {what}"


def _recorders(each: PlacedExpression, selector: VectorSelector) -> tuple[Place, ...]:
    return tuple(rule.expression_place for rule in each.model.rule_labels.recorders.get(selector.name or "", ()))


def _mistaken(each: PlacedExpression, matcher: Matcher) -> Iterator[Remark]:
    """Patterns that are compared as texts, and wildcards of file names that are taken for patterns."""
    found = _mistake(matcher)
    if found is not None:
        said, fix, sure = found
        place, width = each.piece(matcher.span)
        severity = each.severity if sure else Severity.WARNING
        subject = f"{each.subject}/{matcher.name}"
        yield Remark(place, f"`{each.said(matcher)}` {said}", width=width, subject=subject, severity=severity, fix=fix)


def _mistake(matcher: Matcher) -> tuple[str, str, bool] | None:
    """Return what is wrong with a matcher, how to mend it, and whether it surely matches nothing."""
    value, name, op = matcher.value, matcher.name, matcher.op
    if name == "__name__":
        return None
    pattern = _ALTERNATIVES.fullmatch(value) or (_WILDCARD.search(value) and not _PATTERNS_THEMSELVES.search(name))
    if op in ("=", "!=") and pattern:
        does = "matches no series" if op == "=" else "excludes no series"
        regex = "=~" if op == "=" else "!~"
        said = f"{does}: `{op}` compares with the very text, and this is a pattern"
        return said, f'Write `{name}{regex}"{value}"`.', op == "="
    if op in ("=~", "!~") and _GLOB.search(value):
        star = value.index("*")
        said = f"repeats the letter {value[star - 1]!r}: `*` is no wildcard here, and the whole text must match"
        return said, f"Write `{value[:star]}.*{value[star + 1 :]}`.", False
    if op in ("=", "!=") and value != value.strip():
        return "has a blank at its end or beginning, which no series is likely to have", "Take the blank away.", False
    return None
