"""What `promtool test rules` refuses of a test file."""

from collections.abc import Iterator, Mapping

from tocsin.artefacts.promtool_tests import parse_values
from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.durations import parse_duration
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.rule_tests import InputSeries
from tocsin.part import Part
from tocsin.promql import PromQLError, Span, parse
from tocsin.source import nearest

_RULES = "groups:\n- name: a\n  rules:\n  - alert: Down\n    expr: up == 0\n"
_TEST = """rule_files: [rules.yml]
tests:
- interval: 1m
  input_series:
  - {{series: 'up{{job="api"}}', values: '{}'}}
  alert_rule_test:
  - eval_time: 5m
    alertname: Down
    exp_alerts: [{{exp_labels: {{job: api}}}}]
"""
_FILE = frozenset({"rule_files", "evaluation_interval", "group_eval_order", "tests", "fuzzy_compare"})
_GROUP = frozenset(
    [
        *("interval", "input_series", "alert_rule_test", "promql_expr_test", "external_labels", "external_url", "name"),
        "start_timestamp",
    ]
)
_ITEMS: Mapping[str, frozenset[str]] = {
    "input_series": frozenset({"series", "values"}),
    "alert_rule_test": frozenset({"eval_time", "alertname", "exp_alerts"}),
    "promql_expr_test": frozenset({"expr", "eval_time", "exp_samples"}),
}
"""The keys of each kind of item (Prometheus, cmd/promtool/unittest.go, of 2.42 and 3.x together)."""
_INSIDE: Mapping[str, frozenset[str]] = {
    "exp_alerts": frozenset({"exp_labels", "exp_annotations"}),
    "exp_samples": frozenset({"labels", "value", "histogram"}),
}


@check(
    severity=Severity.ERROR,
    fix="Write it as promtool reads it.",
    bad=Example({"rules.yml": _RULES, "rules_test.yml": _TEST.format("1x5, 0x5")}, at="1x5, 0x5"),
    good=Example({"rules.yml": _RULES, "rules_test.yml": _TEST.format("1x5 0x5")}),
    origin="promtool",
)
def test_file_invalid(promtool_test: Part, model: Model) -> Iterator[Remark]:
    """Because promtool refuses the whole file, none of its tests is run.

    (prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules; Prometheus, cmd/promtool/unittest.go, which
    decodes strictly.)
    """
    if not isinstance(promtool_test.value, dict):
        return
    yield from _keys(promtool_test, _FILE)
    yield from _durations(promtool_test, "evaluation_interval")
    for key in ("rule_files", "group_eval_order"):
        yield from _list(promtool_test, key)
    yield from _repeated(promtool_test)
    for test in promtool_test.list("tests"):
        if isinstance(test.value, dict):
            yield from _test(test, model)
        elif test:
            yield _at(test, "a test is a mapping: input_series, alert_rule_test, promql_expr_test")


def _test(test: Part, model: Model) -> Iterator[Remark]:
    yield from _keys(test, _GROUP)
    yield from _durations(test, "interval")
    for key, allowed in _ITEMS.items():
        yield from _list(test, key)
        for item in test.list(key):
            if isinstance(item.value, dict):
                yield from _item(item, allowed)
            elif item:
                yield _at(item, f"an item of {key} is a mapping: {', '.join(sorted(allowed))}")
    for item in test.list("alert_rule_test"):
        if isinstance(item.value, dict) and not item.string("alertname"):
            yield _at(item, "names no alert: `alertname` is missing")
    for item in test.list("input_series"):
        if isinstance(item.value, dict):
            yield from _series(item, model)
    samples = (each for item in test.list("promql_expr_test") for each in item.list("exp_samples"))
    for sample in samples:
        yield from _labels(sample.get("labels"), model)


def _item(item: Part, allowed: frozenset[str]) -> Iterator[Remark]:
    yield from _keys(item, allowed)
    yield from _durations(item, "eval_time")
    for inner, keys in _INSIDE.items():
        yield from _list(item, inner)
        for one in item.list(inner):
            yield from _keys(one, keys)


def _series(item: Part, model: Model) -> Iterator[Remark]:
    series = InputSeries(item)
    if not item.get("series"):
        yield _at(item, "is an input series without `series`")
    elif isinstance(series.parsed, PromQLError):
        yield from _wrong(item.get("series"), series.parsed, model)
    values = item.get("values")
    if "{{" in values.text:
        return  # native histograms
    try:
        parse_values(values.text)
    except ValueError as error:
        yield _at(values, f"values: {error}")


def _labels(part: Part, model: Model) -> Iterator[Remark]:
    if not part.text or "\\" in part.text:
        return
    try:
        parse(part.text if part.text != "{}" else "up")
    except PromQLError as error:
        if "selects every series" not in error.message:
            yield from _wrong(part, error, model)


def _wrong(part: Part, error: PromQLError, model: Model) -> Iterator[Remark]:
    place, width = model.piece(part, Span(error.start, max(error.start + 1, error.end)))
    yield Remark(place, error.message, width=width, subject=_subject(part))


def _keys(part: Part, known: frozenset[str]) -> Iterator[Remark]:
    for key, value in part.items():
        if key not in known:
            meant = nearest(key, known, most=1)
            yield _at_key(value, f"`{key}` is no key here" + (f"; did you mean `{meant[0]}`?" if meant else ""))


def _list(part: Part, key: str) -> Iterator[Remark]:
    found = part.get(key)
    if found and not isinstance(found.value, list):
        yield _at_key(found, f"`{key}` must be a list")


def _durations(part: Part, key: str) -> Iterator[Remark]:
    found = part.get(key)
    try:
        parse_duration(found.text or "0")
    except ValueError as error:
        yield _at(found, f"{key}: {error}")


def _repeated(part: Part) -> Iterator[Remark]:
    seen: set[str] = set()
    for item in part.list("group_eval_order"):
        if item.text in seen:
            yield _at(item, f"the group {item.text} stands twice in group_eval_order")
        seen.add(item.text)


def _subject(part: Part) -> str:
    return ".".join(map(str, part.route)) or "test file"


def _at(part: Part, message: str) -> Remark:
    return at(part, message, subject=_subject(part))


def _at_key(part: Part, message: str) -> Remark:
    return at_key(part, message, subject=_subject(part))
