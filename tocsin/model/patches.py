"""Which documents look like objects and are patches: what kustomize lays over an object that stands elsewhere."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from tocsin.artefacts.folder import Folder
from tocsin.part import Part

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml")
"""Names of kustomize's files; those of components are called the same."""
_CARRIERS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "CronJob", "Job", "Rollout")


def patch_files(folder: Folder) -> frozenset[str]:
    """Return the names of the files that some kustomization takes for patches."""
    return frozenset(name for name in _named(folder))


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


def _named(folder: Folder) -> Iterator[str]:
    for name, file in folder.files.items():
        if posixpath.basename(name) not in KUSTOMIZATIONS:
            continue
        directory = posixpath.dirname(name)
        for document in file.documents:
            whole = Part.whole(document)
            paths = [part.string("path") for key in ("patches", "patchesJson6902") for part in whole.list(key)]
            paths += [part.text for part in whole.list("patchesStrategicMerge")]
            for path in paths:
                if path and "\n" not in path:
                    yield posixpath.normpath(posixpath.join(directory, path))
