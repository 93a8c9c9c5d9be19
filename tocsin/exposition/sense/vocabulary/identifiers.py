"""Values of labels that never come to an end: identifiers, moments, addresses with queries, texts.

Source: prometheus.io/docs/practices/naming ("Do not use labels to store dimensions with high cardinality").
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_SHAPES: Mapping[str, str] = {
    "UUIDs": r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
    "digests": r"(?:sha\d+:)?(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32}|[0-9a-f]{24})",
    "moments": r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?\S{0,12}|1[4-9]\d{8}(?:\.\d{1,9}|\d{3}|\d{6}|\d{9})?",
    "ULIDs": r"[0-7][0-9A-HJKMNP-TV-Z]{25}",
}
_ANY = re.compile("|".join(f"(?P<shape{number}>{shape})" for number, shape in enumerate(_SHAPES.values())))
_KINDS = dict(zip((f"shape{number}" for number in range(len(_SHAPES))), _SHAPES, strict=True))

EVENTS = frozenset(
    {
        *("request_id", "requestid", "req_id", "trace_id", "traceid", "span_id", "spanid", "correlation_id"),
        *("session_id", "sessionid", "transaction_id", "message_id", "event_id", "order_id", "invoice_id"),
    }
)
"""Labels with a new value for each event."""

ACCOUNTS = frozenset(
    {
        *("user_id", "userid", "user", "username", "user_name", "login", "customer_id", "account_id", "account"),
        *("visitor_id", "device_id", "player_id", "member_id", "subscriber_id"),
    }
)
"""Labels with a value for each person or thing that comes by."""

NAMELIKE = frozenset({"user", "username", "user_name", "login", "account"})
"""Those of the above that also name the few accounts that programs use among each other."""

PATHS = frozenset({"path", "uri", "url", "route", "endpoint", "handler", "request_path", "http_path", "http_target"})
"""Labels that hold what a request asked for."""

_NUMBERED = re.compile(
    r"(?<=/)(?:\d+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-f]{24,64})(?=/|$)",
)
_QUERY = re.compile(r"[\w%.\[\]-]{1,80}=")
_STATEMENT = re.compile(
    r"\bselect\b[^;]{1,400}\bfrom\b\s+[\w\"`.\[]|\binsert\s+into\b\s+[\w\"`.\[]|\bdelete\s+from\b\s+[\w\"`.\[]"
    r"|\bupdate\b\s+[\w\"`.\[\]]{1,100}\s+set\b",
    re.IGNORECASE,
)
_TRACE = re.compile(
    r"Traceback \(most recent call last\)|File \"[^\"]{1,300}\", line \d+|\bat [\w$.<>]{3,200}\([\w$.]{1,100}:\d+\)"
    r"|\bgoroutine \d+ \[|panic: runtime error"
)
_BROWSER = re.compile(r"\bMozilla/\d|\bAppleWebKit/|\bcurl/\d|\bpython-requests/\d|\bGo-http-client/\d|\bokhttp/\d")


def identifier(value: str) -> str | None:
    """Return what kind of identifier a value is, in the plural; None if it is none."""
    if len(value) < 10 or len(value) > 80:
        return None
    found = _ANY.fullmatch(value)
    return _KINDS[found.lastgroup or "shape0"] if found else None


def without_numbers(path: str) -> str:
    """Return a path with a hole where each number or identifier is."""
    return _NUMBERED.sub("{}", path.partition("?")[0])


def has_query(value: str) -> bool:
    """Whether a value is an address with a query."""
    path, mark, query = value.partition("?")
    return bool(mark) and "/" in path and " " not in path and _QUERY.match(query) is not None


def is_statement(value: str) -> bool:
    """Whether a value is a statement in SQL."""
    return " " in value and _STATEMENT.search(value, 0, 1_024) is not None


def is_trace(value: str) -> bool:
    """Whether a value is a stack trace, or a piece of one."""
    return " " in value and _TRACE.search(value, 0, 4_096) is not None


def is_browser(value: str) -> bool:
    """Whether a value is what a client says of itself."""
    return "/" in value and _BROWSER.search(value, 0, 4_096) is not None
