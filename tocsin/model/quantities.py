"""Amounts of memory and of processors as Kubernetes, docker-compose and runtimes write them.

(k8s.io/apimachinery, pkg/api/resource/quantity.go; docker/go-units, size.go; openjdk, `-Xmx`.)
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

_QUANTITY = re.compile(r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?)(?P<suffix>[a-zA-Z]{0,2})")
_SUFFIXES = {
    "": Decimal(1), "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "k": Decimal(10**3),
    "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}  # fmt: skip
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?) ?(?P<suffix>[bkmgtp])?(?:i?b)?", re.IGNORECASE)
_POWERS = {"b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_LONGEST = 40


def quantity(text: str) -> Decimal | None:
    """Return an amount as Kubernetes writes it (`500m`, `256Mi`, `1e3`); None if it is none."""
    found = _QUANTITY.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None or found["suffix"] not in _SUFFIXES:
        return None
    try:
        return Decimal(found["number"]) * _SUFFIXES[found["suffix"]]
    except InvalidOperation:
        return None


def size(text: str) -> Decimal | None:
    """Return a number of bytes as docker-compose and runtimes write it: `512M` is 512 times 1024 times 1024."""
    found = _SIZE.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    return Decimal(found["number"]) * 1024 ** _POWERS[(found["suffix"] or "b").lower()] if found else None


def shown(amount: Decimal, *, memory: bool) -> str:
    """Return an amount as a message shows it: whole cores or thousandths of one, bytes in the unit that fits."""
    if not memory:
        return f"{amount.normalize():f} {'core' if amount == 1 else 'cores'}"
    for suffix in ("Ti", "Gi", "Mi", "Ki"):
        quarters = 4 * amount / _SUFFIXES[suffix]
        if amount >= _SUFFIXES[suffix] and quarters == quarters.to_integral_value():
            return f"{(quarters / 4).normalize():f} {suffix}B"
    return f"{amount.normalize():f} bytes"
