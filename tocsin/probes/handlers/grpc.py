"""One try of a grpc probe: grpc.health.v1.Health/Check, in plain text (pkg/probe/grpc/grpc.go, over grpc-go).

The connection counts as made when the server has sent its HTTP/2 settings. Until then it is dialled again and again,
so a closed port, a TLS port and an HTTP/1 server all end with the timeout.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import IntEnum
from urllib.parse import unquote

from tocsin.probes.attempt import Outcome
from tocsin.probes.handlers.connection import Connection, address_text
from tocsin.probes.handlers.http2 import DataEvent, HeadersEvent, Http2, ResetEvent
from tocsin.probes.handlers.kubelet import NEWEST, Kubelet
from tocsin.probes.handlers.ports import resolve_port
from tocsin.probes.handlers.reason import Broken, Reason, Verdict, go_duration

BACKOFF_SECONDS, BACKOFF_FACTOR = 1.0, 1.6
"""How long after a dial the next one begins, and by how much that grows (google.golang.org/grpc/backoff)."""

METHOD = "/grpc.health.v1.Health/Check"
MESSAGE_BYTES = 4 << 20
"""The largest message that grpc-go takes."""


class Serving(IntEnum):
    """What a health service says (grpc.health.v1.HealthCheckResponse.ServingStatus)."""

    UNKNOWN = 0
    SERVING = 1
    NOT_SERVING = 2
    SERVICE_UNKNOWN = 3


CODES = (
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
)
"""Names of gRPC's status codes, as grpc-go prints them."""

_CODES_OF_STATUS = {
    400: "Internal",
    401: "Unauthenticated",
    403: "PermissionDenied",
    404: "Unimplemented",
    429: "Unavailable",
    502: "Unavailable",
    503: "Unavailable",
    504: "Unavailable",
}
"""What an HTTP status is taken for where no gRPC status comes (grpc-go, internal/transport/http_util.go)."""


@dataclass(frozen=True, slots=True)
class GrpcCheck:
    """A grpc probe."""

    host: str
    """The pod's primary address."""
    port: int
    service: str = ""
    kubelet: Kubelet = NEWEST


class CallFailed(Exception):
    """A call that ended with another status than OK."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(f"rpc error: code = {code} desc = {said}")
        self.code = code
        self.said = said


async def try_grpc(probe: GrpcCheck, seconds: float) -> Verdict:
    """Make one try, which ends within so many seconds. Nothing is raised."""
    where = address_text(probe.host, probe.port)
    connection: Connection | None = None
    try:
        resolve_port(probe.port, {})
        async with asyncio.timeout(seconds):
            connection, stream = await _ready(probe)
            serving = await _check(stream, probe)
    except Broken as error:
        return Verdict(Outcome.ERROR, error.said, error.reason)
    except CallFailed as error:
        return _failed(error, seconds)
    except TimeoutError:
        if connection:
            return _failed(CallFailed("DeadlineExceeded", "context deadline exceeded"), seconds)
        said = f'timeout: failed to connect service "{where}" within {go_duration(seconds)}: context deadline exceeded'
        return Verdict(Outcome.FAILURE, said, Reason.RPC_TIMED_OUT)
    finally:
        if connection:
            connection.close()
    if serving == Serving.SERVING:
        return Verdict(Outcome.SUCCESS, "service healthy", Reason.ANSWERED, serving)
    name = Serving(serving).name if 0 <= serving < len(Serving) else str(serving)
    return Verdict(Outcome.FAILURE, f'service unhealthy (responded with "{name}")', Reason.NOT_SERVING, serving)


def _failed(error: CallFailed, seconds: float) -> Verdict:
    if error.code == "Unimplemented":
        said = "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)"
        return Verdict(Outcome.FAILURE, f"{said}: {error.said}", Reason.NOT_IMPLEMENTED)
    if error.code == "DeadlineExceeded":
        said = f"timeout: health rpc did not complete within {go_duration(seconds)}"
        return Verdict(Outcome.FAILURE, said, Reason.RPC_TIMED_OUT)
    return Verdict(Outcome.FAILURE, f"error: health rpc probe failed: {error}", Reason.RPC_FAILED)


async def _ready(probe: GrpcCheck) -> tuple[Connection, Http2]:
    """Dial until a connection has an HTTP/2 server behind it; whoever calls sets the limit."""
    loop, wait = asyncio.get_running_loop(), BACKOFF_SECONDS
    while True:
        begun = loop.time()
        connection = None
        try:
            connection = await Connection.dialled(probe.host, probe.port)
            stream = Http2(connection)
            await stream.start()
            await stream.settled()
        except Broken:
            if connection:
                connection.close()
        except BaseException:
            if connection:
                connection.close()
            raise
        else:
            return connection, stream
        await _pass(begun + wait)
        wait *= BACKOFF_FACTOR


async def _pass(moment: float) -> None:
    """Wait for a moment of the loop's clock."""
    come = asyncio.Event()
    timer = asyncio.get_running_loop().call_at(moment, come.set)
    try:
        await come.wait()
    finally:
        timer.cancel()


async def _check(stream: Http2, probe: GrpcCheck) -> int:
    """Call the health service; return its status. Raises CallFailed."""
    fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", METHOD),
        (":authority", address_text(probe.host, probe.port)),
        ("content-type", "application/grpc"),
        ("user-agent", f"{probe.kubelet.user_agent} grpc-go"),
        ("te", "trailers"),
    ]
    try:
        await stream.request(fields, _message(probe.service))
        return await _answer(stream)
    except Broken as error:
        raise CallFailed("Unavailable", f"error reading from server: {error.said}") from None


def _message(service: str) -> bytes:
    """Return a HealthCheckRequest with its length before it."""
    name = service.encode("utf-8", "replace")
    body = b"\x0a" + _varint(len(name)) + name if name else b""
    return b"\x00" + len(body).to_bytes(4) + body


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


async def _answer(stream: Http2) -> int:
    """Return the status in the reply to a call. Raises CallFailed."""
    headers, data = dict[str, str](), b""
    while True:
        match await stream.event():
            case HeadersEvent(fields, ended) if not headers:
                headers = dict(fields)
                _check_headers(headers, ended=ended)
            case HeadersEvent(fields):
                _check_trailers(dict(fields))
                return _serving(data)
            case DataEvent(piece, ended):
                data += piece
                if not headers or ended or len(data) > MESSAGE_BYTES:
                    raise CallFailed("Internal", "server closed the stream without sending trailers")
            case ResetEvent(code):
                raise CallFailed(
                    "Unavailable" if code == "REFUSED_STREAM" else "Internal", f"stream terminated: {code}"
                )


def _check_headers(headers: dict[str, str], *, ended: bool) -> None:
    status, kind = headers.get(":status", ""), headers.get("content-type", "")
    speaks = kind == "application/grpc" or kind.startswith(("application/grpc+", "application/grpc;"))
    if not speaks or (status != "200" and "grpc-status" not in headers):
        code = _CODES_OF_STATUS.get(int(status), "Unknown") if status.isdecimal() else "Unknown"
        raise CallFailed(code, f'unexpected HTTP status code received from server: {status}; content-type "{kind}"')
    if ended:
        _check_trailers(headers)
        raise CallFailed("Internal", "the call ended without an answer")


def _check_trailers(trailers: dict[str, str]) -> None:
    number = trailers.get("grpc-status", "")
    if not number.isdecimal():
        raise CallFailed("Unknown", "the call ended without a status")
    code = CODES[int(number)] if int(number) < len(CODES) else f"Code({int(number)})"
    if code != "OK":
        raise CallFailed(code, unquote(trailers.get("grpc-message", "")))


def _serving(data: bytes) -> int:
    """Return the status in a HealthCheckResponse. Raises CallFailed if it is none."""
    length = int.from_bytes(data[1:5])
    if len(data) != 5 + length or data[0]:
        raise CallFailed("Internal", "the answer is cut short, or compressed though nobody asked for it")
    try:
        return _status_field(data[5:])
    except (IndexError, ValueError):
        raise CallFailed("Internal", "grpc: failed to unmarshal the received message") from None


def _status_field(body: bytes) -> int:
    """Return field 1 of a message, 0 if it has none. Raises IndexError and ValueError for what is no message."""
    position, status = 0, 0
    while position < len(body):
        tag, position = _read_varint(body, position)
        match tag & 7:
            case 0:
                value, position = _read_varint(body, position)
                status = value if tag >> 3 == 1 else status
            case 1 | 5 as wire:
                position += 8 if wire == 1 else 4
            case 2:
                length, position = _read_varint(body, position)
                position += length
            case _:
                raise ValueError
    if position > len(body):
        raise IndexError
    return status


def _read_varint(body: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = body[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
    raise ValueError
