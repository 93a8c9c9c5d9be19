"""Durations are read, written and scaled as Prometheus has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.durations import format_duration, parse_duration, scale_duration

YEAR = 365 * 86400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("15s", 15),
        ("1h30m", 5400),
        ("500ms", 0.5),
        ("1s500ms", 1.5),
        ("90m", 5400),
        ("007s", 7),
        ("1y2w3d4h5m6s7ms", YEAR + 17 * 86400 + 4 * 3600 + 5 * 60 + 6.007),
        ("292y", 292 * YEAR),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    """A duration that Prometheus accepts is read as the seconds it stands for."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("5", "unit is missing"),
        ("1.5s", "no decimals"),
        ("-5m", "no sign"),
        ("5m1h", "longest first"),
        ("5m5m", "longest first"),
        ("5 m", "whole numbers"),
        ("5M", "whole numbers"),
        ("m", "whole numbers"),
        ("\N{ARABIC-INDIC DIGIT FIVE}m", "whole numbers"),
        ("5m\n", "whole numbers"),
        ("293y", "292 years"),
        ("9" * 5000 + "s", "292 years"),
    ],
)
def test_what_is_no_duration_is_refused(text: str, said: str) -> None:
    """What Prometheus refuses is refused with the reason."""
    with pytest.raises(ValueError, match=said):
        parse_duration(text)


@given(st.integers(0, 2**53 // 1000))
def test_writing_and_reading_are_inverse(milliseconds: int) -> None:
    """Every whole number of milliseconds is read back from how it is written."""
    text = format_duration(milliseconds / 1000)
    assert parse_duration(text) == milliseconds / 1000
    assert "." not in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (1e-9, "1ms"), (0.0014, "1ms"), (1.5, "1s500ms"), (90, "1m30s"), (86400 * 8, "8d"), (0.25, "250ms")],
)
def test_durations_are_written_whole(seconds: float, text: str) -> None:
    """Decimals become milliseconds, and what is above zero never becomes zero."""
    assert format_duration(seconds) == text


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e12])
def test_what_cannot_be_written_is_refused(seconds: float) -> None:
    """A negative, endless or too long time is refused."""
    with pytest.raises(ValueError, match=r"cannot be written|292 years"):
        format_duration(seconds)


@pytest.mark.parametrize(
    ("text", "factor", "scaled"),
    [
        ("5m", 60, "5s"),
        ("15s", 60, "250ms"),
        ("1m30s", 60, "1s500ms"),
        ("0s", 60, "0s"),
        ("1ms", 60, "1ms"),
        ("1d", 0.5, "2d"),
    ],
)
def test_durations_are_divided_by_the_factor(text: str, factor: float, scaled: str) -> None:
    """A duration is divided by the factor, to the millisecond."""
    assert scale_duration(text, factor) == scaled


@pytest.mark.parametrize("factor", [0, -1, float("nan"), float("inf")])
def test_a_factor_is_positive(factor: float) -> None:
    """A factor that is no positive number is refused."""
    with pytest.raises(ValueError, match="positive number"):
        scale_duration("5m", factor)
