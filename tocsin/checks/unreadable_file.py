"""A file that should be an artefact and cannot be read."""

from collections.abc import Iterator

from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model


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
        meant = f", though it is meant to be of the kind `{kind}`" if kind else ""
        yield Remark(file.problem.place, f"{file.problem.message}{meant}", subject=f"{file.name}")
