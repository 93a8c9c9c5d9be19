"""absent() of something that another target has as well."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import Call, VectorSelector, unwrapped, walk

_RULES = "groups:\n- name: a\n  rules:\n  - alert: ApiMissing\n    for: 5m\n    expr: absent({})\n"
_PROMETHEUS = """rule_files: [rules.yml]
scrape_configs:
- job_name: api
  static_configs: [{targets: ['api:80']}]
- job_name: node
  static_configs: [{targets: ['node:9100']}]
"""
_OF_EVERY_TARGET = frozenset(
    [
        *("up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling"),
        *("scrape_series_added", "scrape_timeout_seconds", "scrape_sample_limit"),
    ]
)
"""Series that Prometheus itself writes for each target (prometheus.io/docs/concepts/jobs_instances)."""

_OF_PROCESSES = ("process_", "go_", "python_")
"""What nearly every target tells of its own process (prometheus.io/docs/instrumenting/writing_clientlibs)."""


@check(
    severity=Severity.ERROR,
    fix='Name the job that is meant: absent(up{job="..."}).',
    bad=Example({"rules.yml": _RULES.format("up"), "prometheus.yml": _PROMETHEUS}, at="absent(up)"),
    good=Example({"rules.yml": _RULES.format('up{job="api"}'), "prometheus.yml": _PROMETHEUS}),
)
def absent_always_satisfied(alert: Rule, model: Model) -> Iterator[Remark]:
    """As long as any one thing is left that satisfies absent(), the alert cannot ring for what is missing.

    (prometheus.io/docs/prometheus/latest/querying/functions, absent: it yields nothing if its argument has any element;
    prometheus.io/docs/concepts/jobs_instances: every target of every job has `up`.)
    """
    tree = model.tree(alert)
    if tree is None:
        return
    for proof, whole in model.values.dead(alert):
        if proof.cause == "presence":
            place, width = model.piece(alert.part.get("expr"), proof.span)
            severity = Severity.ERROR if whole else Severity.WARNING
            yield Remark(place, f"{proof.argument}: {alert.name} cannot ring by it", width=width, severity=severity)
    for call in walk(tree):
        if isinstance(call, Call) and call.function in ("absent", "absent_over_time") and call.args:
            yield from _of_all(call, alert, model)


def _of_all(call: Call, alert: Rule, model: Model) -> Iterator[Remark]:
    selector = next((node for node in walk(unwrapped(call.args[0])) if isinstance(node, VectorSelector)), None)
    inner = unwrapped(call.args[0])
    bare = inner is selector or call.function == "absent_over_time"
    if selector is None or not bare or _restricts(selector):
        return
    place, width = model.piece(alert.part.get("expr"), call.span)
    if selector.name not in _OF_EVERY_TARGET:
        exporters = _exporters(selector.name or "", alert, model)
        if len(exporters) > 1:
            said = f"{selector.name} is exported by {' and by '.join(exporters[:3])}: as long as one of them is left, "
            yield Remark(place, said + f"{alert.name} cannot ring", width=width, severity=Severity.WARNING)
        return
    stacks = model.timing.stacks_of(alert)
    jobs = [[job for job in stack.jobs if job.name] for stack in stacks]
    if any(len(each) < 2 for each in jobs):
        return
    of = "of every job"
    if jobs:
        more = ", ..." if len(jobs[0]) > 4 else ""
        of = f"of the {len(jobs[0])} jobs ({', '.join(job.name for job in jobs[0][:4])}{more})"
    said = f"every target {of} has `{selector.name}`: "
    said += f"{alert.name} can ring only when all of them are gone at once"
    yield Remark(place, said, width=width, severity=Severity.ERROR if jobs else Severity.WARNING)


def _exporters(name: str, alert: Rule, model: Model) -> list[str]:
    """Return what exports a metric: the jobs of saved bodies, the folders of applications, exporters of many jobs."""
    several = any(len(stack.jobs) > 1 for stack in model.timing.stacks_of(alert))
    origins = ("saved", "application", "exporter" if several and name.startswith(_OF_PROCESSES) else "")
    told = [metric for metric in model.metrics.named(name) if metric.origin in origins]
    return sorted({metric.by or metric.place.file.split("/")[0] for metric in told})


def _restricts(selector: VectorSelector) -> bool:
    """Whether a selector leaves any target out."""
    everything = {("=~", ".*"), ("=~", ".+"), ("!=", "")}
    return any((m.op, m.value) not in everything for m in selector.matchers if m.name != "__name__")
