"""A rule that looks back beyond what is kept."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.durations import format_duration
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import Expr, MatrixSelector, Subquery, VectorSelector, longest_window, walk

_RULES = "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: sum_over_time(errors:rate5m[{}]) > 1\n"
_PROMETHEUS = "rule_files: [rules.yml]\nscrape_configs: []\nglobal: {scrape_interval: 15s}\n"
_COMPOSE = """services:
  prometheus:
    image: prom/prometheus:v3.0.0
    command: [--config.file=/etc/prometheus/prometheus.yml, --storage.tsdb.retention.time=7d]
    volumes:
    - ./prometheus.yml:/etc/prometheus/prometheus.yml
    - ./rules.yml:/etc/prometheus/rules.yml
"""


@check(
    severity=Severity.WARNING,
    fix="Keep samples for longer (--storage.tsdb.retention.time), or look back less far.",
    bad=Example(
        {"rules.yml": _RULES.format("30d"), "prometheus.yml": _PROMETHEUS, "docker-compose.yml": _COMPOSE}, at="[30d]"
    ),
    good=Example({"rules.yml": _RULES.format("6d"), "prometheus.yml": _PROMETHEUS, "docker-compose.yml": _COMPOSE}),
    origin="pint promql/range_query",
)
def range_over_retention(rule: Rule, model: Model) -> Iterator[Remark]:
    """No sample is older than the retention, so the rule judges by less than it says.

    (prometheus.io/docs/prometheus/latest/storage, operational aspects: 15 days, where no flag says otherwise.)
    """
    tree = model.tree(rule)
    if tree is None:
        return
    farthest = longest_window(tree)
    kept = list(model.timing.retentions(rule))
    if _by_the_operator(rule):
        kept += list(model.timing.operated_retentions())
    shortest = min(kept, key=lambda each: each.seconds, default=None)
    if shortest is None or farthest <= shortest.seconds:
        return
    node = next((each for each in walk(tree) if _reaches(each, shortest.seconds)), tree)
    place, width = model.piece(rule.part.get("expr"), node.span)
    said = f"{rule.name} looks back {format_duration(farthest)}, and samples are kept for "
    said += f"{format_duration(shortest.seconds)} ({shortest.source})"
    yield Remark(place, said, width=width, subject=rule.subject, related=(shortest.place,))


def _reaches(expr: Expr, seconds: float) -> bool:
    """Whether an expression is the innermost that looks back so far, or one around it that has no range itself."""
    if not isinstance(expr, MatrixSelector | Subquery | VectorSelector):
        return False
    return longest_window(expr) > seconds


def _by_the_operator(rule: Rule) -> bool:
    value = rule.part.document.value
    return isinstance(value, dict) and str(value.get("apiVersion", "")).startswith("monitoring.coreos.com/")
