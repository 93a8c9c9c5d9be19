"""From what a manifest says of a probe, and where its pod is, to what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin.probes.handlers import Exec, GrpcCheck, Handler, HttpGet, TcpSocket
from tocsin.probes.handlers.exec import ContainerCommand
from tocsin.probes.handlers.kubelet import NEWEST, Kubelet
from tocsin.probes.specification import ProbeSpec


def handler_of(
    spec: ProbeSpec,
    address: str,
    *,
    ports: Mapping[str, int] | None = None,
    environment: Mapping[str, str] | None = None,
    run: ContainerCommand | None = None,
    kubelet: Kubelet = NEWEST,
) -> Handler:
    """Return what a probe asks of a container whose pod has this address (`status.podIP`).

    `ports` holds the container's own named ports, `environment` what its `env` says literally, and `run` runs a command
    in it; without it a command runs on this machine. Raises ValueError if the probe has no handler that is known here.
    """
    action, named = spec.action, dict(ports or {})
    match spec.handler:
        case "httpGet":
            headers = tuple((str(each.get("name", "")), str(each.get("value", ""))) for each in _headers(action))
            return HttpGet(
                str(action.get("host") or address),
                _port(action),
                str(action.get("path") or "/"),
                str(action.get("scheme") or "HTTP"),
                headers,
                named,
                kubelet,
            )
        case "tcpSocket":
            return TcpSocket(str(action.get("host") or address), _port(action), named)
        case "grpc":
            port = action.get("port")
            number = port if isinstance(port, int) else 0  # no names; 0 is refused as the API server would have it
            return GrpcCheck(address, number, str(action.get("service") or ""), kubelet)
        case "exec":
            command = tuple(str(each) for each in action.get("command") or ())
            return Exec(command, run, environment=dict(environment or {}))
    raise ValueError(
        f"a {spec.kind} probe without a handler asks nothing: give it one of httpGet, tcpSocket, grpc and exec"
    )


def _port(action: Mapping[str, Any]) -> int | str:
    port = action.get("port", "")
    return port if isinstance(port, int) else str(port)


def _headers(action: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in action.get("httpHeaders") or () if isinstance(each, Mapping)]
