"""What the API says of pods: whose they are, and whether they are ready."""

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
