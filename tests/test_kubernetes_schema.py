"""The schemas of Kubernetes are walked as a validator of JSON Schema would, and say where and what is wrong."""

from __future__ import annotations

import time
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin import kubernetes_schema
from tocsin.part import Part
from tocsin.source import read_document

NEWEST = kubernetes_schema.version_for(None)
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - name: shop
          image: shop:1
          ports: [{containerPort: 8080}]
          resources: {limits: {cpu: 500m, memory: 256Mi}}
          readinessProbe: {httpGet: {path: /ready, port: 8080}, periodSeconds: 5}
"""


def told(text: str, version: str | None = None) -> list[str]:
    """Return the messages about an object, each with its line."""
    whole = Part.whole(read_document(text, "a.yaml"))
    chosen = kubernetes_schema.version_for(version)
    assert chosen is not None
    return [f"{each.part.place.line}: {each.message}" for each in kubernetes_schema.refusals(whole, chosen)]


def test_a_good_object_is_not_refused() -> None:
    assert told(DEPLOYMENT) == []
    assert told(DEPLOYMENT, "1.25") == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("replicas: 2", 'replicas: "2"', '5: `replicas` must be a whole number, not the text "2"'),
        ("replicas: 2", "replicas: 2.5", "5: `replicas` must be a whole number, not the number 2.5"),
        ("replicas: 2", "replica: 2", "5: `spec` knows no field `replica`; did you mean `replicas`?"),
        (
            "replicas: 2",
            "minreadyseconds: 2",
            "5: `spec` knows no field `minreadyseconds`; did you mean `minReadySeconds`?",
        ),
        ("  selector: {matchLabels: {app: shop}}\n", "", "5: `spec` has no `selector`, which is required"),
        ("{app: shop}}\n  t", "{app: 1}}\n  t", "6: `app` must be a text, not the number 1"),
        (
            "[{containerPort: 8080}]",
            "[{port: 8080}]",
            "13: an item of `ports` has no `containerPort`, which is required",
        ),
        ("[{containerPort: 8080}]", "{containerPort: 8080}", "13: `ports` must be a list, not a mapping"),
        (
            "memory: 256Mi",
            "memory: 256MB",
            "14: `memory: 256MB` is no quantity; those are written like 500m, 2 or 256Mi",
        ),
        ("port: 8080}, p", "port: [8080]}, p", "15: `port` must be a whole number or a text, not a list"),
    ],
)
def test_what_is_refused(old: str, new: str, message: str) -> None:
    """Told once or together with what follows from it, at its own line."""
    assert old in DEPLOYMENT
    assert message in told(DEPLOYMENT.replace(old, new, 1))


@pytest.mark.parametrize(
    "change",
    [("replicas: 2", "replicas: 2.0"), ("replicas: 2", "replicas: null"), ("cpu: 500m", "cpu: 1"),
     ("cpu: 500m", "cpu: 1e3"),
     ("replicas: 2", "paused: yes"), ("metadata: {name: shop}", "metadata: {name: shop, annotations: null}")],
)  # fmt: skip
def test_what_the_api_machinery_accepts(change: tuple[str, str]) -> None:
    """Null is absent, a whole float is an integer, and booleans are YAML 1.1's."""
    assert told(DEPLOYMENT.replace(*change, 1)) == []


@pytest.mark.parametrize(
    ("gvk", "last"),
    [
        (("extensions", "v1beta1", "Deployment"), (1, 15)),
        (("networking.k8s.io", "v1beta1", "Ingress"), (1, 21)),
        (("policy", "v1beta1", "PodDisruptionBudget"), (1, 24)),
        (("autoscaling", "v2beta2", "HorizontalPodAutoscaler"), (1, 25)),
        (("flowcontrol.apiserver.k8s.io", "v1beta2", "FlowSchema"), (1, 28)),
        (("apps", "v1", "Deployment"), None),
        (("monitoring.coreos.com", "v1", "Prometheus"), None),
        (("serving.knative.dev", "v1", "Service"), None),
        (("apps", "v7", "Deployment"), None),
    ],
)
def test_when_an_api_was_removed(gvk: kubernetes_schema.Gvk, last: kubernetes_schema.Version | None) -> None:
    assert kubernetes_schema.last_served(gvk) == last


@pytest.mark.parametrize(
    ("chosen", "version"),
    [("1.31", (1, 31)), ("v1.31.4", (1, 31)), ("1.9", (1, 25)), ("1.999", NEWEST), (None, NEWEST)],
)
def test_the_version_that_is_looked_at(chosen: str | None, version: kubernetes_schema.Version) -> None:
    """The newest that is not newer than the one that is meant."""
    assert kubernetes_schema.version_for(chosen) == version


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 99999) | st.sampled_from(["shop", "1", "", "500m", "http"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "port", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def routes(value: Any, so_far: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the way to each value inside of one."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [so_far, *(found for key, child in inside for found in routes(child, (*so_far, key)))]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_it_judges_as_a_validator_of_json_schema(data: st.DataObject) -> None:
    """Whatever is put in place of any value: refused by both, or by neither.

    Apart from what the API machinery takes otherwise than JSON Schema does: a null, a float that is whole, and what is
    no quantity.
    """
    value = yaml.safe_load(DEPLOYMENT)
    route = data.draw(st.sampled_from([r for r in routes(value) if r and r[0] not in ("apiVersion", "kind")]))
    holder = value
    for step in route[:-1]:
        holder = holder[step]
    holder[route[-1]] = data.draw(VALUES.filter(lambda v: v is not None and "null" not in yaml.safe_dump(v)))
    assert NEWEST is not None
    refusals = list(kubernetes_schema.refusals(Part.whole(read_document(yaml.safe_dump(value), "a")), NEWEST))
    try:
        kubernetes_validate.validate(value, ".".join(map(str, NEWEST)), strict=True)
        good = True
    except jsonschema.ValidationError:
        good = False
    assert good == (not [r for r in refusals if "is no quantity" not in r.message])


def test_it_is_cheap() -> None:
    """A hundred objects cost well under a second; a validator of JSON Schema takes that for a few."""
    whole = Part.whole(read_document(DEPLOYMENT, "a.yaml"))
    assert NEWEST is not None
    started = time.process_time()
    for _ in range(100):
        list(kubernetes_schema.refusals(whole, NEWEST))
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nroleRef: {kind: Role, name: a}\n",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nspec: {policyTypes: [Ingress]}\n",
        "apiVersion: policy/v1\nkind: PodDisruptionBudget\nspec: {maxUnavailable: 1}\nstatus: {}\n",
        "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: a}\n",
    ],
)
def test_what_the_schema_requires_and_the_server_does_without(text: str) -> None:
    """Defaults and zeros that pass, and the state of an object, which nobody reads from a manifest."""
    assert told(text) == []


def test_an_object_of_a_list() -> None:
    """What the server does without is known by the kind of the object, not by that of the list."""
    item = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, spec: {policyTypes: [Ingress]}}"
    whole = Part.whole(read_document(f"kind: List\nitems: [{item}]\n", "a.yaml"))
    assert NEWEST is not None
    assert list(kubernetes_schema.refusals(whole.list("items")[0], NEWEST)) == []
