"""What is wrong in the `probes:` of a system.yaml, as far as only the manifests and the load profiles can tell."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.engines.profiles import profile_of
from tocsin.model import Model
from tocsin.source import nearest
from tocsin.system import Problem


def problems(model: Model) -> Iterator[Problem]:
    """Yield what would leave an experiment undone that its owner asked for."""
    if model.system is None:
        return
    known = {
        name
        for workload in model.workloads
        for container in workload.running
        if container.probes
        for name in (workload.object.name, f"{workload.object.name}/{container.name}")
    }
    for name, said in model.system.declaration.probes.workloads.items():
        route = ("probes", "workloads", name)
        if name not in known:
            meant = nearest(name, known)
            offered = (
                f"did you mean {', '.join(meant)}?" if meant else f"there are: {', '.join(sorted(known)) or 'none'}"
            )
            text = f"no manifest has a workload {name!r} with probes; {offered}"
            yield Problem(model.system.place(*route), text)
        clusters = any(each.cluster for each in model.system.declaration.environments.values())
        for other in said.dependencies if clusters else ():
            if other not in _callable(model) - {name}:
                meant = nearest(other, _callable(model))
                offered = f"; did you mean {', '.join(meant)}?" if meant else ""
                text = f"{name} is to be exercised without {other!r}, which is no workload and no process{offered}"
                yield Problem(model.system.place(*route, "dependencies", other), text)
        if said.load is not None and profile_of(model.system.directory, said.load.profile) is None:
            text = f"there is no load profile {said.load.profile!r}, in loadprofiles/ of this system or in Tocsin's own"
            yield Problem(model.system.place(*route, "load", "profile"), text)


def _callable(model: Model) -> set[str]:
    """Return the names of what a container may be exercised without: workloads, processes and addresses."""
    if model.system is None:
        return set()
    environments = model.system.declaration.environments.values()
    return {each.object.name for each in model.workloads} | {
        name for each in environments for name in (*each.processes, *each.addresses)
    }
