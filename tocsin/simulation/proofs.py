"""What was proven of an alert, as a value that can be written, read again and merged. Times in seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from tocsin.case import CaseResult
from tocsin.simulation import SIMULATION
from tocsin.source import Place
from tocsin.synthesis import Assertion, InputSeries, State, Stretch, Test
from tocsin.synthesis import Property as Claimed
from tocsin.verdict import PASSED, Verdict, failed, inconclusive


class Standing(StrEnum):
    """How far a property is proven."""

    PROVEN = "proven"
    DEAD = "dead"
    OPEN = "open"
    NOT_APPLICABLE = "not applicable"
    """There is no such thing: no blip can be shorter than a `for` of nothing."""


class Ground(StrEnum):
    """Whether the alert fires on input that this system can give."""

    PROVEN = "proven"
    REFUTED = "refuted"
    OPEN = "open"
    NO_CONTRACT = "no contract"
    """The files tell nothing of the input, so that none can be told from any other."""


BASE = ("fires", "inactive", "blip", "resolves")
"""The properties that every alert is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """What is known of one property."""

    standing: Standing
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineProof:
    """What one engine says of an alert."""

    standing: Standing
    """Of `fires`."""
    reason: str = ""
    differs: tuple[str, ...] = ()
    """The claims that came out otherwise on the very input on which the first engine proved them."""
    at_edges: tuple[str, ...] = ()
    """Those that did for one sample at the edge of a range alone, which is no difference between the rules."""
    refused: str = ""
    """Why it would not load the rule."""
    refuted: str = ""
    """Why, as it evaluates, no input that this system can give fires the alert."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """The input of a test: each series with its values, as promtool writes them."""

    series: tuple[tuple[str, str], ...] = ()
    interval: float = 0.0
    evaluation: float = 0.0
    outcome: str = ""
    """What the alert does on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An alert as the engine would send it."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertProof:
    """All that was proven of an alert."""

    id: str
    """The case id: `alert@file::group`."""
    name: str
    group: str
    file: str
    line: int
    expression: str
    properties: Mapping[str, Property]
    """By claim: `fires`, `inactive:1`; the base properties always, each the sum of its claims."""
    grounded: Ground = Ground.NO_CONTRACT
    grounded_reason: str = ""
    argument: str | None = None
    """Why it is dead, or why no input that this system can give fires it."""
    underlined: tuple[int, int] | None = None
    """The piece of the expression that the argument is about."""
    engines: Mapping[str, EngineProof] = field(default_factory=dict)
    edges: Mapping[str, str] = field(default_factory=dict)
    """What turns at each edge, by the name of the edge."""
    notes: tuple[str, ...] = ()
    free_input: Input | None = None
    grounded_input: Input | None = None
    pages: tuple[Page, ...] = ()
    more_pages: bool = False
    """Whether there are further pages."""
    tests: tuple[Test, ...] = ()
    """The tests that the first engine confirmed: on the ground where it is proven there, else on free input."""

    @property
    def verdict(self) -> Verdict:
        """The alert's verdict, with the reason."""
        return _verdict(self)

    @property
    def pages_whole(self) -> bool:
        """Whether the engine told of every alert that there is where the alert is first said to fire."""
        return bool(self.pages) and not self.more_pages

    @property
    def fires(self) -> Standing:
        """How far it is proven that it fires, on any input."""
        return self.properties["fires"].standing

    @property
    def simulated(self) -> bool:
        """Whether it reaches the level simulated: it fires on input of this system, or on any if none is declared."""
        fires = self.properties["fires"].standing is Standing.PROVEN
        return fires and self.grounded in (Ground.PROVEN, Ground.NO_CONTRACT)

    @property
    def skews(self) -> tuple[str, ...]:
        """In which engines it behaves differently than in the first, a sentence each."""
        return tuple(_skews(self))

    @property
    def edge_skews(self) -> Mapping[str, tuple[str, ...]]:
        """By engine, the claims that came out otherwise for one sample at the edge of a range."""
        return {name: each.at_edges for name, each in self.engines.items() if each.at_edges}

    @property
    def empty_parts(self) -> tuple[str, ...]:
        """The labels and annotations of which the engine left nothing on every page, or that it could not render."""
        if not self.pages:
            return ()
        found = []
        for name in self.pages[0].annotations:
            texts = [page.annotations.get(name, "") for page in self.pages]
            if not any(text.strip() for text in texts):
                found.append(f"the annotation {name} comes out empty")
            elif any(text.startswith("<error expanding template") for text in texts):
                found.append(f"the annotation {name} cannot be rendered: {texts[0][:160]}")
        return tuple(found)


def _verdict(proof: AlertProof) -> Verdict:
    fires = proof.properties["fires"]
    if fires.standing is Standing.DEAD:
        return failed(f"{proof.name} can never fire: {proof.argument}")
    if proof.grounded is Ground.REFUTED:
        return failed(
            f"{proof.name} fires on input that is made up, and on none that this system can give: {proof.argument}"
        )
    if fires.standing is not Standing.PROVEN:
        return inconclusive(f"no input was found that fires {proof.name}: {fires.reason}")
    unproven = [
        f"{name}: {each.reason or 'not proven'}"
        for name, each in proof.properties.items()
        if name in BASE and each.standing is Standing.OPEN
    ]
    if proof.grounded is Ground.OPEN:
        unproven.append(f"on input of this system: {proof.grounded_reason}")
    if not unproven:
        return PASSED
    return inconclusive(f"{proof.name} fires, and stays unproven in part; " + "; ".join(unproven))


def finding_key(proof: AlertProof) -> str:
    """Return the key of the finding that an alert never fires."""
    return f"{SIMULATION}@{proof.file}#{proof.id.partition('@')[2].rpartition('::')[2]}/{proof.name}"


def alert_case(proof: AlertProof, explained: Callable[[Mapping[str, Any]], str]) -> CaseResult:
    """Return a proof as a case, its reason in full."""
    verdict = proof.verdict
    if not verdict.passed:
        verdict = replace(verdict, reason=explained(published_alert(proof)))
    return CaseResult(proof.id, "simulation", proof.id, Place(proof.file, proof.line), verdict)


def _skews(proof: AlertProof) -> Iterable[str]:
    engines = list(proof.engines.items())
    if not engines:
        return
    first, own = engines[0]
    for name, each in engines[1:]:
        if each.refused:
            yield f"{name} does not load the rule: {each.refused}"
        elif each.standing is not own.standing:
            why = f" ({' '.join(each.reason.split())[:200]})" if each.reason else ""
            yield f"fires is {own.standing} on {first}, {each.standing} on {name}{why}"
        elif each.refuted and proof.grounded is not Ground.REFUTED:
            yield f"on {name} no input that this system can give fires it: {each.refuted}"
        elif each.differs:
            yield f"on the same input, {name} does otherwise than {first}: {', '.join(each.differs)}"


# Written and read again


def as_plain(proof: AlertProof) -> dict[str, Any]:
    """Return a proof as plain values, whole."""
    return asdict(proof)


def from_plain(value: Mapping[str, Any]) -> AlertProof:
    """Return the proof that `as_plain` wrote; raises KeyError, TypeError or ValueError for anything else."""
    known = dict(value)
    known["properties"] = {
        name: Property(standing=Standing(each["standing"]), reason=each["reason"])
        for name, each in value["properties"].items()
    }
    known["engines"] = {
        name: EngineProof(
            standing=Standing(each["standing"]),
            reason=each["reason"],
            differs=tuple(each["differs"]),
            at_edges=tuple(each["at_edges"]),
            refused=each["refused"],
            refuted=each["refuted"],
        )
        for name, each in value["engines"].items()
    }
    known["grounded"] = Ground(value["grounded"])
    known["notes"] = tuple(value["notes"])
    known["underlined"] = tuple(value["underlined"]) if value["underlined"] else None
    for name in ("free_input", "grounded_input"):
        known[name] = _input(value[name])
    known["tests"] = tuple(_test(each) for each in value["tests"])
    known["pages"] = tuple(Page(**page) for page in value["pages"])
    if not set(BASE) <= known["properties"].keys():
        raise ValueError("a property is missing")
    return AlertProof(**known)


def _test(value: Mapping[str, Any]) -> Test:
    assertions = (
        {**each, "proves": Claimed(each["proves"]), "state": State(each["state"])} for each in value["assertions"]
    )
    known = {
        "series": tuple(InputSeries(**each) for each in value["series"]),
        "assertions": tuple(Assertion(**each) for each in assertions),
        "stretches": tuple(Stretch(**each) for each in value["stretches"]),
    }
    return Test(**{**value, **known})


def _input(value: Mapping[str, Any] | None) -> Input | None:
    if value is None:
        return None
    return Input(**{**value, "series": tuple((name, values) for name, values in value["series"])})


def published(
    engines: Sequence[str],
    alerts: Iterable[AlertProof],
    *,
    mutation: Mapping[str, Any] | None = None,
    coverage: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what `tocsin prove --json` prints."""
    return {
        "schema": 1,
        "engines": list(engines),
        "alerts": [published_alert(each) for each in alerts],
        "mutation": dict(mutation or {}),
        "coverage": dict(coverage or {}),
    }


def published_alert(proof: AlertProof) -> dict[str, Any]:
    """Return what the report has of an alert."""
    shown = proof.fires is Standing.DEAD or proof.grounded in (Ground.REFUTED, Ground.OPEN)
    return {
        "id": proof.id,
        "name": proof.name,
        "group": proof.group,
        "file": proof.file,
        "line": proof.line,
        "verdict": str(proof.verdict.outcome),
        "reason": proof.verdict.reason,
        "properties": {name: str(each.standing) for name, each in proof.properties.items()},
        "reasons": {name: each.reason for name, each in proof.properties.items() if each.reason},
        "edges": dict(proof.edges),
        "grounded": str(proof.grounded),
        "grounded_reason": proof.grounded_reason,
        "argument": proof.argument,
        "engines": {name: str(each.standing) for name, each in proof.engines.items()},
        "skew": list(proof.skews),
        "skew_at_edges": {name: list(claims) for name, claims in proof.edge_skews.items()},
        "notes": [*proof.notes, *proof.empty_parts],
        "expression": proof.expression,
        "underlined": list(proof.underlined) if proof.underlined else None,
        "inputs": {
            "free": asdict(proof.free_input) if proof.free_input and shown else None,
            "grounded": asdict(proof.grounded_input) if proof.grounded_input and shown else None,
        },
        "pages": [{"labels": dict(page.labels), "annotations": dict(page.annotations)} for page in proof.pages],
    }
