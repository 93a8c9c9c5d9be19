"""The lexer reads a body as Prometheus servers do, in pieces, and says of each bad line where and why."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.artefacts.exposition import Generation, Ingest, Sample, Syntax, Unreadable, samples, samples_of
from tocsin.artefacts.exposition.ingest import ingest
from tocsin.artefacts.exposition.numbers import number_of
from tocsin.artefacts.exposition.stream import MOST_OF_A_LINE, read

TEXT, OPENMETRICS = Syntax.TEXT, Syntax.OPENMETRICS
KEPT = "aaa"
DROPPED = "rrr"


def verdicts(body: bytes, syntax: Syntax) -> str:
    """Return a letter for each generation, oldest first: a for accept, r for reject, c for crash."""
    said, _ = ingest((body,), syntax)
    return "".join(said[generation].value[0] for generation in Generation)


@pytest.mark.parametrize(
    ("body", "expected", "count"),
    [
        (b"", KEPT, 0),
        (b"m 1\n", KEPT, 1),
        (b"m 1", KEPT, 1),
        (b"m 1\n\n \t\nn 2\n", KEPT, 2),
        (b"m\t1\t1700000000000\n", KEPT, 1),
        (b'm { a = "b" , } 1\n', KEPT, 1),
        (b'm{a="b" c="d"} 1\n', KEPT, 1),
        (b'm{a="b\nc"} 1\n', KEPT, 1),
        (b'm{a="\\t"} 1\n', KEPT, 1),
        (b"m+1\n", KEPT, 1),
        (b'm{a="}"} 1\nm{a="{"} 1\n', KEPT, 2),
        (b"m NaN\nn nan\no +Inf\np -infinity\nq .5\nr 5.\ns 1e5\n", KEPT, 7),
        (b"# TYPE m gauge\n# HELP m\n# HELP n \n#comment\n# TYPEx\nm 1\n", KEPT, 1),
        (b"# EOF\nm 1\n", KEPT, 1),
        (b"m 1\n\0n{\n", KEPT, 1),
        (b'm{__x="1"} 1\n', KEPT, 1),
        (b'm{a="1",a=""} 1\n', KEPT, 1),
        (b'm{job="1",job="2"} 1\n', KEPT, 1),
        (b"# caf\xe9\nm 1\n", KEPT, 1),
        (b"m 1\r\n", DROPPED, 0),
        (b"# TYPE m gauge\r\nm 1\n", DROPPED, 1),
        (b"# TYPE m gauge \n", DROPPED, 0),
        (b"# TYPE m  gauge\n", DROPPED, 0),
        (b"# TYPE m Gauge\n", DROPPED, 0),
        (b"# TYPE m info\n", DROPPED, 0),
        (b"# TYPE m\n", DROPPED, 0),
        (b"# TYPE \n", DROPPED, 0),
        (b"# HELP m caf\xe9\n", DROPPED, 0),
        (b'm{a="\xe9"} 1\n', DROPPED, 0),
        (b"m 1 1.5\n", DROPPED, 0),
        (b"m 1 1e3\n", DROPPED, 0),
        (b"m 1 -1\n", DROPPED, 0),
        (b"m 1 2 3\n", DROPPED, 0),
        (b"m 1 9223372036854775807\n", KEPT, 1),
        (b"m 1 9223372036854775808\n", DROPPED, 0),
        (b'm 1 # {a="b"} 1\n', DROPPED, 0),
        (b"m 1e400\n", DROPPED, 0),
        (b"m 1_0\n", DROPPED, 0),
        (b"m 0x1p3\n", DROPPED, 0),
        ("m \u0661\n".encode(), DROPPED, 0),
        (b"m{a=} 1\n", DROPPED, 0),
        (b"m{,} 1\n", DROPPED, 0),
        (b"m{a=b} 1\n", DROPPED, 0),
        (b'm{a:b="c"} 1\n', DROPPED, 0),
        (b'm{a="1",a="2"} 1\n', DROPPED, 1),
        (b'm{__name__="n"} 1\n', DROPPED, 1),
        (b'{__name__="m"} 1\n', DROPPED, 0),
        (b"{} 1\n", DROPPED, 0),
        (b"m\n", DROPPED, 0),
        (b"m {\n", DROPPED, 0),
        (b'm{a="b} 1\n', DROPPED, 0),
        (b"1m 1\n", DROPPED, 0),
        (b"\xef\xbb\xbfm 1\n", DROPPED, 0),
        (b"<html>\n", DROPPED, 0),
        (b"{a} 1\n", "rcc", 1),
        (b"{a}\n", DROPPED, 0),
        (b"{abc} 1\n", "raa", 1),
        (b"{ab} 1\n", DROPPED, 1),
        (b" m 1\n", "rra", 1),
        (b'{"m"} 1\n', "raa", 1),
        (b' {"m"} 1\n', "raa", 1),
        (b'{"m","a"="b"} 1\n', "raa", 1),
        (b'{"m.n"} 1\n', "rra", 1),
        (b'{"m","a.b"="c"} 1\n', "rra", 1),
        (b'# TYPE "m.n" gauge\n', "raa", 0),
        (b'{""} 1\n', DROPPED, 1),
    ],
)
def test_text(body: bytes, expected: str, count: int) -> None:
    """Each way of writing, and of failing to, with what each generation of servers does."""
    assert verdicts(body, TEXT) == expected
    assert ingest((body,), TEXT)[1] == count


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "rra"),
        (b"# EOF", KEPT),
        (b"# EOF\n", KEPT),
        (b"m 1\n# EOF\n", KEPT),
        (b"m 1 1.5\n# EOF\n", KEPT),
        (b"m_total 1 # {} 1\n# EOF\n", KEPT),
        (b'm_total 1 2 # {a="b"} 1 2\n# EOF\n', KEPT),
        (b'm 1 # {a="b"} 1\n# EOF\n', "raa"),
        (b'm{a="b",} 1\n# EOF\n', "raa"),
        (b'{"m"} 1\n# EOF\n', "raa"),
        (b'{"m.n"} 1\n# EOF\n', "rra"),
        (b"{a} 1\n# EOF\n", "rcc"),
        (b"# TYPE m unknown\n# UNIT m_s s\n# HELP m \n# EOF\n", KEPT),
        (b"m 1\n", DROPPED),
        (b"m 1", DROPPED),
        (b"# EOF\nm 1\n", DROPPED),
        (b"# EOF\n\n", DROPPED),
        (b"\n# EOF\n", DROPPED),
        (b"m  1\n# EOF\n", DROPPED),
        (b"m\t1\n# EOF\n", DROPPED),
        (b" m 1\n# EOF\n", DROPPED),
        (b"m 1 \n# EOF\n", DROPPED),
        (b"m 1 NaN\n# EOF\n", DROPPED),
        (b'm{a="b", c="d"} 1\n# EOF\n', DROPPED),
        (b'm{a="b\nc"} 1\n# EOF\n', DROPPED),
        (b"# a comment\n# EOF\n", DROPPED),
        (b"# TYPE m untyped\n# EOF\n", DROPPED),
        (b"# UNIT m s\n# EOF\n", DROPPED),
        (b"# HELP m\n# EOF\n", DROPPED),
        (b"m {count:1,sum:2}\n# EOF\n", DROPPED),
        (b"m_total 1 # {a} 1\n# EOF\n", DROPPED),
        (b"m_total 1 # {}\n# EOF\n", DROPPED),
        (b"m 1\r\n# EOF\r\n", DROPPED),
    ],
)
def test_openmetrics(body: bytes, expected: str) -> None:
    """The same in OpenMetrics."""
    assert verdicts(body, OPENMETRICS) == expected


@pytest.mark.parametrize(
    ("body", "syntax", "line", "column", "words"),
    [
        (b"m 1\nm 2\r\n", TEXT, 2, 4, "carriage return"),
        (b'm{a="x"} 1 # {trace_id="a"} 1\n', TEXT, 1, 12, "an exemplar behind a sample"),
        (b"m 1 # why\n", TEXT, 1, 5, "a comment behind a sample"),
        (b"\n# TYPE m gauge \n", TEXT, 2, 9, "blanks behind the type 'gauge'"),
        (b"m 1 1700000000.5\n", TEXT, 1, 5, "seconds with a fraction"),
        (b'm{a="x",b=} 1\n', TEXT, 1, 11, "the label b has no value"),
        ('m{ä="x"} 1\n'.encode(), TEXT, 1, 3, "where a label's name should start"),
        ('m{a="ä"} x\n'.encode(), TEXT, 1, 10, "'x' is no number"),
        (b"m 1,5\n", TEXT, 1, 3, "decimal comma"),
        (b"m 5ms\n", TEXT, 1, 3, "a unit behind the number"),
        (b'm{a="x\ny"} z\n', TEXT, 2, 5, "'z' is no number"),
        (b"{a} 1\n", TEXT, 1, 2, "ends the server's process"),
        (b"\xef\xbb\xbfm 1\n", TEXT, 1, 1, "byte order mark"),
        (b"m 1\n", OPENMETRICS, 2, 1, "does not end in `# EOF`"),
        (b"m 1\n# EOF\nm 2\n", OPENMETRICS, 3, 1, "data after `# EOF`"),
        (b'm{a="b", c="d"} 1\n# EOF\n', OPENMETRICS, 1, 9, "a blank between labels"),
        (b"m {count:1}\n# EOF\n", OPENMETRICS, 1, 3, "native histogram"),
        (b"# TYPE m untyped\n# EOF\n", OPENMETRICS, 1, 10, "no type 'untyped'"),
        (b"# UNIT m s\n# EOF\n", OPENMETRICS, 1, 10, "no suffix of the name"),
    ],
)
def test_place_and_cause(body: bytes, syntax: Syntax, line: int, column: int, words: str) -> None:
    """The first problem names its line and column in characters, its cause and a cure."""
    problem = next(one for step in read((body,), syntax) for one in step.problems if one.refused or one.crashed)

    assert words in problem.message
    assert (problem.line, problem.column) == (line, column)
    assert problem.fix


def test_all_bad_lines_are_shown() -> None:
    """Behind a bad line reading goes on."""
    body = b'a{b="c} 1\nm 1\n1 1\nn x\no 1\n'

    lines = [problem.line for step in read((body,), TEXT) for problem in step.problems]

    assert lines == [1, 3, 4]
    assert ingest((body,), TEXT)[1] == 2


def test_samples() -> None:
    """Names, labels, values, times and exemplars are as written."""
    body = b'# TYPE a counter\na_total{b="x\\n\\"\\\\",c=""} 2 1.5 # {id="1"} 0.5 1.25\n{"d.e",f="g"} NaN\n# EOF\n'

    one, other = samples(body, OPENMETRICS)

    assert (one.name, one.labels, one.value, one.timestamp) == ("a_total", (("b", 'x\n"\\'), ("c", "")), 2, 1.5)
    assert one.exemplar is not None
    assert (one.exemplar.labels, one.exemplar.value, one.exemplar.timestamp) == ((("id", "1"),), 0.5, 1.25)
    assert (other.name, other.labels, other.line) == ("d.e", (("f", "g"),), 3)
    assert math.isnan(other.value)


def test_samples_of_malformed_text() -> None:
    """The first line that drops the scrape is raised, as a ValueError too."""
    with pytest.raises(Unreadable, match="line 2, column 3: 'x' is no number") as raised:
        list(samples_of("m 1\nm x\n"))

    assert (raised.value.line, raised.value.column) == (2, 3)
    assert list(samples_of('m{a="b"} 1\n')) == [({"__name__": "m", "a": "b"}, 1.0)]


@given(st.floats(allow_nan=False))
def test_numbers_are_read_back(value: float) -> None:
    """What Go and Python write is read as the same number."""
    assert number_of(repr(value).encode()) == value


NAMES = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,6}", fullmatch=True)
LABELS = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,6}", fullmatch=True).filter(lambda name: name != "__name__")
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@dataclass(frozen=True, slots=True)
class Written:
    """A sample before it is written."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float
    milliseconds: int | None


WRITTEN = st.builds(
    Written,
    NAMES,
    st.dictionaries(LABELS, VALUES, max_size=4).map(lambda labels: tuple(labels.items())),
    st.floats() | st.integers(-5, 1000).map(float),
    st.none() | st.integers(0, 1 << 52),
)


def printed(written: list[Written], syntax: Syntax) -> bytes:
    """Write samples in a format."""
    lines = []
    for one in written:
        pairs = []
        for label, value in one.labels:
            escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
            pairs.append(f'{label}="{escaped}"')
        line = f"{one.name}{{{','.join(pairs)}}} {one.value!r}" if pairs else f"{one.name} {one.value!r}"
        if one.milliseconds is not None:
            line += f" {one.milliseconds if syntax is TEXT else repr(one.milliseconds / 1000)}"
        lines.append(line + "\n")
    return "".join([*lines, "# EOF\n" if syntax is OPENMETRICS else ""]).encode()


@settings(max_examples=200, deadline=None)
@given(st.lists(WRITTEN, max_size=8), st.sampled_from(Syntax))
def test_what_is_written_is_read(written: list[Written], syntax: Syntax) -> None:
    """A body printed from samples is read back as these samples."""
    found = list(samples(printed(written, syntax), syntax))

    assert [(one.name, one.labels) for one in found] == [(one.name, one.labels) for one in written]
    assert [repr(one.value) for one in found] == [repr(one.value) for one in written]
    expected = [None if one.milliseconds is None else one.milliseconds / 1000 for one in written]
    assert [one.timestamp for one in found] == expected
    assert [one.line for one in found] == list(range(1, len(written) + 1))


PIECES = st.sampled_from(
    [b"m", b" ", b"1", b"\n", b"{", b"}", b'"', b"a", b"=", b",", b"# ", b"TYPE ", b"HELP ", b"EOF", b"\\", b"\0",
     b"\r", b"# {", b"gauge", b"\xc3\xa9", b"\xff", b'm{a="b"} 1\n', b"# TYPE m gauge\n",
     b'm_total{a="b"} 1 # {c="d"} 2\n', b"# EOF\n", b"\t", b"UNIT ", b'{"a.b"} 1\n', b"n 1 2\n", b'a{b="c",b="d"} 1\n']
)  # fmt: skip
BODIES = st.lists(PIECES, max_size=25).map(b"".join) | st.binary(max_size=60)


def outcome(chunks: Iterator[bytes] | list[bytes], syntax: Syntax) -> list[object]:
    """Return all that reading says, one sample and one problem at a time."""
    said: list[object] = []
    for step in read(chunks, syntax):
        said += [(one.line, one.column, one.message, one.refused, one.crashed) for one in step.problems]
        if step.stretch is not None:
            for batch in step.stretch.batches:
                for index, value in enumerate(batch.values):
                    row = tuple(bytes(column[index]) for column in batch.columns)
                    said.append((batch.line_of(index), batch.name, batch.labels, row, repr(value)))
        elif step.entry is not None:
            said.append((step.line, step.entry.kind, step.entry.name, step.entry.text))
    return sorted(said, key=repr)


@settings(max_examples=300, deadline=None)
@given(BODIES, st.sampled_from(Syntax), st.randoms(use_true_random=False))
def test_any_body_in_any_pieces(body: bytes, syntax: Syntax, random_: random.Random) -> None:
    """Nothing is too strange to read, and how it comes in pieces changes nothing."""
    cuts = sorted(random_.randrange(len(body) + 1) for _ in range(3))
    parts = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]

    with pytest.MonkeyPatch.context() as patch:
        whole = outcome([body], syntax)
        patch.setattr("tocsin.artefacts.exposition.stream.BLOCK", random_.choice((1, 2, 5, 11)))
        assert outcome(parts, syntax) == whole


@pytest.mark.parametrize("syntax", Syntax)
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_pieces_smaller_than_entries(syntax: Syntax, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that end within lines, quotes and escapes are read as one."""
    body = (
        b'# TYPE m counter\nm_total{a="x\\ny"} 1\n{"a.b",c="d\\\\"} 2\n# HELP m some text\n# HELP n t\nbad{ 1\n'
        b'm_total{a="x\\"y",b="z"} 1 # {e="f"} 2\nm 1 2\nm{a="first\nsecond"} 3\n{a} 1\nlast 1\n# EOF\n'
    )
    whole = outcome([body], syntax)
    monkeypatch.setattr("tocsin.artefacts.exposition.stream.BLOCK", size)

    assert outcome([body], syntax) == whole


@pytest.mark.parametrize(
    "line",
    [b'm{a="', b"m", b"\0", b'm{a="b",', b"m 1 ", b"# HELP m ", b"\\", b'"', b'm{a="\\', b"{", b"m{" + b'a="b",' * 3],
)
@pytest.mark.parametrize("syntax", Syntax)
def test_an_endless_line_ends(line: bytes, syntax: Syntax) -> None:
    """A line that never ends, or a quote that never closes, is given up at a bound, and not kept."""
    pieces = (line * (65536 // len(line)) for _ in range(64))
    held = [len(step.entry.text) for step in read(pieces, syntax) if step.entry is not None]

    assert max(held, default=0) <= 2 * MOST_OF_A_LINE


def test_lines_behind_an_endless_one_are_read() -> None:
    """Reading goes on where the line ends at last."""
    body = (b"x" * MOST_OF_A_LINE, b"x" * MOST_OF_A_LINE, b"x\nm 1\n", b"n 2\n")

    assert ingest(body, TEXT)[1] == 2
    assert verdicts(b"".join(body), TEXT) == DROPPED


def test_generations_in_order() -> None:
    """The first problem that stops a server decides, also where a later one would end its process."""
    said, _ = ingest((b"bad{ 1\n{a} 1\n",), TEXT)

    assert set(said.values()) == {Ingest.REJECT}


def test_sample_is_a_value() -> None:
    """Equal samples are equal."""
    assert next(samples(b"m 1\n", TEXT)) == Sample("m", (), 1.0, None, 1)
