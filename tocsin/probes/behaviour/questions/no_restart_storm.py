"""Restarts under load, foreseen and then seen."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.finding import Severity
from tocsin.probes.behaviour.episode import Episode, Foreseen
from tocsin.probes.behaviour.questions import NotAsked, Remark, Seen, question
from tocsin.probes.marks import MarkKind
from tocsin.probes.specification import ProbeKind

NOT_NEEDED = "not needed: "


@question(
    severity=Severity.ERROR,
    fix="Let liveness fail for what only a restart mends: more patience, or a handler that load does not reach.",
)
def no_restart_storm(seen: Seen) -> Iterator[Remark]:
    """Each restart leaves more load to the others, until all of them restart in turn and nobody serves.

    The forecast was made from the attempts under load, before the load came again.
    """
    if seen.probe(ProbeKind.LIVENESS) is None:
        raise NotAsked("it has no liveness probe that could restart it")
    storm = seen.episode("storm")
    spared = next((each.what for each in storm.actions if each.what.startswith(NOT_NEEDED)), "")
    if spared:
        raise NotAsked(spared.removeprefix(NOT_NEEDED))
    restarts = [each for each in storm.marks if each.kind is MarkKind.RESTART]
    foreseen = [each for each in storm.foreseen if each.kind is MarkKind.RESTART]
    told = "; ".join(_told(each, storm) for each in foreseen) or "none was foreseen"
    if restarts:
        said = f"load alone has it restarted {len(restarts)} times in {storm.lasted:.0f} s; foreseen: {told}"
        yield Remark(said, ProbeKind.LIVENESS, episode="storm")
    elif foreseen:
        said = f"restarts were foreseen under load and did not come within {storm.lasted:.0f} s: {told}"
        yield Remark(said, ProbeKind.LIVENESS, Severity.WARNING, episode="storm")


def _told(one: Foreseen, storm: Episode) -> str:
    begun = storm.action("load begins") or 0.0
    at = next((m.at - begun for m in storm.marks if m.kind is one.kind and m.number == one.number), None)
    window = f"restart {one.number} within {one.earliest:.0f} to {one.latest:.0f} s"
    if at is None:
        return f"{window} ({one.share:.0%} of the lives), not seen"
    inside = "inside" if one.earliest <= at <= one.latest else "outside"
    return f"{window}, seen at {at:.0f} s ({inside})"
