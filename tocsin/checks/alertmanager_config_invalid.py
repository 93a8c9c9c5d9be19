"""Everything for which Alertmanager refuses its configuration, all in one run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator

from tocsin.artefacts.alertmanager import AlertmanagerConfig, RoutePart, matchers_at
from tocsin.artefacts.alertmanager_schema import ALTERNATIVES, CHOICES, NEEDED, SECTIONS, UNKNOWN
from tocsin.artefacts.time_intervals import problems
from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.durations import parse_duration
from tocsin.finding import Severity
from tocsin.part import Part
from tocsin.promql import regex
from tocsin.source import offered

_CONFIG = """route:
  receiver: %s
receivers:
- {name: chat, webhook_configs: [{url: "http://chat/"}]}
"""


@check(
    severity=Severity.ERROR,
    fix="Correct the field; `amtool check-config` tells of the first that is wrong.",
    bad=Example({"alertmanager.yml": _CONFIG % "cat"}, at="receiver: cat"),
    good=Example({"alertmanager.yml": _CONFIG % "chat"}),
    origin="amtool",
)
def alertmanager_config_invalid(alertmanager: AlertmanagerConfig) -> Iterator[Remark]:
    """Alertmanager refuses the file: it does not start, or keeps on running with what it had before.

    (Alertmanager: config/config.go, config/notifiers.go, timeinterval/timeinterval.go; prometheus/common,
    config/http_config.go. What any version up to 0.34 accepts is accepted here.)
    """
    whole = alertmanager.part
    yield from _section(whole, "config", whole.get("global"))
    yield from _routes(alertmanager)
    yield from _inhibit_rules(alertmanager)
    yield from _names(alertmanager)
    for interval in alertmanager.time_intervals:
        for spec in interval.list("time_intervals"):
            for part, message in problems(spec) if isinstance(spec.value, dict) else ():
                yield _at(part, f"Alertmanager refuses the time interval {interval.string('name')!r}: {message}")


def _at(part: Part, message: str) -> Remark:
    """Return a remark at a value, or at its key where the value is no scalar."""
    subject = ".".join(map(str, part.route))
    return at(part, message, subject=subject) if part.text else at_key(part, message, subject=subject)


# Sections and their fields


def _section(part: Part, name: str, settings: Part) -> Iterator[Remark]:
    """Yield what is wrong with a section and those in it."""
    waiting = [(part, name)]
    while waiting:
        here, kind = waiting.pop()
        fields = SECTIONS[kind]
        for key, value in here.items():
            if key not in fields:
                if kind not in UNKNOWN:
                    yield at_key(
                        value,
                        f"Alertmanager knows no field `{key}` {_where(here, kind)}; {offered(key, list(fields))}",
                        subject=".".join(map(str, value.route)),
                    )
                continue
            yield from _field(value, fields[key], kind)
            waiting.extend(_inside(value, fields[key]))
        yield from _given(here, kind, settings)


def _where(part: Part, kind: str) -> str:
    return "at the top of its configuration" if not part.route else f"in `{'.'.join(map(str, part.route))}` ({kind})"


def _inside(part: Part, kind: str) -> Iterator[tuple[Part, str]]:
    """Yield the sections that a field holds."""
    name = kind.strip("[]")
    if name in SECTIONS:
        items = part.list() if kind.startswith("[") else (part,)
        yield from ((item, name) for item in items if isinstance(item.value, dict))


def _field(part: Part, kind: str, section: str) -> Iterator[Remark]:
    """Yield what is wrong with the value of a field."""
    value = part.value
    if value is None or kind == "any":
        return
    wanted = _shape(kind)
    if isinstance(value, str) and wanted != "one value" and _PLACEHOLDER.search(value):
        return
    if not isinstance(value, {"a list": list, "a mapping": dict}.get(wanted, (str, int, float, bool))):
        yield _at(part, f"`{part.key}` must be {wanted}, and is {_is(value)}")
        return
    if kind.startswith("["):
        yield from _items(part, is_needed=section == "receiver" or kind == "[route]")
    elif kind in ("strings", "map"):
        inside = part.list() if kind == "strings" else tuple(each for _, each in part.items())
        for item in inside:
            if isinstance(item.value, (dict, list)):
                yield _at(item, f"`{part.key}` must hold texts; this is {_is(item.value)}")
    elif kind != "mapping" and kind not in SECTIONS:
        yield from _scalar(part, kind, section)


def _items(part: Part, *, is_needed: bool) -> Iterator[Remark]:
    """Yield the items of a list of mappings that are none, and those that are empty where that is refused."""
    for item in part.list():
        if item.value is None and is_needed:
            yield at_key(item, f"An item of `{part.key}` is empty", subject=".".join(map(str, item.route)))
        elif item.value is not None and not isinstance(item.value, dict):
            yield _at(item, f"`{part.key}` must be a list of mappings; this item is {_is(item.value)}")


def _shape(kind: str) -> str:
    if kind.startswith("[") or kind == "strings":
        return "a list"
    return "a mapping" if kind in SECTIONS or kind in ("map", "mapping") else "one value"


def _is(value: object) -> str:
    return "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else "one value"


_GO_DURATION = re.compile(r"[+-]?(?:0|(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)")
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>[^/?#]*)")
_PLACEHOLDER = re.compile(r"\$|\{\{|^<.*>$|^__\w+__$|^%.*%$|^[A-Z][A-Z0-9_-]{4,}$|^@.*@$")
"""What is replaced before Alertmanager reads it: `${URL}`, `<url>`, `SLACK_URL`."""
_INTEGER = re.compile(rf"{_PLACEHOLDER.pattern}|^[+-]?0[xob]")
_BOOLS = frozenset({"y", "yes", "on", "n", "no", "off"})


def _scalar(part: Part, kind: str, section: str) -> Iterator[Remark]:
    text = part.text
    if kind == "bool":
        if not isinstance(part.value, bool) and text.lower() not in _BOOLS and not _PLACEHOLDER.search(text):
            yield _at(part, f"`{part.key}` must be true or false, without quotes, and is {text!r}")
    elif kind == "int":
        if not isinstance(part.value, (int, float)) and not _INTEGER.search(text):
            yield _at(part, f"`{part.key}` must be a whole number without quotes, and is {text!r}")
    elif text and not _PLACEHOLDER.search(text):
        problem = _WRITTEN.get(kind, _nothing)(text)
        if problem:
            yield _at(part, f"`{part.key}` {problem}")
        choices = CHOICES.get((section, part.key))
        if choices is not None and text not in choices:
            yield _at(part, f"`{part.key}` cannot be {text!r}; {offered(text, [c for c in choices if c])}")


def _nothing(_: str) -> str:
    return ""


def _duration(text: str) -> str:
    try:
        parse_duration(text)
    except ValueError as error:
        return f"is no duration: {error}"
    return ""


def _go_duration(text: str) -> str:
    if _GO_DURATION.fullmatch(text) or (text.isascii() and text.isdigit()):
        return ""
    return f"is no duration: {text!r}; write such as 30s or 1m30s"


def _url(text: str) -> str:
    found = _URL.match(text)
    scheme = found["scheme"].lower() if found else ""
    if scheme not in ("http", "https"):
        return f"must be a URL that begins with http:// or https://, and is {_secretly(text)!r}"
    if not found or not found["host"]:
        return f"is a URL without a host: {_secretly(text)!r}"
    port = re.search(r":([^:\]]*)$", found["host"].rpartition("@")[2])
    if port and not re.fullmatch(r"[0-9]*", port[1]):
        return f"is a URL with the port {port[1]!r}, which is no number"
    return ""


def _secretly(text: str) -> str:
    """Return the beginning of a URL: the rest may be a secret."""
    return text if len(text) <= 16 else f"{text[:12]}..."


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or "]" in port:
        return f"must be host:port, and {text!r} has no port"
    if not port:
        return f"must be host:port, and the port of {text!r} is empty"
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        return f"must be host:port, and {text!r} has too many colons"
    return ""


_WRITTEN: dict[str, Callable[[str], str]] = {
    "duration": _duration,
    "go-duration": _go_duration,
    "url": _url,
    "address": _address,
}
"""By kind of field, what is wrong with a text."""


# Which fields must, and must not, be there


def _is_given(part: Part) -> bool:
    """Whether a field holds something: of a text `0` is, of `chat_id` it is not."""
    if isinstance(part.value, bool):
        return part.value
    return part.value is not None and part.value != "" and not (part.key == "chat_id" and part.value == 0)


def _given(part: Part, kind: str, settings: Part) -> Iterator[Remark]:
    for names in ALTERNATIVES.get(kind, ()):
        given = [name for name in names if _is_given(part.get(name))]
        if len(given) > 1:
            shown = " and ".join(f"`{name}`" for name in given)
            yield _at(part.get(given[-1]), f"{shown} exclude each other: at most one of them may be given")
    for names, globals_ in NEEDED.get(kind, ()):
        if any(_is_given(part.get(name)) for name in names) or any(_is_given(settings.get(g)) for g in globals_):
            continue
        wanted = " or ".join(f"`{name}`" for name in names)
        instead = f", nor does `global` give `{'` or `'.join(globals_)}`" if globals_ else ""
        named = [part.get(name) for name in names if name in part]
        message = f"{_called(part, kind)} lacks {wanted}{instead}"
        yield _at(named[0], message) if named else at_key(part, message, subject=".".join(map(str, part.route)))
    yield from _SPECIAL.get(kind, _none)(part)


def _called(part: Part, kind: str) -> str:
    owner = Part.whole(part.document).get(*part.route[:2]).string("name") if part.route[:1] == ("receivers",) else ""
    return f"The {kind} integration of the receiver {owner!r}" if owner and kind != "receiver" else f"This {kind}"


def _none(_: Part) -> Iterator[Remark]:
    return iter(())


def _of_http(part: Part) -> Iterator[Remark]:
    kind = part.get("authorization", "type")
    if kind.text.strip().lower() == "basic":
        yield _at(kind, "`authorization` cannot have the type basic; use `basic_auth`")


def _of_webex(part: Part) -> Iterator[Remark]:
    if not part.get("http_config", "authorization"):
        yield at_key(part, f"{_called(part, 'webex')} lacks `http_config.authorization`", subject="webex")


def _of_sns(part: Part) -> Iterator[Remark]:
    given = [name for name in ("target_arn", "topic_arn", "phone_number") if _is_given(part.get(name))]
    if len(given) in (0, 2):
        message = f"{_called(part, 'sns')} needs one of `target_arn`, `topic_arn` and `phone_number`, not {len(given)}"
        yield at_key(part, message, subject=".".join(map(str, part.route)))


def _of_sigv4(part: Part) -> Iterator[Remark]:
    given = [name for name in ("access_key", "secret_key") if _is_given(part.get(name))]
    if len(given) == 1:
        lacking = "secret_key" if given == ["access_key"] else "access_key"
        yield _at(part.get(given[0]), f"`{given[0]}` is given without `{lacking}`")


def _of_responder(part: Part) -> Iterator[Remark]:
    kind = part.get("type")
    known = ("team", "teams", "user", "escalation", "schedule")
    if "{{" not in kind.text and kind.text.lower() not in known:
        yield _at(kind, f"A responder's `type` cannot be {kind.text!r}; {offered(kind.text, known)}")


def _of_victorops(part: Part) -> Iterator[Remark]:
    own = ("routing_key", "message_type", "state_message", "entity_display_name", "monitoring_tool")
    for key, value in part.get("custom_fields").items():
        if key in (*own, "entity_id", "entity_state"):
            yield at_key(value, f"A custom field cannot be called `{key}`: the integration has a field of that name")


def _of_email(part: Part) -> Iterator[Remark]:
    names = Counter(key.lower() for key, _ in part.get("headers").items())
    seen: set[str] = set()
    for key, value in part.get("headers").items():
        if names[key.lower()] > 1 and key.lower() in seen:
            yield at_key(value, f"The header {key!r} is given twice: letters may be small or large in its name")
        seen.add(key.lower())


_SPECIAL: dict[str, Callable[[Part], Iterator[Remark]]] = {
    "http": _of_http,
    "webex": _of_webex,
    "sns": _of_sns,
    "sigv4": _of_sigv4,
    "responder": _of_responder,
    "victorops": _of_victorops,
    "email": _of_email,
}


# Routes, inhibit rules, names


def _routes(config: AlertmanagerConfig) -> Iterator[Remark]:
    root = config.root
    if root is None:
        if "route" not in config.part or config.part.get("route").value is None:
            yield at_key(config.part.get("route"), "Alertmanager needs a `route`, which every alert enters")
        return
    if not root.part.string("receiver"):
        yield _at(root.part, "The root route needs a `receiver`: it is told of what no other route takes")
    for key in ("match", "match_re", "matchers"):
        if root.part.get(key).value:
            yield at_key(root.part.get(key), "The root route must match every alert, so it cannot have matchers")
    for key in ("mute_time_intervals", "active_time_intervals"):
        if root.part.get(key).value:
            yield at_key(root.part.get(key), f"The root route cannot have `{key}`")
    if root.goes_on:
        yield at(root.part.get("continue"), "The root route has nothing that it could continue with")
    receivers = [receiver.name for receiver in config.receivers]
    intervals = [interval.string("name") for interval in config.time_intervals]
    for route in config.routes:
        yield from _route(route, receivers, intervals)


def _route(route: RoutePart, receivers: list[str], intervals: list[str]) -> Iterator[Remark]:
    receiver = route.part.get("receiver")
    if receiver.text and receiver.text not in receivers and not _is_open(receiver.text, receivers):
        message = f"There is no receiver {receiver.text!r}; {offered(receiver.text, receivers)}"
        yield at(receiver, message, subject=route.subject)
    for key in ("mute_time_intervals", "active_time_intervals"):
        for name in route.part.list(key):
            if name.text not in intervals and not _is_open(name.text, intervals):
                yield at(name, f"There is no time interval {name.text!r}; {offered(name.text, intervals)}")
    yield from _grouping(route)
    for key in ("group_interval", "repeat_interval"):
        if _is_zero(route.part.string(key)):
            yield at(route.part.get(key), f"`{key}` cannot be zero", subject=f"{route.subject}/{key}")
    yield from _matchers(route.part, "")


def _is_open(name: str, known: list[str]) -> bool:
    """Whether a name, or what it may be one of, is only filled in later."""
    return any("{{" in each or "$" in each for each in (name, *known))


def _is_zero(text: str) -> bool:
    try:
        return bool(text) and parse_duration(text) == 0
    except ValueError:
        return False


def _grouping(route: RoutePart) -> Iterator[Remark]:
    labels = route.part.list("group_by")
    texts = [label.text for label in labels]
    for i, label in enumerate(labels):
        if not label.text and not isinstance(label.value, (dict, list)):
            yield _at(label, "An empty name cannot be a label to group by")
        elif label.text != "..." and label.text in texts[:i]:
            yield at(label, f"`{label.text}` is grouped by twice", subject=f"{route.subject}/group_by")
        elif label.text == "..." and set(texts) != {"..."}:
            message = "`...` stands for every label, so there can be no others beside it"
            yield at(label, message, subject=f"{route.subject}/group_by")


def _inhibit_rules(config: AlertmanagerConfig) -> Iterator[Remark]:
    for rule in config.inhibit_rules:
        yield from _matchers(rule.part, "source_")
        yield from _matchers(rule.part, "target_")
        for label in rule.part.list("equal"):
            if label.text == "" and not isinstance(label.value, (dict, list)):
                yield _at(label, "An empty name cannot be a label that is to be equal")


_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def _matchers(part: Part, prefix: str) -> Iterator[Remark]:
    found, bad = matchers_at(part, prefix)
    for wrong in bad:
        yield _at(wrong.part, f"This {wrong.message}")
    for key in ("match", "match_re"):
        for label, value in part.get(f"{prefix}{key}").items():
            if not _LABEL.fullmatch(label):
                yield at_key(value, f"{label!r} is no label's name")
    for written in found:
        problem = regex.problem(written.matcher.value) if "~" in written.matcher.operator else None
        if problem:
            yield _at(written.part, f"This has a regular expression that Alertmanager refuses: {problem}")


def _names(config: AlertmanagerConfig) -> Iterator[Remark]:
    """Yield names that are given twice."""
    for what, parts in (("receiver", [r.part for r in config.receivers]), ("time interval", config.time_intervals)):
        seen: set[str] = set()
        for part in parts:
            name = part.string("name")
            if name and name in seen:
                yield at(part.get("name"), f"There are two {what}s called {name!r}", subject=f"{what}/{name}")
            seen.add(name)
