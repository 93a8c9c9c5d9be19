"""What a synthesis starts from: an alert, the recording rules under it, the engine's generation, and the ground."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tocsin.promql import Expr, parse
from tocsin.promql.evaluation import PROMETHEUS_2_42, Generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A recording rule that the alert reads, at first or at second hand."""

    name: str
    expression: str
    tree: Expr
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alerting rule; times in seconds."""

    name: str
    expression: str
    tree: Expr
    hold_seconds: float = 0.0
    """`for`."""
    keep_firing_seconds: float = 0.0
    """`keep_firing_for`."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounding:
    """What input a system can really give. The default is free input: whatever an engine would take."""

    scrape_seconds: float | None = None
    """Between two samples of a series; None where it may be chosen."""
    evaluation_seconds: float | None = None
    """Between two evaluations of the rule's group; None where it may be chosen."""
    external_labels: Mapping[str, str] = field(default_factory=dict)
    label_sets: Mapping[str, tuple[Mapping[str, str], ...]] = field(default_factory=dict)
    """By the name of a metric, the label sets of the series that exist, job and instance among them, without the name.

    A metric that is not here may have any labels; one with no label sets has no series.
    """
    buckets: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """By the name of a histogram's `_bucket` series, the bounds that it has, +Inf among them."""

    @property
    def free(self) -> bool:
        """Whether nothing is known, so that all input may be invented."""
        return self == FREE


FREE = Grounding()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An alert for which tests are wanted."""

    alert: Alert
    recorded: tuple[Recorded, ...] = ()
    """What it depends on, each after what it reads, in the owner's order where that leaves a choice."""
    generation: Generation = PROMETHEUS_2_42
    grounding: Grounding = FREE
    seed: int = 0
    """Which of several attempts it is: another one chooses otherwise, and shows edges ten times farther apart."""
    budget_seconds: float = 2.0
    """Of CPU, after which the search is given up."""


def problem_of(
    name: str,
    expression: str,
    *,
    hold_seconds: float = 0.0,
    keep_firing_seconds: float = 0.0,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    recorded: tuple[Recorded, ...] = (),
    generation: Generation = PROMETHEUS_2_42,
    grounding: Grounding = FREE,
    budget_seconds: float = 2.0,
) -> Problem:
    """Return the problem of an alert given by its texts. Raises PromQLError where the expression cannot be read."""
    alert = Alert(
        name=name,
        expression=expression,
        tree=parse(expression),
        hold_seconds=hold_seconds,
        keep_firing_seconds=keep_firing_seconds,
        labels=labels or {},
        annotations=annotations or {},
    )
    return Problem(
        alert=alert,
        recorded=recorded,
        generation=generation,
        grounding=grounding,
        budget_seconds=budget_seconds,
    )
