"""Which documents look like objects and are patches: what kustomize lays over an object that stands elsewhere."""

from __future__ import annotations

from tocsin.part import Part

_CARRIERS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "CronJob", "Job", "Rollout")


def is_patch(whole: Part, files: frozenset[str]) -> bool:
    """Tell whether an object is a patch: it is named as one, or says so, or is a piece of what makes pods.

    A container without an image is refused by the API server; whoever writes one means the rest of another file.
    """
    if whole.file in files or "$patch" in whole or "$patch" in whole.get("spec"):
        return True
    if whole.string("kind") not in _CARRIERS:
        return False
    template = whole.get("spec", "jobTemplate", "spec", "template") or whole.get("spec", "template")
    pod = template.get("spec")
    containers = (*pod.list("initContainers"), *pod.list("containers"))
    return not containers or any(not each.get("image") or "$patch" in each for each in containers)
