"""Label selectors select as the API machinery's do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.model.selectors import selects, selects_all_of
from tocsin.part import Part
from tocsin.source import read_document

LABELS = {"app": "shop", "tier": "web", "build": "17"}


def part(text: str) -> Part:
    """Return the value under `selector`."""
    return Part.whole(read_document(text, "a.yaml")).get("selector")


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ("other: 1", False),
        ("selector:", False),
        ("selector: {}", True),
        ("selector: {matchLabels: {}}", True),
        ("selector: {matchLabels: {app: shop}}", True),
        ("selector: {matchLabels: {app: shop, tier: web}}", True),
        ("selector: {matchLabels: {app: shop, tier: db}}", False),
        ("selector: {matchLabels: {build: '17'}}", True),
        ("selector: {matchExpressions: [{key: app, operator: In, values: [a, shop]}]}", True),
        ("selector: {matchExpressions: [{key: app, operator: In, values: [a]}]}", False),
        ("selector: {matchExpressions: [{key: none, operator: In, values: [a]}]}", False),
        ("selector: {matchExpressions: [{key: app, operator: NotIn, values: [a]}]}", True),
        ("selector: {matchExpressions: [{key: none, operator: NotIn, values: [a]}]}", True),
        ("selector: {matchExpressions: [{key: app, operator: NotIn, values: [shop]}]}", False),
        ("selector: {matchExpressions: [{key: app, operator: Exists}]}", True),
        ("selector: {matchExpressions: [{key: none, operator: Exists}]}", False),
        ("selector: {matchExpressions: [{key: none, operator: DoesNotExist}]}", True),
        ("selector: {matchExpressions: [{key: app, operator: DoesNotExist}]}", False),
        ("selector: {matchLabels: {app: shop}, matchExpressions: [{key: tier, operator: Exists}]}", True),
        ("selector: {matchLabels: {app: other}, matchExpressions: [{key: app, operator: Is}]}", False),
        ("selector: {matchExpressions: [{key: app, operator: Is}]}", None),
        ("selector: {matchExpressions: [{key: app, operator: In}]}", None),
        ("selector: {matchExpressions: [{key: app, operator: Exists, values: [a]}]}", None),
        ("selector: {matchExpressions: {key: app}}", None),
        ("selector: {app: shop}", None),
        ("selector: [app]", None),
        ("selector: app", None),
    ],
)
def test_a_label_selector(selector: str, selected: bool | None) -> None:
    """All that is asked for must be so; what cannot be read decides nothing."""
    assert selects(part(selector), LABELS) is selected


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ("selector: {app: shop}", True),
        ("selector: {app: shop, tier: db}", False),
        ("selector: {none: ''}", False),
        ("selector: {}", True),
        ("selector: {app: [shop]}", None),
        ("selector: shop", None),
    ],
)
def test_a_plain_selector(selector: str, selected: bool | None) -> None:
    """Each pair must be there."""
    assert selects_all_of(part(selector), LABELS) is selected


@given(st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy")), st.sampled_from("abc"), st.sampled_from("xy"))
def test_an_operator_and_its_opposite(labels: dict[str, str], key: str, value: str) -> None:
    """Whatever is not in a set is selected by NotIn, and the other way round."""
    one = part(f"selector: {{matchExpressions: [{{key: {key}, operator: In, values: [{value}]}}]}}")
    other = part(f"selector: {{matchExpressions: [{{key: {key}, operator: NotIn, values: [{value}]}}]}}")

    assert selects(one, labels) is not selects(other, labels)
