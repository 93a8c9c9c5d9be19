"""Commands in a container of a cluster: through the API, as `kubectl exec` runs them.

It takes `create` on pods/exec (deploy/rbac-prober.yaml), which is the right to run anything in every container of the
namespace.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import websocket

from tocsin.engines.kubernetes_api import Access

PROTOCOL = "v4.channel.k8s.io"
"""The one that tells the exit code (k8s.io/apimachinery, pkg/util/remotecommand/constants.go)."""
STDOUT, STDERR, STATUS = 1, 2, 3
"""Channels: the first byte of each message."""
OUTPUT_BYTES = 10 * 1024
"""Of a command's output; what it says beyond is not kept."""


class NotRun(Exception):
    """The command was not run, or how it ended is not known."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int | None
    """None if it had not ended in time; it may go on in the container then, for the API cannot end it."""
    output: bytes = b""


@dataclass(frozen=True, slots=True)
class ContainerOfPod:
    """Where commands are run."""

    access: Access
    namespace: str
    pod: str
    container: str

    def run(self, command: Sequence[str], seconds: float) -> Ended:
        """Run a command, for so many seconds at most. Raises NotRun with the API server's reason."""
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
            return Ended(None)
        except (OSError, websocket.WebSocketException) as error:
            raise NotRun(_refusal(error)) from error
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


END = (
    ("kill", "1"),
    ("/bin/sh", "-c", "kill 1"),
    ("python3", "-c", "import os; os.kill(1, 15)"),
    ("busybox", "kill", "1"),
)
"""Commands that send SIGTERM to a container's main process, whichever its image has."""


def tell_to_end(container: ContainerOfPod, seconds: float) -> None:
    """Send SIGTERM to the main process of a container, from within it. Raises NotRun if no command there can.

    One that has no handler for it does not hear it: the kernel shields the first process of a PID namespace
    (pid_namespaces(7)).
    """
    said: list[str] = []
    for command in END:
        try:
            ended = container.run(command, seconds)
        except NotRun as error:
            said.append(f"{command[0]}: {error}")
            continue
        # The connection may end with the container, before it tells how the command did.
        if ended.code in (0, None):
            return
        said.append(f"{command[0]}: exit code {ended.code}: {ended.output.decode(errors='replace').strip()}")
    raise NotRun(f"no command of container {container.container} can end its main process: {'; '.join(said)}")


def _ended(connection: websocket.WebSocket, end: float) -> Ended:
    """Read a command's channels until its status comes, or its time is over."""
    output = b""
    while (left := end - time.monotonic()) > 0:
        connection.settimeout(left)
        try:
            opcode, data = connection.recv_data()
        except websocket.WebSocketTimeoutException:
            break
        except (OSError, websocket.WebSocketException) as error:
            raise NotRun(f"the API server ended the connection: {error}") from error
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise NotRun("the API server ended the connection before the command had a status")
        if data[:1] == bytes([STATUS]):
            return Ended(exit_code(data[1:]), output)
        if data[:1] in (bytes([STDOUT]), bytes([STDERR])) and len(output) < OUTPUT_BYTES:
            output += data[1:]
    return Ended(None, output)


def exit_code(status: bytes) -> int:
    """Return the exit code that a Status of the API tells. Raises NotRun if the command was not run.

    (k8s.io/apimachinery, pkg/util/remotecommand: NonZeroExitCodeReason, and a cause ExitCode.)
    """
    try:
        told = json.loads(status)
        if told["status"] == "Success":
            return 0
        if told.get("reason") == "NonZeroExitCode":
            causes = told["details"]["causes"]
            return int(next(each["message"] for each in causes if each["reason"] == "ExitCode"))
        raise NotRun(str(told.get("message") or told))
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise NotRun(f"the API server's status cannot be read: {status[:200]!r}") from error


def _refusal(error: Exception) -> str:
    """Return why the API server would not run a command, in its own words where it gives some."""
    body = getattr(error, "resp_body", None)
    try:
        return str(json.loads(body)["message"]) if body else str(error)
    except (ValueError, KeyError, TypeError):
        return str(error)
