"""Grafana dashboards: panels, queries, variables, annotations and links, of the classic schema and of version 2.

Source: the dashboard JSON model (grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model)
and the kinds of `dashboard.grafana.app/v2alpha1` and `v2beta1`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tocsin.part import Part

REFERENCE = re.compile(
    r"\$(?P<plain>\w+)"
    r"|\[\[(?P<square>\w+?)(?::(?P<square_format>\w+))?\]\]"
    r"|\$\{(?P<braced>\w+)(?:\.(?P<field>[^:^}]+))?(?::(?P<format>[^}]+))?\}"
)
"""How a variable is referred to (packages/grafana-data/src/utils/dataLinks.ts, `variableRegex`)."""
BUILT_IN_SOURCES = frozenset({"-- Grafana --", "-- Mixed --", "-- Dashboard --", "grafana", "default", "__expr__"})
"""Names of data sources that every Grafana has."""
_VERSION_2_TYPES = {
    "QueryVariable": "query",
    "CustomVariable": "custom",
    "ConstantVariable": "constant",
    "DatasourceVariable": "datasource",
    "IntervalVariable": "interval",
    "TextVariable": "textbox",
    "AdhocVariable": "adhoc",
    "GroupByVariable": "groupby",
    "SwitchVariable": "switch",
}


def reference_name(match: re.Match[str]) -> str:
    """Return the name of the variable that a match of REFERENCE refers to."""
    return match["plain"] or match["square"] or match["braced"]


@dataclass(frozen=True, slots=True)
class SourceReference:
    """Which data source something asks: by type and uid, or by a name that may be a variable."""

    part: Part
    """The object, or the string."""
    type: str = ""
    uid: str = ""
    """The uid or, in old dashboards, the name; empty for the default data source."""

    @property
    def uid_part(self) -> Part:
        """What says the uid."""
        for key in ("uid", "name"):
            if self.part.get(key):
                return self.part.get(key)
        return self.part

    @property
    def variable(self) -> str:
        """The variable that the uid is; empty if it is none."""
        match = REFERENCE.fullmatch(self.uid)
        return reference_name(match) if match else ""

    @property
    def built_in(self) -> bool:
        """Whether it is one that every Grafana has, or the default one."""
        return not self.uid or self.uid in BUILT_IN_SOURCES or self.type in ("grafana", "datasource", "__expr__")


def source_reference(part: Part) -> SourceReference | None:
    """Read a data source reference; None if there is none."""
    if isinstance(part.value, dict):
        kind = part.string("type") or part.string("group")
        return SourceReference(part, kind, part.string("uid") or part.string("name"))
    return SourceReference(part, uid=part.text) if part.text else None


@dataclass(frozen=True)
class Query:
    """One query of a panel."""

    part: Part
    panel: Panel

    @cached_property
    def body(self) -> Part:
        """What the data source is asked: the target itself or, in version 2, the `spec` inside it."""
        inner = self.part.get("spec", "query", "spec")
        return inner if isinstance(inner.value, dict) else self.part

    @property
    def expression_part(self) -> Part:
        """The query as it stands in the file."""
        return self.body.get("expr")

    @property
    def expression(self) -> str:
        """The query as written, variables and all."""
        return self.expression_part.text

    @property
    def legend_part(self) -> Part:
        """What the series are called."""
        return self.body.get("legendFormat")

    @property
    def letter(self) -> str:
        """Its name within the panel, such as `A`."""
        return self.part.string("refId") or self.part.string("spec", "refId")

    @cached_property
    def source(self) -> SourceReference | None:
        """The data source that it asks: its own or that of its panel; None if neither says one."""
        query = self.part.get("spec", "query")
        group = query.string("group") or query.string("kind")
        if isinstance(query.value, dict) and group:
            where = self.part.get("spec", "datasource") or query.get("datasource")
            kind = "" if group == "DataQuery" else group
            return SourceReference(where, kind, where.string("uid") or where.string("name"))
        own = source_reference(self.part.get("datasource"))
        return own if own is not None else source_reference(self.panel.part.get("datasource"))

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return f"{self.panel.subject}/{self.letter}" if self.letter else self.panel.subject


def _body(part: Part) -> Part:
    """Return what holds the fields of a panel, variable or annotation: itself or, in version 2, its `spec`."""
    spec = part.get("spec")
    return spec if isinstance(spec.value, dict) and part.string("kind") else part


@dataclass(frozen=True)
class Panel:
    """One panel."""

    part: Part
    dashboard: Dashboard

    @cached_property
    def body(self) -> Part:
        """What holds its title and id: the panel itself or, in version 2, its `spec`."""
        return _body(self.part)

    @property
    def title(self) -> str:
        """Its title."""
        return self.body.string("title")

    @property
    def id(self) -> str:
        """The number by which links name it; empty if it has none."""
        number = self.body.get("id").value
        return str(number) if isinstance(number, (int, str)) else ""

    @property
    def type(self) -> str:
        """The kind of picture, such as `timeseries`."""
        view = self.body.get("vizConfig")
        return self.part.string("type") or view.string("group") or view.string("kind")

    @property
    def source(self) -> SourceReference | None:
        """The data source that it says for all its queries."""
        return source_reference(self.part.get("datasource"))

    @property
    def options(self) -> Part:
        """The settings of the picture."""
        return self.body.get("vizConfig", "spec", "options") or self.part.get("options")

    @property
    def field_config(self) -> Part:
        """How values are shown."""
        return self.body.get("vizConfig", "spec", "fieldConfig") or self.part.get("fieldConfig")

    @property
    def transformations(self) -> tuple[Part, ...]:
        """What is done to the answers before they are shown."""
        return self.part.list("transformations") or self.body.list("data", "spec", "transformations")

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return f"{self.dashboard.subject}/{self.title or self.id}"

    @cached_property
    def queries(self) -> tuple[Query, ...]:
        """Its queries."""
        targets = self.part.list("targets") or self.body.list("data", "spec", "queries")
        return tuple(Query(part, self) for part in targets if isinstance(part.value, dict))


@dataclass(frozen=True)
class Variable:
    """One variable of a dashboard."""

    part: Part
    dashboard: Dashboard

    @cached_property
    def body(self) -> Part:
        """What holds its name: the variable itself or, in version 2, its `spec`."""
        return _body(self.part)

    @property
    def name(self) -> str:
        """Its name."""
        return self.body.string("name")

    @property
    def type(self) -> str:
        """Its type by the classic schema's word."""
        return self.part.string("type") or _VERSION_2_TYPES.get(self.part.string("kind"), "")

    @property
    def query_part(self) -> Part:
        """What it asks for, or the list of its values."""
        query = self.body.get("query")
        for inner in (query.get("spec", "query"), query.get("spec", "expr"), query.get("query"), query):
            if inner.text:
                return inner
        return self.body.get("definition")

    @property
    def plugin(self) -> str:
        """The type of data source that a variable of data sources chooses among."""
        return self.body.string("pluginId") or self.query_part.text

    @property
    def source(self) -> SourceReference | None:
        """The data source that it asks."""
        group = self.body.string("query", "group")
        where = self.body.get("datasource") or self.body.get("query", "datasource")
        found = source_reference(where)
        return SourceReference(found.part, group, found.uid) if found is not None and group else found

    @cached_property
    def values(self) -> tuple[str, ...]:
        """Values that it is known to have, the current one first."""
        found: list[str] = []
        current = self.body.get("current", "value")
        found += [current.text] if current.text else [part.text for part in current.list()]
        found += [option.string("value") for option in self.body.list("options")]
        if self.type in ("custom", "constant", "interval", "textbox"):
            pieces = re.split(r"(?<!\\),", self.query_part.text) if self.type != "constant" else [self.query_part.text]
            found += [piece.rsplit(" : ", 1)[-1].strip() for piece in pieces]
        return tuple(dict.fromkeys(value for value in found if value and value != "$__all"))

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return f"{self.dashboard.subject}/${self.name}"


@dataclass(frozen=True)
class Annotation:
    """A query whose results are marked in every panel."""

    part: Part
    dashboard: Dashboard

    @cached_property
    def body(self) -> Part:
        """What holds its query: the annotation itself or, in version 2, its `spec`."""
        return _body(self.part)

    @property
    def expression_part(self) -> Part:
        """The query as it stands in the file."""
        places = (("expr",), ("target", "expr"), ("query", "spec", "expr"))
        return next((p for at in places if (p := self.body.get(*at)).text), self.body.get("expr"))

    @property
    def source(self) -> SourceReference | None:
        """The data source that it asks."""
        return source_reference(self.body.get("datasource") or self.body.get("query", "datasource"))

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return f"{self.dashboard.subject}/{self.body.string('name')}"


@dataclass(frozen=True)
class Dashboard:
    """One dashboard. Its part is the dashboard itself; of version 2 that is the `spec`, beside its `metadata`."""

    part: Part
    metadata: Part | None = None

    @property
    def title(self) -> str:
        """Its title."""
        return self.part.string("title")

    @property
    def uid(self) -> str:
        """What links know it by; empty if Grafana is to choose."""
        return self.metadata.string("name") if self.metadata is not None else self.part.string("uid")

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return self.uid or self.title or self.part.file

    @cached_property
    def panels(self) -> tuple[Panel, ...]:
        """Its panels, rows among them, those inside of rows too."""
        return tuple(Panel(part, self) for part in self._panel_parts())

    def _panel_parts(self) -> Iterator[Part]:
        waiting = [*self.part.list("panels"), *self.part.list("rows")]
        while waiting:
            part = waiting.pop(0)
            if not isinstance(part.value, dict):
                continue
            yield part
            waiting[:0] = part.list("panels")
        for _name, element in self.part.get("elements").items():  # noqa: PERF102 a part has no values()
            if isinstance(element.value, dict):
                yield element

    @cached_property
    def variables(self) -> tuple[Variable, ...]:
        """Its variables, in order."""
        parts = self.part.list("templating", "list") or self.part.list("variables")
        return tuple(Variable(part, self) for part in parts if isinstance(part.value, dict))

    def variable(self, name: str) -> Variable | None:
        """Return a variable by its name."""
        return next((variable for variable in self.variables if variable.name == name), None)

    @cached_property
    def annotations(self) -> tuple[Annotation, ...]:
        """Its annotation queries."""
        parts = self.part.list("annotations", "list") or self.part.list("annotations")
        return tuple(Annotation(part, self) for part in parts if isinstance(part.value, dict))

    @cached_property
    def inputs(self) -> dict[str, str]:
        """What an import asks for: the type of the data source (empty: a constant) by the name that stands for it."""
        inputs = self.part.list("__inputs")
        return {part.string("name"): part.string("pluginId") for part in inputs if part.string("name")}

    @cached_property
    def required_sources(self) -> frozenset[str]:
        """The types of data sources that it says to require; nothing if it does not say."""
        required = self.part.list("__requires")
        return frozenset(part.string("id") for part in required if part.string("type") == "datasource")

    def source_type(self, reference: SourceReference | None) -> str:
        """Return the type of a data source as far as the dashboard tells; empty if it does not."""
        if reference is None:
            return ""
        if reference.type and not REFERENCE.search(reference.type):
            return reference.type
        name = reference.variable
        if name in self.inputs:
            return self.inputs[name]
        variable = self.variable(name) if name else None
        return variable.plugin if variable is not None and variable.type == "datasource" else ""
