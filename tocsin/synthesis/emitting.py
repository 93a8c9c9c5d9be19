"""A solution as promtool's files: the rules, and the tests with what each of them stands for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tocsin.synthesis.problem import Problem
from tocsin.synthesis.solution import Assertion, Solution, State, Test

_MARK = re.compile(r"# claim (?P<number>\d+): ")


@dataclass(frozen=True, slots=True)
class Emitted:
    """The texts of two files, and the assertions in the order of their numbers in the test file."""

    rules: str
    tests: str
    assertions: tuple[Assertion, ...]


def emit(problem: Problem, solution: Solution, *, rules_file: str = "rules.yml") -> Emitted:
    """Return a rule file with the alert and what it reads, and a test file that names it `rules_file`."""
    evaluations = sorted({test.evaluation for test in solution.tests})
    if len(evaluations) != 1:
        raise ValueError(f"the tests of one file are evaluated at one interval, and not at {evaluations}")
    assertions: list[Assertion] = []
    lines = [f"rule_files: [{_quoted(rules_file)}]", f"evaluation_interval: {seconds_text(evaluations[0])}", "tests:"]
    for test in solution.tests:
        lines += _test(problem.alert.name, test, assertions)
    return Emitted(rules_text(problem), "\n".join(lines) + "\n", tuple(assertions))


def failed(emitted: Emitted, output: str) -> tuple[Assertion, ...]:
    """Return the assertions that promtool's output for this file tells to have failed, each once."""
    numbers = {int(match["number"]) for match in _MARK.finditer(output)}
    return tuple(each for number, each in enumerate(emitted.assertions) if number in numbers)


def rules_text(problem: Problem) -> str:
    """Return a rule file with the recording rules in their order, and the alert after them."""
    alert = problem.alert
    lines = ["groups:", "- name: tocsin", "  rules:"]
    for rule in problem.recorded:
        lines += [f"  - record: {_quoted(rule.name)}", f"    expr: {_quoted(rule.expression)}"]
        lines += _mapping("labels", rule.labels)
    lines += [f"  - alert: {_quoted(alert.name)}", f"    expr: {_quoted(alert.expression)}"]
    if alert.hold_seconds:
        lines.append(f"    for: {seconds_text(alert.hold_seconds)}")
    if alert.keep_firing_seconds:
        lines.append(f"    keep_firing_for: {seconds_text(alert.keep_firing_seconds)}")
    lines += [*_mapping("labels", alert.labels), *_mapping("annotations", alert.annotations)]
    return "\n".join(lines) + "\n"


def _mapping(key: str, values: Mapping[str, str]) -> Iterator[str]:
    if values:
        yield f"    {key}:"
        yield from (f"      {_quoted(name)}: {_quoted(value)}" for name, value in values.items())


def _test(alert: str, test: Test, assertions: list[Assertion]) -> Iterator[str]:
    yield f"# {test.name}: {', '.join(test.claims)}"
    for stretch in test.stretches:
        said = f": {stretch.said}" if stretch.said else ""
        yield f"#   {seconds_text(stretch.start)} to {seconds_text(stretch.end)} {_line(stretch.name + said)}"
    yield f"- interval: {seconds_text(test.interval)}"
    if test.series:
        yield "  input_series:"
    for series in test.series:
        if series.comment:
            yield f"  # {_line(series.comment)}"
        yield f"  - series: {_quoted(series.selector)}"
        yield f"    values: {_quoted(series.values)}"
    yield "  promql_expr_test:"
    for each in test.assertions:
        mark = f"# claim {len(assertions)}: {each.claim}: {_line(each.comment)}"
        assertions.append(each)
        yield f"  - expr: {_quoted(expression_of(alert, each) + ' ' + mark)}"
        yield f"    eval_time: {seconds_text(each.at)}"
        yield from _samples(each.state)


def expression_of(alert: str, assertion: Assertion) -> str:
    """Return what is asked of ALERTS, so that labels and annotations need not be known."""
    name = ",".join([f"alertname={_quoted(alert)}", *(f"{n}={_quoted(v)}" for n, v in assertion.labels.items())])
    firing = f'{name},alertstate="firing"'
    if assertion.state is State.PENDING:
        pending = f'{name},alertstate="pending"'
        return f"(count(ALERTS{{{pending}}}) > bool 0) unless count(ALERTS{{{firing}}})"
    asked = name if assertion.state in (State.INACTIVE, State.NEVER_ACTIVE) else firing
    if assertion.state in (State.NEVER_FIRING, State.NEVER_ACTIVE):
        # A second more than the stretch, so that its first evaluation is inside of a range that is open on the left.
        length = seconds_text(assertion.at - (assertion.since or 0.0) + 1)
        return f"count(count_over_time(ALERTS{{{asked}}}[{length}])) > bool 0"
    return f"count(ALERTS{{{asked}}}) > bool 0"


def _samples(state: State) -> Iterator[str]:
    if state in (State.FIRING, State.PENDING):
        yield "    exp_samples:"
        yield "    - {labels: '{}', value: 1}"
    else:
        yield "    exp_samples: []"


def _quoted(text: str) -> str:
    """Return a text as a YAML scalar in double quotes, which JSON's strings are."""
    return json.dumps(text, ensure_ascii=False)


def _line(text: str) -> str:
    return " ".join(text.split())


def seconds_text(seconds: float) -> str:
    """Return a length of time as Prometheus writes it: `90s`, `1m`, `500ms`."""
    milliseconds = round(seconds * 1000)
    if milliseconds % 1000:
        return f"{milliseconds}ms"
    whole = milliseconds // 1000
    return f"{whole // 60}m" if whole and whole % 60 == 0 else f"{whole}s"
