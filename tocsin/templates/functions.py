"""The functions that templates may call, and how many arguments each takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes and gives, by the names of types in `tocsin.templates.typing`; `any` is not checked."""

    takes: tuple[str, ...]
    gives: str
    variadic: bool = False
    """The last of `takes` may come any number of times, or not at all."""


def _signature(text: str) -> Signature:
    """Read `string string* -> string`."""
    taken, _, given = text.partition("->")
    takes = tuple(name.removesuffix("*") for name in taken.split())
    return Signature(takes, given.strip(), taken.rstrip().endswith("*"))


BUILTINS: dict[str, Signature] = {
    name: _signature(text)
    for name, text in {
        "and": "any any* -> any",
        "or": "any any* -> any",
        "not": "any -> bool",
        "len": "any -> int",
        "index": "any any* -> any",
        "slice": "any any* -> any",
        "html": "any* -> string",
        "js": "any* -> string",
        "urlquery": "any* -> string",
        "call": "any any* -> any",
        "print": "any* -> string",
        "println": "any* -> string",
        "printf": "string any* -> string",
        "eq": "any any* -> bool",
        "ne": "any any -> bool",
        "lt": "any any -> bool",
        "le": "any any -> bool",
        "gt": "any any -> bool",
        "ge": "any any -> bool",
    }.items()
}
"""The functions of text/template itself (pkg.go.dev/text/template, Functions)."""

ALERTMANAGER_FUNCTIONS: Mapping[str, Signature] = BUILTINS | {
    name: _signature(text)
    for name, text in (
        ("toUpper", "string -> string"),
        ("toLower", "string -> string"),
        ("title", "string -> string"),
        ("trimSpace", "string -> string"),
        ("join", "string strings -> string"),
        ("match", "string string -> bool"),
        ("safeHtml", "string -> any"),
        ("safeUrl", "string -> any"),
        ("urlUnescape", "string -> string"),
        ("reReplaceAll", "string string string -> string"),
        ("stringSlice", "string* -> strings"),
        ("date", "string time -> string"),
        ("tz", "string time -> time"),
        ("since", "time -> any"),
        ("humanizeDuration", "any -> string"),
        ("toJson", "any -> string"),
        ("now", "-> time"),
        ("toDate", "string string -> time"),
        ("mustToDate", "string string -> time"),
        ("list", "any* -> any"),
        ("append", "any any* -> any"),
        ("dict", "any* -> any"),
        ("routeLabels", "string -> string"),
        # Grafana Mimir's Alertmanager (pkg/alertmanager/alertmanager_template.go)
        ("tenantID", "-> string"),
        ("grafanaExploreURL", "any any* -> string"),
        ("queryFromGeneratorURL", "string -> string"),
    )
}
"""Those of a notification template, of any version (Alertmanager, template/template.go, DefaultFuncs)."""

PROMETHEUS_FUNCTIONS: Mapping[str, Signature] = BUILTINS | {
    name: _signature(text)
    for name, text in (
        ("query", "string -> samples"),
        ("first", "samples -> sample"),
        ("label", "string sample -> string"),
        ("value", "sample -> float"),
        ("strvalue", "sample -> string"),
        ("args", "any* -> any"),
        ("reReplaceAll", "string string string -> string"),
        ("safeHtml", "string -> any"),
        ("match", "string string -> bool"),
        ("title", "string -> string"),
        ("toUpper", "string -> string"),
        ("toLower", "string -> string"),
        ("graphLink", "string -> string"),
        ("tableLink", "string -> string"),
        ("sortByLabel", "string samples -> samples"),
        ("stripPort", "string -> string"),
        ("stripDomain", "string -> string"),
        ("humanize", "any -> string"),
        ("humanize1024", "any -> string"),
        ("humanizeDuration", "any -> string"),
        ("humanizePercentage", "any -> string"),
        ("humanizeTimestamp", "any -> string"),
        ("toTime", "any -> any"),
        ("toDuration", "any -> any"),
        ("now", "-> float"),
        ("pathPrefix", "-> string"),
        ("externalURL", "-> string"),
        ("parseDuration", "string -> float"),
        ("urlQueryEscape", "string -> string"),
    )
}
"""Those of an alert's labels and annotations, of any version (Prometheus, template/template.go)."""

PROMETHEUS_VARIABLES = ("$labels", "$externalLabels", "$externalURL", "$value")
"""Variables that Prometheus sets before an alert's template (rules/alerting.go, Eval)."""
