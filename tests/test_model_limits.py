"""Amounts and limits as they are written, and what a variable states of them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.model.limits import claim
from tocsin.model.quantities import quantity, shown, size


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1", 1),
        ("500m", Decimal("0.5")),
        ("256Mi", 256 * 2**20),
        ("1G", 10**9),
        ("1e3", 1000),
        (".5", Decimal("0.5")),
        ("1.5Gi", 3 * 2**29),
        ("5E", 5 * 10**18),
        ("2n", Decimal("2e-9")),
        ("1 Gi", None),
        ("256MB", None),
        ("Mi", None),
        ("1e", None),
        ("0x10", None),
        ("1Q", None),
        ("", None),
        ("1e9999999", None),
        ("1e99", Decimal("1e99")),
    ],
)
def test_a_quantity_is_read_as_kubernetes_reads_it(text: str, amount: Decimal | int | None) -> None:
    """With powers of ten and of two, thousandths and exponents."""
    assert quantity(text) == amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("512M", 2**29),
        ("512m", 2**29),
        ("1g", 2**30),
        ("1GiB", 2**30),
        ("1gb", 2**30),
        ("100b", 100),
        ("7", 7),
        ("x", None),
    ],
)
def test_a_size_is_read_as_compose_reads_it(text: str, amount: int | None) -> None:
    """Every unit is a power of 1024."""
    assert size(text) == amount


@pytest.mark.parametrize(
    ("name", "resource", "unit"),
    [
        ("CPU_LIMIT_CORES", "cpu", 1),
        ("CPU_LIMIT_MILLICORES", "cpu", Decimal("0.001")),
        ("MEMORY_LIMIT_BYTES", "memory", 1),
        ("CONTAINER_MEMORY_LIMIT_MB", "memory", 10**6),
        ("LIMITS_CPU", "cpu", None),
        ("PHP_MEMORY_LIMIT", None, None),
        ("MEMORY_LIMITER", None, None),
        ("RATE_LIMIT", None, None),
    ],
)
def test_a_name_claims_a_limit_of_the_container(name: str, resource: str | None, unit: Decimal | None) -> None:
    """That of something inside of it claims none."""
    found = claim(name)

    assert (found.resource if found else None) == resource
    assert (found.unit if found else None) == unit


@given(st.text(max_size=60) | st.from_regex(r"\A[0-9]{1,30}(e-?[0-9]{1,3})?[kKMGTi]{0,3}\Z"))
def test_no_amount_is_too_much(text: str) -> None:
    """What is no amount is nothing, and what is one can be shown."""
    for amount in (quantity(text), size(text)):
        if amount is not None:
            assert shown(amount, memory=True)
            assert shown(amount, memory=False)
