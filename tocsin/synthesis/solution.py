"""What a synthesis ends with: tests for an engine, a proof that the alert is dead, or nothing found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tocsin.promql import Span


class Property(StrEnum):
    """What is claimed of an alert, each with a verdict of its own."""

    FIRES = "fires"
    """It fires at the predicted evaluation, and stays so while the condition holds."""
    INACTIVE = "inactive"
    """It never fires on the other side of an edge (`Assertion.edge` says of which), or without the data."""
    AT_THRESHOLD = "at-threshold"
    """What it does exactly at the threshold."""
    BLIP = "blip"
    """It is pending, and never fires, when its condition holds for less than `for`."""
    FOR_EDGE = "for-edge"
    """It does not fire one evaluation before `for` has passed, and does on it."""
    RESOLVES = "resolves"
    """It ends when its condition does, after `keep_firing_for`."""
    RESET = "reset"
    """A counter's reset does not fire it."""
    ABSENCE = "absence"
    """What it does when its series are gone."""


class State(StrEnum):
    """What an assertion says of the alert, of all its series together."""

    FIRING = "firing"
    """At least one series fires at the moment."""
    PENDING = "pending"
    """At least one is pending, and none fires."""
    SILENT = "silent"
    """None fires (one may be pending) at the moment."""
    INACTIVE = "inactive"
    """None fires nor is pending at the moment."""
    NEVER_FIRING = "never firing"
    """None fires at any evaluation from `since` to the moment."""
    NEVER_ACTIVE = "never active"
    """None fires nor is pending at any evaluation from `since` to the moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A place at which the alert's condition turns."""

    name: str
    """Short, stable and unique in its solution: `1`, `2`; it makes the property `inactive:1`."""
    span: Span
    """The comparison or operand in the alert's expression."""
    said: str
    """What turns there: `node_load1 > 4`, `absence of up`."""
    boundary: float | None = None
    """The value of the comparison's left side at which it turns, where it is a number that was found."""
    discrete: bool = False
    """Whether the other side is another number or presence of series, and not a value a little less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """What must be so at a moment of a test; times in seconds."""

    proves: Property
    state: State
    at: float
    since: float | None = None
    """The beginning of the stretch, where the state is about one."""
    edge: str | None = None
    """The name of the edge that it is about."""
    comment: str = ""
    """What it stands for, a sentence without full stop."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Which of the alert's series it is about, by their labels (an empty value: without the label); else all."""

    @property
    def claim(self) -> str:
        """The property, with its edge: `inactive:1`."""
        return f"{self.proves}:{self.edge}" if self.edge else str(self.proves)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSeries:
    """A series of a test, as promtool writes it."""

    selector: str
    values: str
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A piece of a test's timeline in which the input is of one kind; times in seconds."""

    start: float
    end: float
    name: str
    """`quiet`, `just under`, `blip`, `over`, `resolved`."""
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """A timeline of input, and what the alert must do on it."""

    __test__ = False  # not a test of ours, whatever it is called

    name: str
    """Unique in its solution: `timeline`, `inactive`."""
    interval: float
    """Seconds between two samples."""
    evaluation: float
    """Seconds between two evaluations."""
    series: tuple[InputSeries, ...]
    assertions: tuple[Assertion, ...]
    stretches: tuple[Stretch, ...] = ()

    @property
    def claims(self) -> tuple[str, ...]:
        """The properties that it is about, in their order."""
        return tuple(dict.fromkeys(each.claim for each in self.assertions))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """A proof that no input fires the alert."""

    argument: str
    """A sentence or two, without the last full stop."""
    span: Span
    """The piece of the alert's expression that cannot be."""
    cause: str = ""
    """`labels`, `samples`, `hold`, or the cause of a proof of values.

    Those are `range`, `contradiction`, `presence` and `recorded` (`tocsin.promql.dead`).
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """No input was found, and no proof that there is none."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """Tests that, by our own evaluation, an engine will confirm."""

    tests: tuple[Test, ...]
    edges: tuple[Edge, ...] = ()
    notes: tuple[str, ...] = ()
    """What the owner should know: `needs negative values`, `needs a series without the label job`."""
    missing: dict[Property, str] = field(default_factory=dict)
    """The properties that no test is about, each with the reason (`for` of 0 has no blip; always firing)."""

    impossible: dict[Property, str] = field(default_factory=dict)
    """The properties that no input could show, each with the proof."""
    always: bool = False
    """Whether the alert has no other side: it fires whatever there is (`vector(1)`)."""

    @property
    def claims(self) -> tuple[str, ...]:
        """Every property that the tests are about."""
        return tuple(dict.fromkeys(claim for test in self.tests for claim in test.claims))


Outcome = Solution | Dead | Open
