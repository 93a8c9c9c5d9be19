"""A relabelling rule that reads or writes what there is not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.artefacts.prometheus import ScrapeJob
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.part import Part
from tocsin.relabelling import Step, groups, matches, references, steps
from tocsin.source import nearest

_CONFIG = """global: {{}}
scrape_configs:
- job_name: shop
  kubernetes_sd_configs: [{{role: pod}}]
  relabel_configs:
  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_path]
    regex: (.+)
    target_label: {target}
"""
_SPECIAL = (
    "__address__", "__scheme__", "__metrics_path__", "__scrape_interval__", "__scrape_timeout__", "__param_target",
    "__param_module",
)  # fmt: skip
"""The labels that decide how a target is asked (prometheus.io/docs, relabel_config)."""
_PREFIXES = {
    "pod": ("pod_", "namespace"),
    "service": ("service_", "namespace"),
    "endpoints": ("pod_", "service_", "endpoint_", "endpoints_", "node_", "namespace"),
    "endpointslice": ("pod_", "service_", "endpointslice_", "node_", "namespace"),
    "ingress": ("ingress_", "namespace"),
    "node": ("node_",),
}
"""What the labels of each role of Kubernetes begin with, after `__meta_kubernetes_`."""


@check(
    severity=Severity.ERROR,
    fix="Name a label that Prometheus knows, and a group that the expression has.",
    bad=Example({"prometheus.yml": _CONFIG.format(target="__metrics_path")}, at="target_label: __metrics_path"),
    good=Example({"prometheus.yml": _CONFIG.format(target="__metrics_path__")}),
)
def relabelling_without_effect(scrape_job: ScrapeJob) -> Iterator[Remark]:
    """Prometheus asks targets elsewhere than is meant, or not at all, because the rule does nothing or writes nothing.

    (prometheus.io/docs/prometheus/latest/configuration/configuration, relabel_config: labels that begin with `__` are
    removed after relabelling; kubernetes_sd_config: the labels of each role; pkg.go.dev/regexp, Regexp.Expand: a
    group that is out of range or did not match is empty.)
    """
    rules = steps(scrape_job.relabelling)
    for index, rule in enumerate(rules):
        for part, message, severity in (
            *_misspelt(rule, rules[index + 1 :]),
            *_groups(rule),
            *_foreign(scrape_job, rule, rules[:index]),
        ):
            subject = f"{scrape_job.subject}/relabel_configs/{rule.target or rule.action}"
            yield at(part, f"job `{scrape_job.name}`: {message}", subject=subject, severity=severity)
    for rule in steps(scrape_job.metric_relabelling):
        for part, message, severity in _groups(rule):
            subject = f"{scrape_job.subject}/metric_relabel_configs/{rule.target or rule.action}"
            yield at(part, f"job `{scrape_job.name}`: {message}", subject=subject, severity=severity)


def _misspelt(rule: Step, later: tuple[Step, ...]) -> Iterator[tuple[Part, str, Severity]]:
    """Yield labels that are nearly those by which a target is asked, and that no later rule reads."""
    name = rule.target
    known = name in _SPECIAL or name.startswith(("__param_", "__tmp", "__meta_"))
    if not name.startswith("__") or known or "$" in name or rule.action not in ("replace", "lowercase", "uppercase"):
        return
    near = [each for each in nearest(name, _SPECIAL, most=1) if _bare(each) in (_bare(name), f"{_bare(name)}s")]
    mapped = any(each.action == "labelmap" and matches(each.regex, name) is not False for each in later)
    read = mapped or any(name in each.sources for each in later)
    if near and not read:
        message = f"the label `{name}` is removed again and means nothing; did you mean `{near[0]}`?"
        yield rule.part.get("target_label"), message, Severity.ERROR


def _bare(name: str) -> str:
    return re.sub(r"[_-]", "", name).lower()


def _groups(rule: Step) -> Iterator[tuple[Part, str, Severity]]:
    """Yield replacements that name a group which the expression does not have."""
    found = groups(rule.regex)
    if found is None or rule.action not in ("replace", "labelmap"):
        return
    for name in references(rule.replacement):
        number = int(name) if name.isdigit() and len(name) < 5 else None
        if (number is not None and number <= found[0]) or name in found[1]:
            continue
        shown = "no group" if not found[0] else f"{found[0]} group" + ("s" if found[0] > 1 else "")
        part = rule.part.get("replacement")
        message = f"`${name}` is always empty: `{rule.regex}` has {shown}"
        severity = Severity.ERROR if rule.target.startswith("__") else Severity.WARNING
        yield (part or rule.part.get("regex")), message, severity


def _foreign(job: ScrapeJob, rule: Step, earlier: tuple[Step, ...]) -> Iterator[tuple[Part, str, Severity]]:
    """Yield labels that no way of discovery of the job gives."""
    if not job.discoveries or any(each.mechanism != "kubernetes_sd_configs" for each in job.discoveries):
        return
    roles = {each.part.string("role") for each in job.discoveries}
    if not roles <= _PREFIXES.keys() or any(each.part.get("attach_metadata") for each in job.discoveries):
        return
    prefixes = {prefix for role in roles for prefix in _PREFIXES[role]}
    written = {each.target for each in earlier}
    for source in rule.part.list("source_labels"):
        name = source.text
        if not name.startswith("__meta_kubernetes_") or name in written or any(e.action == "labelmap" for e in earlier):
            continue
        if not name.removeprefix("__meta_kubernetes_").startswith(tuple(prefixes)):
            alone = rule.action == "keep" and len(rule.sources) == 1
            message = f"the role {' and '.join(sorted(roles))} gives no label `{name}`"
            yield source, message, Severity.ERROR if alone else Severity.WARNING
