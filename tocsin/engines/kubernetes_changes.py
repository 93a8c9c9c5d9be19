"""What is changed in a cluster, with its owner's permission, and put back again: whatever happens.

Before each change the way back is written down: in a journal, which a process of its own carries out if the harness is
killed (`kubernetes_undo`), and on the changed object itself, as an annotation, for whoever finds it after the machine
was lost.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tocsin.atomic import write_json
from tocsin.engines import kubernetes_undo
from tocsin.engines.kubernetes_api import MERGE_PATCH, ClusterUnreadable, KubernetesApi
from tocsin.engines.trouble import EngineTrouble
from tocsin.supervisor import Process, Supervisor, Trouble, await_line

NOTE = "tocsin/undo"
"""The annotation on a changed object: who changed it, when, and the patch that puts it back."""
OURS = {"app.kubernetes.io/managed-by": "tocsin"}
"""The labels of what is made here."""
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
"""The annotation of a pod template by which `kubectl rollout restart` makes all pods new."""
PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
SCALED = ("Deployment", "StatefulSet")
_WATCHES = re.compile("watching")
_WATCHES_WITHIN = 20.0
_NOT_FOUND = 404
_CONFLICT = 409


@dataclass(frozen=True, slots=True)
class Step:
    """A request that puts something back; to send it twice does no harm."""

    what: str
    method: str
    path: str
    body: Any = None
    type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Workload:
    """What makes pods in a cluster."""

    kind: str
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """Where the API has it. Raises ValueError for a kind whose pods are not made anew or scaled."""
        if self.kind not in PLURALS:
            raise ValueError(f"{self} is none of {', '.join(PLURALS)}, so its pods are not made anew or scaled here")
        return f"/apis/apps/v1/namespaces/{self.namespace}/{PLURALS[self.kind]}/{self.name}"

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(slots=True)
class Changes:
    """Changes of one run; a context manager that puts all of them back at its end."""

    api: KubernetesApi
    supervisor: Supervisor
    folder: Path
    """For the journal, which holds what gives access: nobody else may read this folder."""
    _steps: list[Step] = field(default_factory=list)
    _keeper: Process | None = None

    @property
    def _journal(self) -> Path:
        return self.folder / "undo.json"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.put_back()
        finally:
            if self._keeper is not None:
                self.supervisor.stop(self._keeper, seconds=kubernetes_undo.WITHIN)
                self._keeper = None
            self._journal.unlink(missing_ok=True)

    def scale(self, workload: Workload, replicas: int) -> None:
        """Have a workload so many pods. Raises ClusterUnreadable, EngineTrouble, and ValueError if it has no scale."""
        if workload.kind not in SCALED:
            raise ValueError(f"{workload} cannot be scaled: only {' and '.join(SCALED)} can")
        found = self.api.get(workload.path)
        had = int(found["spec"].get("replicas", 1))
        back = {"spec": {"replicas": had}}
        self._change(workload, {"spec": {"replicas": replicas}}, back, f"{workload} has {had} pods again")

    def restart(self, workload: Workload, at: str) -> None:
        """Have all pods of a workload made anew; `at` is the time to be noted. It goes back to the template it had.

        Raises ClusterUnreadable and EngineTrouble.
        """
        notes = self.api.get(workload.path)["spec"]["template"].get("metadata", {}).get("annotations") or {}
        back = _template_note(notes.get(RESTARTED_AT))
        self._change(workload, _template_note(at), back, f"{workload} has the template again that it had")

    def create(self, path: str, manifest: Mapping[str, Any]) -> None:
        """Make an object in the list at a path; it is deleted again. Raises ClusterUnreadable and EngineTrouble."""
        name = manifest["metadata"]["name"]
        body = {"propagationPolicy": "Background"}
        self._keep(Step(f"{path}/{name} is deleted", "DELETE", f"{path}/{name}", body))
        self.api.send("POST", path, manifest)

    def _change(self, workload: Workload, change: dict[str, Any], back: dict[str, Any], what: str) -> None:
        """Patch a workload; nobody else's change may be in force."""
        found = self.api.get(workload.path)
        if told := _note(found):
            raise EngineTrouble(f"{workload} is changed already", str(workload), in_the_way(workload, told))
        undo = {**back, "metadata": {"annotations": {NOTE: None}}}
        note = json.dumps({"by": _who(), "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "undo": undo})
        self._keep(Step(what, "PATCH", workload.path, undo, MERGE_PATCH))
        version = found["metadata"]["resourceVersion"]  # whoever was quicker has the API server refuse this
        body = {**change, "metadata": {"annotations": {NOTE: note}, "resourceVersion": version}}
        self.api.send("PATCH", workload.path, body, kind=MERGE_PATCH)

    def _keep(self, step: Step) -> None:
        """Write down a way back, and have somebody know it."""
        self._steps.append(step)
        self._write()
        if self._keeper is None:
            self._keeper = self._watching()
        if self._keeper.exited is not None:
            said = f"see {self._keeper.log}"
            raise EngineTrouble("nobody would put the cluster back", "the process that watches ended", said)

    def _watching(self) -> Process:
        argv = [sys.executable, "-I", "-S", kubernetes_undo.__file__, str(self._journal.absolute())]
        try:
            process = self.supervisor.start("undo", argv, cwd=self.folder, patience=kubernetes_undo.WITHIN)
            await_line(process, _WATCHES, what="nobody watches", seconds=_WATCHES_WITHIN)
        except Trouble as trouble:
            raise EngineTrouble(trouble.what, trouble.where, trouble.detail, trouble.kind) from trouble
        return process

    def _write(self) -> None:
        access = self.api.access
        authority = access.authority if isinstance(access.authority, str) else None
        write_json(
            self._journal,
            {
                "server": access.server,
                "authority": authority,
                "certificate": access.certificate,
                "token": access.token,
                "steps": [asdict(each) for each in self._steps],
            },
        )

    @contextmanager
    def part(self) -> Iterator[None]:
        """Put back at the end what is changed within, and nothing else. Raises as `put_back`."""
        before = len(self._steps)
        try:
            yield
        finally:
            self.put_back(keep=before)

    def put_back(self, *, keep: int = 0) -> None:
        """Put back what was changed, the last first, but for the first few. Raises ClusterUnreadable if it cannot be.

        What could not be is tried once more by the process that watches.
        """
        left = self._steps[:keep]
        said: list[str] = []
        for step in reversed(self._steps[keep:]):
            try:
                self.api.send(step.method, step.path, step.body, kind=step.type, accepted=(_NOT_FOUND,))
            except ClusterUnreadable as error:
                left.insert(keep, step)
                said.append(f"NOT put back: {step.what}: {error}")
        self._steps = left
        if self._keeper is not None:
            self._write()
        if said:
            raise ClusterUnreadable("\n".join(said))


def _template_note(at: str | None) -> dict[str, Any]:
    return {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: at}}}}}


def _who() -> str:
    return f"{platform.node()}/{os.getpid()}"


def _note(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what an object says of the change that is in force; None if none is."""
    text = (found["metadata"].get("annotations") or {}).get(NOTE)
    if text is None:
        return None
    try:
        told = json.loads(text)
    except ValueError:
        told = None
    return told if isinstance(told, dict) and isinstance(told.get("undo"), dict) else {"by": "?", "at": "?", "undo": {}}


def in_the_way(workload: Workload, told: Mapping[str, Any]) -> str:
    """Return what a change of another run means, and how to put it back."""
    return (
        f"Tocsin on {told.get('by')} changed it at {told.get('at')} and has not put it back; if that run is over, "
        f"put it back with `tocsin probe DIR --environment NAME --put-back` (annotation {NOTE} of {workload})"
    )


@dataclass(frozen=True, slots=True)
class Leftover:
    """A workload that a run has changed and not put back."""

    workload: Workload
    told: Mapping[str, Any]

    @property
    def abandoned(self) -> bool:
        """Whether the run was on this machine, and is over."""
        host, _, pid = str(self.told.get("by")).rpartition("/")
        return host == platform.node() and pid.isdigit() and not Path(f"/proc/{pid}").exists()


def leftovers(api: KubernetesApi, namespace: str) -> Iterator[Leftover]:
    """Yield the workloads of a namespace that are changed now. Raises ClusterUnreadable."""
    for kind, plural in PLURALS.items():
        for found in api.get(f"/apis/apps/v1/namespaces/{namespace}/{plural}")["items"]:
            if told := _note(found):
                yield Leftover(Workload(kind, namespace, found["metadata"]["name"]), told)


def put_back(api: KubernetesApi, leftover: Leftover) -> None:
    """Put back what another run has changed. Raises ClusterUnreadable, also if the annotation does not say how."""
    undo = leftover.told["undo"]
    if not undo:
        raise ClusterUnreadable(f"{leftover.workload}: its annotation {NOTE} cannot be read; put it back by hand")
    api.send("PATCH", leftover.workload.path, undo, kind=MERGE_PATCH)


def delete_made(api: KubernetesApi, namespace: str) -> Iterator[str]:
    """Delete the Jobs of a namespace that were made here, with their ConfigMaps; yield their names.

    Raises ClusterUnreadable.
    """
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    body = {"propagationPolicy": "Background"}
    for found in api.get(jobs, labelSelector=",".join(f"{key}={value}" for key, value in OURS.items()))["items"]:
        name = found["metadata"]["name"]
        for path in (f"{jobs}/{name}", f"/api/v1/namespaces/{namespace}/configmaps/{name}"):
            api.send("DELETE", path, body, accepted=(_NOT_FOUND,))
        yield name
