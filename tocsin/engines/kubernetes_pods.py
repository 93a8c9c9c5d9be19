"""What the API says of pods: whose they are, whether they are ready, and whether all of a workload's are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OPERATORS = {"In": "in", "NotIn": "notin"}


def selector_of(workload: Mapping[str, Any]) -> str:
    """Return the selector of a workload of the API, as a query for its pods has it (apimachinery, pkg/labels)."""
    selector = workload["spec"].get("selector") or {}
    found = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for each in selector.get("matchExpressions") or ():
        key, operator = each["key"], each["operator"]
        if operator in _OPERATORS:
            found.append(f"{key} {_OPERATORS[operator]} ({','.join(each['values'])})")
        else:
            found.append(key if operator == "Exists" else f"!{key}")
    return ",".join(found)


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Tell whether a pod's Ready condition is True; one that is deleted may be ready yet."""
    conditions = pod["status"].get("conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def is_leaving(pod: Mapping[str, Any]) -> bool:
    """Tell whether a pod is deleted, though its containers may yet run."""
    return "deletionTimestamp" in pod["metadata"]


def has_ended(pod: Mapping[str, Any]) -> bool:
    """Tell whether a pod's containers have ended for good (Pod Lifecycle: phase)."""
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def state_of(pod: Mapping[str, Any]) -> str:
    """Return what the status of a pod of the API says of why it does not run, or is not ready."""
    for status in pod["status"].get("containerStatuses") or ():
        for each in (status.get("state") or {}).values():
            if isinstance(each, dict) and each.get("reason"):
                return f"{each['reason']}: {each.get('message') or each.get('exitCode') or ''}".rstrip(": ")
    for each in pod["status"].get("conditions") or ():
        if each.get("status") == "False" and each.get("message"):
            return f"{each.get('reason')}: {each['message']}"
    return f"its phase is {pod['status'].get('phase')}"


def unsettled(workload: Mapping[str, Any], pods: Mapping[str, str]) -> str:
    """Return why a workload of the API is not as it is meant to be; empty if it is.

    `pods` has for each of its pods, those that leave too, why it is not ready, or nothing if it is and stays.
    """
    status = workload.get("status") or {}
    if status.get("observedGeneration", 0) < workload["metadata"].get("generation", 0):
        return "its controller has not seen its last change"
    wanted = status.get("desiredNumberScheduled", workload["spec"].get("replicas", 1))
    unready = [f"{name} ({why})" for name, why in pods.items() if why]
    if len(pods) == wanted and pods and not unready:
        return ""
    said = f"it has {len(pods)} of {wanted} pods"
    return f"{said}; not ready: {', '.join(unready)}" if unready else said
