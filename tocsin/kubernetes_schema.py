"""What the API server refuses of an object by its schema alone: fields that do not exist, types, what is required.

The schemas are those that Kubernetes publishes (api/openapi-spec), as the package kubernetes-validate carries them for
each minor version. They need a small part of JSON Schema only, so it is walked here: with places, and at a cost of
milliseconds.
"""

from __future__ import annotations

import json
import re
from bisect import bisect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tocsin.part import Part
from tocsin.source import nearest

Version = tuple[int, int]
"""Major and minor version of Kubernetes."""
Gvk = tuple[str, str, str]
"""API group (empty for the core), version and kind."""

PROBE = "io.k8s.api.core.v1.Probe"
"""The definition of a container's probe."""
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_STATUS = ("status",)
_DEFAULTED = {
    "roleRef": "apiGroup",
    "httpHeaders": "value",
    "StatefulSet": "serviceName",
    "NetworkPolicy": "podSelector",
    "PriorityClass": "value",
}
"""Fields that the schemas require and the API server does without, by the key or the kind of what lacks them.

(pkg/apis/rbac/v1/defaults.go; their validation lets an empty text, a zero and an empty selector pass.)
"""
_FOLDER = re.compile(r"v(\d+)\.(\d+)\.\d+-local-strict")
_REMOVED_EARLY = (
    ((1, 15), "extensions/v1beta1", "Deployment DaemonSet ReplicaSet NetworkPolicy PodSecurityPolicy"),
    ((1, 15), "apps/v1beta1", "Deployment StatefulSet"),
    ((1, 15), "apps/v1beta2", "Deployment StatefulSet DaemonSet ReplicaSet"),
    ((1, 21), "extensions/v1beta1", "Ingress"),
    ((1, 21), "networking.k8s.io/v1beta1", "Ingress IngressClass"),
    ((1, 21), "rbac.authorization.k8s.io/v1beta1", "Role RoleBinding ClusterRole ClusterRoleBinding"),
    ((1, 21), "rbac.authorization.k8s.io/v1alpha1", "Role RoleBinding ClusterRole ClusterRoleBinding"),
    ((1, 21), "apiextensions.k8s.io/v1beta1", "CustomResourceDefinition"),
    ((1, 21), "apiregistration.k8s.io/v1beta1", "APIService"),
    ((1, 21), "admissionregistration.k8s.io/v1beta1", "MutatingWebhookConfiguration ValidatingWebhookConfiguration"),
    ((1, 21), "coordination.k8s.io/v1beta1", "Lease"),
    ((1, 21), "certificates.k8s.io/v1beta1", "CertificateSigningRequest"),
    ((1, 21), "scheduling.k8s.io/v1beta1", "PriorityClass"),
    ((1, 21), "storage.k8s.io/v1beta1", "CSIDriver CSINode StorageClass VolumeAttachment"),
    ((1, 24), "policy/v1beta1", "PodDisruptionBudget PodSecurityPolicy"),
    ((1, 24), "batch/v1beta1", "CronJob"),
    ((1, 24), "autoscaling/v2beta1", "HorizontalPodAutoscaler"),
    ((1, 24), "discovery.k8s.io/v1beta1", "EndpointSlice"),
    ((1, 24), "events.k8s.io/v1beta1", "Event"),
    ((1, 24), "node.k8s.io/v1beta1", "RuntimeClass"),
)
"""The last version that served an API, where that is older than the oldest schema.

(kubernetes.io/docs/reference/using-api/deprecation-guide.)
"""
_BOOLEAN_WORDS = frozenset({"yes", "no", "on", "off", "y", "n"})
"""Booleans of YAML 1.1, which the API machinery reads; ours are texts by YAML 1.2."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is wrong with a part of an object."""

    part: Part
    message: str
    unknown: bool = False
    """Whether it is a field that does not exist: strict clients refuse it, others drop it and go on."""
    missing: bool = False
    """Whether it is a field that should be there; its part is what lacks it."""


def gvk_of(whole: Part) -> Gvk:
    """Return group, version and kind of an object; texts as they were written, empty where there are none."""
    group, slash, version = whole.string("apiVersion").rpartition("/")
    return (group if slash else "", version, whole.string("kind"))


@cache
def versions() -> tuple[Version, ...]:
    """Return the versions of which there are schemas, oldest first."""
    folder = _folder()
    found = (_FOLDER.fullmatch(path.name) for path in folder.iterdir()) if folder else ()
    return tuple(sorted((int(name[1]), int(name[2])) for name in found if name))


def version_for(chosen: str | None) -> Version | None:
    """Return the newest version with a schema that is not newer than the one chosen (`1.31`), else the newest of all.

    None if there are no schemas.
    """
    known = versions()
    if not known:
        return None
    wanted = parse_version(chosen) if chosen else None
    return next((each for each in reversed(known) if wanted is None or each <= wanted), known[0])


def parse_version(text: str) -> Version | None:
    """Read `1.31`, `v1.31` or `v1.31.4`; None if it is none of them."""
    found = re.match(r"v?(\d{1,3})\.(\d{1,3})(?![\d])", text)
    return (int(found[1]), int(found[2])) if found else None


def serves(version: Version, gvk: Gvk) -> bool:
    """Tell whether a version knows an API."""
    return gvk in _index(version)


def kinds(version: Version) -> Mapping[str, tuple[Gvk, ...]]:
    """Return the APIs of a version by their kind."""
    return _by_kind(version)


@cache
def groups() -> frozenset[str]:
    """Return the API groups that are Kubernetes' own, those that are gone included."""
    own = {gvk[0] for version in (versions()[:1] + versions()[-1:]) for gvk in _index(version)}
    return frozenset(own | {api.rpartition("/")[0] for _, api, _ in _REMOVED_EARLY})


@cache
def last_served(gvk: Gvk) -> Version | None:
    """Return the last version that serves an API that has been removed; None if it is there still, or never was."""
    known = versions()
    if not known or serves(known[-1], gvk):
        return None
    group_version = f"{gvk[0]}/{gvk[1]}" if gvk[0] else gvk[1]
    for last, api, names in _REMOVED_EARLY:
        if api == group_version and gvk[2] in names.split():
            return last
    if gvk[0] not in groups():
        return None
    return next((version for version in reversed(known) if serves(version, gvk)), None)


def refusals(whole: Part, version: Version, *, exact: bool = False) -> Iterator[Refusal]:
    """Yield what the schema of a version refuses of an object; of one that it does not know, nothing.

    With `exact` the version is the one that is meant; else a field that another version has is let pass.
    """
    name = _index(version).get(gvk_of(whole))
    if name is not None:
        # What the state of an object says is written by the cluster, and passed over in a manifest.
        for each in refused_of(whole, name, version, exact=exact):
            if each.part.route[len(whole.route) :][:1] != _STATUS:
                yield each


def refused_of(part: Part, definition: str, version: Version, *, exact: bool = False) -> Iterator[Refusal]:
    """Yield what a definition of a version's schema refuses of a part, in the order of the text."""
    for refusal in _walk(part, {"$ref": f"#/$defs/{definition}"}, _definitions(version), 0):
        if exact or not (refusal.unknown and _known_elsewhere(refusal.part, part, definition, version)):
            yield refusal


def _known_elsewhere(found: Part, top: Part, definition: str, version: Version) -> bool:
    """Tell whether another version has a field that this one has not, as those of alpha features come and go."""
    others = (each for each in (versions()[0], versions()[-1]) if each != version)
    return any(_has_field(found.route[len(top.route) :], definition, other) for other in others)


def _has_field(route: tuple[str | int, ...], definition: str, version: Version) -> bool:
    definitions = _definitions(version)
    schema: Mapping[str, Any] = definitions.get(definition, {})
    for step in route:
        schema = _resolved(schema, definitions)
        below = schema.get("items") if isinstance(step, int) else schema.get("properties", {}).get(step)
        below = below or schema.get("additionalProperties") or None
        if not isinstance(below, dict):
            return False
        schema = below
    return True


_MOST_DEEP = 64


def _walk(part: Part, schema: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> Iterator[Refusal]:
    if part.value is None or depth > _MOST_DEEP:
        return
    reference = str(schema.get("$ref", "")).rpartition("/")[2]
    schema = _resolved(schema, definitions)
    if "oneOf" in schema:
        yield from _alternative(part, schema["oneOf"], reference)
        return
    types = schema.get("type")
    wanted = next((each for each in ([types] if isinstance(types, str) else types or ()) if each != "null"), None)
    if wanted is None:
        return
    if not _is(wanted, part.value):
        yield Refusal(part, f"`{part.key}` must be {_NAMES[wanted]}, not {shown(part)}")
    elif wanted == "object":
        yield from _mapping(part, schema, definitions, depth)
    elif wanted == "array":
        for item in part.list():
            yield from _walk(item, schema.get("items", {}), definitions, depth + 1)


def _mapping(part: Part, schema: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> Iterator[Refusal]:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name in schema.get("required", ()):
        if part.get(name).value is None and not _defaulted(part, name):
            yield Refusal(part, f"{_named(part)} has no `{name}`, which is required", missing=True)
    for key, child in part.items():
        if key in properties:
            yield from _walk(child, properties[key], definitions, depth + 1)
        elif isinstance(others, dict):
            yield from _walk(child, others, definitions, depth + 1)
        elif others is False:
            meant = _offered(key, part, properties)
            yield Refusal(child, f"{_named(part)} knows no field `{key}`{meant}", unknown=True)


def _defaulted(part: Part, name: str) -> bool:
    owner = part.document.value
    if part.route[:1] == ("items",) and isinstance(owner, dict):  # one object of a list of them
        owner = Part.whole(part.document).get(*part.route[:2]).value
    kind = owner.get("kind") if isinstance(owner, dict) else None
    listed = part.route[-2] if len(part.route) > 1 and isinstance(part.route[-1], int) else part.key
    return name in (_DEFAULTED.get(str(listed)), _DEFAULTED.get(str(kind)))


def _offered(key: str, part: Part, properties: Mapping[str, Any]) -> str:
    lower = {name.lower(): name for name in properties}
    if len(key) > 60:
        return ""
    meant = [lower[key.lower()]] if key.lower() in lower else nearest(key, set(properties) - set(part.value))
    return f"; did you mean {' or '.join(f'`{name}`' for name in meant[:2])}?" if meant else ""


def _alternative(part: Part, options: Any, definition: str) -> Iterator[Refusal]:
    names = {each for option in options for each in _types(option)}
    if not any(_is(name, part.value) for name in names):
        wanted = " or ".join(_NAMES[name] for name in sorted(names) if name in _NAMES)
        yield Refusal(part, f"`{part.key}` must be {wanted}, not {shown(part)}")
    elif definition == _QUANTITY and not is_quantity(part.text):
        yield Refusal(part, f"`{part.key}: {part.text}` is no quantity; those are written like 500m, 2 or 256Mi")


def _types(option: Mapping[str, Any]) -> tuple[str, ...]:
    types = option.get("type", ())
    return tuple(each for each in ((types,) if isinstance(types, str) else types) if each != "null")


_NAMES = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


def _is(wanted: str, value: Any) -> bool:
    if wanted == "object":
        return isinstance(value, dict)
    if wanted == "array":
        return isinstance(value, list)
    if wanted == "string":
        return isinstance(value, str)
    if wanted == "boolean":
        return isinstance(value, bool) or (isinstance(value, str) and value.lower() in _BOOLEAN_WORDS)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        # 0x1F and 1_000 are numbers to the API machinery; ours are texts, and whether they were quoted is not known.
        return isinstance(value, str) and re.fullmatch(r"[-+]?(?:0[xob]?[0-9A-Fa-f]+|\d+(?:_\d+)+)", value) is not None
    return wanted == "number" or isinstance(value, int) or value.is_integer()


def shown(part: Part) -> str:
    """Return a value for a message, with its type: `the text "3"`."""
    value = part.value
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f'the text "{value[:40]}"'
    return f"`{part.text[:40]}`" if isinstance(value, bool) else f"the number {part.text[:40]}"


_SUFFIXES = "n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][-+]?[0-9]{1,3}"
_QUANTITY_TEXT = re.compile(rf"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:{_SUFFIXES})?")


def is_quantity(text: str) -> bool:
    """Tell whether a text is a quantity.

    (k8s.io/apimachinery, pkg/api/resource/quantity.go, parseQuantityString.)
    """
    return _QUANTITY_TEXT.fullmatch(text) is not None


def _named(part: Part) -> str:
    name = part.string("name")
    of = f" of `{name}`" if name and len(part.route) > 1 else ""
    if part.key.isdigit() and len(part.route) > 1:
        return f"an item of `{part.route[-2]}`" + (f" (`{name}`)" if name else "")
    return f"`{part.key}`{of}" if part.route else "the object"


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    found = definitions.get(str(reference).rpartition("/")[2], {}) if reference else schema
    return found if isinstance(found, dict) else {}


@cache
def _folder() -> Path | None:
    # Importing the package would import a whole validator of JSON Schema, which takes longer than all checks together.
    spec = find_spec("kubernetes_validate")
    where = next(iter(spec.submodule_search_locations or ()), None) if spec else None
    folder = Path(where, "kubernetes-json-schema") if where else None
    return folder if folder and folder.is_dir() else None


def _of_version(version: Version) -> Path:
    return (_folder() or Path()) / f"v{version[0]}.{version[1]}.0-local-strict"


class _Definitions(Mapping[str, Mapping[str, Any]]):
    """The definitions of a file of schemas, each read when it is asked for: a system has a few kinds of hundreds.

    As such files are printed, a definition's name stands alone on an indent of four, and its own keys on six.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = {found[1]: found.end() for found in _DEFINITION.finditer(text)}
        self._read: dict[str, Mapping[str, Any]] = {}

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        if name not in self._read:
            self._read[name] = _DECODER.raw_decode(self._text, self._starts[name])[0]
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._starts)

    def __len__(self) -> int:
        return len(self._starts)

    def apis(self) -> Iterator[tuple[Mapping[str, str], str]]:
        """Yield group, version and kind of each API, and the name of its definition."""
        starts = sorted((start, name) for name, start in self._starts.items())
        for found in _APIS.finditer(self._text):
            name = starts[bisect(starts, (found.start(),)) - 1][1]
            for each in _DECODER.raw_decode(self._text, found.end())[0]:
                yield each, name


_DECODER = json.JSONDecoder()
_DEFINITION = re.compile(r'^ {4}"([^"\n]+)": (?=\{)', re.MULTILINE)
_APIS = re.compile(r'^ {6}"x-kubernetes-group-version-kind": (?=\[)', re.MULTILINE)


@cache
def _definitions(version: Version) -> _Definitions:
    try:
        return _Definitions((_of_version(version) / "_definitions.json").read_text("utf-8"))
    except (OSError, ValueError):
        return _Definitions("")


@cache
def _index(version: Version) -> Mapping[Gvk, str]:
    return {
        (each.get("group", ""), each.get("version", ""), each.get("kind", "")): name
        for each, name in _definitions(version).apis()
    }


@cache
def _by_kind(version: Version) -> Mapping[str, tuple[Gvk, ...]]:
    found: dict[str, list[Gvk]] = {}
    for gvk in _index(version):
        found.setdefault(gvk[2], []).append(gvk)
    return {kind: tuple(sorted(gvks)) for kind, gvks in found.items()}
