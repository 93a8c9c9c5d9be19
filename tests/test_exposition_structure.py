"""What is wrong within one scrape that every server keeps: each check on what has the disease and on what has not."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.artefacts.exposition import Generation, Ingest, Syntax
from tocsin.exposition import structure_duplicates
from tocsin.exposition.digest import MOST_FAMILIES, MOST_LABELS_OF_A_NAME, MOST_VALUES
from tocsin.exposition.judgement import Complaint, Judgement
from tocsin.exposition.judging import judge
from tocsin.finding import Severity

NOW = 1_764_000_000.0
TEXT, OPENMETRICS = Syntax.TEXT, Syntax.OPENMETRICS
STRUCTURE = {
    "bare-sample-in-histogram",
    "bucket-bounds-differ",
    "bucket-without-bound",
    "buckets-not-cumulative",
    "buckets-out-of-order",
    "control-character",
    "count-differs-from-buckets",
    "counter-beyond-exact",
    "counter-negative",
    "counter-not-a-number",
    "duplicate-series",
    "exemplar-outside-bucket",
    "explicit-timestamps",
    "family-repeated",
    "histogram-incomplete",
    "metadata-after-samples",
    "no-infinite-bucket",
    "no-samples",
    "not-ingested",
    "not-to-the-letter",
    "quantile-out-of-range",
    "samples-after-eof",
    "server-crash",
    "stateset-broken",
    "sum-not-a-number",
    "timestamp-far-away",
    "timestamp-in-other-unit",
    "timestamp-zero",
    "timestamps-mixed",
    "too-many-names",
}
"""Every check that is not in exposition/sense."""


def judged(body: str, syntax: Syntax = TEXT) -> Judgement:
    return judge((body.encode(errors="surrogateescape"),), syntax, now=NOW)


def structural(body: str, syntax: Syntax = TEXT) -> list[Complaint]:
    return [one for one in judged(body, syntax).complaints if one.check in STRUCTURE]


@dataclass(frozen=True, slots=True)
class Sick:
    """A body with one disease, the same body without it, and the diagnosis."""

    check: str
    body: str
    healthy: str
    line: int
    words: str
    syntax: Syntax = TEXT
    severity: Severity = Severity.ERROR
    letter: bool = True
    """The sick body is to its format's letter."""
    more: tuple[str, ...] = ()
    """What follows from the same disease."""


HISTOGRAM = "# TYPE h histogram\n"
SMALL = 'h_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\n'
WHOLE = HISTOGRAM + SMALL + "h_sum 3\nh_count 2\n"
OPEN_WHOLE = WHOLE + "# EOF\n"
MILLISECONDS = f"{NOW * 1000:.0f}"
SECONDS = f"{NOW:.0f}"

CASES = [
    Sick(
        "duplicate-series",
        "m 1\nn 1\nm 2\n",
        "m 1\nn 1\n",
        3,
        "already there on line 1",
        letter=False,
        more=("family-repeated",),
    ),
    Sick(
        "duplicate-series",
        'm{a="1",b="2"} 1\nm{b="2",a="1"} 1\n',
        'm{a="1",b="2"} 1\nm{b="1",a="2"} 1\n',
        2,
        "line 1",
        letter=False,
    ),
    Sick("duplicate-series", 'm{a=""} 1\nm 1\n', 'm{a="1"} 1\nm 1\n', 2, "m is already there", letter=False),
    Sick(
        "duplicate-series",
        HISTOGRAM + 'h_bucket{le="1"} 1\nh_bucket{le="1.0"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n',
        WHOLE,
        3,
        'h_bucket{le="1.0"}',
        letter=False,
        more=("buckets-out-of-order",),
    ),
    Sick("duplicate-series", 'm{a="\\n"} 1\nm{a="\\n"} 1\n', 'm{a="\\n"} 1\nm{a="n"} 1\n', 2, "line 1", letter=False),
    Sick(
        "duplicate-series",
        "# TYPE m gauge\nm 1\nm 1\n# EOF\n",
        "# TYPE m gauge\nm 1\n# EOF\n",
        3,
        "line 2",
        OPENMETRICS,
        letter=False,
    ),
    Sick(
        "family-repeated",
        '# TYPE m gauge\nm{a="1"} 1\n# TYPE n gauge\nn 1\n# TYPE m gauge\nm{a="2"} 1\n',
        '# TYPE m gauge\nm{a="1"} 1\nm{a="2"} 1\n# TYPE n gauge\nn 1\n',
        5,
        "a second TYPE of m; the first is on line 1",
        severity=Severity.WARNING,
        letter=False,
    ),
    Sick(
        "family-repeated",
        "# HELP m x\n# HELP m y\nm 1\n",
        "# HELP m x\nm 1\n",
        2,
        "a second HELP",
        severity=Severity.WARNING,
        letter=False,
    ),
    Sick(
        "family-repeated",
        'm{a="1"} 1\nn 1\nm{a="2"} 1\n',
        'm{a="1"} 1\nm{a="2"} 1\nn 1\n',
        3,
        "m goes on here, after other metrics; it began on line 1",
        severity=Severity.WARNING,
        letter=False,
    ),
    Sick(
        "metadata-after-samples",
        "m 1\n# TYPE m gauge\n",
        "# TYPE m gauge\nm 1\n",
        2,
        "TYPE of m comes after",
        severity=Severity.WARNING,
        letter=False,
    ),
    Sick("counter-negative", "# TYPE c counter\nc -1\n", "# TYPE c counter\nc 1\n", 2, "c counts, and is -1"),
    Sick(
        "counter-negative",
        "# TYPE c gauge\n# TYPE d counter\nd_total 1\nd -1\n",
        "# TYPE c gauge\nc -1\n",
        4,
        "d counts, and is -1",
    ),
    Sick("counter-not-a-number", "# TYPE c counter\nc NaN\n", "# TYPE c gauge\nc NaN\n", 2, "is nan"),
    Sick(
        "counter-beyond-exact",
        "# TYPE c counter\nc 1e17\n",
        "# TYPE c gauge\nc 1e17\n",
        2,
        "more than 2^53",
        severity=Severity.WARNING,
    ),
    Sick(
        "counter-negative",
        "# TYPE c counter\nc_total -1\n# EOF\n",
        "# TYPE c counter\nc_total 1\n# EOF\n",
        2,
        "c_total counts",
        OPENMETRICS,
        letter=False,
        more=("not-to-the-letter",),
    ),
    Sick(
        "quantile-out-of-range",
        '# TYPE s summary\ns{quantile="99"} 1\n',
        '# TYPE s summary\ns{quantile="0.99"} 1\n',
        2,
        'quantile="99"',
        letter=False,
    ),
    Sick(
        "quantile-out-of-range",
        "# TYPE s summary\ns 1\n",
        "# TYPE s summary\ns_sum 1\ns_count 1\n",
        2,
        "no quantile",
        letter=False,
    ),
    Sick(
        "stateset-broken",
        '# TYPE s stateset\ns{s="a"} 2\n# EOF\n',
        '# TYPE s stateset\ns{s="a"} 1\ns{s="b"} 0\n# EOF\n',
        2,
        "each sample is 0 or 1",
        OPENMETRICS,
        letter=False,
    ),
    Sick(
        "no-infinite-bucket",
        HISTOGRAM + 'h_bucket{le="1"} 2\nh_sum 1\nh_count 2\n',
        WHOLE,
        2,
        "no bucket",
        letter=False,
    ),
    Sick("no-infinite-bucket", HISTOGRAM + "h_sum 1\nh_count 2\n", WHOLE, 2, "without a bucket", letter=False),
    Sick(
        "no-infinite-bucket",
        '# TYPE h gaugehistogram\nh_bucket{le="1"} 1\n# EOF\n',
        '# TYPE h gaugehistogram\nh_bucket{le="+Inf"} 1\n# EOF\n',
        2,
        "no bucket",
        OPENMETRICS,
        letter=False,
    ),
    Sick(
        "buckets-not-cumulative",
        HISTOGRAM + 'h_bucket{le="1"} 1\nh_bucket{le="2"} 0\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n',
        WHOLE,
        3,
        'the bucket le="2" of h has 0, less than 1 of le="1"',
        letter=False,
    ),
    Sick(
        "buckets-out-of-order",
        HISTOGRAM + 'h_bucket{le="+Inf"} 2\nh_bucket{le="1"} 2\nh_sum 3\nh_count 2\n',
        WHOLE,
        2,
        "do not rise: +Inf, 1",
        severity=Severity.WARNING,
        letter=False,
    ),
    Sick(
        "count-differs-from-buckets", HISTOGRAM + SMALL + "h_sum 3\nh_count 3\n", WHOLE, 2, "h_count is 3", letter=False
    ),
    Sick(
        "count-differs-from-buckets", HISTOGRAM + "h_sum 3\nh_count 3\n" + SMALL, WHOLE, 2, "h_count is 3", letter=False
    ),
    Sick("histogram-incomplete", HISTOGRAM + SMALL + "h_count 2\n", WHOLE, 2, "no _sum", severity=Severity.WARNING),
    Sick("histogram-incomplete", HISTOGRAM + SMALL + "h_sum 2\n", WHOLE, 2, "no _count", severity=Severity.WARNING),
    Sick(
        "histogram-incomplete",
        HISTOGRAM + SMALL + "h_sum 2\n# EOF\n",
        OPEN_WHOLE,
        2,
        "no _count",
        OPENMETRICS,
        Severity.WARNING,
        letter=False,
    ),
    Sick(
        "sum-not-a-number",
        HISTOGRAM + SMALL + "h_sum NaN\nh_count 2\n",
        WHOLE,
        2,
        "h_sum is NaN",
        severity=Severity.WARNING,
    ),
    Sick(
        "bucket-bounds-differ",
        HISTOGRAM
        + 'h_bucket{a="1",le="1"} 1\nh_bucket{a="1",le="+Inf"} 2\nh_sum{a="1"} 3\nh_count{a="1"} 2\n'
        + 'h_bucket{a="2",le="5"} 1\nh_bucket{a="2",le="+Inf"} 2\nh_sum{a="2"} 3\nh_count{a="2"} 2\n',
        HISTOGRAM
        + 'h_bucket{a="1",le="1"} 1\nh_bucket{a="1",le="+Inf"} 2\nh_sum{a="1"} 3\nh_count{a="1"} 2\n'
        + 'h_bucket{a="2",le="1"} 1\nh_bucket{a="2",le="+Inf"} 2\nh_sum{a="2"} 3\nh_count{a="2"} 2\n',
        6,
        "bounds 5, +Inf, and the series on line 2 has 1, +Inf",
        severity=Severity.WARNING,
    ),
    Sick(
        "bucket-without-bound",
        HISTOGRAM + "h_bucket 1\n" + SMALL + "h_sum 3\nh_count 2\n",
        WHOLE,
        2,
        "no le",
        letter=False,
    ),
    Sick(
        "bucket-without-bound",
        HISTOGRAM + 'h_bucket{a="1",le="x"} 1\n' + SMALL + "h_sum 3\nh_count 2\n",
        WHOLE,
        2,
        'le="x"',
        letter=False,
    ),
    Sick("bare-sample-in-histogram", WHOLE + "h 3\n", WHOLE, 6, "none of its", severity=Severity.WARNING),
    Sick("explicit-timestamps", f"m 1 {MILLISECONDS}\n", "m 1\n", 1, "every sample has", severity=Severity.WARNING),
    Sick(
        "timestamp-in-other-unit",
        f"m 1 {SECONDS}\n",
        "m 1\n",
        1,
        "is in seconds, and the format has milliseconds",
        more=("explicit-timestamps",),
    ),
    Sick(
        "timestamp-in-other-unit",
        f"m 1 {MILLISECONDS}000\n",
        "m 1\n",
        1,
        "is in microseconds",
        more=("explicit-timestamps",),
    ),
    Sick(
        "timestamp-in-other-unit",
        f"# TYPE m gauge\nm 1 {MILLISECONDS}\n# EOF\n",
        "# TYPE m gauge\nm 1\n# EOF\n",
        2,
        "is in milliseconds, and the format has seconds",
        OPENMETRICS,
        more=("explicit-timestamps",),
    ),
    Sick("timestamp-zero", "m 1 0\n", "m 1\n", 1, "1970", more=("explicit-timestamps",)),
    Sick(
        "timestamp-far-away",
        f"m 1 {(NOW - 7200) * 1000:.0f}\n",
        "m 1\n",
        1,
        "7,200 s before the scrape",
        more=("explicit-timestamps",),
    ),
    Sick(
        "timestamp-far-away",
        f"m 1 {(NOW + 3600) * 1000:.0f}\n",
        "m 1\n",
        1,
        "3,600 s after the scrape",
        more=("explicit-timestamps",),
    ),
    Sick(
        "timestamps-mixed",
        f'm{{a="1"}} 1 {MILLISECONDS}\nm{{a="2"}} 1\n',
        'm{a="1"} 1\nm{a="2"} 1\n',
        2,
        "others have none",
        more=("explicit-timestamps",),
    ),
    Sick("samples-after-eof", "m 1\n# EOF\nn 1\n", "m 1\n# EOF\n", 3, "`# EOF` on line 2", severity=Severity.WARNING),
    Sick("control-character", 'm{a="x\u202ey"} 1\n', 'm{a="xy"} 1\n', 1, "U+202E", severity=Severity.WARNING),
    Sick(
        "control-character",
        "# HELP m \x1b[31mred\nm 1\n",
        "# HELP m red\nm 1\n",
        1,
        "the HELP of m holds the character U+001B",
        severity=Severity.WARNING,
    ),
    Sick("control-character", 'm{a="x\0"} 1\n', 'm{a="x"} 1\n', 1, "U+0000", severity=Severity.WARNING),
    Sick("no-samples", "# TYPE m gauge\n", "# TYPE m gauge\nm 1\n", 0, "no sample", severity=Severity.WARNING),
    Sick(
        "not-to-the-letter",
        "m 1\nn 1",
        "m 1\nn 1\n",
        2,
        "does not end in a line feed",
        severity=Severity.WARNING,
        letter=False,
    ),
    Sick(
        "not-to-the-letter",
        'm{a="C:\\Users"} 1\n',
        'm{a="C:\\\\Users"} 1\n',
        1,
        "\\U is no escape",
        severity=Severity.WARNING,
        letter=False,
    ),
    Sick("not-to-the-letter", "m 1\n\0n 1\n", "m 1\nn 1\n", 2, "a NUL byte", letter=False),
    Sick("not-ingested", "m 1\r\n", "m 1\n", 1, "carriage return", letter=False),
    Sick("not-ingested", "# TYPE m gauge \nm 1\n", "# TYPE m gauge\nm 1\n", 1, "blanks behind the type"),
    Sick("not-ingested", "m 1 -5\n", "m 1\n", 1, "has a sign"),
    Sick("server-crash", "{a} 1\n", "a{} 1\n", 1, "ends the server's process", letter=False),
    Sick(
        "exemplar-outside-bucket",
        HISTOGRAM + 'h_bucket{le="1"} 1 # {} 2\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n# EOF\n',
        HISTOGRAM + 'h_bucket{le="1"} 1 # {} 0.5\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n# EOF\n',
        2,
        "above the bucket's bound 1",
        OPENMETRICS,
        Severity.WARNING,
    ),
    Sick(
        "not-to-the-letter",
        f'# TYPE c counter\nc_total 1 # {{a="{"x" * 128}"}} 1\n# EOF\n',
        f'# TYPE c counter\nc_total 1 # {{a="{"x" * 127}"}} 1\n# EOF\n',
        2,
        "129 characters",
        OPENMETRICS,
        Severity.WARNING,
        letter=False,
    ),
    Sick(
        "not-to-the-letter",
        '# TYPE s summary\ns_sum{a="1"} 1\ns_sum{a="2"} 1\ns_count{a="1"} 1\ns_count{a="2"} 1\n# EOF\n',
        '# TYPE s summary\ns_sum{a="1"} 1\ns_count{a="1"} 1\ns_sum{a="2"} 1\ns_count{a="2"} 1\n# EOF\n',
        4,
        "are not together",
        OPENMETRICS,
        Severity.WARNING,
        letter=False,
    ),
    Sick(
        "not-to-the-letter",
        "# TYPE a_created gauge\na_created 1\n# TYPE a counter\na_total 1\n# EOF\n",
        "# TYPE b gauge\nb 1\n# TYPE a counter\na_total 1\n# EOF\n",
        3,
        "the name a_created is taken",
        OPENMETRICS,
        Severity.WARNING,
        letter=False,
    ),
]


def identity(case: Sick) -> str:
    return f"{case.check}-{CASES.index(case)}"


@pytest.mark.parametrize("case", CASES, ids=identity)
def test_the_sick_is_diagnosed(case: Sick) -> None:
    """The disease is found where it is, as bad as it is; and nothing else is but what follows from it."""
    found = structural(case.body, case.syntax)

    mine = [one for one in found if one.check == case.check]
    assert mine, found
    assert case.words in mine[0].message
    assert (mine[0].line, mine[0].severity) == (case.line, case.severity)
    assert mine[0].why
    assert mine[0].fix
    assert {one.check for one in found} - {case.check} <= set(case.more)
    assert judged(case.body, case.syntax).specification is case.letter


@pytest.mark.parametrize("case", CASES, ids=identity)
def test_the_healthy_is_not(case: Sick) -> None:
    """The same body without the disease has none."""
    assert structural(case.healthy, case.syntax) == []
    assert judged(case.healthy, case.syntax).specification
    assert set(judged(case.healthy, case.syntax).ingest.values()) == {Ingest.ACCEPT}


def test_every_check_has_its_case() -> None:
    """No check is without a body that has its disease."""
    assert {case.check for case in CASES} | {"too-many-names"} == STRUCTURE


def test_the_rest_is_counted() -> None:
    """A check that finds the same a thousand times tells it some times, and says how often."""
    found = structural("".join(f'm{{a="{i}"}} 1\n' * 2 for i in range(1000)))

    assert len(found) == 20
    assert found[-1].message.endswith("and 980 more like it")


def test_duplicates_far_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are found although what was read before is put away."""
    monkeypatch.setattr(structure_duplicates, "AT_ONCE", 100)
    lines = [f'm{{a="{i}"}} 1\n' for i in range(1000)]

    early = ['m{a="5"} 1\n', "# a comment\n"]
    first, found = structural("".join([*lines[:50], *early, *lines[50:], "# a comment\n", 'm{a="17"} 1\n', "m 1\n"]))

    assert (first.line, "already there on line 6" in first.message) == (51, True)

    assert (found.check, found.line) == ("duplicate-series", 1004)
    assert "already there on line 18" in found.message
    assert structural("".join(lines)) == []


def test_histograms_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a block ends makes no difference to what a histogram looks like."""
    series = "".join(
        f'h_bucket{{a="{i}",le="1"}} 1\nh_bucket{{a="{i}",le="5"}} 2\nh_bucket{{a="{i}",le="+Inf"}} 3\n'
        f'h_sum{{a="{i}"}} 4\nh_count{{a="{i}"}} 3\n'
        for i in range(20)
    )
    by_name = "".join(sorted(series.splitlines(keepends=True), key=lambda line: line.partition("{")[0]))
    for block in (1, 50, 100, 333):
        monkeypatch.setattr("tocsin.artefacts.exposition.stream.BLOCK", block)
        assert structural(HISTOGRAM + series) == []
        assert structural(HISTOGRAM + by_name) == []


VALUES = st.sampled_from([0, 1, 2, -1, float("nan"), float("inf")])
LINES = st.sampled_from(
    [
        "# TYPE a counter\n", "# TYPE a histogram\n", "# TYPE a summary\n", "# TYPE a gaugehistogram\n", "# HELP a x\n",
        "# UNIT a a\n", "# TYPE a_s stateset\n", "# UNIT a_s s\n", "# EOF\n", "a 1\n", "a_total 1\n", "a_total -1\n",
        'a_bucket{le="1"} 1\n', 'a_bucket{le="+Inf"} 0\n', 'a_bucket{le="x"} 0\n', "a_bucket 1\n", "a_sum NaN\n",
        "a_count 1 1\n", "a_count 1.5\n",
        'a{quantile="2"} 1\n', 'a{b="",c="1"} 1\n', 'a_s{a_s="x"} 1\n', "a_created 1\n",
        'a_total 1 # {b="c"} 1\n', "a_gcount 1\n", "a_gsum -1\n", "\n", "x{\n", "{a} 1\n", '{"a.b"} 1\n',
        f"a 1 {MILLISECONDS}\n", "b 1\n", "\0\n", 'a{le="1",le="2"} 1\n',
    ]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(LINES, max_size=15).map("".join), st.sampled_from(Syntax))
def test_nothing_is_too_strange_to_judge(body: str, syntax: Syntax) -> None:
    """It never raises, and names lines that the body has."""
    judgement = judged(body, syntax)

    for one in judgement.complaints:
        assert 0 <= one.line <= body.count("\n") + 1
        assert (one.column == 0) == (one.line == 0)
    assert judgement.digest.samples == sum(
        name.count for family in judgement.digest.families.values() for name in family.names.values()
    )


def test_digest() -> None:
    """What is kept of a body is what it says."""
    body = (
        "# HELP c Some\\nhelp.\n# TYPE c counter\n"
        'c_total{a="1",b=""} 2 # {id="x"} 1\nc_total{a="2"} 3 5\n# TYPE e gauge\n# UNIT d_s s\nd_s NaN\n# EOF\n'
    )
    digest = judged(body, OPENMETRICS).digest
    family = digest.families["c"]
    name = family.names["c_total"]

    assert (family.type, family.declared, family.help, family.help_line, family.type_line) == (
        "counter",
        True,
        "Some\nhelp.",
        1,
        2,
    )
    assert (name.line, name.count, name.minimum, name.maximum, name.exemplars, name.timestamps) == (3, 2, 2, 3, 1, 1)
    assert name.first == 'c_total{a="1",b=""} 2 # {id="x"} 1'
    assert name.labels["a"].values == {"1": 3, "2": 4}
    assert (name.labels["b"].values, name.labels["b"].series) == ({}, 0)
    assert digest.families["e"].names == {}
    assert digest.families["d_s"].unit == "s"
    assert (digest.samples, digest.bytes) == (3, len(body))


def test_digest_is_bounded() -> None:
    """Values, families and labels beyond the bounds are not kept, and that is said."""
    many = (
        judged("".join(f'm{{a="{i}"}} 1\n' for i in range(MOST_VALUES + 5))).digest.families["m"].names["m"].labels["a"]
    )
    assert (len(many.values), many.more, many.series) == (MOST_VALUES, True, MOST_VALUES + 5)

    names = judged("".join(f"m{i} 1\n" for i in range(MOST_FAMILIES + 5)))
    assert len(names.digest.families) == MOST_FAMILIES
    assert names.digest.samples == MOST_FAMILIES + 5
    assert "too-many-names" in {one.check for one in names.complaints}

    labels = judged("".join(f'm{{a{i}="1"}} 1\n' for i in range(MOST_LABELS_OF_A_NAME + 5)))
    assert len(labels.digest.families["m"].names["m"].labels) == MOST_LABELS_OF_A_NAME


def test_a_label_that_is_kept_has_a_value() -> None:
    """Also where a body has more values than are kept of all labels."""
    pairs = ",".join(f'l{i}="{{0}}"' for i in range(110))
    body = "".join(f"m{{{pairs.replace('{0}', str(i))}}} 1\n" for i in range(MOST_VALUES)) + 'n{x="y"} 1\n'
    digest = judged(body).digest

    assert digest.families["n"].names["n"].labels["x"].values == {"y": MOST_VALUES + 1}
    assert all(label.values for label in digest.families["m"].names["m"].labels.values())


def test_samples_are_those_of_the_newest_server_that_keeps_them() -> None:
    """None where no server keeps the scrape."""
    kept = judged('m 1\n{"a.b"} 1\n')
    assert (kept.samples, kept.ingest[Generation.V2_53], kept.ingest[Generation.V3_5]) == (
        2,
        Ingest.REJECT,
        Ingest.ACCEPT,
    )
    assert judged("m 1\nn x\n").samples == 0
    assert judged("# HELP process_start_time_seconds x\n# TYPE process_start_time_seconds gauge\n").sense == "findings"


def test_a_name_only_new_servers_know_is_a_warning() -> None:
    """It is no error where a server of this year keeps it; a blank before a name is, which becomes part of it."""
    assert {one.severity for one in structural('{"a.b"} 1\n')} == {Severity.WARNING}
    assert [one.severity for one in structural(" m 1\n")] == [Severity.ERROR]
