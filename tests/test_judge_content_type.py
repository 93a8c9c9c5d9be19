"""Content-Types as Go reads them, and what each generation of Prometheus makes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.artefacts.exposition.syntax import Generation, Syntax
from tocsin.exposition.content_type import Parser, media_type, reading

READ: dict[str, tuple[str, dict[str, str]]] = {
    "text/plain": ("text/plain", {}),
    "  TEXT/Plain  ;Version=0.0.4": ("text/plain", {"version": "0.0.4"}),
    'text/plain; version="0.0.4"; charset=utf-8': ("text/plain", {"version": "0.0.4", "charset": "utf-8"}),
    r'text/plain; a="b\"c\\d"': ("text/plain", {"a": 'b"c\\d'}),
    'text/plain; a=""': ("text/plain", {"a": ""}),
    "text/plain;": ("text/plain", {}),
    "text/plain; ;": ("", {}),
    "text/plain; version": ("", {}),
    "text/plain; version=": ("", {}),
    "text/plain; a=1; a=1": ("text/plain", {"a": "1"}),
    "text/plain; a=1; a=2": ("", {}),
    'text/plain; a="b': ("", {}),
    "text": ("text", {}),
    "text/": ("", {}),
    "/plain": ("", {}),
    "": ("", {}),
    "text/plain, text/html": ("", {}),
    "text/plain/more": ("", {}),
    "text plain": ("", {}),
}


@pytest.mark.parametrize(("written", "expected"), READ.items(), ids=lambda value: str(value) if value else "empty")
def test_read_as_go_does(written: str, expected: tuple[str, dict[str, str]]) -> None:
    """Type and parameters; what Go refuses has no type, and a problem."""
    found = media_type(written)

    assert (found.type, dict(found.parameters)) == expected
    assert bool(found.problem) == (found.type == "")


def test_generations_differ_where_nothing_is_understood() -> None:
    """Prometheus 2 takes it for text, 3 drops it, unless the job has a fallback; what is understood is read as such."""
    assert reading("text/html", Generation.V2_42).parser is Parser.TEXT
    assert reading("text/html", Generation.V2_53, fallback="OpenMetricsText1.0.0").parser is Parser.TEXT
    assert reading("text/html", Generation.V3_5).parser is None
    assert reading("", Generation.V3_5, fallback="OpenMetricsText1.0.0").parser is Parser.OPENMETRICS
    assert reading("application/openmetrics-text", Generation.V3_5, fallback="PrometheusProto").parser == "openmetrics"
    assert Parser.OPENMETRICS.syntax is Syntax.OPENMETRICS
    assert Parser.PROTOBUF.syntax is None


@given(st.text(max_size=40))
def test_never_raises(written: str) -> None:
    """Whatever a server writes there."""
    found = media_type(written)
    assert found.type == "" or not found.problem
    for generation in Generation:
        assert reading(written, generation).parser is not None or generation is Generation.V3_5


_TOKENS = st.text("abcdefghijklmnopqrstuvwxyz0123456789.-+", min_size=1, max_size=8)


@given(_TOKENS, _TOKENS, st.dictionaries(_TOKENS, _TOKENS, max_size=4), st.booleans())
def test_what_is_written_is_read(kind: str, subtype: str, parameters: dict[str, str], quoted: bool) -> None:
    """A type and its parameters, quoted or not."""
    mark = '"' if quoted else ""
    written = f"{kind}/{subtype}" + "".join(f"; {name}={mark}{value}{mark}" for name, value in parameters.items())

    assert media_type(written) == type(media_type(""))(f"{kind}/{subtype}", parameters)
