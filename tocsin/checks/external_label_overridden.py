"""Rules that set a label by which Prometheus says who it is."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model

_PROMETHEUS = (
    "global:\n  external_labels:\n    {}: eu-1\nrule_files: [rules.yml]\nscrape_configs:\n- job_name: a\n"
    "  static_configs:\n  - targets: [a:80]\n"
)
_RULES = "groups:\n- name: a\n  rules:\n  - alert: Down\n    expr: up == 0\n    labels:\n      cluster: main\n"


@check(
    severity=Severity.WARNING,
    fix="Give the rule's label another name.",
    bad=Example({"prometheus.yml": _PROMETHEUS.format("cluster"), "rules.yml": _RULES}, at="cluster: main"),
    good=Example({"prometheus.yml": _PROMETHEUS.format("region"), "rules.yml": _RULES}),
    origin="pint labels/conflict",
)
def external_label_overridden(rule: Rule, model: Model) -> Iterator[Remark]:
    """The label no longer says which Prometheus speaks, and alerts of several become one.

    (Prometheus, documentation of external_labels: they are added where the label is not there yet.)
    """
    for stack in model.stacks:
        external = stack.prometheus.part.get("global", "external_labels")
        if not any(group.file == rule.file for group in stack.groups):
            continue
        for name, part in rule.part.get("labels").items():
            given = external.get(name)
            if name in external and given.text and part.text not in ("", given.text):
                said = f"{rule.name} sets `{name}`, and so does external_labels ({given.text!r}); the rule's wins"
                yield at_key(part, said, subject=f"{rule.subject}/{name}", related=(given.place,))
                return
