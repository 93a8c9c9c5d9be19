"""Our PromQL parser, against Prometheus itself, a second parser, and its own promises."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import promql_parser
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.promql import (
    Aggregation,
    Binary,
    Call,
    MatrixSelector,
    NumberLiteral,
    Paren,
    PromQLError,
    StringLiteral,
    Subquery,
    Unary,
    VectorSelector,
    children,
    comparisons,
    longest_window,
    parse,
    recording_delay,
    selectors,
    walk,
)

BOTH_VERSIONS = r"""
1
+Inf
-inf
NaN
.5
5.
5e-3
0xc
0755
-1^-2
2 ^ -1 * 3
- - 1
-a offset 1h > 2
1 == bool 1
a or b and c unless d
a > bool b
a == b == c
a and and and b
sum by (x,) (a)
sum(a) by ()
sum without (by, on, bool, sum, offset, atan2) (a)
sum + sum
SUM(a)
offset offset 5m
a ATAN2 b
foo{a="b",}
foo{if="x",on="y",inf="z"}
{__name__=~"x.*"}
{a!=""}
{a!~".*x.*",b=~".+"}
foo [ 5m ]
foo[ 5m : 1m ]
foo[1y2w3d4h5m6s7ms]
rate(foo[5m])[5m:1m] @ start() offset 1h
(foo)[5m:]
foo offset - 5m
foo offset 5m @ end()
foo[5m] @ 123.4 offset -1h
'a\'b"'
"\x41\101\u0041\U00000041\a\\"
`x\n`
a # comment "
{a="b" # inside
, c="d"}
a / on(x) group_left(y) b
a / on(x,) group_right b
a / ignoring(x) group_left(x) b
a > bool on(x) group_left(y) b
topk by (x) (5, a)
count_values("x", a)
quantile(0.9, a)
histogram_quantile(0.9, sum by (le) (rate(a[5m])))
label_join(a, "b", ",")
round(a, 5)
hour()
clamp(a, 1, 2)
predict_linear(a[5m], 3600)
quantile_over_time(0.5, a[5m])
a:b:c
:a
foo{a=~"[[:alpha:]]+[^[:space:])]"}
foo{a=~"\\pL(?i)x"}
fill + fill
-1 * 2
a--b
a{}
"""

NEITHER_VERSION = r"""
0x
1e
1e999
2.5.
0deadbeef
5m30
5hs
-"x"
-x[5m]
1 == 1
1 and a
a + bool b
sum by (,) (a)
sum(a) by (x) by (y)
sum by (inf) (c)
sum by
Rate(a[5m])
rate(a)
rate(a[5m],)
rate(a[5m])[5m]
nope(a)
bool
foo{,}
foo{a="b" c="d"}
foo{a=b}
foo{a:b="c"}
foo{__name__="bar"}
{}
{a=~".*"}
foo[5m
foo[5m]]
foo[:1m]
foo[0m]
foo[-5m]
foo[30s1m]
foo[5m:0s]
(foo)[5m]
(foo) offset 5m
foo offset
foo offset 5m offset 5m
foo offset 5m[5m]
foo @ NaN
foo @ 1e30
foo @ start() @ end()
foo @ now()
'a\"b'
"\400"
"\q"
"\ud800"
"unterminated
`a
a / group_left(y) b
a / on(x) 1
a / on(x) group_left(x) b
a / on b
a and on(x) group_left b
topk(a, 5)
topk(a)
sum()
sum(a, b)
sum(a[5m])
label_join(a, "b")
round(a, 5, 6)
time(a)
vector(a)
(a
a)
()
a b
a +
* a
a =~ b
a & b
ä
a{b="c"}{d="e"}
foo{a=~"("}
foo{a=~"(?=x)"}
foo{a=~"[a"}
foo{a=~"\\1"}
foo{a=~"x{2000}"}
a[5m] + 1
a and "x"
foo anchored
"""

THREE_ONLY = r"""
{"foo.bar", "x.y"="b"}
sum by ("a.b") (c)
foo[300]
foo[5m:10]
foo offset -300
a > 5m
a > 1h30m
foo @ 5m
limitk(5, a)
info(a, {b="c"})
sort_by_label(a, "x", "y")
double_exponential_smoothing(a[5m], 0.5, 0.5)
a * on(x) group_left(y) fill(0) b
"""


def lines(table: str) -> list[str]:
    """Return the table's expressions; a line that goes on with a comma belongs to the one before it."""
    return table.strip("\n").replace("\n,", "\0,").split("\n")


def expressions(table: str) -> list[str]:
    return [line.replace("\0", "\n") for line in lines(table)]


def accepted(text: str) -> bool:
    try:
        parse(text)
    except PromQLError as error:
        refusal = error
    else:
        return True
    assert 0 <= refusal.start <= refusal.end <= len(text)
    assert refusal.message
    return False


@pytest.fixture(scope="module")
def promtool() -> str:
    checkout = Path(__file__).resolve().parent.parent
    found = os.environ.get("TOCSIN_PROMTOOL") or shutil.which("promtool") or checkout / ".engines/usr/bin/promtool"
    if not Path(found).exists():
        pytest.skip("promtool is neither on PATH nor in .engines nor named by TOCSIN_PROMTOOL")
    return str(found)


def promtool_accepts(promtool: str, directory: Path, text: str) -> bool:
    file = directory / "rules.yml"
    rule = {"record": "x", "expr": text}
    file.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [rule]}]}, allow_unicode=True))
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, check=False, timeout=60)
    return done.returncode == 0


@pytest.mark.parametrize("text", expressions(BOTH_VERSIONS))
def test_what_prometheus_accepts_is_accepted(text: str, promtool: str, tmp_path: Path) -> None:
    """An expression that promtool accepts, ours accepts."""
    assert promtool_accepts(promtool, tmp_path, text)
    parse(text)


@pytest.mark.parametrize("text", expressions(NEITHER_VERSION))
def test_what_prometheus_refuses_is_refused(text: str, promtool: str, tmp_path: Path) -> None:
    """An expression that promtool refuses (and Prometheus 3 too) ours refuses, at a place inside the text."""
    assert not promtool_accepts(promtool, tmp_path, text)
    assert not accepted(text)


@pytest.mark.parametrize("text", expressions(THREE_ONLY))
def test_what_only_prometheus_3_accepts_is_accepted(text: str) -> None:
    """Syntax that came with Prometheus 3 is read, by us and by the second parser."""
    promql_parser.parse(text)
    parse(text)


@pytest.mark.parametrize("text", ["info(a, {})", 'info(a, {b=~".*"})', "foo @ -5", "foo @ +5"])
def test_what_the_second_parser_cannot_read_is_accepted(text: str) -> None:
    """Labels alone for info(), and a signed time after @, are what Prometheus reads too."""
    parse(text)


@pytest.mark.parametrize("text", ["", " ", "# nothing", "a\x00", "a\N{NO-BREAK SPACE}b", '"a\nb"', "foo[5m*2]"])
def test_what_is_no_expression_is_refused(text: str) -> None:
    """Emptiness, stray characters and arithmetic on durations are refused without a traceback."""
    assert not accepted(text)


# The same tree as the second parser's.


def ours(node: Any) -> Any:
    """Return our tree as nested tuples."""
    match node:
        case NumberLiteral(value=value):
            return ("number", repr(value))
        case StringLiteral(value=value):
            return ("string", value)
        case VectorSelector():
            return ("vector", *our_selector(node, node.offset, node.at))
        case MatrixSelector(vector=vector):
            return ("matrix", node.range.seconds, our_selector(vector, node.offset, node.at))
        case Subquery():
            step = node.step.seconds if node.step else None
            return ("subquery", node.range.seconds, step, *our_shift(node.offset, node.at), ours(node.expr))
        case Call():
            return ("call", node.function, *map(ours, node.args))
        case Aggregation():
            param = None if node.param is None else ours(node.param)
            return ("aggregation", node.op, node.grouping, node.without, param, ours(node.expr))
        case Binary():
            matching = node.matching
            matched = (matching.on, matching.labels, matching.group, matching.include) if matching else None
            return ("binary", node.op, node.bool_, matched, ours(node.left), ours(node.right))
        case Unary():
            return ("unary", ours(node.expr))
        case _:
            return ("paren", ours(node.expr))


def our_selector(vector: VectorSelector, offset: Any, at: Any) -> tuple[Any, ...]:
    matchers = sorted((m.name, m.op, m.value) for m in vector.matchers)
    return (vector.metric, *matchers, *our_shift(offset, at))


def our_shift(offset: Any, at: Any) -> tuple[Any, Any]:
    return (offset.seconds if offset else None, (at.kind, at.timestamp) if at else None)


MATCH_OPS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


def theirs(node: Any) -> Any:
    """Return the second parser's tree as nested tuples of the same form."""
    match type(node).__name__:
        case "NumberLiteral":
            return ("number", repr(node.val))
        case "StringLiteral":
            return ("string", node.val)
        case "VectorSelector":
            return ("vector", *their_selector(node))
        case "MatrixSelector":
            return ("matrix", node.range.total_seconds(), their_selector(node.vector_selector))
        case "SubqueryExpr":
            step = node.step.total_seconds() if node.step else None
            return ("subquery", node.range.total_seconds(), step, *their_shift(node), theirs(node.expr))
        case "Call":
            return ("call", node.func.name, *map(theirs, node.args))
        case "AggregateExpr":
            grouping = tuple(node.modifier.labels) if node.modifier else None
            without = node.modifier is not None and node.modifier.type == promql_parser.AggModifierType.Without
            param = None if node.param is None else theirs(node.param)
            return ("aggregation", str(node.op), grouping, without, param, theirs(node.expr))
        case "BinaryExpr":
            bool_ = node.modifier is not None and node.modifier.return_bool
            return ("binary", str(node.op), bool_, their_matching(node.modifier), theirs(node.lhs), theirs(node.rhs))
        case "UnaryExpr":
            return ("unary", theirs(node.expr))
        case _:
            return ("paren", theirs(node.expr))


def their_selector(node: Any) -> tuple[Any, ...]:
    matchers = sorted((m.name, MATCH_OPS[str(m.op).partition(".")[2]], m.value) for m in node.matchers.matchers)
    return (node.name, *matchers, *their_shift(node))


def their_shift(node: Any) -> tuple[Any, Any]:
    at = None
    if node.at is not None:
        kind = {"At": "timestamp", "Start": "start", "End": "end"}[str(node.at.type).partition(".")[2]]
        at = (kind, node.at.at.timestamp() if kind == "timestamp" else None)
    return (node.offset.total_seconds() if node.offset is not None else None, at)


def their_matching(modifier: Any) -> Any:
    if modifier is None or modifier.matching is None:
        return None
    on = modifier.matching.type == promql_parser.LabelModifierType.Include
    card = str(modifier.card).partition(".")[2]
    group = {"ManyToOne": "left", "OneToMany": "right"}.get(card)
    return (on, tuple(modifier.matching.labels), group, tuple(modifier.group_labels or ()))


@pytest.mark.parametrize("text", expressions(BOTH_VERSIONS + THREE_ONLY.lstrip("\n")))
def test_the_tree_is_the_second_parsers(text: str) -> None:
    """Where a second parser reads the expression, it reads the same tree."""
    assert ours(parse(text)) == theirs(promql_parser.parse(text))


def corpus() -> set[str]:
    found: set[str] = set()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for file in sorted(Path(os.environ["TOCSIN_CORPUS"]).rglob("*.y*ml")):
        try:
            documents = list(yaml.load_all(file.read_text(encoding="utf-8"), Loader=loader))
        except (yaml.YAMLError, UnicodeDecodeError):
            continue
        found.update(text for document in documents for text in rule_expressions(document))
    return found


def rule_expressions(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("expr"), str):
            yield value["expr"]
        for inner in value.values():
            yield from rule_expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from rule_expressions(inner)


@pytest.mark.skipif("TOCSIN_CORPUS" not in os.environ, reason="TOCSIN_CORPUS names no collection of real systems")
def test_the_corpus_is_read_as_the_second_parser_reads_it() -> None:
    """Every expression of many real systems is accepted, refused and structured as the second parser has it."""
    found = corpus()
    assert len(found) > 1000
    for text in found:
        try:
            other = promql_parser.parse(text)
        except ValueError:
            assert not accepted(text), text
        else:
            assert ours(parse(text)) == theirs(other), text


# Spans.


def assert_spans_slice_back(source: str) -> None:
    root = parse(source)
    labels_only = {
        id(n.args[1]) for n in walk(root) if isinstance(n, Call) and n.function == "info" and len(n.args) > 1
    }
    for node in walk(root):
        for child in children(node):
            assert node.span.start <= child.span.start <= child.span.end <= node.span.end
        if isinstance(node, Binary):
            assert node.operator.text(source).lower() == node.op
            assert node.left.span.end <= node.operator.start < node.operator.end <= node.right.span.start
        for duration in [getattr(node, name, None) for name in ("range", "step", "offset")]:
            assert duration is None or duration.text(source) == duration.raw
        if id(node) not in labels_only:
            assert parse(node.text(source)) == node


@pytest.mark.parametrize("text", expressions(BOTH_VERSIONS + THREE_ONLY.lstrip("\n")))
def test_each_node_is_read_again_from_its_own_text(text: str) -> None:
    """The text that a node's span cuts out parses to an equal node, whatever stands around it."""
    assert_spans_slice_back(f"  {text}  # ä\n")


BLANK = st.sampled_from(["", " ", "\n", "\t ", " # note: don't\n"])
NAME = st.sampled_from(["up", "a:b", "sum", "by", "on_call", "http_requests_total", "offset", "inf_x", "unless", "m5"])
LABEL = st.sampled_from(["job", "by", "instance", "on", "le", "__name", "without_"])
VALUE = st.sampled_from(['"x"', "'it\"s'", '"it\\"s"', "`raw'n`", '"ä\\u0041"', '"[5m]"', '"# no"', '".+"'])
LENGTH = st.sampled_from(["5m", "1h30m", "1ms", "7d", "1y2w3d4h5m6s7ms"])
SCALAR = st.sampled_from(["1", "0.5", "-2", "1e3", "0x1F", "NaN", "time()", "pi()", "scalar(up)", "-Inf", "(1)"])


@st.composite
def shift(draw: st.DrawFn) -> str:
    offset = draw(st.sampled_from(["", " offset ", " offset -", " OFFSET - "]))
    at = draw(st.sampled_from(["", " @ 1.5", " @start()", " @ end( )", "@3"]))
    parts = [offset + draw(LENGTH) if offset else "", at]
    return "".join(parts if draw(st.booleans()) else reversed(parts))


@st.composite
def selector(draw: st.DrawFn) -> str:
    matchers = draw(st.lists(st.tuples(LABEL, st.sampled_from(["=", "!=", "=~"]), VALUE), max_size=3))
    inside = ",".join(draw(BLANK) + name + draw(BLANK) + op + value for name, op, value in matchers)
    braces = draw(BLANK) + "{" + inside + draw(BLANK) + "}" if matchers else ""
    return draw(NAME) + braces


def grown(vector: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return larger instant vectors, made of smaller ones."""
    subquery = st.builds("(({})[{}:{}]{})".format, vector, LENGTH, st.sampled_from(["", "1m", "30s"]), shift())
    matrix = st.builds("({}[{}]{})".format, selector(), LENGTH, shift())
    of_range = st.builds("{}{}".format, st.sampled_from(["rate", "max_over_time", "changes"]), matrix | subquery)
    labels = st.lists(LABEL, max_size=2).map(", ".join)
    by = st.builds("{} ({})".format, st.sampled_from(["by", "WITHOUT"]), labels)
    before = st.builds("{} {} ({})".format, st.sampled_from(["sum", "Max", "group"]), by, vector)
    after = st.builds("{}({}){}".format, st.sampled_from(["avg", "count"]), vector, by)
    top = st.builds("topk({}, {})".format, SCALAR, vector)
    matching = st.builds(" {}({}) ".format, st.sampled_from(["on", "ignoring"]), labels)
    arithmetic = st.sampled_from(["+", "-", "*", "/", "%", "^", " atan2 ", "==", "!=", ">", "<= bool "])
    sets = st.sampled_from([" and ", " or ", " unless "])
    return (
        of_range
        | before
        | after
        | top
        | st.builds("({})".format, vector)
        | st.builds("-{}".format, vector)
        | st.builds("".join, st.tuples(vector, BLANK, arithmetic, BLANK, vector))
        | st.builds("".join, st.tuples(vector, BLANK, arithmetic, BLANK, SCALAR))
        | st.builds("{}{}{}({})".format, SCALAR, BLANK, arithmetic, vector)
        | st.builds("".join, st.tuples(vector, sets, matching, vector))
        | st.builds("({})/{}group_left (x) ({})".format, vector, matching, vector)
    )


VECTOR = st.recursive(st.builds("".join, st.tuples(selector(), shift())), grown, max_leaves=12)


@given(VECTOR)
@settings(max_examples=300, deadline=None)
def test_generated_expressions_slice_back_and_agree(text: str) -> None:
    """Any well-typed expression parses, every span slices back to its node, and the second parser sees the same."""
    assert_spans_slice_back(text)
    assert ours(parse(text)) == theirs(promql_parser.parse(text))


PIECES = st.sampled_from(
    [*"+-*/%^(){}[]=,@ #\"'`\\\n:.5ex_m", "a", "rate(", "5m", "[5m:", "offset ", " on(", "sum", " by ", "==", "=~", "ä"]
)


@given(st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=40))
@settings(max_examples=500, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text at all gives anything but a tree or a PromQLError with a place inside it."""
    accepted(text)


SHAPES = {
    "digits": "1" * 200_000,
    "digits and a letter": "1" * 200_000 + "x",
    "units": "1m" * 100_000 + "_",
    "blanks": " " * 200_000,
    "comments": "#\n" * 100_000,
    "open string": '"' + "a" * 200_000,
    "escapes": '"' + "\\n" * 100_000 + '"',
    "parentheses": "(" * 100_000,
    "signs": "-" * 100_000 + "a",
    "powers": "^".join("a" * 100_000),
    "sums": "+".join("a" * 100_000),
    "subqueries": "a" + "[5m:]" * 50_000,
    "braces": "a{" * 100_000,
    "matchers": "a{" + 'b="c",' * 30_000 + "}",
    "labels": "sum by (" + "a," * 50_000 + ") (b)",
    "arguments": "label_join(a" + ',"b"' * 50_000 + ")",
    "underscores": "1" + "_1" * 100_000,
    "backslashes in a pattern": 'a{b=~"' + "\\\\" * 50_000 + '"}',
}


@pytest.mark.parametrize("shape", SHAPES)
def test_time_is_linear(shape: str) -> None:
    """Two hundred thousand characters of any one shape take seconds at most, never a RecursionError."""
    started = perf_counter()
    accepted(SHAPES[shape])
    assert perf_counter() - started < 5


@pytest.mark.parametrize(("depth", "read"), [(50, True), (90, True), (150, False), (100_000, False)])
def test_nesting_has_a_bound(depth: int, read: bool) -> None:
    """Nesting far beyond what people write is read; beyond the bound it is refused in so many words."""
    text = "(" * depth + "a" + ")" * depth
    if read:
        assert repr(parse(text)).count("Paren") == depth
        return
    with pytest.raises(PromQLError, match="nested too deeply"):
        parse(text)


def test_a_long_chain_is_refused_by_its_height_alone() -> None:
    """A chain of operators is read, compared, hashed and shown up to the bound of height, and refused beyond it."""
    chain = parse(" or ".join(["a"] * 190))
    assert chain == parse(" or ".join(["a"] * 190))
    assert hash(chain) == hash(parse("  or ".join(["a"] * 190)))
    assert len(repr(chain)) > 190
    assert len(list(walk(chain))) == 379
    with pytest.raises(PromQLError, match="nested too deeply"):
        parse(" or ".join(["a"] * 300))


# What is read off a tree.


def test_nodes_are_walked_in_the_order_of_the_text() -> None:
    """Walking gives each node before its parts, from left to right."""
    source = "topk(3, a) / on(x) sum(rate(b[5m])) > 2"
    texts = [node.text(source) for node in walk(parse(source))]
    assert texts == [
        source,
        "topk(3, a) / on(x) sum(rate(b[5m]))",
        "topk(3, a)",
        "3",
        "a",
        "sum(rate(b[5m]))",
        "rate(b[5m])",
        "b[5m]",
        "b",
        "2",
    ]


def test_selectors_know_their_names() -> None:
    """Every vector selector is found, with the metric's name wherever it is written."""
    found = selectors(parse('a + rate(b[5m]) + {__name__="c"} + {"d.e", x="y"} + {__name__=~"f.*"}'))
    assert [selector.name for selector in found] == ["a", "b", "c", "d.e", None]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("a", 0),
        ("1", 0),
        ("rate(a[5m])", 300),
        ("a offset 1h", 3600),
        ("a offset -1h", 0),
        ("rate(a[5m] offset 1h)", 3900),
        ("rate(a[5m]) > rate(a[5m] offset 10m)", 900),
        ("max_over_time(rate(a[5m])[1h:1m])", 3900),
        ("max_over_time(max_over_time(rate(a[5m] offset 1m)[1h:1m])[1d:] offset 2d)", 300 + 60 + 3600 + 86400 * 3),
        ("max_over_time(rate(a[5m])[1h:] offset -1h)", 300),
        ("sum(rate(a[5m])) / sum(rate(b[30m]))", 1800),
    ],
)
def test_the_longest_window_adds_up(text: str, seconds: float) -> None:
    """Ranges and offsets add up along the way in, and the longest way counts."""
    assert longest_window(parse(text)) == seconds


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a > 5", [("a", ">", "5")]),
        ("a > b and c < d", [("a", ">", "b"), ("c", "<", "d")]),
        ("(a > b) or on(x) (c < 2)", [("a", ">", "b"), ("c", "<", "2")]),
        ("a > 1 unless b > 2", [("a", ">", "1")]),
        ("((a == 1) and b) unless (c != 2)", [("a", "==", "1")]),
        ("1 < a < 5", [("1 < a", "<", "5"), ("1", "<", "a")]),
        ("(a > 1) < 5", [("a", ">", "1"), ("(a > 1)", "<", "5")]),
        ("(a > bool 1) == 1", [("(a > bool 1)", "==", "1")]),
        ("a / b * 100 > 80", [("a / b * 100", ">", "80")]),
        ("sum(a > 1) > 2", [("sum(a > 1)", ">", "2")]),
        ("absent(a)", []),
        ("count(a > 1)", []),
        ("(a > 1) * 2", []),
    ],
)
def test_the_deciding_comparisons_are_found(text: str, found: list[tuple[str, str, str]]) -> None:
    """The comparisons that decide an alert are found with both sides, through and, or, unless and parentheses."""
    assert sorted((c.left.text(text), c.op, c.right.text(text)) for c in comparisons(parse(text))) == sorted(found)


def test_parentheses_and_places_are_no_part_of_equality() -> None:
    """Blanks and comments change no node, whereas parentheses do."""
    tight, loose = parse("a+b"), parse(" a  + # sum\n b")
    assert tight == loose
    assert tight.span != loose.span
    assert parse("(a+b)") != tight
    assert isinstance(parse("(a)"), Paren)


def test_an_error_says_where_and_what() -> None:
    """A refusal names the piece and what should stand there."""
    with pytest.raises(PromQLError) as caught:
        parse("sum(rate(errors[5m]) > 5")
    assert (caught.value.start, caught.value.end) == (24, 24)
    assert "')' to close sum(" in caught.value.message
    with pytest.raises(PromQLError, match="a range vector") as wrong:
        parse("rate(errors) > 5")
    assert "argument 1 of rate() must be a range vector" in wrong.value.message


def test_recording_rules_delay_what_reads_them() -> None:
    """Each adds its window and an evaluation; chains add up, what is read side by side does not, rings end."""
    recorded = {name: parse(text) for name, text in {"a": "rate(x[5m])", "b": "a / 2", "ring": "ring + 1"}.items()}

    assert recording_delay(parse("x > 1"), recorded, 15.0) == 0
    assert recording_delay(parse("a > 1"), recorded, 15.0) == 315
    assert recording_delay(parse("b > a"), recorded, 15.0) == 330
    assert recording_delay(parse("ring > 1"), recorded, 15.0) == 15
