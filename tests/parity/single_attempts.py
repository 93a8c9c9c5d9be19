"""What one attempt comes to: some forty ways in which an endpoint may behave, each asked by a readiness probe.

A probe with failureThreshold 1 shows how each attempt ended: the kubelet counts successes and failures, says of a
warning that it was one, and of an error only that: it is discarded, and counted nowhere.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping

from tests.parity.recording import Recorded
from tests.parity.scenario import Life, Scenario, Script, ScriptedProbe
from tocsin.probes.attempt import Outcome

WATCHED = 12
TIMEOUT = 1


def _raw(text: str, *, holds: bool = False) -> str:
    """Return the action of saying these bytes; lines end as HTTP's do."""
    sent = text.replace("\n", "\r\n").encode()
    return f"{'raw-hold' if holds else 'raw'}:{b64encode(sent).decode()}"


def _status(line: str, *headers: str) -> str:
    return _raw("\n".join((f"HTTP/1.1 {line}", *headers, "Content-Length: 0", "", "")))


SUCCESS, WARNING, FAILURE, ERROR = Outcome.SUCCESS, Outcome.WARNING, Outcome.FAILURE, Outcome.ERROR
HTTP: Mapping[str, tuple[str, Outcome]] = {
    "ok": ("ok", SUCCESS),
    "status-204": (_raw("HTTP/1.1 204 No Content\n\n"), SUCCESS),
    "status-299": (_status("299 Odd"), SUCCESS),
    "status-300": (_status("300 Multiple Choices"), WARNING),
    "status-304": (_raw("HTTP/1.1 304 Not Modified\n\n"), WARNING),
    "status-101": (_raw("HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: x\n\n"), FAILURE),
    "status-400": (_status("400 Bad Request"), FAILURE),
    "status-401": (_status("401 Unauthorized"), FAILURE),
    "status-404": ("404", FAILURE),
    "status-500": ("500", FAILURE),
    "status-503": (_status("503 Service Unavailable"), FAILURE),
    "continue-then-200": (_raw("HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\nContent-Length: 2\n\nok"), SUCCESS),
    "redirect-same-host": ("redirect-here", SUCCESS),
    "redirect-other-host": ("redirect-away", WARNING),
    "redirect-without-location": (_status("302 Found"), WARNING),
    "redirect-loop": (_status("302 Found", "Location: /readiness"), FAILURE),
    "redirect-bad-location": (_status("302 Found", "Location: http://[::1"), FAILURE),
    "redirect-closed-port": (_status("302 Found", "Location: http://{host}:1/"), FAILURE),
    "redirect-closed-https": (_status("302 Found", "Location: https://{host}:1/"), FAILURE),
    "refused": ("refused", FAILURE),
    "closes-at-once": ("reset", FAILURE),
    "hangs": ("hang", FAILURE),
    "slow-in-time": ("slow:0.4", SUCCESS),
    "slow-too-late": ("slow:1.6", FAILURE),
    "half-a-header": (_raw("HTTP/1.1 200 OK\nContent-Le", holds=True), FAILURE),
    "header-cut": (_raw("HTTP/1.1 200 OK\nContent-Le"), FAILURE),
    "bad-status-line": (_raw("HTP/1.1 200 OK\n\n"), FAILURE),
    "no-status": (_raw("hello, this is no HTTP at all\n"), FAILURE),
    "two-lengths": (_raw("HTTP/1.1 200 OK\nContent-Length: 2\nContent-Length: 3\n\nok"), FAILURE),
    "body-hangs": ("body-hang", ERROR),
    "body-hangs-500": (_raw("HTTP/1.1 500 Oh\nContent-Length: 9\n\nno", holds=True), ERROR),
    "body-cut": (_raw("HTTP/1.1 200 OK\nContent-Length: 100\n\nhello"), ERROR),
    "body-cut-503": (_raw("HTTP/1.1 503 No\nContent-Length: 100\n\nhello"), ERROR),
    "bad-chunk": (_raw("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nzz\nhello\n"), ERROR),
    "no-length": (_raw("HTTP/1.0 200 OK\n\nhello"), SUCCESS),
    "big-body": (_raw(f"HTTP/1.1 200 OK\nContent-Length: 20000\n\n{'x' * 20000}"), SUCCESS),
    "big-body-hangs": (_raw(f"HTTP/1.1 200 OK\nContent-Length: 999999\n\n{'x' * 12000}", holds=True), SUCCESS),
}
"""What the server does, and how the attempt ends."""
OTHERS: Mapping[str, tuple[str, str, Outcome]] = {
    "https-to-a-plain-port": ("https", "ok", FAILURE),
    "tcp-listens": ("tcp", "ok", SUCCESS),
    "tcp-refused": ("tcp", "refused", FAILURE),
    "exec-0": ("exec", "ok", SUCCESS),
    "exec-1": ("exec", "500", FAILURE),
    "exec-hangs": ("exec", "hang", FAILURE),
    "exec-missing-program": ("missing-program", "ok", ERROR),
    "undeclared-port": ("undeclared-port", "ok", ERROR),
}
"""The handler, what the server does, and how the attempt ends."""
BEHAVIOURS = {name: ("http", *found) for name, found in HTTP.items()} | dict(OTHERS)


def scenarios() -> tuple[Scenario, ...]:
    """Return a pod for each behaviour."""
    found = []
    for name, (handler, action, _) in BEHAVIOURS.items():
        probe = ScriptedProbe("readiness", handler, period=2, timeout=TIMEOUT)
        life = Life({"readiness": Script(((0.0, action),))})
        found.append(Scenario(f"attempt-{name}", "single-attempts", (probe,), (life,), watched=WATCHED))
    return tuple(found)


def outcome(recorded: Recorded) -> Outcome | None:
    """Return how a pod's attempts ended; None if they did not all end in the same way, or none was seen.

    A first failure before the server listens is left out of account where successes follow.
    """
    counts = {each.result: each.value for each in recorded.counts}
    reasons = {each.reason for each in recorded.events}
    errors = any(each.reason == "Unhealthy" and "errored" in each.message for each in recorded.events)
    succeeded, failed = counts.get("successful", 0), counts.get("failed", 0)
    ready = bool(recorded.pod.ready) and recorded.pod.ready[-1].ready
    if succeeded and failed <= 1 and ready and not errors:
        return WARNING if "ProbeWarning" in reasons else SUCCESS
    if failed and not succeeded and not ready and "Unhealthy" in reasons and not errors:
        return FAILURE
    if errors and not succeeded and failed <= 1 and not ready:
        return ERROR
    return None
