"""A site: a running system with its monitoring, where a drill is performed; fresh stacks and staging are two kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tocsin.evidence import LeftOut, Replica, RuleFacts, Series, Target
from tocsin.stimuli import World


class Refused(Exception):
    """The system itself kept a drill from starting: a fault that it must answer for."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = tuple(reasons)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a site before a drill: its rules as they run, its targets, its engines."""

    rules: tuple[RuleFacts, ...]
    left_out: tuple[LeftOut, ...]
    targets: tuple[Target, ...]
    engines: Mapping[str, str]
    scrape_seconds: float
    evaluation_seconds: float
    group_wait: float
    """The longest wait of any route before a first notification, in seconds."""
    group_interval: float
    alertmanager_file: str
    alertmanager_places: Mapping[str, str]
    not_observable: tuple[str, ...] = ()
    replicas: tuple[Replica, ...] = ()
    """The engines, where there are several of a kind."""
    peers_wait: float = 0.0
    """The longest that an Alertmanager waits for its peers before it notifies, in seconds."""
    alert_relabelling: str = ""
    """Where the Prometheus configuration says which labels alerts are sent without."""


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """An alert that is pending or firing now."""

    labels: Mapping[str, str]
    state: str


class Site(World, Protocol):
    """What a drill needs of the place where it happens, besides the powers of a stimulus. Moments are Unix time."""

    def arm(self, tell: Callable[[str], None]) -> None:
        """Bring it to the point where every target is scraped, all rules are healthy and Alertmanager is known.

        `tell` hears of each step. Raises Refused where the system is at fault, Trouble where something of ours is.
        """

    def close(self) -> None:
        """End what was started; idempotent."""

    def facts(self) -> Facts:
        """Return what is known once it is armed."""

    def now(self) -> float:
        """Return the time on the clock that its engines use."""

    def check(self) -> None:
        """Raise Trouble if anything that must run has ended, other than by the drill's own doing."""

    def active_alerts(self) -> Sequence[ActiveAlert]:
        """Ask Prometheus which alerts are pending or firing."""

    def alertmanager_alerts(self) -> Sequence[Mapping[str, Any]]:
        """Ask Alertmanager which alerts it holds, and how it treats each."""

    def notifications(self) -> Sequence[Mapping[str, Any]]:
        """Return what the sink captured: `time`, `receiver`, `integration`, `index`, `payload`."""

    def received(self) -> Sequence[Mapping[str, Any]]:
        """Return what Alertmanager's log says: `time`, `event`, `alert`, `fingerprint`, `state`."""

    def usage(self) -> Sequence[Mapping[str, Any]]:
        """Return what each process of the system uses now: `process`, `rss_bytes`, `cpu_seconds`."""

    def machine(self) -> Mapping[str, float]:
        """Return how pressed the machine is on which we run: for the record, no verdict hangs on it."""

    def process_events(self) -> Sequence[Mapping[str, Any]]:
        """Return what happened to processes: `time`, `event`, `process`, `pid`, `code`, `signal`, `expected`."""

    def load_lines(self) -> Sequence[Mapping[str, Any]]:
        """Return what the load profiles recorded, each line with the `part` of the drill."""

    def engine_counters(self) -> Sequence[Series]:
        """Scrape the guards' counters from Prometheus and Alertmanager now."""

    def raw_series(self, names: Sequence[str], since: float, until: float) -> Sequence[Series]:
        """Return every series of those metrics with raw timestamps and stale markers."""

    def evaluate(self, expression: str, since: float, until: float, step: float) -> Sequence[Series]:
        """Evaluate an expression over a range of time."""

    def metric_names(self) -> Sequence[str]:
        """Return the names of all metrics that Prometheus has."""
