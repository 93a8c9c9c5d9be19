"""Alertmanager configurations: the route tree, the receivers and what each of them integrates."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tocsin.durations import parse_duration
from tocsin.source import Document, Place, Route, Unreadable

SENDS_RESOLVED = {
    "webhook": True,
    "pagerduty": True,
    "opsgenie": True,
    "victorops": True,
    "pushover": True,
    "sns": True,
    "telegram": True,
    "webex": True,
    "discord": True,
    "msteams": True,
    "msteamsv2": True,
    "jira": True,
    "rocketchat": False,
    "incidentio": True,
    "mattermost": True,
    "email": False,
    "slack": False,
    "wechat": False,
}
"""Whether an integration tells of resolution unless told otherwise (Alertmanager, config/notifiers.go)."""

_MATCHER = re.compile(
    r"\s*(?P<label>[a-zA-Z_:][a-zA-Z0-9_:]*|\"(?:[^\"\\]|\\.)*\")\s*(?P<operator>=~|!~|!=|=)\s*(?P<value>.*?)\s*",
    re.DOTALL,
)
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "digit": "0-9",
    "lower": "a-z",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
"""RE2's named classes, which Python does not have; the rest of what monitoring files hold means the same in both."""


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """Return a regular expression of RE2's as Python's; raises re.error where that is not possible."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of `[[`, which RE2 takes as it stands
        known = re.sub(r"\[:([a-z]+):\]", lambda m: _CLASSES.get(m[1], m[0]), text)
        return re.compile(known.replace(r"\z", r"\Z"), re.ASCII)


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label; a label that is not there counts as empty."""

    label: str
    operator: str
    value: str

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether `labels` meet it; regular expressions are anchored at both ends."""
        have = labels.get(self.label, "")
        met = have == self.value if self.operator in ("=", "!=") else _pattern(self.value).fullmatch(have) is not None
        return met is not self.operator.startswith("!")


@dataclass(frozen=True, slots=True)
class Integration:
    """One way in which a receiver is told."""

    kind: str
    index: int
    send_resolved: bool
    place: Place


@dataclass(frozen=True, slots=True)
class Receiver:
    """A named set of integrations."""

    name: str
    integrations: tuple[Integration, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class RouteNode:
    """A node of the route tree with the settings that it inherits already filled in; times in seconds."""

    receiver: str
    matchers: tuple[Matcher, ...]
    go_on: bool
    """`continue`: whether later siblings are tried after this one matched."""
    group_by: tuple[str, ...]
    group_wait: float
    group_interval: float
    repeat_interval: float
    children: tuple[RouteNode, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Routing:
    """What an Alertmanager configuration does with alerts."""

    root: RouteNode
    receivers: Mapping[str, Receiver]

    def routes(self, labels: Mapping[str, str]) -> tuple[RouteNode, ...]:
        """Return the routes that an alert takes, in order (Alertmanager, dispatch/route.go, Match)."""
        return tuple(_match(self.root, labels))


def _match(node: RouteNode, labels: Mapping[str, str]) -> Iterator[RouteNode]:
    found = False
    for child in node.children:
        if all(m.matches(labels) for m in child.matchers):
            found = True
            yield from _match(child, labels)
            if not child.go_on:
                break
    if not found:
        yield node


def read_routing(document: Document) -> Routing:
    """Return the routing of a configuration read with raw scalars; raises Unreadable where it has none."""
    value = document.value
    if not isinstance(value, dict) or not isinstance(value.get("route"), dict):
        raise Unreadable(document.place(), "is not an Alertmanager configuration: it has no `route`")
    top = {"group_wait": 30.0, "group_interval": 300.0, "repeat_interval": 14400.0, "group_by": (), "receiver": ""}
    receivers = [_receiver(document, i, r) for i, r in enumerate(value.get("receivers") or [])]
    return Routing(_node(document, ("route",), value["route"], top), {r.name: r for r in receivers})


def _receiver(document: Document, index: int, value: Any) -> Receiver:
    route: Route = ("receivers", index)
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise Unreadable(document.place(*route), "is a receiver without a name")
    integrations = [
        Integration(
            kind := key.removesuffix("_configs"),
            i,
            _bool(item.get("send_resolved"), default=SENDS_RESOLVED.get(kind, True)),
            document.key_place(*route, key, i, "send_resolved"),
        )
        for key, items in value.items()
        if key.endswith("_configs") and isinstance(items, list)
        for i, item in enumerate(items)
        if isinstance(item, dict)
    ]
    return Receiver(value["name"], tuple(integrations), document.place(*route))


def _bool(raw: Any, *, default: bool) -> bool:
    return default if raw is None else str(raw).lower() in ("true", "yes", "on")


def _node(document: Document, route: Route, value: Any, above: Mapping[str, Any]) -> RouteNode:
    if not isinstance(value, dict):
        raise Unreadable(document.place(*route), "is a route that is not a mapping")
    own = dict(above)
    if value.get("receiver"):
        own["receiver"] = str(value["receiver"])
    if isinstance(value.get("group_by"), list):
        own["group_by"] = tuple(map(str, value["group_by"]))
    for name in ("group_wait", "group_interval", "repeat_interval"):
        if value.get(name) is not None:
            own[name] = _duration(document, (*route, name), value[name])
    children = value.get("routes")
    return RouteNode(
        matchers=tuple(_matchers(document, route, value)),
        go_on=_bool(value.get("continue"), default=False),
        children=tuple(
            _node(document, (*route, "routes", i), child, own)
            for i, child in enumerate(children if isinstance(children, list) else [])
        ),
        place=document.place(*route),
        **own,
    )


def _duration(document: Document, route: Route, raw: Any) -> float:
    try:
        return parse_duration(str(raw))
    except ValueError as error:
        raise Unreadable(document.place(*route), f"{route[-1]}: {error}") from error


def _matchers(document: Document, route: Route, value: Mapping[str, Any]) -> Iterator[Matcher]:
    for key, operator in (("match", "="), ("match_re", "=~")):
        for label, wanted in (value.get(key) or {}).items():
            yield _usable(document.place(*route, key, label), Matcher(label, operator, str(wanted)))
    written = value.get("matchers") or []
    for i, text in enumerate([written] if isinstance(written, str) else written):
        for part in _split(str(text).strip().removeprefix("{").removesuffix("}")):
            yield _usable(document.place(*route, "matchers", i), part)


def _split(text: str) -> Iterator[str]:
    """Yield the matchers of a text, which commas outside double quotes part; a last one may be empty."""
    token, inside, escaped = "", False, False
    for character in text:
        if character == "," and not inside:
            yield token
            token = ""
            continue
        if character == '"' and not escaped:
            inside = not inside
        escaped = character == "\\" and not escaped
        token += character
    if token.strip():
        yield token


def _usable(place: Place, written: str | Matcher) -> Matcher:
    """Return a matcher that can be applied; raises Unreadable at `place` otherwise."""
    try:
        matcher = _matcher(written) if isinstance(written, str) else written
        if matcher.operator in ("=~", "!~"):
            _pattern(matcher.value)
    except (re.error, OverflowError, RecursionError) as error:
        raise Unreadable(place, f"has a regular expression that cannot be read: {error}") from error
    except ValueError as error:
        raise Unreadable(place, str(error)) from error
    return matcher


def _matcher(text: str) -> Matcher:
    """Read one matcher as Alertmanager does (pkg/labels/parse.go, ParseMatcher); raises ValueError."""
    found = _MATCHER.fullmatch(text)
    if found is None:
        raise ValueError(f'is not a matcher: {text.strip()!r}; write label="value", or !=, =~, !~')
    label, value = found["label"], found["value"]
    quoted = value.startswith('"')
    if quoted and (len(value) < 2 or not value.endswith('"')):
        raise ValueError(f"has a double quote that is not closed: {value}")
    inner = value[1:-1] if quoted else value
    if re.search(r'(?<!\\)(?:\\\\)*"', inner) or (quoted and re.search(r"(?<!\\)(?:\\\\)*\\$", inner)):
        raise ValueError(f"has a double quote in its value that is not escaped: {value}")
    return Matcher(_unescaped(label.strip('"')), found["operator"], _unescaped(inner))


def _unescaped(text: str) -> str:
    """Undo the three escapes that there are; a backslash before anything else stands for itself."""
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), text, flags=re.DOTALL)
