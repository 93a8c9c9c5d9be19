"""What a run of scenarios saw, as it is kept: read again, it can be compared without a cluster."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.parity.scenario import Scenario
from tocsin.probes.observation import EventSeen, ObservedPod, ProbeCount, Snapshot, observed

KEPT_CONDITIONS = ("Ready", "ContainersReady", "Initialized")
KEPT_OF_A_CONTAINER = ("name", "state", "lastState", "ready", "started", "restartCount", "containerID")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One scenario as it went."""

    scenario: Scenario
    created: float
    """When the pod was asked for, in seconds since 1970."""
    ended: float
    """When it was looked at for the last time."""
    snapshots: tuple[Snapshot, ...]
    lines: tuple[Mapping[str, Any], ...]
    """What the server in the container said: its starts, requests, signals and ends."""
    events: tuple[EventSeen, ...]
    counts: tuple[ProbeCount, ...]

    @property
    def starts(self) -> tuple[float, ...]:
        """When each process of the container began: by its own clock, or when it was seen to run, if that was sooner.

        A process needs some time until it can read a clock.
        """
        told = [float(each["wall"]) for each in self.lines if each["event"] == "start"]
        seen = {each.restarts: each.seen for each in self.pod.container("app").incarnations}
        return tuple(min(wall, seen.get(number, wall)) for number, wall in enumerate(told))

    @property
    def pod(self) -> ObservedPod:
        """What was seen of the pod."""
        return observed(self.snapshots)

    def to_json(self) -> dict[str, Any]:
        """Return it as it is kept."""
        return {
            "scenario": self.scenario.to_json(),
            "created": round(self.created, 3),
            "ended": round(self.ended, 3),
            "snapshots": [[round(each.at, 3), each.pod] for each in reduced(self.snapshots)],
            "lines": list(self.lines),
            "events": [asdict(each) for each in self.events],
            "counts": [asdict(each) for each in self.counts],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Recorded:
        """Return what was kept."""
        return cls(
            scenario=Scenario.from_json(value["scenario"]),
            created=value["created"],
            ended=value["ended"],
            snapshots=tuple(Snapshot(at, pod) for at, pod in value["snapshots"]),
            lines=tuple(value["lines"]),
            events=tuple(EventSeen(**each) for each in value["events"]),
            counts=tuple(ProbeCount(**each) for each in value["counts"]),
        )


@dataclass(frozen=True, slots=True)
class Run:
    """A run of many scenarios."""

    kubelet: str
    """Its version, as the node says it."""
    date: str
    machine: str
    """Cores, load, how many pods at once."""
    recorded: tuple[Recorded, ...]


def reduced(snapshots: Sequence[Snapshot]) -> tuple[Snapshot, ...]:
    """Return the snapshots with what is looked at, without those that then say the same again."""
    kept: list[Snapshot] = []
    for each in snapshots:
        metadata, status = each.pod["metadata"], each.pod.get("status", {})
        conditions = [one for one in status.get("conditions") or () if one.get("type") in KEPT_CONDITIONS]
        fields = ("type", "status", "reason", "lastTransitionTime")
        pod = {
            "metadata": {"name": metadata["name"], "uid": metadata.get("uid", "")},
            "status": {
                "phase": status.get("phase"),
                "conditions": [{key: one[key] for key in fields if one.get(key)} for one in conditions],
                "containerStatuses": [
                    {key: one[key] for key in KEPT_OF_A_CONTAINER if key in one}
                    for one in status.get("containerStatuses") or ()
                ],
            },
        }
        if not kept or kept[-1].pod != pod:
            kept.append(Snapshot(each.at, pod))
    return tuple(kept)


def write(run: Run, path: Path) -> None:
    """Write a run, compressed."""
    value = {"kubelet": run.kubelet, "date": run.date, "machine": run.machine}
    value_ = {**value, "recorded": [each.to_json() for each in run.recorded]}
    text = json.dumps(value_, separators=(",", ":"), sort_keys=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def read(path: Path) -> Run:
    """Return a run that was written."""
    value = json.loads(gzip.decompress(path.read_bytes()))
    recorded = tuple(Recorded.from_json(each) for each in value["recorded"])
    return Run(value["kubelet"], value["date"], value["machine"], recorded)
