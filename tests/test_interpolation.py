"""Grafana's variables in PromQL: what a query is with them replaced, and where its pieces were written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.model.interpolation import NAME, interpolated
from tocsin.promql import Span, VectorSelector, selectors


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ('rate(x{job=~"$job"}[$__rate_interval])', 'rate(x{job=~"$job"}[5m])'),
        ("rate(x[${window}s])", "rate(x[5s])"),
        ("rate(x[5$unit])", "rate(x[5m])"),
        ("rate(x[$__range:$__interval])", "rate(x[5m:5m])"),
        ("x * ${__range_s}", "x * 60"),
        ("sum by ($group) (x)", f"sum by ({NAME}) (x)"),
        ("topk($most, x)", "topk(5, x)"),
        ("$how by (a) (x)", "sum by (a) (x)"),
        ("${metric}_total", f"{NAME}_total"),
        ("[[metric]]_total", f"{NAME}_total"),
        ("x{$filter}", f'x{{{NAME}="x"}}'),
        ("x $op 3", "x > 3"),
        ('x{a="]$b"}[$w]', 'x{a="]$b"}[5m]'),
        ('x{a="b"} # "$c\n+ $d', f'x{{a="b"}} # "$c\n+ {NAME}'),
    ],
)
def test_a_query_parses_with_its_variables_replaced(written: str, asked: str) -> None:
    found = interpolated(written, {})

    assert found.text == asked
    assert found.tree is not None
    assert found.error is None


@pytest.mark.parametrize("written", ["rate(x[$w]", "sum(x) by $a $b $c", 'x{a="$b}', "up ==", "rate($a[5m]) rate($b)"])
def test_what_no_value_mends_is_an_error(written: str) -> None:
    found = interpolated(written, {})

    assert found.tree is None
    assert found.error is not None


def test_a_known_value_is_tried_where_no_guess_fits() -> None:
    assert interpolated("$how(x[5m], 2)", {}).tree is None
    assert interpolated("$how(x[5m], 2)", {"how": ("predict_linear",)}).text == "predict_linear(x[5m], 2)"


def test_pieces_are_found_where_they_were_written() -> None:
    written = 'sum by ($group) (rate(requests_total{job="$job"}[$__rate_interval]))'
    found = interpolated(written, {})
    assert found.tree is not None
    selector = selectors(found.tree)[0]

    assert found.written_span(selector.span).text(written) == 'requests_total{job="$job"}'
    assert found.varies(selector.matchers[0].span)
    assert not found.varies(Span(found.text.index("requests"), found.text.index("{")))


def test_matchers_that_depend_on_a_variable_are_left_out_of_the_known_tree() -> None:
    found = interpolated('sum(x{a="1", b=~"$b"} / on(c) y{d="$d"})', {})
    assert found.known_tree is not None

    assert [[m.name for m in s.matchers] for s in selectors(found.known_tree)] == [["a"], []]
    assert all(isinstance(s, VectorSelector) for s in selectors(found.known_tree))


@given(
    st.lists(st.sampled_from(["$a", "${b:regex}", "[[c]]", '"', "[", "]", "x", " ", "{", "}", "(", "5m", "#", "\n"]))
)
def test_any_text_is_read_and_every_place_lies_in_it(pieces: list[str]) -> None:
    written = "".join(pieces)
    found = interpolated(written, {"a": ("x",)})

    assert found.written == written
    for offset in range(len(found.text) + 1):
        assert 0 <= found.written_at(offset) <= len(written)
    for each in found.substitutions:
        assert each.written.text(written).startswith(("$", "[["))
    starts = [found.written_at(offset) for offset in range(len(found.text))]
    assert starts == sorted(starts)
