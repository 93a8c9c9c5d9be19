"""Rewrites an Alertmanager configuration: routes for compressed time, receivers into a sink of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from tocsin.artefacts.alertmanager import SENDS_RESOLVED
from tocsin.durations import scale_duration

TIMES = {"group_wait": "30s", "group_interval": "5m", "repeat_interval": "4h"}
"""The times of a route, and what the root does where it says nothing (Alertmanager, dispatch/route.go)."""

KEPT = ("inhibit_rules", "mute_time_intervals", "time_intervals")
"""What is taken over as it stands: it decides which alerts are told of, and neither when nor to whom."""


def compress_alertmanager(config: Mapping[str, Any], factor: float, sink_url: str) -> dict[str, Any]:
    """Return the configuration with its times divided by `factor` and each integration told to `sink_url` instead.

    An integration becomes a webhook to SINK/RECEIVER/KIND/INDEX, its effective `send_resolved` written out; a
    receiver with none keeps none. Routes, grouping, inhibition and mute times are kept; credentials and templates go.
    Raises ValueError if the configuration has no routes, or a time of a route is no duration.
    """
    route = config.get("route")
    if not isinstance(route, dict):
        raise ValueError("the Alertmanager configuration has no `route`")
    written: dict[str, Any] = {}
    settings = config.get("global")
    if isinstance(settings, dict) and settings.get("resolve_timeout"):
        written["global"] = {"resolve_timeout": settings["resolve_timeout"]}
    written["route"] = _route({**TIMES, **{k: v for k, v in route.items() if v not in (None, "")}}, factor)
    written["receivers"] = [
        _receiver(receiver, sink_url) for receiver in config.get("receivers") or [] if isinstance(receiver, dict)
    ]
    return written | {key: config[key] for key in KEPT if config.get(key)}


def sink_path(receiver: str, kind: str, index: int) -> str:
    """Return the path, without a leading slash, under which the sink hears of one integration."""
    return f"{quote(receiver, safe='')}/{quote(kind, safe='')}/{index}"


def _route(route: Mapping[str, Any], factor: float) -> dict[str, Any]:
    written = dict(route)
    for name in TIMES:
        if written.get(name) not in (None, ""):
            written[name] = _scaled(name, written[name], factor)
    children = written.get("routes")
    if isinstance(children, list):
        written["routes"] = [_route(child, factor) if isinstance(child, dict) else child for child in children]
    return written


def _scaled(name: str, value: Any, factor: float) -> str:
    try:
        return str(value) if factor == 1 else scale_duration(str(value), factor)
    except ValueError as error:
        raise ValueError(f"{name} of a route: {error}") from error


def _receiver(receiver: Mapping[str, Any], sink_url: str) -> dict[str, Any]:
    name = str(receiver.get("name", ""))
    hooks = [
        {
            "url": f"{sink_url.rstrip('/')}/{sink_path(name, kind, index)}",
            "send_resolved": _sends_resolved(kind, integration),
        }
        for kind, index, integration in _integrations(receiver)
    ]
    return {"name": name, "webhook_configs": hooks} if hooks else {"name": name}


def _integrations(receiver: Mapping[str, Any]) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    for key, items in receiver.items():
        if key.endswith("_configs") and isinstance(items, list):
            for index, item in enumerate(items):
                yield key.removesuffix("_configs"), index, item if isinstance(item, dict) else {}


def _sends_resolved(kind: str, integration: Mapping[str, Any]) -> bool:
    written = integration.get("send_resolved")
    if written in (None, ""):
        return SENDS_RESOLVED.get(kind, True)
    return str(written).lower() in ("true", "yes", "on")
