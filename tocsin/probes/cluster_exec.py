"""Exec probes of a cluster: their commands are run in their containers, through the API.

It takes `create` on pods/exec (deploy/rbac-prober.yaml), which is the right to run anything in every container of the
namespace: give it for staging, and only where exec probes have to be asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.engines.kubernetes_api import Access
from tocsin.engines.kubernetes_exec import ContainerOfPod, NotRun
from tocsin.explained import Explained
from tocsin.probes.handlers.exec import CommandEnd, CommandNotRun


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
        try:
            ended = ContainerOfPod(self.access, self.namespace, self.pod, self.container).run(command, seconds)
        except NotRun as error:
            raise CommandNotRun(str(error)) from error
        return CommandEnd(ended.code, ended.output)


def container_command(access: Access, namespace: str, pod: str, container: str, *, allowed: bool) -> PodContainer:
    """Return what runs commands in a container. Raises NotAllowed without the permission of its owner."""
    if not allowed:
        raise NotAllowed(
            f"no command is run in {namespace}/{pod}: an exec probe of a cluster takes pods/exec, which lets its "
            "holder run anything there; allow it by name, and bind deploy/rbac-prober.yaml"
        )
    return PodContainer(access, namespace, pod, container)
