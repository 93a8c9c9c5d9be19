"""A metric, or a label of it, that a rule needs and that metric_relabel_configs drop."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.prometheus import ScrapeJob
from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.stacks import Stack
from tocsin.promql import VectorSelector, selectors
from tocsin.relabelling import Relabelled, Step, matches, relabel, steps

_CONFIG = """global: {{}}
rule_files: [rules.yml]
scrape_configs:
- job_name: shop
  static_configs: [{{targets: ["shop:80"]}}]
  metric_relabel_configs:
  - source_labels: [__name__]
    regex: {regex}
    action: drop
"""
_RULES = "groups:\n- name: a\n  rules:\n  - alert: NoStock\n    expr: shop_stock == 0\n"


@check(
    severity=Severity.ERROR,
    fix="Take the metric out of what the relabelling drops, or ask for one that is kept.",
    bad=Example({"prometheus.yml": _CONFIG.format(regex="shop_s.*"), "rules.yml": _RULES}, at="regex: shop_s.*"),
    good=Example({"prometheus.yml": _CONFIG.format(regex="shop_s"), "rules.yml": _RULES}),
)
def metric_dropped_by_relabelling(model: Model) -> Iterator[Remark]:
    """Prometheus does not store what it drops after a scrape, so the rule finds nothing and never gives a result.

    (prometheus.io/docs/prometheus/latest/configuration/configuration, metric_relabel_configs: applied to samples as
    the last step before ingestion.)
    """
    recorded = {rule.name for rule in model.recording_rules}
    for stack in model.stacks:
        rules = {id(job): steps(job.metric_relabelling) for job in stack.jobs}
        if not stack.fragments_known or not any(rules.values()):
            continue
        victims: dict[tuple[object, ...], list[tuple[Rule, VectorSelector]]] = {}
        blamed: dict[tuple[object, ...], tuple[ScrapeJob, Step, str]] = {}
        for rule in stack.rules:
            tree = model.tree(rule)
            for selector in selectors(tree) if tree is not None else ():
                if selector.name is None or selector.name in recorded:
                    continue
                found = _dropped(stack, rules, selector)
                if found is not None:
                    key = (id(found[0]), found[1].part.route, found[2])
                    victims.setdefault(key, []).append((rule, selector))
                    blamed[key] = found
        for which, (job, step, label) in blamed.items():
            yield _remark(job, step, label, victims[which])


def _remark(job: ScrapeJob, step: Step, label: str, victims: list[tuple[Rule, VectorSelector]]) -> Remark:
    names = list(dict.fromkeys(selector.name or "" for _, selector in victims))
    rules = list(dict.fromkeys(rule.name for rule, _ in victims))
    what = f"the label `{label}` of `{names[0]}`" if label else ", ".join(f"`{name}`" for name in names[:4])
    who = f"job `{job.name}`" if job.origin is None else job.said
    message = f"{who} drops {what}, which {_listed(rules)} asks for"
    part = step.part.get("regex") or step.part
    subject = f"{job.subject}/{label or names[0]}"
    return at(part, message, subject=subject, related=tuple(rule.expression_place for rule, _ in victims[:3]))


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:3]), *([f"{len(names) - 3} more"] if len(names) > 3 else [])])


def _dropped(
    stack: Stack, rules: dict[int, tuple[Step, ...]], selector: VectorSelector
) -> tuple[ScrapeJob, Step, str] | None:
    """Return the job and the rule that drop what a selector asks for, and the label; None if some job may keep it."""
    wanted = [m for m in selector.matchers if m.name == "job"]
    if stack.object is not None and not wanted:
        return None  # what other monitors of the cluster scrape is not known
    asked = [job for job in stack.jobs if all(_may_be(m.op, m.value, job) for m in wanted)]
    first: tuple[ScrapeJob, Step, str] | None = None
    fixed = {m.name: m.value for m in selector.matchers if m.op == "=" and m.value and m.name != "job"}
    needed = {m.name for m in selector.matchers if _needs(m.op, m.value)} - {"job", "__name__"}
    for job in asked:
        series = {"__name__": selector.name or "", **fixed}
        told = relabel(series, rules[id(job)], further=True)
        step, label = _culprit(told, rules[id(job)], needed)
        if step is None:
            return None
        first = first or (job, step, label)
    return first


def _culprit(told: Relabelled, rules: tuple[Step, ...], needed: set[str]) -> tuple[Step | None, str]:
    if told.dropped_by is not None:
        return (told.dropped_by if told.certain else None), ""
    for rule in rules:
        for label in sorted(needed):
            if rule.action in ("labeldrop", "labelkeep"):
                found = matches(rule.regex, label)
                written = label in told.labels or any(r.target == label or r.action == "labelmap" for r in rules)
                if found is not None and found == (rule.action == "labeldrop") and not written:
                    return rule, label
    return None, ""


def _needs(op: str, value: str) -> bool:
    """Whether a matcher only matches where its label is there."""
    return (op == "=" and bool(value)) or (op == "!=" and not value) or (op == "=~" and matches(value, "") is False)


def _may_be(op: str, value: str, job: ScrapeJob) -> bool:
    """Whether a matcher of `job` may match what a scrape job yields."""
    if job.origin is not None:
        names = job.origin.jobs
        return names is None or any(_agrees(op, value, name) for name in names)
    if any(rule.target == "job" for rule in steps(job.relabelling)) or (job.honor_labels and "=" not in op):
        return True
    return _agrees(op, value, job.name)


def _agrees(op: str, value: str, name: str) -> bool:
    found = value == name if op in ("=", "!=") else matches(value, name)
    return found is None or bool(found) == (not op.startswith("!"))
