"""Two dashboards of one uid in one folder."""

import posixpath
from collections.abc import Iterator

from tocsin.artefacts.dashboards import Dashboard
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model


def _example(other: str) -> Example:
    texts = {
        name: f'{{"title":"{name}","schemaVersion":39,"panels":[],\n"uid":"{uid}"}}'
        for name, uid in (("a", "a"), ("b", other))
    }
    return Example({f"dashboards/{name}.json": text for name, text in texts.items()}, at='"uid"')


@check(
    severity=Severity.WARNING,
    fix="Give each dashboard a uid of its own.",
    bad=_example("a"),
    good=_example("b"),
)
def dashboard_uid_twice(model: Model) -> Iterator[Remark]:
    """Grafana refuses to write either of them any more, or shows one where the other is meant.

    (pkg/services/provisioning/dashboards/file_reader.go and validator.go: "the same UID is used more than once";
    grafana.com/docs/grafana/latest/administration/provisioning/#dashboards.)
    """
    seen: dict[tuple[str, str], Dashboard] = {}
    for dashboard in model.dashboards:
        if not dashboard.uid or dashboard.metadata is not None or not dashboard.part.file.endswith(".json"):
            continue
        key = (posixpath.dirname(dashboard.part.file), dashboard.uid)
        first = seen.setdefault(key, dashboard)
        if first is not dashboard:
            said = f"{first.part.file} ({first.title}) has the uid {dashboard.uid} as well"
            part = dashboard.part.get("uid")
            yield at(
                part, said, subject=f"{dashboard.part.file}/{dashboard.uid}", related=(first.part.get("uid").place,)
            )
