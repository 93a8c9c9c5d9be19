"""Which labels a selector of Kubernetes selects.

(k8s.io/apimachinery, pkg/apis/meta/v1/helpers.go, LabelSelectorAsSelector; pkg/labels/selector.go.)
"""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.part import Part


def selects(selector: Part, labels: Mapping[str, str]) -> bool | None:
    """Tell whether a label selector (`matchLabels`, `matchExpressions`) selects what has these labels.

    One that is not there selects nothing, an empty one everything. None if it cannot be read.
    """
    if selector.value is None:
        return False
    if not isinstance(selector.value, dict) or not set(selector.value) <= {"matchLabels", "matchExpressions"}:
        return None
    answers = [selects_all_of(selector.get("matchLabels"), labels)]
    expressions = selector.get("matchExpressions")
    if expressions and not isinstance(expressions.value, list):
        return None
    answers += [_meets(expression, labels) for expression in expressions.list()]
    if False in answers:
        return False
    return None if None in answers else True


def selects_all_of(selector: Part, labels: Mapping[str, str]) -> bool | None:
    """Tell whether a plain selector, as Services have it, selects what has these labels: each of its pairs is there.

    An empty one selects everything; a Service with an empty one has no pods of its own all the same. None if it
    cannot be read.
    """
    if selector.value is None:
        return True
    if not isinstance(selector.value, dict):
        return None
    if any(isinstance(value, (dict, list)) for value in selector.value.values()):
        return None
    return all(labels.get(key) == part.text for key, part in selector.items())


def _meets(expression: Part, labels: Mapping[str, str]) -> bool | None:
    key, operator, values = expression.string("key"), expression.string("operator"), expression.get("values")
    wanted = [part.text for part in values.list()]
    if not key or (values and not isinstance(values.value, list)):
        return None
    if operator in ("In", "NotIn"):
        # A set without values is refused; a label that is not there is in no set.
        return (labels.get(key) in wanted) == (operator == "In") if wanted else None
    if operator in ("Exists", "DoesNotExist"):
        return (key in labels) == (operator == "Exists") if not wanted else None
    return None
