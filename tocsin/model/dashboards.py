"""The dashboards of a system, wherever they are kept, and every PromQL query that a person may be shown or told to ask.

What a query asks is known only if its data source is one of Prometheus: by its type, by the variable that it is, or by
the data sources that are provisioned beside the dashboard. Of others (Loki has expressions too) nothing is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from tocsin.artefacts.dashboards import Annotation, Dashboard, Panel, SourceReference, Variable
from tocsin.artefacts.dashboards import Query as Target
from tocsin.artefacts.embedded import embedded
from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.artefacts.runbooks import Runbook
from tocsin.model.interpolation import Interpolated, interpolated
from tocsin.part import Part
from tocsin.promql import Expr, PromQLError, Span
from tocsin.source import Place, place_within
from tocsin.system import Kind

if TYPE_CHECKING:
    from tocsin.model import Model

Origin = Literal["panel", "variable", "annotation", "runbook"]
PROMETHEUS = frozenset(
    {"prometheus", "grafana-amazonprometheus-datasource", "grafana-azureprometheus-datasource"}
    | {"victoriametrics-metrics-datasource", "victoriametrics-datasource"}
)
"""Types of data sources that are asked PromQL."""
EXTENDED = frozenset({"victoriametrics-metrics-datasource", "victoriametrics-datasource"})
"""Those whose language has more than PromQL."""

_LABEL_VALUES = re.compile(r"\s*label_values\s*\((?P<inside>.*)\)\s*", re.DOTALL)
_QUERY_RESULT = re.compile(r"\s*query_result\s*\((?P<inside>.*)\)\s*", re.DOTALL)


@dataclass(frozen=True, eq=False)
class DashboardQuery:
    """One PromQL query of a panel, a variable, an annotation or a runbook."""

    origin: Origin
    subject: str
    """The name path by which findings know it."""
    part: Part
    """The scalar that holds it."""
    interpolation: Interpolated = field(repr=False)
    """The query with its variables replaced; `varies` tells which pieces of the tree are not really known."""
    certain: bool = True
    """Whether it is certain that a Prometheus is asked, in nothing but PromQL."""
    start: int = 0
    """The offset of the query within its scalar: of `label_values(up, job)`, that of `up`."""
    owner: Target | Variable | Annotation | Runbook | None = field(repr=False, default=None)
    text: str = field(repr=False, default="")
    """The text of the file that holds it."""
    label: str = ""
    """Of a variable: the label whose values are asked for."""

    @property
    def dashboard(self) -> Dashboard | None:
        """The dashboard that it is in; None if it is in a runbook."""
        if isinstance(self.owner, Target):
            return self.owner.panel.dashboard
        return self.owner.dashboard if isinstance(self.owner, (Variable, Annotation)) else None

    @property
    def tree(self) -> Expr | None:
        """The tree of the query with its variables replaced; None if it does not parse whatever they hold."""
        return self.interpolation.tree

    @property
    def error(self) -> PromQLError | None:
        """Why it does not parse."""
        return self.interpolation.error

    @property
    def expression(self) -> str:
        """The query with its variables replaced: what the spans of the tree are of."""
        return self.interpolation.text

    @property
    def known_tree(self) -> Expr | None:
        """The tree without the matchers that depend on a variable: it selects whatever the query may select."""
        return self.interpolation.known_tree

    def varies(self, span: Span) -> bool:
        """Tell whether a piece of the tree is what a variable says."""
        return self.interpolation.varies(span)

    def place_of(self, span: Span) -> Place:
        """Return where a piece of the tree stands in the file."""
        return self.piece(span)[0]

    def piece(self, span: Span) -> tuple[Place, int]:
        """Return the place of a piece of the tree, and how many characters of its line belong to it."""
        written = self.interpolation.written_span(span)
        value = self.part.text
        start, end = written.start + self.start, written.end + self.start
        place = place_within(self.text, self.part.place, value, start)
        return place, max(1, len(value[start:end].split("\n")[0]))


def dashboards(model: Model) -> tuple[Dashboard, ...]:
    """Return every dashboard: of files, of ConfigMaps, and of objects of Kubernetes."""
    found = [_of_file(Part.whole(document)) for document in model.documents(Kind.DASHBOARDS)]
    for each in model.objects_of("Dashboard", "GrafanaDashboard"):
        found.extend(_of_object(each, model))
    return tuple(dashboard for dashboard in found if dashboard is not None)


def _of_file(whole: Part) -> Dashboard | None:
    inner = whole.get("dashboard")
    wrapped = isinstance(inner.value, dict) and "panels" not in whole and "rows" not in whole
    return Dashboard(inner if wrapped else whole)


def _of_object(each: KubernetesObject, model: Model) -> Iterator[Dashboard]:
    spec = each.part.get("spec")
    if each.kind == "Dashboard":
        if "elements" in spec:
            yield Dashboard(spec, each.part.get("metadata"))
        elif "panels" in spec:
            yield Dashboard(spec)
        return
    text = spec.get("json")
    if text.text:
        read = embedded(text, model.text(text.file))
        yield from (Dashboard(Part.whole(document)) for document in read.documents if isinstance(document.value, dict))


def queries(model: Model) -> tuple[DashboardQuery, ...]:
    """Return every PromQL query of dashboards and runbooks. They are read once."""
    return model.queries


def read_queries(model: Model) -> Iterator[DashboardQuery]:
    """Yield every PromQL query of dashboards and runbooks."""
    reader = _Reader(model)
    for dashboard in model.dashboards:
        yield from reader.of_dashboard(dashboard)
    for page in model.runbooks:
        if "```" in page.text or "~~~" in page.text:
            for part in page.expressions():
                yield DashboardQuery(
                    "runbook", page.file, part, reader.read(part.text, {}), owner=page, text=model.text(page.file)
                )


class _Reader:
    def __init__(self, model: Model) -> None:
        self._model = model
        self._read: dict[str, Interpolated] = {}
        self._types = source_types(model)

    def read(self, written: str, values: Mapping[str, tuple[str, ...]]) -> Interpolated:
        """Return a query with its variables replaced; what parses whatever the variables hold is read once."""
        if written not in self._read:
            self._read[written] = interpolated(written, {})
        found = self._read[written]
        if found.tree is not None or not any(values.get(each.name) for each in found.substitutions):
            return found
        return interpolated(written, values)

    def of_dashboard(self, dashboard: Dashboard) -> Iterator[DashboardQuery]:
        values = {variable.name: variable.values for variable in dashboard.variables}
        text = self._model.text(dashboard.part.file)
        for panel in dashboard.panels:
            yield from self.of_panel(panel, values, text)
        for variable in dashboard.variables:
            yield from self.of_variable(variable, values, text)
        for annotation in dashboard.annotations:
            part = annotation.expression_part
            sure = self.asked(dashboard, annotation.source, part.text)
            if part.text.strip() and sure is not None:
                read = self.read(part.text, values)
                yield DashboardQuery("annotation", annotation.subject, part, read, sure, owner=annotation, text=text)

    def of_panel(self, panel: Panel, values: Mapping[str, tuple[str, ...]], text: str) -> Iterator[DashboardQuery]:
        for target in panel.queries:
            part = target.expression_part
            if not part.text.strip():
                continue
            sure = self.asked(panel.dashboard, target.source, part.text)
            if sure is not None:
                read = self.read(part.text, values)
                yield DashboardQuery("panel", target.subject, part, read, sure, owner=target, text=text)

    def of_variable(
        self, variable: Variable, values: Mapping[str, tuple[str, ...]], text: str
    ) -> Iterator[DashboardQuery]:
        if variable.type != "query":
            return
        part = variable.query_part
        found = _LABEL_VALUES.fullmatch(part.text) or _QUERY_RESULT.fullmatch(part.text)
        if found is None:
            return
        expression, label = found["inside"], ""
        if found.re is _LABEL_VALUES:
            expression, comma, label = found["inside"].rpartition(",")
            if not comma:
                return  # the values of a label of any series
        if self.asked(variable.dashboard, variable.source, expression.strip()) is None:
            return
        start = found.start("inside") + len(expression) - len(expression.lstrip())
        read = self.read(expression.strip(), values)
        yield DashboardQuery("variable", variable.subject, part, read, True, start, variable, text, label.strip())

    def asked(self, dashboard: Dashboard, source: SourceReference | None, written: str) -> bool | None:
        """Tell whether a Prometheus is asked: surely, perhaps (False), or not at all (None)."""
        kind = dashboard.source_type(source)
        if not kind and source is not None and source.uid:
            kind = self._types.get(source.uid, "")
        if not kind and source is None:
            kind = self._default_type
        if kind:
            return kind not in EXTENDED and not self._extended if kind in PROMETHEUS else None
        if dashboard.required_sources and not dashboard.required_sources & PROMETHEUS:
            return None
        if dashboard.required_sources and dashboard.required_sources <= PROMETHEUS - EXTENDED:
            return not self._extended
        # Nothing says it: what reads as PromQL is taken for PromQL, and nothing is made of what does not.
        return False if self.read(written, {}).tree is not None else None

    @cached_property
    def _default_type(self) -> str:
        """The type of the data source that is asked where a panel names none; empty if that is not sure."""
        sources = self._model.data_sources
        defaults = [each for each in sources if each.part.get("isDefault").value is True]
        types = {each.type for each in defaults or sources}
        return next(iter(types)) if len(types) == 1 and (defaults or len(sources) == 1) else ""

    @cached_property
    def _extended(self) -> bool:
        """Whether the system has a VictoriaMetrics: it is asked as a Prometheus, and understands more."""
        kinds = (each.part.string("apiVersion") for each in self._model.objects)
        images = (c.part.string("image") for w in self._model.workloads for c in w.containers)
        services = (p.string("image") for f in self._model.compose_files for _, p in f.part.get("services").items())
        return any("victoriametrics" in word.replace("-", "") for word in (*kinds, *images, *services))


def source_types(model: Model) -> Mapping[str, str]:
    """Return the types of the provisioned data sources by uid and by name; empty where two disagree."""
    found: dict[str, str] = {}
    for source in model.data_sources:
        for key in {source.uid, source.name} - {""}:
            found[key] = source.type if found.get(key, source.type) == source.type else ""
    return found
