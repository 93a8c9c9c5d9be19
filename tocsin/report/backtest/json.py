"""A backtest for machines: times in ISO 8601, durations in seconds."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from tocsin.simulation.backtest import Backtest, Change, Episode, Outcome, compare, written


def render(done: Backtest) -> str:
    """Return everything as one JSON object."""
    found: dict[str, Any] = {
        "from": written(done.window.begin),
        "to": written(done.window.end),
        "requests": done.requests,
        "gaps": [{"from": written(begin), "to": written(end)} for begin, end in done.gaps],
        "recorded_from_history": list(done.from_history),
        "recorded_written_out": list(done.inlined),
        "warnings": list(done.warnings),
        "alerts": [_outcome(each) for each in done.outcomes],
    }
    if done.before is not None:
        found["before"] = [_outcome(each) for each in done.before]
        found["changes"] = [_change(each) for each in compare(done.before, done.outcomes)]
    return json.dumps(found, indent=2, ensure_ascii=False)


def _outcome(outcome: Outcome) -> dict[str, Any]:
    alert = outcome.alert
    return {
        "case": alert.case,
        "name": alert.rule.name,
        "group": alert.rule.group,
        "file": alert.rule.file,
        "line": alert.rule.place.line,
        "state": outcome.state,
        "interval": alert.interval / 1000,
        "for": alert.hold / 1000,
        "keep_firing_for": alert.keep / 1000,
        "expression": outcome.expression,
        **asdict(outcome.noise),
        "by_labels": [{"labels": dict(labels), **asdict(noise)} for labels, noise in outcome.by_labels.items()],
        "firing": [_episode(each) for each in outcome.firing],
        "pending_only": [_episode(each) for each in outcome.pending],
        "failed": [{"from": written(a), "to": written(b), "why": why} for a, b, why in outcome.refused],
        "missing": list(outcome.missing),
        "not_evaluated": outcome.not_evaluated or None,
        "notes": list(outcome.notes),
    }


def _episode(episode: Episode) -> dict[str, Any]:
    return {
        "labels": dict(episode.labels),
        "from": written(episode.begin),
        "to": written(episode.end),
        "seconds": episode.seconds,
        "began_before": episode.began_before,
        "lasting": episode.lasting,
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "kind": str(change.kind),
        "name": change.name,
        "before": change.before.alert.case if change.before else None,
        "after": change.after.alert.case if change.after else None,
        "episodes": [
            {
                "before": _episode(pair.before) if pair.before else None,
                "after": _episode(pair.after) if pair.after else None,
            }
            for pair in change.pairs
        ],
    }
