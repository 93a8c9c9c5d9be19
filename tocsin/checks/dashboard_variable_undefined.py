"""A variable that a dashboard uses and does not define."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tocsin.artefacts.dashboards import REFERENCE, Dashboard, SourceReference, reference_name
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.dashboards import DashboardQuery
from tocsin.model.interpolation import BUILT_IN
from tocsin.part import Part
from tocsin.source import offered, place_within

_GROUP = re.compile(r"\(\?P?<(\w+)>")
_PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9_]*")
"""Names as shells have them: what a tool replaces before Grafana sees the dashboard."""


def _example(name: str) -> Example:
    target = f'{{"refId":"A","datasource":{{"type":"prometheus","uid":"p"}},\n"expr":"up{{job=\\"${name}\\"}}"}}'
    variables = '{"list":[{"name":"job","type":"query","query":"label_values(up, job)"}]}'
    panel = f'{{"id":1,"type":"stat","title":"Up","targets":[{target}]}}'
    text = f'{{"uid":"a","title":"A","schemaVersion":39,"templating":{variables},"panels":[{panel}]}}'
    return Example({"dashboards/a.json": text}, at='"expr"')


@dataclass
class _Use:
    part: Part
    start: int
    width: int
    where: str
    panels: set[str] = field(default_factory=set)


@check(
    severity=Severity.WARNING,
    fix="Define the variable under `templating`, or write the name of one that is there.",
    bad=_example("jobs"),
    good=_example("job"),
    origin="dashboard-linter template-job-rule",
)
def dashboard_variable_undefined(dashboard: Dashboard, model: Model) -> Iterator[Remark]:
    """Grafana leaves the name as it is, so that what uses it is empty or shows an error, whatever is chosen.

    (grafana.com/docs/grafana/latest/dashboards/variables/variable-syntax; public/app/features/templating/
    template_srv.ts: a name without a variable is not replaced.)
    """
    known = {variable.name for variable in dashboard.variables} | dashboard.inputs.keys()
    uses: dict[str, _Use] = {}
    for query in model.queries_of(dashboard):
        _in_query(query, known, uses)
    for reference in _sources(dashboard):
        name = reference.variable
        if name and name not in known and not BUILT_IN.fullmatch(name) and not _PLACEHOLDER.fullmatch(name):
            part = reference.uid_part
            uses.setdefault(name, _Use(part, 0, len(part.text), "the data source")).panels.add("")
    for part in (panel.part.get("repeat") for panel in dashboard.panels):
        if part.text and part.text not in known:
            uses.setdefault(part.text, _Use(part, 0, len(part.text), "the repetition of a panel")).panels.add("")
    for name, use in uses.items():
        text = model.text(use.part.file)
        place = place_within(text, use.part.place, use.part.text, use.start)
        times = f", in {len(use.panels)} places" if len(use.panels) > 1 else ""
        said = f"{use.where} uses the variable `{name}`{times}, which the dashboard does not define; "
        said += offered(name, sorted(known))
        yield Remark(place, said, width=use.width, subject=f"{dashboard.subject}/${name}")


def _in_query(query: DashboardQuery, known: set[str], uses: dict[str, _Use]) -> None:
    written = query.interpolation.written
    groups = set(_GROUP.findall(written))
    for match in REFERENCE.finditer(written):
        name = reference_name(match)
        if name in known or name in groups or BUILT_IN.fullmatch(name):
            continue
        if _PLACEHOLDER.fullmatch(name) and not {each.upper() for each in known} & {name}:
            continue
        start = query.start + match.start()
        use = uses.setdefault(name, _Use(query.part, start, len(match[0]), f"the query of {query.subject}"))
        use.panels.add(query.subject)


def _sources(dashboard: Dashboard) -> Iterator[SourceReference]:
    for panel in dashboard.panels:
        yield from (query.source for query in panel.queries if query.source is not None)
    others = [variable.source for variable in dashboard.variables]
    others += [annotation.source for annotation in dashboard.annotations]
    yield from (source for source in others if source is not None)
