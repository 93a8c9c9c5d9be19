"""Recording rules whose series nobody reads."""

from collections.abc import Iterator

from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model

_RULES = (
    "groups:\n- name: a\n  rules:\n  - record: job:requests:rate5m\n    expr: sum by (job) (rate(requests_total[5m]))\n"
    "  - alert: Busy\n    expr: {} > 10\n"
)
_BOARD = '{"title": "a", "schemaVersion": 39, "templating": {"list": []}, "panels": []}'


@check(
    severity=Severity.INFO,
    fix="Remove the rule, or use what it records.",
    bad=Example(
        {"rules.yml": _RULES.format("sum by (job) (rate(requests_total[5m]))"), "board.json": _BOARD},
        at="record: job:requests:rate5m",
    ),
    good=Example({"rules.yml": _RULES.format("job:requests:rate5m"), "board.json": _BOARD}),
)
def recording_rule_unused(model: Model) -> Iterator[Remark]:
    """Such a series is computed and stored in vain, unless somebody outside of these files reads it.

    (prometheus.io/docs/prometheus/latest/configuration/recording_rules: it is evaluated at every interval.)
    """
    if not model.dashboards or not model.alerts:
        return
    texts = None
    told: set[str] = set()
    for rule in model.recording_rules:
        if rule.name in model.lineage.used_names or rule.name in told:
            continue
        if texts is None:
            texts = [file.text for file in model.files()] + [page.text for page in model.runbooks]
        told.add(rule.name)
        if sum(text.count(rule.name) for text in texts) > sum(r.name == rule.name for r in model.recording_rules):
            continue
        part = rule.part.get("record")
        yield Remark(part.place, f"nothing here reads {rule.name}", width=len(rule.name), subject=rule.subject)
