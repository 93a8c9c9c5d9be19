"""Why an attempt ended as it did: what the kubelet says, what that means for the container, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tocsin.probes.attempt import Attempt, Outcome


class Reason(StrEnum):
    """What decided an attempt; one word for each end that has a cure of its own."""

    ANSWERED = "answered"
    CONNECTED = "connected"
    REDIRECT_NOT_FOLLOWED = "redirect not followed"
    STATUS = "status"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    NAME_UNKNOWN = "name unknown"
    DIAL_TIMED_OUT = "dial timed out"
    TLS_FAILED = "TLS failed"
    TLS_TIMED_OUT = "TLS timed out"
    PLAIN_TEXT_ON_TLS = "plain text on TLS"
    RESET_BEFORE_HEADERS = "reset before headers"
    CLOSED_BEFORE_HEADERS = "closed before headers"
    MALFORMED_REPLY = "malformed reply"
    HEADERS_TOO_LONG = "headers too long"
    HEADERS_TIMED_OUT = "headers timed out"
    TOO_MANY_REDIRECTS = "too many redirects"
    BAD_LOCATION = "bad location"
    UNSENDABLE = "unsendable"
    BODY_TIMED_OUT = "body timed out"
    BODY_CUT = "body cut"
    BODY_MALFORMED = "body malformed"
    SWITCHED_PROTOCOL = "switched protocol"
    BAD_REQUEST = "bad request"
    PORT_UNKNOWN = "port unknown"
    NOT_SERVING = "not serving"
    NOT_IMPLEMENTED = "not implemented"
    RPC_FAILED = "rpc failed"
    RPC_TIMED_OUT = "rpc timed out"
    EXIT_CODE = "exit code"
    COMMAND_TIMED_OUT = "command timed out"
    COMMAND_NOT_RUN = "command not run"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an end means for the container, and what would mend it."""

    meaning: str
    cure: str


EXPLANATIONS: dict[Reason, Explanation] = {
    Reason.ANSWERED: Explanation("it answered in time, as a healthy endpoint does", ""),
    Reason.CONNECTED: Explanation(
        "the kernel took the connection; a process that hangs has its connections taken too", ""
    ),
    Reason.REDIRECT_NOT_FOLLOWED: Explanation(
        "a 3xx that the kubelet does not follow counts as a success, whatever is behind it",
        "let the path answer 200 itself: redirects to another host, and 3xx without Location, prove nothing",
    ),
    Reason.STATUS: Explanation(
        "only 200 to 399 is a success",
        "see why the endpoint answers this: a wrong path (404), a login (401, 403), or a failure that it reports (5xx)",
    ),
    Reason.REFUSED: Explanation(
        "nothing listens on this address and port",
        "bind to 0.0.0.0 or [::], not to 127.0.0.1; compare the probe's port with the one that the server opens; give"
        " a slow start a startupProbe",
    ),
    Reason.UNREACHABLE: Explanation(
        "the network gave no way to the address",
        "see whether the pod has this address, and what the node's firewall and NetworkPolicies let through",
    ),
    Reason.NAME_UNKNOWN: Explanation(
        "the node's resolver does not know the host; names of Services are unknown to it",
        "leave `host` out, so that the pod's own address is asked, and set a Host header if the server wants one",
    ),
    Reason.DIAL_TIMED_OUT: Explanation(
        "no answer to the connection request: packets are dropped, or the accept queue is full",
        "look for a NetworkPolicy or firewall that drops, and for a server that has stopped accepting",
    ),
    Reason.TLS_FAILED: Explanation(
        "client and server did not agree on TLS; certificates are not verified, so that is not the cause",
        "see whether the port speaks TLS (1.2 or later) and whether it asks for a client certificate, which the kubelet"
        " does not have",
    ),
    Reason.TLS_TIMED_OUT: Explanation(
        "the connection stands, but the server does not answer the TLS handshake",
        "see whether the port speaks TLS at all, and whether the server still has threads to serve with",
    ),
    Reason.PLAIN_TEXT_ON_TLS: Explanation(
        "the port speaks plain HTTP, and the probe's scheme is HTTPS", "set `scheme: HTTP`, or probe the TLS port"
    ),
    Reason.RESET_BEFORE_HEADERS: Explanation(
        "the connection was reset before any header came",
        "look for a crash in the server, a full backlog, or a proxy that refuses",
    ),
    Reason.CLOSED_BEFORE_HEADERS: Explanation(
        "the server closed the connection without an answer",
        "see whether the port speaks HTTP, or TLS only (`scheme: HTTPS`), and what the server logs",
    ),
    Reason.MALFORMED_REPLY: Explanation(
        "what came back is no HTTP that Go accepts; browsers and curl may forgive it",
        "see whether the port speaks another protocol, and mend the header that the message names",
    ),
    Reason.HEADERS_TOO_LONG: Explanation("the headers of the answer are over 10 MiB", "answer with fewer headers"),
    Reason.HEADERS_TIMED_OUT: Explanation(
        "the connection stands, but no complete header came within timeoutSeconds",
        "make the endpoint cheap, so that it waits for no lock, pool or dependency; else raise `timeoutSeconds`",
    ),
    Reason.TOO_MANY_REDIRECTS: Explanation(
        "ten requests were answered by redirects on the same host", "probe the path that answers 200 itself"
    ),
    Reason.BAD_LOCATION: Explanation(
        "the redirect has no Location, or one that is no URL", "mend what the server sends, or probe the path behind it"
    ),
    Reason.UNSENDABLE: Explanation(
        "the request cannot be sent as it is written in the manifest, and no change of the server helps",
        "mend `path`, `host` or `httpHeaders` of the probe",
    ),
    Reason.BODY_TIMED_OUT: Explanation(
        "headers came, but the body did not end, nor reach 10 KiB, within timeoutSeconds: the kubelet discards such an"
        " attempt after three tries, so a hang like this restarts nothing and takes no pod out of a Service",
        "answer with a short body in one piece, and never probe a stream",
    ),
    Reason.BODY_CUT: Explanation(
        "the connection ended before the body did: the kubelet discards such an attempt after three tries, whatever the"
        " status was",
        "see why the server dies or closes while it answers, and whether its Content-Length is right",
    ),
    Reason.BODY_MALFORMED: Explanation(
        "the body's framing is broken: the kubelet discards such an attempt after three tries, whatever the status was",
        "mend the chunked encoding, or the proxy that adds to it",
    ),
    Reason.SWITCHED_PROTOCOL: Explanation(
        "a 101 hands the connection over, and no timeout holds for it any more: the kubelet's attempt ends with the"
        " connection, and until then this probe makes no other; it restarts nothing and changes no readiness",
        "probe a path that is no WebSocket and no other upgrade",
    ),
    Reason.BAD_REQUEST: Explanation(
        "no request can be made of the probe's fields; every attempt is discarded, so the probe never acts",
        "mend `host` and `path` of the probe",
    ),
    Reason.PORT_UNKNOWN: Explanation(
        "the port is neither a number from 1 to 65535 nor the name of a port of the same container; every attempt is"
        " discarded, so the probe never acts",
        "declare the port's name under `ports` of this container, or write the number",
    ),
    Reason.NOT_SERVING: Explanation(
        "the health service answered, and does not call the service SERVING",
        "see what sets the status in the server, and which service name the probe asks for",
    ),
    Reason.NOT_IMPLEMENTED: Explanation(
        "the server speaks gRPC but does not have grpc.health.v1.Health", "register the health service in the server"
    ),
    Reason.RPC_FAILED: Explanation(
        "the call of grpc.health.v1.Health/Check ended in an error",
        "NotFound: the probe's `service` is not registered; Unauthenticated: exempt the health service from it",
    ),
    Reason.RPC_TIMED_OUT: Explanation(
        "no gRPC answer within timeoutSeconds; a closed port ends like this too, for it is dialled again until then",
        "see whether the port is open and speaks gRPC without TLS, and whether the server has threads left",
    ),
    Reason.EXIT_CODE: Explanation("the command ended with another code than 0", "read what it printed"),
    Reason.COMMAND_TIMED_OUT: Explanation(
        "the command, or a child that holds its output, was still there after timeoutSeconds",
        "give the command a limit of its own, and leave nothing behind in the background",
    ),
    Reason.COMMAND_NOT_RUN: Explanation(
        "the command could not be started: the kubelet discards such an attempt, so the probe never acts",
        "name a program that is in the image, and a shell only where the image has one",
    ),
}


@dataclass(frozen=True, slots=True)
class ExplainedAttempt(Attempt):
    """An attempt with what decided it."""

    reason: Reason
    status: int | None = None
    """Status of the last reply whose headers came; the exit code of a command."""
    tries: int = 1
    """How often it was tried; more than once only if it ended in an error."""

    @property
    def meaning(self) -> str:
        """What it means for the container."""
        return EXPLANATIONS[self.reason].meaning

    @property
    def cure(self) -> str:
        """What would mend it; empty if there is nothing to mend."""
        return EXPLANATIONS[self.reason].cure


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a handler made of one try; its caller knows how long it took."""

    outcome: Outcome
    message: str
    reason: Reason
    status: int | None = None

    def lasting(self, seconds: float) -> ExplainedAttempt:
        """Return it as an attempt of so many seconds."""
        return ExplainedAttempt(self.outcome, self.message, seconds, self.reason, self.status)


class Broken(Exception):
    """A try that cannot go on: why, and Go's words for it."""

    def __init__(self, reason: Reason, said: str) -> None:
        super().__init__(said)
        self.reason = reason
        self.said = said


_EVENTS = {
    Outcome.FAILURE: "{kind} probe failed: {message}",
    Outcome.WARNING: "{kind} probe warning: {message}",
    Outcome.ERROR: "{kind} probe errored: {message}",
}


def event(kind: str, attempt: Attempt) -> str | None:
    """Return the message of the kubelet's event about an attempt of a liveness, readiness or startup probe.

    None for a success: the kubelet is silent about it (pkg/kubelet/prober/prober.go, probe).
    """
    words = _EVENTS.get(attempt.outcome)
    return words.format(kind=kind.capitalize(), message=attempt.message) if words else None


def go_duration(seconds: float) -> str:
    """Return a duration as Go prints it: 500ms, 1s, 1m30s, 2h0m0s."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{rest:g}s"
