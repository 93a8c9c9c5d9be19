"""A file that should be an artefact and cannot be read."""

from collections.abc import Iterator

from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.system import Kind

_MEANT = {
    Kind.PROMETHEUS: "Prometheus's configuration",
    Kind.RULES: "rules",
    Kind.ALERTMANAGER: "Alertmanager's configuration",
    Kind.TESTS: "unit tests of rules",
    Kind.MANIFESTS: "Kubernetes objects",
    Kind.DASHBOARDS: "a dashboard",
    Kind.COMPOSE: "services of docker-compose",
}
"""What a file of each kind holds, as a reader calls it."""


@check(
    severity=Severity.ERROR,
    fix="Mend the file at the place that is shown; whoever loads it stops there too.",
    bad=Example({"rules.yml": "groups:\n- name: a\n  rules:\n  - alert: A\n     expr: up == 0\n"}, at="expr"),
    good=Example({"rules.yml": "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: up == 0\n"}),
    origin="promtool",
)
def unreadable_file(model: Model) -> Iterator[Remark]:
    """Nothing of the file is in force, because the program that it is for refuses it.

    (YAML 1.2.2; RFC 8259. Prometheus, Alertmanager and Grafana each read the whole of a file, or nothing of it.)
    """
    for file, kind in model.sorted.unreadable:
        if file.problem is None:
            continue
        meant = f", which is meant to hold {_MEANT.get(kind, kind)}," if kind else ""
        yield Remark(file.problem.place, f"{file.name}{meant} {file.problem.message}", subject=f"{file.name}")
