"""Reports of several parts of a system as one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.simulation.mutating import merged_mutation


def merged(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one report of those of several shards; raises ValueError where they are not of one kind."""
    if not reports or any(each.get("schema") != 1 or not isinstance(each.get("alerts"), list) for each in reports):
        raise ValueError("is no report of `tocsin prove --json`")
    engines = reports[0]["engines"]
    if any(each["engines"] != engines for each in reports):
        raise ValueError("the reports are of different engines: " + " and ".join(
            dict.fromkeys(json.dumps(each["engines"]) for each in reports)))  # fmt: skip
    alerts: dict[str, Mapping[str, Any]] = {}
    for each in reports:
        for alert in each["alerts"]:
            if alert["id"] in alerts:
                raise ValueError(f"the alert {alert['id']} is in two of them")
            alerts[alert["id"]] = alert
    ordered = sorted(alerts.values(), key=lambda alert: (alert["file"], alert["line"], alert["id"]))
    return {
        "schema": 1,
        "engines": engines,
        "alerts": ordered,
        "mutation": merged_mutation([each.get("mutation") or {} for each in reports]),
        "coverage": next((each["coverage"] for each in reports if each.get("coverage")), {}),
    }
