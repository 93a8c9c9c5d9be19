"""A key that stands twice in one mapping."""

from collections.abc import Iterator

from tocsin.artefacts.folder import SourceFile
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity

_ONCE = "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: up == 0\n    for: 5m\n"


@check(
    severity=Severity.ERROR,
    fix="Keep one of the two; if both are meant, they need different names.",
    bad=Example({"rules.yml": f"{_ONCE}    for: 1m # again\n"}, at="# again"),
    good=Example({"rules.yml": _ONCE}),
    origin="promtool, pint yaml/parse",
)
def yaml_duplicate_key(file: SourceFile) -> Iterator[Remark]:
    """Prometheus and Alertmanager refuse the whole file, and Kubernetes silently takes the last value.

    (YAML 1.2.2, section 3.2.1.1: the keys of a mapping are unique; gopkg.in/yaml.v2 decodes strictly.)
    """
    for document in file.documents:
        for route, place in document.repeated:
            path = ".".join(map(str, route))
            yield Remark(place, f"`{route[-1]}` stands twice in one mapping", width=len(str(route[-1])), subject=path)
