"""A backtest for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tocsin.report.backtest.words import (
    MOST_EPISODES,
    counted,
    firing_text,
    head,
    labels_text,
    noisiest,
    pending_text,
    remarks,
    rule_text,
    side,
    stretch,
)
from tocsin.simulation.backtest import Backtest, Change, Episode, Kind, Outcome, compare


def render(done: Backtest) -> str:
    """Return every alert that did anything, the noisiest first, then the quiet ones in a line each.

    Of a comparison, what differs stands in place of the alerts.
    """
    lines = list(head(done))
    if done.before is not None:
        lines += ["", *_compared(compare(done.before, done.outcomes))]
    for outcome in noisiest(done.outcomes) if done.before is None else ():
        if outcome.firing or outcome.pending:
            lines += ["", *_told(outcome)]
    rest = [outcome for outcome in done.outcomes if not outcome.firing and not outcome.pending]
    for state in ("not evaluated", "failing", "no data", "quiet"):
        lines += _in_brief(state, [outcome for outcome in rest if outcome.state == state])
    return "\n".join(lines)


def _told(outcome: Outcome) -> Iterator[str]:
    yield f"{outcome.alert.rule.name}  ({rule_text(outcome)})"
    yield f"  {firing_text(outcome.noise)}"
    if pending := pending_text(outcome):
        yield f"  {pending}"
    yield from (f"  note: {remark}" for remark in remarks(outcome))
    if len(outcome.by_labels) > 1:
        for labels, noise in list(outcome.by_labels.items())[:MOST_EPISODES]:
            yield f"    {noise.episodes:5} times  {noise.share:8.2%}  {labels_text(labels)}"
    yield from (f"    {stretch(each)}  {labels_text(each.labels)}" for each in outcome.firing[:MOST_EPISODES])
    if len(outcome.firing) > MOST_EPISODES:
        yield f"    ... and {len(outcome.firing) - MOST_EPISODES} more"


def _in_brief(state: str, outcomes: Sequence[Outcome]) -> Iterator[str]:
    if not outcomes:
        return
    yield ""
    yield f"{state}:"
    for outcome in outcomes:
        said = "; ".join(remarks(outcome))
        yield f"  {outcome.alert.rule.name}  ({rule_text(outcome)})" + (f": {said}" if said else "")


def _compared(changes: Sequence[Change]) -> Iterator[str]:
    yield f"compared: {counted(changes)}"
    for change in changes:
        if change.kind is Kind.SAME:
            continue
        yield f"  {change.kind}: {change.name}: {side(change.before)} before, {side(change.after)} now"
        yield from (f"      - {_one(episode)}" for episode in change.lost[:MOST_EPISODES])
        yield from (f"      + {_one(episode)}" for episode in change.gained[:MOST_EPISODES])
        for pair in change.pairs[:MOST_EPISODES]:
            if pair.before is not None and pair.after is not None and pair.before != pair.after:
                yield f"      ~ {_one(pair.before)} is now {stretch(pair.after)}"


def _one(episode: Episode) -> str:
    return f"{stretch(episode)}  {labels_text(episode.labels)}"
