"""A panel that looks over less time than two scrapes are apart."""

from collections.abc import Iterator

from tocsin.artefacts.dashboards import Query
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.dashboards import DashboardQuery
from tocsin.promql import Call, MatrixSelector, Span, walk

_TWO_SAMPLES = frozenset({"rate", "irate", "increase", "delta", "idelta", "deriv"})
"""Functions that give nothing of a single sample."""
_STEPS = frozenset({"__interval", "interval"})


def _example(window: str) -> Example:
    target = (
        '{"refId":"A","datasource":{"type":"prometheus","uid":"p"},\n"expr":"rate(requests_total[' + window + '])"}'
    )
    panel = f'{{"id":1,"type":"stat","title":"R","targets":[{target}]}}'
    text = f'{{"uid":"a","title":"A","schemaVersion":39,"panels":[{panel}]}}'
    return Example(
        {"a.json": text, "prometheus.yml": "scrape_configs: [{job_name: a, scrape_interval: 30s}]\n"}, at='"expr"'
    )


@check(
    severity=Severity.WARNING,
    fix="Write [$__rate_interval], which is never shorter than four scrapes.",
    bad=_example("30s"),
    good=_example("2m"),
    origin="dashboard-linter target-rate-interval-rule",
)
def panel_window_too_short(query: Query, model: Model) -> Iterator[Remark]:
    """Panels have gaps or show nothing, because a rate needs two samples in its window.

    (grafana.com/docs/grafana/latest/datasources/prometheus/template-variables, `$__rate_interval`;
    prometheus.io/docs/prometheus/latest/querying/functions, `rate`.)
    """
    found = model.query_of(query)
    if found is None or found.tree is None or not found.certain:
        return
    for node in walk(found.tree):
        if not isinstance(node, Call) or node.function not in _TWO_SAMPLES or not node.args:
            continue
        ranged = node.args[0]
        if isinstance(ranged, MatrixSelector):
            yield from _of_range(query, found, ranged, model)


def _of_range(query: Query, found: DashboardQuery, ranged: MatrixSelector, model: Model) -> Iterator[Remark]:
    named = _variable(found, ranged.range.span)
    shortest = _shortest_interval(model)
    if named in _STEPS and query.panel.dashboard.variable(named) is None:
        if not _at_least(query):
            place, width = found.piece(ranged.range.span)
            said = "the window is one step of the picture, a single scrape when one looks closely; no least step is set"
            yield Remark(place, said, width=width, severity=Severity.INFO)
    elif not named and not found.varies(ranged.range.span) and ranged.range.seconds < 2 * shortest:
        place, width = found.piece(ranged.range.span)
        often = "no job is scraped more often than every"
        said = f"the window of {ranged.range.raw} holds less than two samples: {often} {shortest:g} s"
        yield Remark(place, said, width=width)


def _variable(found: DashboardQuery, span: Span) -> str:
    """Return the variable that a piece of the query is; empty if it is none."""
    each = (each.name for each in found.interpolation.substitutions if each.put == span)
    return next(each, "")


def _at_least(query: Query) -> bool:
    """Tell whether the query or its panel sets the smallest step."""
    panel = query.panel.part
    of_version_2 = query.panel.body.get("data", "spec", "queryOptions", "interval")
    return any(part.text for part in (query.body.get("interval"), panel.get("interval"), of_version_2))


def _shortest_interval(model: Model) -> float:
    """Return the seconds between two scrapes of the job that is scraped most often; 0 if nothing says it."""
    intervals = [job.interval_seconds for config in model.prometheus_configs for job in config.jobs]
    if model.objects_of("ServiceMonitor", "PodMonitor", "Probe", "ScrapeConfig", "Prometheus"):
        return 0.0  # what an operator makes of them is not in the folder
    return min(intervals, default=0.0)
