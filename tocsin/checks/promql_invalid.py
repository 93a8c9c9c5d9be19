"""PromQL that does not parse."""

import re
from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.part import Part
from tocsin.promql import Expr, NumberLiteral, PromQLError, Span
from tocsin.promql.analysis import walk

_RULES = "groups:\n- name: a\n  rules:\n  - alert: Down\n    expr: {}\n"
_LOGQL = re.compile(r"\|=|\|~|!=\s*[`\"]|\|\s*(?:json|logfmt|regexp|pattern|unpack|line_format|label_format|unwrap)\b")
_METRICSQL = re.compile(
    r"\b(?:default|ifnot|if)\s+[\w(]|\bWITH\s*\(|\b(?:rollup\w*|increase_pure|increase_prometheus|rate_prometheus"
    r"|label_(?:set|del|keep|copy|move|map|value|match|transform|uppercase|lowercase|graphite_group|mismatch)"
    r"|keep_(?:last|next)_value|range_\w+|running_\w+|median|outliers\w*|any|share|zscore\w*|histogram|mode"
    r"|alias|union|remove_resets|interpolate|ru|ttf|buckets_limit|prometheus_buckets|quantiles\w*|lag|lifetime"
    r"|distinct\w*|share_\w+|count_(?:eq|gt|le|ne)_over_time|tmin_over_time|tmax_over_time|tlast_\w+|tfirst_\w+"
    r"|hoeffding\w*|integrate|ascent_over_time|descent_over_time|scrape_interval|geomean\w*|sum2\w*|topk_\w+"
    r"|bottomk_\w+|limit_offset|drop_common_labels|drop_empty_series|smooth_exponential|duration_over_time"
    r"|stale_samples_over_time|increases_over_time|decreases_over_time|default_rollup|aggr_over_time)\s*\("
)

_DURATIONS_ARE_NUMBERS = 3
"""The major version of Prometheus from which on they are (its promql/parser, `number_duration_literal`)."""
_UNRENDERED = re.compile(r"\{\{-?\s*[.$\"\w][^={}]*\}\}|\{%")


@check(
    severity=Severity.ERROR,
    fix="Mend the expression at the place that is marked; `promtool check rules` says when it parses.",
    bad=Example({"rules.yml": _RULES.format("up = 0")}, at="up = 0"),
    good=Example({"rules.yml": _RULES.format("up == 0")}),
    origin="promtool, pint promql/syntax, dashboard-linter target-promql-rule",
)
def promql_invalid(model: Model) -> Iterator[Remark]:
    """Prometheus refuses the whole rule file, so that none of its rules is loaded; elsewhere the query shows an error.

    (Prometheus, promql/parser and model/rulefmt: `could not parse expression`.)
    """
    for rule in model.rules:
        yield from _of_rule(rule, model)
    for test in model.promtool_tests:
        for part in test.list("tests"):
            for query in part.list("promql_expr_test"):
                subject = f"{part.string('name')}/{query.string('expr')}"
                yield from _remark(query.get("expr"), subject, model, Severity.WARNING)
    for asked in model.queries:
        if asked.error is not None and asked.certain and not _METRICSQL.search(asked.expression):
            place, width = asked.piece(Span(asked.error.start, max(asked.error.start + 1, asked.error.end)))
            said = f"the query of this {asked.origin} does not parse: {asked.error.message}"
            yield Remark(place, said, width=width, subject=asked.subject, severity=Severity.WARNING)


def _of_rule(rule: Rule, model: Model) -> Iterator[Remark]:
    part = rule.part.get("expr")
    yield from _remark(part, rule.subject, model, Severity.ERROR)
    yield from _too_new(part, rule.subject, model)


def _remark(part: Part, subject: str, model: Model, severity: Severity) -> Iterator[Remark]:
    expression = part.text
    found = model.parsed(expression) if part else None
    if not isinstance(found, PromQLError) or any(each.search(expression) for each in (_LOGQL, _METRICSQL, _UNRENDERED)):
        return  # rules of Loki and of vmalert stand in files of the same form, and so do templates of such files
    place, width = model.piece(part, Span(found.start, max(found.start + 1, found.end)))
    said = "the expression" if severity is Severity.ERROR else "the query"
    yield Remark(place, f"{said} does not parse: {found.message}", width=width, subject=subject, severity=severity)


def _too_new(part: Part, subject: str, model: Model) -> Iterator[Remark]:
    """Yield where a duration stands for a number, which Prometheus 3 reads: an error where a 2 reads the rules."""
    majors, found = model.prometheus_majors, model.parsed(part.text) if part else None
    if isinstance(found, Expr) and (not majors or min(majors) < _DURATIONS_ARE_NUMBERS):
        for node in walk(found):
            if isinstance(node, NumberLiteral) and node.duration:
                place, width = model.piece(part, node.span)
                said = "a duration stands for a number for Prometheus 3 only; an older one refuses the whole file"
                severity = Severity.ERROR if majors else Severity.WARNING
                fix = f"Write seconds as a number: {node.value:g}."
                yield Remark(place, said, width=width, subject=subject, severity=severity, fix=fix)
