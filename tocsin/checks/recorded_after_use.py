"""Rules that read what a later rule of their own group records."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Group
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import selectors

_RECORD = "  - record: job:errors:rate5m\n    expr: sum by (job) (rate(errors_total[5m]))\n"
_ALERT = "  - alert: Errors\n    expr: job:errors:rate5m > 1\n"
_GROUP = "groups:\n- name: a\n  rules:\n"


@check(
    severity=Severity.INFO,
    fix="Put the recording rule before the rules that read it.",
    bad=Example({"rules.yml": _GROUP + _ALERT + _RECORD}, at="job:errors:rate5m > 1"),
    good=Example({"rules.yml": _GROUP + _RECORD + _ALERT}),
)
def recorded_after_use(group: Group, model: Model) -> Iterator[Remark]:
    """The rule sees the value of the evaluation before, so it is an interval late.

    (Prometheus, documentation of recording rules: the rules of a group are evaluated one after the other.)
    """
    last = {rule.name: i for i, rule in enumerate(group.rules) if not rule.alerting}
    first: dict[str, int] = {}
    for i, rule in enumerate(group.rules):
        if not rule.alerting:
            first.setdefault(rule.name, i)
    for i, rule in enumerate(group.rules):
        tree = model.tree(rule)
        for selector in selectors(tree) if tree is not None else ():
            name = selector.name or ""
            if i < first.get(name, -1) <= last.get(name, -1):
                place, width = model.piece(rule.part.get("expr"), selector.span)
                recorded = group.rules[first[name]].place.line
                said = f"{rule.name} reads {name} before the group records it, in line {recorded}"
                yield Remark(place, said, width=width, subject=f"{rule.subject}/{name}")
                break
