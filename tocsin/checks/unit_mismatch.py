"""A panel whose unit is not that of its numbers."""

import re
from collections.abc import Iterator

from tocsin.artefacts.dashboards import Panel, Query
from tocsin.artefacts.grafana_units import TITLES, UNITS
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.part import Part
from tocsin.promql.units import Unit, unit_of

_SHOWN = frozenset({"timeseries", "graph", "stat", "gauge", "bargauge", "singlestat", "barchart", "state-timeline"})
"""Panels that show a query's values with the panel's unit; a heat map's axis and a table's columns are other things."""
_MEASURED = frozenset({"bytes", "bytes/s", "seconds", "seconds/s", "ratio", "timestamp"})
_ALIKE = frozenset({("seconds/s", "ratio"), ("seconds/s", "seconds")})
"""Seconds of work in each second are a share; how many cores are busy is often read as seconds."""
_RATE = re.compile(r"/\s?s(?:ec)?\b|\bper sec|\brates?\b|\bbandwidth|\bthroughput", re.IGNORECASE)
_WORDS = {
    "bytes": "bytes",
    "bytes/s": "bytes a second",
    "seconds": "seconds",
    "seconds/s": "seconds in each second",
    "ratio": "a ratio",
    "timestamp": "a moment in seconds since 1970",
}
_SCALES = {
    ("ratio", 100.0): "a ratio times 100",
    ("bytes", 8.0): "bits",
    ("bytes/s", 8.0): "bits a second",
    ("seconds", 1e3): "milliseconds",
    ("seconds", 1e6): "microseconds",
    ("seconds", 1e9): "nanoseconds",
    ("timestamp", 1e3): "a moment in milliseconds since 1970",
}
_LEAST = 5.0
"""By how much scales have to differ: binary and decimal multiples differ by a tenth, bits and bytes by 8."""


def _panel(unit: str, expression: str) -> Example:
    target = f'{{"refId":"A","datasource":{{"type":"prometheus","uid":"p"}},"expr":"{expression}"}}'
    defaults = f'{{"defaults":{{\n"unit": "{unit}"\n}},"overrides":[]}}'
    panel = f'{{"id":1,"type":"timeseries","title":"Failing","fieldConfig":{defaults},"targets":[{target}]}}'
    text = f'{{"uid":"a","title":"A","schemaVersion":39,"panels":[{panel}]}}'
    return Example({"dashboards/a.json": text}, at=f'"unit": "{unit}"')


_SHARE = "sum(rate(errors_total[5m])) / sum(rate(requests_total[5m]))"


@check(
    severity=Severity.WARNING,
    fix="Choose the unit that the expression is of, or multiply the expression to that of the unit.",
    bad=_panel("percent", _SHARE),
    good=_panel("percentunit", _SHARE),
    origin="dashboard-linter panel-units-rule",
)
def unit_mismatch(panel: Panel, model: Model) -> Iterator[Remark]:
    """Who reads the panel takes the number for another one, mostly by a factor of 8, 100 or 1000.

    (prometheus.io/docs/practices/naming: a metric's name ends in its unit; Grafana's units are those of
    packages/grafana-data/src/valueFormats/categories.ts. `percent` is of 0 to 100, `percentunit` of 0 to 1, and dates
    are of milliseconds.)
    """
    if panel.type not in _SHOWN or panel.transformations:
        return
    told: set[tuple[object, ...]] = set()
    for query in panel.queries:
        shown = _unit_part(panel, query)
        measured, scale = UNITS.get(shown.text, ("", 0.0))
        asked = model.query_of(query) if measured else None
        unit = unit_of(asked.tree, model.recorded_units) if asked is not None and asked.tree is not None else None
        if unit is None or unit.kind not in _MEASURED or _agree(unit, measured, scale) or _told(panel, unit, measured):
            continue
        title = TITLES.get(shown.text, shown.text)
        if (shown.route, unit) not in told:
            told.add((shown.route, unit))
            said = f"{panel.title or 'the panel'} shows {_word(unit)} ({_short(query.expression)}) as {title}"
            yield at(shown, f"{said}{_consequence(unit, measured, scale)}")


def _unit_part(panel: Panel, query: Query) -> Part:
    """Return what says the unit of a query's values; nothing if it is not certain which one does."""
    config, nothing = panel.field_config, panel.part.get("")
    chosen = config.get("defaults", "unit")
    for override in config.list("overrides"):
        unit = next((p.get("value") for p in override.list("properties") if p.string("id") == "unit"), None)
        if unit is None:
            continue
        if override.string("matcher", "id") != "byFrameRefID":
            return nothing
        if override.string("matcher", "options") == query.letter:
            chosen = unit
    if panel.type == "graph":
        right = any(each.string("yaxis") == "2" for each in panel.part.list("seriesOverrides"))
        chosen = nothing if right else panel.part.get("yaxes", 0, "format")
    if panel.type in ("singlestat", "gauge") and not chosen:
        chosen = panel.part.get("format")
    return chosen


def _agree(unit: Unit, measured: str, scale: float) -> bool:
    if (unit.kind, measured) in _ALIKE and measured != "ratio":
        return True
    if unit.kind != measured and (unit.kind, measured) not in _ALIKE:
        return False
    return 1 / _LEAST < unit.scale / scale < _LEAST


def _told(panel: Panel, unit: Unit, measured: str) -> bool:
    """Tell whether an amount that is a rate is called one beside it, so that nobody is misled."""
    axis = panel.part.string("yaxes", 0, "label") + panel.field_config.string("defaults", "custom", "axisLabel")
    return f"{measured}/s" == unit.kind and _RATE.search(f"{panel.title} {axis}") is not None


def _word(unit: Unit) -> str:
    if unit.scale == 1:
        return _WORDS[unit.kind]
    return _SCALES.get((unit.kind, unit.scale)) or f"{_WORDS[unit.kind]} times {unit.scale:g}"


def _consequence(unit: Unit, measured: str, scale: float) -> str:
    same = unit.kind == measured or (unit.kind, measured) in _ALIKE
    factor = unit.scale / scale if same else 0.0
    if not factor:
        return ""
    return (
        f": what is shown is {factor:.4g} times too large"
        if factor > 1
        else f": what is shown is {1 / factor:.4g} times too small"
    )


def _short(expression: str) -> str:
    line = " ".join(expression.split())
    return line if len(line) <= 80 else f"{line[:77]}..."
