"""What is known of the labels of a result: by table, and against what the real engine yields."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.engines.binaries import Engine, find_engine
from tocsin.promql import Binary, Expr, PromQLError, parse, type_of, walk
from tocsin.promql.labels import LabelFacts, LabelReader, labels_of
from tocsin.supervisor import run_once


def said(facts: LabelFacts, label: str) -> str:
    """Say what is known of a label: its values, or whether it is there."""
    values = facts.possible_values(label)
    if values is not None:
        return "|".join(sorted(values)) or "absent"
    return "present" if facts.surely_present(label) else "maybe"


@pytest.mark.parametrize(
    ("expression", "label", "expected"),
    [
        ('up{job="a"}', "job", "a"),
        ('up{job=~"a|b"}', "job", "a|b"),
        ('up{job=~"(a|b)c?"}', "job", "a|ac|b|bc"),
        ('up{job=~"a.*"}', "job", "present"),
        ('up{job!=""}', "job", "present"),
        ('up{job=""}', "job", "absent"),
        ("up", "job", "maybe"),
        ("up", "__name__", "up"),
        ("rate(up[5m])", "__name__", "absent"),
        ("last_over_time(up[5m])", "__name__", "up"),
        ("up > 1", "__name__", "up"),
        ("up > bool 1", "__name__", "absent"),
        ("up + 1", "__name__", "absent"),
        ('sum by (job) (up{job="a", b="c"})', "job", "a"),
        ('sum by (job) (up{job="a", b="c"})', "b", "absent"),
        ('sum without (b) (up{job="a", b="c"})', "job", "a"),
        ('sum without (b) (up{job="a", b="c"})', "b", "absent"),
        ('sum(up{job="a"})', "job", "absent"),
        ('topk(1, up{job="a"})', "job", "a"),
        ('count_values("v", up)', "v", "present"),
        ('absent(up{job="a"})', "job", "a"),
        ('absent(up{job="a", job="b"})', "job", "absent"),
        ('absent(up{job=~"a"})', "job", "absent"),
        ("absent(sum(up))", "job", "absent"),
        ("vector(1)", "job", "absent"),
        ("histogram_quantile(0.9, rate(x_bucket[5m]))", "le", "absent"),
        ('a{l="x"} or b{l="y"}', "l", "x|y"),
        ('a{l="x"} unless b{l="y"}', "l", "x"),
        ('a{l=~"x|y"} and on (l) b{l=~"y|z"}', "l", "y"),
        ('a{l="x"} * on (k) group_left (l) b{l="y"}', "l", "y"),
        ('a{l="x"} * on (k) b', "l", "absent"),
        ('a{l="x"} * ignoring (l) b{l="y"}', "l", "absent"),
        ('a{l="x"} * on (k) group_right b{l="y"}', "l", "y"),
        ('label_replace(up, "a", "x", "", "")', "a", "maybe"),
        ('label_replace(up{b="y"}, "a", "$1", "b", "(.*)")', "a", "y"),
        ('label_replace(up, "a", "x", "b", ".*")', "a", "x"),
        ('label_join(up{b="y"}, "a", "-", "b")', "a", "y"),
        ('label_join(up, "a", "-", "b", "c")', "a", "present"),
        ('-up{job="a"}', "job", "a"),
        ("time()", "job", "absent"),
    ],
)
def test_what_is_known_of_a_label(expression: str, label: str, expected: str) -> None:
    assert said(labels_of(parse(expression)), label) == expected


@pytest.mark.parametrize(
    ("expression", "label"),
    [
        ('sum by (job) (a) / sum by (job, instance) (b{instance!=""})', "instance"),
        ('a{l="x"} + b{l="y"}', "l"),
        ('a{l="x"} and on (l) b{l=~"y|z"}', "l"),
        ('foo{job="bar"} unless sum(foo)', "job"),
        ('a{l=~"x.*"} * on (l) sum(b)', "l"),
        ("a and on () b", None),
        ('a{l="x"} * ignoring (l) b{l="y"}', None),
        ('a{l=~"x.*"} + b{l=~"y.*"}', None),
        ('a{l="x"} or b{l="y"}', None),
    ],
)
def test_why_two_sides_never_match(expression: str, label: str | None) -> None:
    tree = parse(expression)
    assert isinstance(tree, Binary)
    found = LabelReader().mismatch(tree)
    assert (found.label if found else None) == label


@pytest.mark.parametrize(
    ("expression", "piece"),
    [
        ("1 - (sum by (job) (up)) > 2", "sum by (job) (up)"),
        ("sum by (job) (up) / sum by (job, instance) (up)", "sum by (job) (up)"),
        ("max by (job) (sum by (pod) (up))", "sum by (pod) (up)"),
        ('absent(up{job="x"})', 'absent(up{job="x"})'),
        ("a * on (job) b", "a * on (job) b"),
    ],
)
def test_where_a_label_is_lost(expression: str, piece: str) -> None:
    tree = parse(expression)
    lost = LabelReader().lost_at(tree, "instance")
    assert lost is not None
    assert lost.span.text(expression) == piece


SERIES = [
    'a{j="x",k="1"}', 'a{j="y",k="1",l="q"}', 'a{j="x",k="2"}', 'b{j="x",k="1",m="r"}', 'b{j="y",k="2"}',
    'c{j="z",l="q"}', 'c{k="1"}', 'h_bucket{j="x",le="1"}', 'h_bucket{j="x",le="+Inf"}',
]  # fmt: skip
LABELS = ("j", "k", "l", "m", "le", "n", "__name__")
MATCHERS = st.sampled_from(
    ["", '{j="x"}', '{j=~"x|y"}', '{j!="x"}', '{k!~"1"}', '{l=""}', '{l!=""}', '{j=~"x.*",k="1"}', '{j=~".+"}']
)
SELECTORS = st.builds("{}{}".format, st.sampled_from(["a", "b", "c", "h_bucket", "missing"]), MATCHERS)
NAMES = st.lists(st.sampled_from(["j", "k", "l", "m", "le"]), unique=True, max_size=3).map(", ".join)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    aggregated = st.builds(
        lambda op, how, names, of: f"{op} {how} ({names}) ({of})",
        st.sampled_from(["sum", "max", "count", "topk (1,", "group"]).map(lambda op: op.removesuffix(" (1,")),
        st.sampled_from(["by", "without"]),
        NAMES,
        inner,
    ).map(lambda text: re.sub(r"^topk (\w+ \([^)]*\)) \(", r"topk \1 (1, ", text))
    called = st.builds(
        lambda call, of: call.format(of),
        st.sampled_from(
            ["abs({})", "sum({})", "absent({})", "-({})", "histogram_quantile(0.5, {})", 'count_values("n", {})',
             'label_replace({}, "n", "$1", "j", "(x)")', 'label_replace({}, "k", "", "j", ".*")',
             'label_join({}, "n", "-", "j", "k")', "last_over_time(({})[1m:1m])", "({}) > 0", "({}) * 2", "sort({})"]
        ),
        inner,
    )  # fmt: skip
    joined = st.builds(
        lambda left, op, how, right: f"({left}) {op} {how} ({right})",
        inner,
        st.sampled_from(["+", ">=", "and", "or", "unless", "== bool"]),
        st.one_of(
            st.just(""),
            NAMES.map("on ({})".format),
            NAMES.map("ignoring ({})".format),
        ),
        inner,
    )
    many = st.builds(
        lambda left, side, label, right: f"({left}) * on (j) group_{side} ({label}) ({right})",
        inner,
        st.sampled_from(["left", "right"]),
        st.sampled_from(["", "l", "m", "n"]),
        inner,
    )
    return st.one_of(aggregated, called, joined, many)


EXPRESSIONS = st.recursive(SELECTORS, _grown, max_leaves=5)
_SAMPLE = re.compile(r"\{(?P<labels>[^{}]*)\} [-+0-9.eEInfNa]+")


def _results(expressions: list[str], folder: Path) -> list[list[dict[str, str]]]:
    """Return the label sets that promtool's engine yields for each expression; of one that fails, none."""
    wrong = [{"labels": "none", "value": 12345}]
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": series, "values": "1+1x5"} for series in SERIES],
            "promql_expr_test": [{"expr": expression, "eval_time": "3m", "exp_samples": wrong}],
        }
        for expression in expressions
    ]
    path = folder / "expressions.yml"
    path.write_text(json.dumps({"rule_files": [], "tests": tests}))
    promtool = find_engine(Engine.PROMTOOL)
    done = run_once([promtool, "test", "rules", str(path)], cwd=folder, env=None, seconds=60)
    blocks = re.split(r"^    expr: ", done.stdout + done.stderr, flags=re.MULTILINE)[1:]
    got = [re.search(r"\n\s+got: (.*)", block) for block in blocks]
    return [
        [dict(re.findall(r'(\w+)="([^"]*)"', m["labels"])) for m in _SAMPLE.finditer(g[1])] if g else [] for g in got
    ]


def _refused(expression: str) -> bool:
    try:
        return type_of(parse(expression)) != "vector"
    except PromQLError:
        return True


@settings(max_examples=12, deadline=None)
@given(expressions=st.lists(EXPRESSIONS.filter(lambda text: not _refused(text)), min_size=25, max_size=40))
def test_no_result_of_the_engine_breaks_what_is_known(
    tmp_path_factory: pytest.TempPathFactory, expressions: list[str]
) -> None:
    """Each series that the real engine yields has, of every label, a value that was said to be possible."""
    results = _results(expressions, tmp_path_factory.mktemp("labels"))
    assert len(results) == len(expressions)
    for expression, series in zip(expressions, results, strict=True):
        tree = parse(expression)
        facts = labels_of(tree)
        for labels in series:
            assert not facts.nothing, (expression, labels)
            for name in LABELS:
                assert facts.of(name).possible(labels.get(name, "")), (expression, name, labels)
        _pieces_agree(tree)


def _pieces_agree(tree: Expr) -> None:
    """Read each piece alone and inside of the whole: both tell the same."""
    reader = LabelReader()
    reader.facts(tree)
    for node in walk(tree):
        assert reader.facts(node) == labels_of(node)
