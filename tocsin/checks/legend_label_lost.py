"""A legend that shows a label which the query does not have."""

import re
from collections.abc import Iterator

from tocsin.artefacts.dashboards import Query
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql.labels import labels_of
from tocsin.source import place_within

_GRAFANAS_OWN = "label_name"
"""What Grafana's editor offers as an example, and many leave."""
_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def _example(legend: str) -> Example:
    target = '{"refId":"A","datasource":{"type":"prometheus","uid":"p"},"expr":"sum by (job) (up)",'
    target = f'{target}\n"legendFormat":"{legend}"}}'
    panel = f'{{"id":1,"type":"timeseries","title":"Up","targets":[{target}]}}'
    text = f'{{"uid":"a","title":"A","schemaVersion":39,"panels":[{panel}]}}'
    return Example({"dashboards/a.json": text}, at="legendFormat")


@check(
    severity=Severity.WARNING,
    fix="Keep the label in the aggregation of the query, or show one that it has.",
    bad=_example("{{pod}}"),
    good=_example("{{job}}"),
)
def legend_label_lost(query: Query, model: Model) -> Iterator[Remark]:
    """Every series is called the same, or nothing, so that nobody can tell them apart.

    (grafana.com/docs/grafana/latest/datasources/prometheus/query-editor: the legend's `{{name}}` is replaced by the
    value of the label; an aggregation keeps the labels of its `by` only.)
    """
    found = model.query_of(query)
    legend, hidden = query.legend_part, query.part.get("hide").value is True
    if found is None or found.tree is None or "{{" not in legend.text or hidden or query.panel.transformations:
        return
    facts = labels_of(found.known_tree or found.tree)
    if facts.nothing or found.interpolation.fragments:
        return
    has = sorted(name for name in facts.named if facts.may_have(name) and name != "__name__")
    one = facts.closed and not has  # there is nothing to be told apart
    for match in _LABEL.finditer(legend.text):
        if facts.surely_absent(match[1]) and match[1] != _GRAFANAS_OWN:
            place = place_within(model.text(legend.file), legend.place, legend.text, match.start())
            kept = f"; it has {', '.join(has)}" if has and facts.closed else "; it has no label at all" if one else ""
            title = query.panel.title or "the panel"
            said = f"the legend of {title} shows the label `{match[1]}`, which its query has lost{kept}"
            yield Remark(place, said, width=len(match[0]), severity=Severity.INFO if one else None)
