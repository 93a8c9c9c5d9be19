"""A quantile that is compared with more than its histogram can tell."""

import re
from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import Binary, Call, NumberLiteral, Span, selectors, unwrapped, walk
from tocsin.promql.dead import Proof

_RULES = """groups:
- name: a
  rules:
  - alert: A
    expr: histogram_quantile(0.9, sum by (le) (rate(app_seconds_bucket[5m]))) > {}
"""
_APPLICATION = """from prometheus_client import Histogram
SECONDS = Histogram("app_seconds", "How long it takes.", buckets=(0.1, 1, 10))
"""


@check(
    severity=Severity.ERROR,
    fix="Lower the threshold below the highest bucket, or give the histogram a bucket above it.",
    bad=Example({"rules.yml": _RULES.format(20), "app.py": _APPLICATION}, at="> 20"),
    good=Example({"rules.yml": _RULES.format(5), "app.py": _APPLICATION}),
)
def quantile_threshold_above_top_bucket(rule: Rule, model: Model) -> Iterator[Remark]:
    """No quantile is above the histogram's highest finite bucket, so the alert can never ring.

    (prometheus.io/docs/prometheus/latest/querying/functions, histogram_quantile: if the quantile falls into the
    highest bucket, the upper bound of the second highest bucket is returned.)
    """
    for proof, whole in model.values.dead(rule):
        if proof.cause in ("range", "recorded") and "buckets" in proof.grounds:
            place, width = model.piece(rule.part.get("expr"), _at_fault(rule, proof))
            follows = f"{rule.name} can never {'ring' if rule.alerting else 'be recorded'}"
            said = f"{proof.argument}: {follows if whole else 'this alternative of `or` yields nothing'}"
            severity = Severity.ERROR if whole and rule.alerting else Severity.WARNING
            yield Remark(place, said, width=width, subject=rule.subject, severity=severity)


def _at_fault(rule: Rule, proof: Proof) -> Span:
    """Return the threshold, or the histogram where the alert's own text says that the threshold is meant so."""
    node = proof.node
    if not isinstance(node, Binary):
        return proof.span
    limit = next((each for each in map(unwrapped, (node.right, node.left)) if isinstance(each, NumberLiteral)), None)
    said = re.findall(r"(?<![\w.])\d{1,12}(?:\.\d{1,12})?(?![\w.]*\d)", " ".join(rule.annotations.values())[:5000])
    if limit is None or limit.value not in map(float, said):
        return proof.span
    calls = (each for each in walk(node) if isinstance(each, Call) and each.function == "histogram_quantile")
    found = next((each for call in calls for each in selectors(call)), None)
    return found.span if found is not None else proof.span
