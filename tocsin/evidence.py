"""The evidence of a drill: one folder, on disk before a judge looks, and read back by judges that touch nothing else.

Times are seconds since the run's start, on one clock; `clock_origin` in the manifest is that start in Unix time.
Unknown fields are kept, so that an older Tocsin can carry newer evidence.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from tocsin.atomic import write_json

MANIFEST = "manifest.json"
SAMPLES = "samples.jsonl"
EXPRESSIONS = "expressions.jsonl"
NOTIFICATIONS = "notifications.jsonl"
ALERTMANAGER = "alertmanager.jsonl"
PROCESSES = "processes.jsonl"
LOAD = "load.jsonl"
CONFIG = "config"

Sample = tuple[float, float]
"""A moment, in seconds since the run's start, and a value."""


class Recorded(BaseModel):
    """A part of the manifest; fields that this version does not know are kept."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Selected(Recorded):
    """A selector of a rule's expression, as it was run."""

    text: str
    metric: str
    matchers: tuple[tuple[str, str, str], ...] = ()


class RuleFacts(Recorded):
    """An alerting rule as it ran, and where its owner wrote it; durations in seconds as run."""

    id: str
    name: str
    group: str
    file: str
    line: int
    expression_line: int
    hold_line: int
    expression: str
    production_expression: str
    labels: dict[str, str] = {}
    hold_seconds: float = 0.0
    production_hold: str = "0s"
    keep_firing_seconds: float = 0.0
    interval_seconds: float
    window_seconds: float = 0.0
    recording_seconds: float = 0.0
    """What the recording rules that it reads add: their windows, and an evaluation each."""
    scrape_seconds: float
    selectors: tuple[Selected, ...] = ()
    invariance: str = ""
    """What a proof found of a rule that changes its meaning with time, or would but for its owner's decision."""


class LeftOut(Recorded):
    """A rule that was not loaded, or a relabelling that was not applied, and why."""

    id: str
    name: str
    file: str
    line: int
    reason: str
    kind: str = "rule"
    """`rule`, or `relabelling`."""


class ExpectedAlert(Recorded):
    """An expectation of the drill, its budgets in seconds as run."""

    alert: str
    labels: dict[str, str] = {}
    receivers: tuple[str, ...] = ()
    resolution_not_sent: tuple[str, ...] = ()
    """Those of the receivers that must not be told of the end."""
    outcome: str = "notified"
    within: float | None = None
    crossed_within: float | None = None
    resolved_within: float | None = None
    line: int = 1

    @property
    def ends_in_silence(self) -> bool:
        """Whether nobody is to be told of the end."""
        return bool(self.receivers) and set(self.receivers) <= set(self.resolution_not_sent)


class AllowedAlert(Recorded):
    """An alert that may start without being the drill's subject."""

    alert: str
    labels: dict[str, str] = {}
    reason: str


class Moments(Recorded):
    """When the drill's parts happened; None for what it did not come to."""

    started: float
    armed: float | None = None
    """All rules loaded and healthy, every target scraped, Alertmanager known."""
    steady: float | None = None
    injected: float | None = None
    recovered: float | None = None
    ended: float | None = None
    disturbed: float | None = None
    """When the monitoring was disturbed; it stays so."""


class Trouble(Recorded):
    """Something that went wrong outside the system under test."""

    time: float
    what: str


class Target(Recorded):
    """A scrape target as it was discovered."""

    job: str
    instance: str
    drilled: bool = False
    """Whether the stimulus takes it down or away."""
    loaded: bool = False
    """Whether load goes to it; told of a system that runs already, where others' alerts have to be told apart."""
    namespace: str = ""


class Replica(Recorded):
    """One of several engines of a kind."""

    name: str
    engine: str
    address: str = ""
    """host:port."""
    disturbed: bool = False
    """Whether the drill takes it down; it is no instrument then, and what it misses is no trouble."""


class Manifest(Recorded):
    """The facts of a drill that are not series; written last, by rename."""

    schema_: int = 1
    complete: bool = False
    tocsin: str = ""
    system: str = ""
    environment: str = ""
    ours: bool = True
    drill: str
    marker: str
    file: str = "system.yaml"
    line: int = 1
    stimulus: dict[str, Any]
    clock_origin: float
    factor: float = 1
    engines: dict[str, str] = {}
    phase_delay: float = 0.0
    moments: Moments
    scrape_seconds: float = 15.0
    evaluation_seconds: float = 15.0
    rules: tuple[RuleFacts, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    expect: tuple[ExpectedAlert, ...] = ()
    allow: tuple[AllowedAlert, ...] = ()
    flaps: int = 0
    targets: tuple[Target, ...] = ()
    alertmanager_file: str = ""
    alertmanager_places: dict[str, str] = {}
    metric_names: tuple[str, ...] = ()
    coarse_step: float = 0.01
    """Seconds between evaluations of expressions away from the changes of their alert."""
    notice_seconds: float = 0.0
    """Real seconds until the stimulus, or its end, can be noticed at all, whatever the factor."""
    landing_seconds: float = 0.0
    """Seconds that a stimulus took which is done by others, as a cluster's controllers."""
    proof: dict[str, Any] | None = None
    trouble: tuple[Trouble, ...] = ()
    earlier: tuple[str, ...] = ()
    """Why earlier attempts of the same run proved nothing; their evidence is in `earlier/` of the run."""
    refused: tuple[str, ...] = ()
    """Faults of the system itself that kept the drill from reaching its steady state."""
    not_observable: tuple[str, ...] = ()
    """Stages that nothing in this environment can show."""
    replicas: tuple[Replica, ...] = ()
    """The engines, where there are several of a kind; whoever is told must then be told once."""
    disturbance: dict[str, Any] | None = None
    """What the monitoring suffered besides the stimulus, as declared."""
    partitioned: bool = False
    """Whether the Alertmanagers were cut off from each other, so that each may tell of an alert."""
    peers_wait_seconds: float = 0.0
    """The longest that an Alertmanager waits for its peers before it notifies."""
    alert_relabelling: str = ""
    """Where the Prometheus configuration says which labels alerts are sent without."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series with its raw samples and the moments at which it was marked stale."""

    labels: Mapping[str, str]
    samples: tuple[Sample, ...]
    stale: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.labels.get("__name__", "")

    def matches(self, wanted: Mapping[str, str]) -> bool:
        """Tell whether every wanted label is there with that value."""
        return all(self.labels.get(k) == v for k, v in wanted.items())


@dataclass(frozen=True, slots=True)
class Expression:
    """One resulting series of a rule's expression, or of a side of its comparison, in steps of 10 ms."""

    rule: str
    side: str
    """`whole`, `left` or `right`."""
    comparison: int
    operator: str
    text: str
    labels: Mapping[str, str]
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Notification:
    """One request that a receiver's integration made to the sink."""

    time: float
    receiver: str
    integration: str
    index: int
    payload: Mapping[str, Any] = field(repr=False)

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that it tells of."""
        found = self.payload.get("alerts")
        return [a for a in found if isinstance(a, dict)] if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one drill left behind. Without a manifest nothing is known but the folder."""

    folder: Path
    manifest: Manifest | None
    problem: str
    series: tuple[Series, ...] = field(repr=False, default=())
    expressions: tuple[Expression, ...] = field(repr=False, default=())
    notifications: tuple[Notification, ...] = field(repr=False, default=())
    alertmanager: tuple[dict[str, Any], ...] = field(repr=False, default=())
    processes: tuple[dict[str, Any], ...] = field(repr=False, default=())
    load: tuple[dict[str, Any], ...] = field(repr=False, default=())


class Recording:
    """The folder of a drill while it is being written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / CONFIG).mkdir(parents=True, exist_ok=True)

    def append(self, name: str, *lines: Mapping[str, Any]) -> None:
        """Add lines to one of the folder's files; what is written survives our end."""
        with (self.folder / name).open("a", encoding="utf-8") as file:
            for line in lines:
                file.write(json.dumps(line) + "\n")

    def config(self, name: str, text: str) -> Path:
        """Keep a configuration file and return where it stands."""
        path = self.folder / CONFIG / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def conclude(self, manifest: Manifest) -> None:
        """Write the manifest, the last of the folder's files, in one rename."""
        for name in (SAMPLES, EXPRESSIONS, NOTIFICATIONS, ALERTMANAGER, PROCESSES, LOAD):
            (self.folder / name).touch()
        write_json(self.folder / MANIFEST, manifest.model_dump(mode="json"))


def read_evidence(folder: Path) -> Evidence:
    """Read a drill's folder. What is missing or broken becomes `problem`, never an exception."""
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Evidence(folder, None, f"{folder} holds no {MANIFEST}: the drill was cut off before its end")
    except (OSError, ValueError, ValidationError) as error:
        return Evidence(folder, None, f"{folder / MANIFEST} cannot be read: {str(error).splitlines()[0]}")
    try:
        return Evidence(
            folder,
            manifest,
            "",
            series=tuple(map(_series, _lines(folder / SAMPLES))),
            expressions=tuple(map(_expression, _lines(folder / EXPRESSIONS))),
            notifications=tuple(map(_notification, _lines(folder / NOTIFICATIONS))),
            alertmanager=tuple(_lines(folder / ALERTMANAGER)),
            processes=tuple(_lines(folder / PROCESSES)),
            load=tuple(_lines(folder / LOAD)),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Evidence(folder, manifest, f"{folder} cannot be read: {type(error).__name__}: {error}")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        raise FileNotFoundError(f"{path.name} is missing")
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.strip():
            value = json.loads(line)
            if not isinstance(value, dict):
                raise TypeError(f"{path.name}:{number} is not an object")
            yield value


def _series(line: dict[str, Any]) -> Series:
    return Series(line["labels"], _samples(line["samples"]), tuple(line.get("stale", ())))


def _expression(line: dict[str, Any]) -> Expression:
    return Expression(
        rule=line["rule"],
        side=line["side"],
        comparison=line.get("comparison", 0),
        operator=line.get("operator", ""),
        text=line["text"],
        labels=line["labels"],
        samples=_samples(line["samples"]),
    )


def _notification(line: dict[str, Any]) -> Notification:
    return Notification(line["time"], line["receiver"], line["integration"], line.get("index", 0), line["payload"])


def _samples(pairs: Iterable[tuple[float, float | str]]) -> tuple[Sample, ...]:
    return tuple((float(t), float(v)) for t, v in pairs)


def written(samples: Iterable[Sample]) -> list[list[float | str]]:
    """Return samples as JSON can hold them: what is not finite becomes `NaN`, `+Inf` or `-Inf`."""
    return [[round(t, 6), v if math.isfinite(v) else _name(v)] for t, v in samples]


def _name(value: float) -> str:
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
