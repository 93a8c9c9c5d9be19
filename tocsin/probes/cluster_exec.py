"""Commands in a container of a cluster, for its exec probes: through the API, as `kubectl exec` does.

It takes `create` on pods/exec (deploy/rbac-prober.yaml), which is the right to run anything in every container of the
namespace: give it for staging, and only where exec probes have to be asked.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import websocket

from tocsin.explained import Explained
from tocsin.probes.cluster import Access
from tocsin.probes.handlers.exec import OUTPUT_BYTES, CommandEnd, CommandNotRun

PROTOCOL = "v4.channel.k8s.io"
"""The one that tells the exit code (k8s.io/apimachinery, pkg/util/remotecommand/constants.go)."""
STDOUT, STDERR, STATUS = 1, 2, 3
"""Channels: the first byte of each message."""


class NotAllowed(Explained):
    """Nobody gave the permission to run commands in containers."""


@dataclass(frozen=True, slots=True)
class PodContainer:
    """A container of a pod in a cluster."""

    access: Access
    namespace: str
    pod: str
    container: str

    async def __call__(self, command: Sequence[str], seconds: float) -> CommandEnd:
        """Run a command, for so many seconds at most. Raises CommandNotRun.

        As with a kubelet without ExecProbeTimeout (up to 1.19), what has not ended by then goes on in the container:
        the API has no way to end it.
        """
        return await asyncio.get_running_loop().run_in_executor(None, self._run, command, seconds)

    def _run(self, command: Sequence[str], seconds: float) -> CommandEnd:
        end = time.monotonic() + seconds
        try:
            connection = websocket.create_connection(
                self._url(command),
                header=[f"Authorization: Bearer {self.access.token}"] if self.access.token else [],
                subprotocols=[PROTOCOL],
                sslopt=self._tls(),
                timeout=max(0.001, seconds),
                http_no_proxy=["*"],
            )
        except websocket.WebSocketTimeoutException:
            return CommandEnd(None)
        except (OSError, websocket.WebSocketException) as error:
            raise CommandNotRun(_refusal(error)) from error
        try:
            return _ended(connection, end)
        finally:
            connection.close(timeout=0)

    def _url(self, command: Sequence[str]) -> str:
        parts = urlsplit(self.access.server)
        path = f"{parts.path}/api/v1/namespaces/{self.namespace}/pods/{self.pod}/exec"
        asked = [("container", self.container), ("stdout", "true"), ("stderr", "true")]
        query = urlencode([*asked, *(("command", word) for word in command)])
        return urlunsplit(("wss" if parts.scheme == "https" else "ws", parts.netloc, path, query, ""))

    def _tls(self) -> dict[str, Any]:
        authority = self.access.authority
        found: dict[str, Any] = {} if authority else {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
        if isinstance(authority, str):
            found["ca_certs"] = authority
        if self.access.certificate:
            found["certfile"], found["keyfile"] = self.access.certificate
        return found


def container_command(access: Access, namespace: str, pod: str, container: str, *, allowed: bool) -> PodContainer:
    """Return what runs commands in a container. Raises NotAllowed without the permission of its owner."""
    if not allowed:
        raise NotAllowed(
            f"no command is run in {namespace}/{pod}: an exec probe of a cluster takes pods/exec, which lets its "
            "holder run anything there; allow it by name, and bind deploy/rbac-prober.yaml"
        )
    return PodContainer(access, namespace, pod, container)


def _ended(connection: websocket.WebSocket, end: float) -> CommandEnd:
    """Read a command's channels until its status comes, or its time is over."""
    output = b""
    while (left := end - time.monotonic()) > 0:
        connection.settimeout(left)
        try:
            opcode, data = connection.recv_data()
        except websocket.WebSocketTimeoutException:
            break
        except (OSError, websocket.WebSocketException) as error:
            raise CommandNotRun(f"the API server ended the connection: {error}") from error
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise CommandNotRun("the API server ended the connection before the command had a status")
        if data[:1] == bytes([STATUS]):
            return CommandEnd(exit_code(data[1:]), output)
        if data[:1] in (bytes([STDOUT]), bytes([STDERR])) and len(output) < OUTPUT_BYTES:
            output += data[1:]
    return CommandEnd(None, output)


def exit_code(status: bytes) -> int:
    """Return the exit code that a Status of the API tells. Raises CommandNotRun if the command was not run.

    (k8s.io/apimachinery, pkg/util/remotecommand: NonZeroExitCodeReason, and a cause ExitCode.)
    """
    try:
        told = json.loads(status)
        if told["status"] == "Success":
            return 0
        if told.get("reason") == "NonZeroExitCode":
            causes = told["details"]["causes"]
            return int(next(each["message"] for each in causes if each["reason"] == "ExitCode"))
        raise CommandNotRun(str(told.get("message") or told))
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise CommandNotRun(f"the API server's status cannot be read: {status[:200]!r}") from error


def _refusal(error: Exception) -> str:
    """Return why the API server would not run a command, in its own words where it gives some."""
    body = getattr(error, "resp_body", None)
    try:
        return str(json.loads(body)["message"]) if body else str(error)
    except (ValueError, KeyError, TypeError):
        return str(error)
