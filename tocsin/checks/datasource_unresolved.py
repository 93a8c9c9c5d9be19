"""A data source that a dashboard asks and Grafana does not have, or that asks nobody."""

from collections.abc import Iterator

from tocsin.artefacts.dashboards import Dashboard, SourceReference
from tocsin.artefacts.provisioning import DataSource
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.data_sources import dead_addresses
from tocsin.model.grafana import Grafana
from tocsin.source import Place, offered

_COMPOSE = """\
services:
  prometheus: {image: prom/prometheus}
  grafana:
    image: grafana/grafana
    volumes: ["./provisioning:/etc/grafana/provisioning", "./dashboards:/dashboards"]
"""
_PROVIDERS = "providers: [{name: a, type: file, options: {path: /dashboards}}]\n"
_SOURCES = "datasources:\n- name: Prometheus\n  uid: prometheus\n  type: prometheus\n  url: http://prometheus:9090\n"


def _example(uid: str) -> Example:
    panel = f'{{"id":1,"title":"Up","type":"stat","datasource":{{"type":"prometheus",\n"uid":"{uid}"}},"targets":[]}}'
    return Example(
        {
            "docker-compose.yml": _COMPOSE,
            "provisioning/datasources/a.yml": _SOURCES,
            "provisioning/dashboards/a.yml": _PROVIDERS,
            "dashboards/a.json": f'{{"uid":"a","title":"A","schemaVersion":39,"panels":[{panel}]}}',
        },
        at=f'"uid":"{uid}"',
    )


@check(
    severity=Severity.WARNING,
    fix="Write the uid of a data source that is provisioned, and an address under which it answers.",
    bad=_example("prom"),
    good=_example("prometheus"),
    origin="dashboard-linter panel-datasource-rule",
)
def datasource_unresolved(model: Model) -> Iterator[Remark]:
    """Every panel that asks it shows an error instead of data.

    (grafana.com/docs/grafana/latest/administration/provisioning/#data-sources; a dashboard finds a data source by uid,
    then by name: public/app/features/plugins/datasource_srv.ts.)
    """
    told: set[tuple[Place, str]] = set()
    for grafana in model.grafanas:
        for dead in dead_addresses(grafana):
            if (dead.part.place, "") not in told:
                told.add((dead.part.place, ""))
                yield at(dead.part, dead.message, subject=dead.source.subject)
        if not grafana.sources_known:
            continue
        wanted: dict[str, list[SourceReference]] = {}
        for dashboard in grafana.dashboards:
            for remark in _of_dashboard(dashboard, grafana, wanted):
                if (remark.place, "") not in told:
                    told.add((remark.place, ""))
                    yield remark
        for remark in _of_types(grafana, wanted):
            if (remark.place, "") not in told:
                told.add((remark.place, ""))
                yield remark


def _of_dashboard(dashboard: Dashboard, grafana: Grafana, wanted: dict[str, list[SourceReference]]) -> Iterator[Remark]:
    """Yield what is asked by a uid or a name that no data source has; note which types are chosen among."""
    known = {key: source for source in grafana.data_sources for key in (source.name, source.uid) if key}
    told: set[str] = set()
    for reference in _references(dashboard):
        if reference.built_in or reference.uid in told:
            continue
        name = reference.variable
        if name and dashboard.variable(name) is None and name in dashboard.inputs and dashboard.inputs[name]:
            told.add(reference.uid)
            said = f"`{reference.uid}` stands for a data source only while somebody imports the dashboard by hand; "
            yield at(reference.uid_part, said + "Grafana reads this one from a file", subject=dashboard.subject)
        elif "$" not in reference.uid and "[[" not in reference.uid and reference.uid not in known:
            told.add(reference.uid)
            said = f"{grafana.subject} has no data source {reference.uid}; {offered(reference.uid, list(known))}"
            yield at(reference.uid_part, said, subject=dashboard.subject)
        elif reference.uid in known and reference.type and known[reference.uid].type != reference.type:
            wanted.setdefault(reference.type, []).append(reference)
    for variable in dashboard.variables:
        if variable.type == "datasource" and variable.plugin:
            reference = SourceReference(variable.part, variable.plugin)
            wanted.setdefault(variable.plugin, []).append(reference)


def _of_types(grafana: Grafana, wanted: dict[str, list[SourceReference]]) -> Iterator[Remark]:
    """Yield what asks for a data source of a type that there is none of, or that the named one is not of."""
    types = {source.type for source in grafana.data_sources}
    for kind, references in wanted.items():
        named = [reference for reference in references if reference.uid]
        if kind in types and not named:
            continue
        meant = _meant(kind, named, grafana)
        if meant is not None and (kind not in types or named):
            several = (
                f"{len(references)} places in dashboards ask for one" if len(references) > 1 else "a dashboard asks"
            )
            said = f"the data source {meant.name} is of type {meant.type}; {several} of type {kind}"
            yield at(meant.part.get("type"), said, subject=meant.subject)
        elif kind not in types:
            part = references[0].part
            shown = ", ".join(sorted(types))
            said = f"{grafana.subject} has no data source of type {kind} to choose from; there are {shown}"
            yield Remark(part.place, said)


def _meant(kind: str, named: list[SourceReference], grafana: Grafana) -> DataSource | None:
    """Return the data source that is meant: the one that is named, or that is called as the type is."""
    uids = {reference.uid for reference in named}
    called = (s for s in grafana.data_sources if s.uid in uids or s.name in uids or kind in (s.uid, s.name.lower()))
    return next(called, None)


def _references(dashboard: Dashboard) -> Iterator[SourceReference]:
    for panel in dashboard.panels:
        for query in panel.queries:
            if query.source is not None:
                yield query.source
        own = panel.source
        if own is not None:
            yield own
    others = [variable.source for variable in dashboard.variables]
    others += [annotation.source for annotation in dashboard.annotations]
    yield from (source for source in others if source is not None)
