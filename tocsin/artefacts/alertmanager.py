"""Alertmanager configurations: the route tree, the receivers and what each of them integrates."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from tocsin.durations import parse_duration
from tocsin.part import Part
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


@dataclass(frozen=True, slots=True)
class WrittenMatcher:
    """A matcher, and where it stands."""

    matcher: Matcher
    part: Part

    @property
    def shown(self) -> str:
        """The matcher as one would write it."""
        return f'{self.matcher.label}{self.matcher.operator}"{self.matcher.value}"'


@dataclass(frozen=True, slots=True)
class BadMatcher:
    """What should be a matcher and is none."""

    part: Part
    message: str


def matchers_at(part: Part, prefix: str = "") -> tuple[tuple[WrittenMatcher, ...], tuple[BadMatcher, ...]]:
    """Return the matchers of a route, or of one side (`source_`, `target_`) of an inhibit rule, and what is none."""
    found: list[WrittenMatcher] = []
    bad: list[BadMatcher] = []
    for key, operator in ((f"{prefix}match", "="), (f"{prefix}match_re", "=~")):
        for label, wanted in part.get(key).items():
            _keep(wanted, [Matcher(label, operator, wanted.text)], found, bad)
    for item in part.list(f"{prefix}matchers"):
        try:
            written = [_matcher(text) for text in _split(item.text.strip().removeprefix("{").removesuffix("}"))]
        except ValueError as error:
            bad.append(BadMatcher(item, str(error)))
            continue
        _keep(item, written, found, bad)
    return tuple(found), tuple(bad)


def _keep(part: Part, written: list[Matcher], found: list[WrittenMatcher], bad: list[BadMatcher]) -> None:
    for matcher in written:
        try:
            if matcher.operator in ("=~", "!~"):
                _pattern(matcher.value)
        except (re.error, OverflowError, RecursionError) as error:
            bad.append(BadMatcher(part, f"has a regular expression that cannot be read: {error}"))
        else:
            found.append(WrittenMatcher(matcher, part))


@dataclass(frozen=True)
class RoutePart:
    """A node of the route tree, as written."""

    part: Part
    config: AlertmanagerConfig

    @cached_property
    def subject(self) -> str:
        """The name path by which findings know it: its receiver, and what it matches, after those above it."""
        names = []
        for depth in range(1, len(self.part.route) + 1, 2):
            above = self.part.route[:depth]
            names.append(_named(Part.whole(self.part.document).get(*above)) if depth > 1 else "route")
        return "/".join(names)

    @property
    def root(self) -> bool:
        """Whether it is the root, which every alert enters."""
        return len(self.part.route) == 1

    @cached_property
    def matchers(self) -> tuple[WrittenMatcher, ...]:
        """Its matchers, those that can be read."""
        return matchers_at(self.part)[0]

    @cached_property
    def children(self) -> tuple[RoutePart, ...]:
        """The routes right under it, in order."""
        return tuple(RoutePart(part, self.config) for part in self.part.list("routes") if isinstance(part.value, dict))

    @property
    def goes_on(self) -> bool:
        """`continue`: whether the siblings after it are tried after it matched."""
        return _bool(self.part.get("continue").value, default=False)

    def inherited(self, key: str) -> Part:
        """Return a setting, its own or that of the nearest route above that has it."""
        whole = Part.whole(self.part.document)
        for depth in range(len(self.part.route), 0, -2):
            above = whole.get(*self.part.route[:depth])
            if above.get(key):
                return above.get(key)
        return self.part.get(key)

    @property
    def receiver(self) -> str:
        """The name of the receiver, its own or that from above."""
        return self.inherited("receiver").text

    @cached_property
    def group_by(self) -> tuple[str, ...]:
        """The labels by which it groups; `...` is all of them."""
        return tuple(part.text for part in self.inherited("group_by").list())

    def seconds(self, key: str) -> float | None:
        """Return one of the three group times; None where it is none."""
        defaults = {"group_wait": 30.0, "group_interval": 300.0, "repeat_interval": 14400.0}
        written = self.inherited(key)
        try:
            return parse_duration(written.text) if written else defaults[key]
        except ValueError:
            return None


def _named(part: Part) -> str:
    """Return what a route is known by: its receiver and its matchers."""
    said = ",".join(f"{each.matcher.label}{each.matcher.operator}{each.matcher.value}" for each in matchers_at(part)[0])
    return f"{part.string('receiver') or 'route'}{'{' + said + '}' if said else ''}"


@dataclass(frozen=True)
class IntegrationPart:
    """One way in which a receiver is told, as written."""

    part: Part
    kind: str
    """`slack` of `slack_configs`."""
    receiver: ReceiverPart

    @property
    def sends_resolved(self) -> bool:
        """Whether it tells that alerts have ended."""
        return _bool(self.part.get("send_resolved").value, default=SENDS_RESOLVED.get(self.kind, True))

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return f"{self.receiver.subject}/{self.kind}[{self.part.key}]"


_DISCARDS = re.compile(
    r"(?:^|[^a-z])(?:null|nil|none|void|nowhere|no-?op|dev-?null|black-?hole\w*|drop\w*|discard\w*|silen\w*|mute\w*|"
    r"ignore\w*|trash|dummy|empty|suppress\w*|dead-?end|nobody|sink|nothing|disabled?|off|no-?notif\w*)(?:$|[^a-z])",
    re.IGNORECASE,
)
"""Names by which people say that nothing is to be told."""


@dataclass(frozen=True)
class ReceiverPart:
    """A receiver, as written."""

    part: Part
    config: AlertmanagerConfig

    @property
    def name(self) -> str:
        """Its name; empty if it has none."""
        return self.part.string("name")

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return f"receivers/{self.name}"

    @property
    def discards(self) -> bool:
        """Whether it has no integration on purpose, as its name says."""
        return not self.integrations and _DISCARDS.search(self.name) is not None

    @cached_property
    def integrations(self) -> tuple[IntegrationPart, ...]:
        """The ways in which it is told."""
        return tuple(
            IntegrationPart(item, key.removesuffix("_configs"), self)
            for key, part in self.part.items()
            if key.endswith("_configs")
            for item in part.list()
            if isinstance(item.value, dict)
        )


@dataclass(frozen=True)
class InhibitPart:
    """An inhibit rule, as written."""

    part: Part
    config: AlertmanagerConfig

    @property
    def subject(self) -> str:
        """The name path by which findings know it: its name, or what it matches."""
        sides = (",".join(each.shown for each in side) for side in (self.source, self.target))
        return f"inhibit_rules/{self.part.string('name') or ' > '.join(sides)}"

    @cached_property
    def source(self) -> tuple[WrittenMatcher, ...]:
        """What an alert must match to mute others."""
        return matchers_at(self.part, "source_")[0]

    @cached_property
    def target(self) -> tuple[WrittenMatcher, ...]:
        """What an alert must match to be muted."""
        return matchers_at(self.part, "target_")[0]

    @cached_property
    def equal(self) -> tuple[Part, ...]:
        """The labels that both must have alike; one that both lack is alike."""
        return tuple(part for part in self.part.list("equal") if part.text)

    def side(self, name: str) -> Part:
        """Return where the matchers of `source` or `target` stand: their key."""
        keys = (f"{name}_matchers", f"{name}_match", f"{name}_match_re")
        return next((self.part.get(key) for key in keys if self.part.get(key)), self.part)


@dataclass(frozen=True)
class AlertmanagerConfig:
    """An Alertmanager configuration, as written."""

    part: Part

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return "alertmanager"

    @property
    def file(self) -> str:
        """The file's name."""
        return self.part.file

    @cached_property
    def root(self) -> RoutePart | None:
        """The route that every alert enters."""
        part = self.part.get("route")
        return RoutePart(part, self) if isinstance(part.value, dict) else None

    @cached_property
    def routes(self) -> tuple[RoutePart, ...]:
        """Every node of the route tree, each before its children."""
        found: list[RoutePart] = []
        waiting = [self.root] if self.root else []
        while waiting:
            route = waiting.pop()
            found.append(route)
            waiting.extend(reversed(route.children))
        return tuple(found)

    @cached_property
    def receivers(self) -> tuple[ReceiverPart, ...]:
        """Every receiver."""
        return tuple(ReceiverPart(part, self) for part in self.part.list("receivers") if isinstance(part.value, dict))

    @cached_property
    def inhibit_rules(self) -> tuple[InhibitPart, ...]:
        """Every inhibit rule."""
        return tuple(
            InhibitPart(part, self) for part in self.part.list("inhibit_rules") if isinstance(part.value, dict)
        )

    @cached_property
    def time_intervals(self) -> tuple[Part, ...]:
        """Every named time interval, of both sections that there are for them."""
        found = (*self.part.list("mute_time_intervals"), *self.part.list("time_intervals"))
        return tuple(part for part in found if isinstance(part.value, dict))

    @cached_property
    def readable(self) -> bool:
        """Whether every matcher can be read, so that it is known where alerts go."""
        sides = [(each.part, prefix) for each in self.inhibit_rules for prefix in ("source_", "target_")]
        sides += [(route.part, "") for route in self.routes]
        return self.root is not None and not any(matchers_at(part, prefix)[1] for part, prefix in sides)
