"""What a label may hold. The empty string stands for a series that lacks the label, as it does in PromQL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.promql import regex


@dataclass(frozen=True, slots=True)
class Values:
    """The values that a label may have: all that nothing here rules out."""

    only: frozenset[str] | None = None
    """All values that are possible; None if they cannot be listed."""
    never: frozenset[str] = frozenset()
    patterns: frozenset[str] = frozenset()
    """Regular expressions that each value matches."""
    refused: frozenset[str] = frozenset()
    """Regular expressions that no value matches."""

    def possible(self, value: str) -> bool:
        """Whether the label may have a value; also where that cannot be told."""
        if (self.only is not None and value not in self.only) or value in self.never:
            return False
        return not any(regex.matches(pattern, value) is False for pattern in self.patterns) and not any(
            regex.matches(pattern, value) for pattern in self.refused
        )

    @property
    def any(self) -> bool:
        """Whether any value is possible; also where that cannot be told."""
        if self.only is None:
            return not self.patterns & self.refused
        return bool(self.only)

    def both(self, other: Values) -> Values:
        """Return the values that are possible here and there."""
        if self is other or other == ANY:
            return self
        if self == ANY:
            return other
        joined = Values(
            self._narrower(other),
            self.never | other.never,
            self.patterns | other.patterns,
            self.refused | other.refused,
        )
        if joined.only is None:
            return joined
        return Values(frozenset(value for value in joined.only if joined.possible(value)))

    def _narrower(self, other: Values) -> frozenset[str] | None:
        if self.only is None or other.only is None:
            return other.only if self.only is None else self.only
        return self.only & other.only

    def either(self, other: Values) -> Values:
        """Return the values that are possible here or there."""
        if self.only is not None and other.only is not None:
            return Values(self.only | other.only)
        never = frozenset(v for v in self.never | other.never if not self.possible(v) and not other.possible(v))
        return Values(None, never, self.patterns & other.patterns, self.refused & other.refused)

    def __str__(self) -> str:
        if self.only == frozenset({""}):
            return "none"
        if self.only is not None:
            return " or ".join(repr(value) if value else "none" for value in sorted(self.only)) or "no value"
        return "any value" if self.possible("") else "some value"


ANY = Values()
"""Nothing is known."""
ABSENT = Values(only=frozenset({""}))
"""The series lacks the label."""
PRESENT = Values(never=frozenset({""}))
"""The series has the label."""


def one_of(values: Iterable[str]) -> Values:
    """Return that a label has one of some values."""
    return Values(only=frozenset(values))
