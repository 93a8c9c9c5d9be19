"""A scrape job whose relabelling lets none of the pods and Services through that it is meant for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.targets import Target
from tocsin.relabelling import Step, steps
from tocsin.source import nearest

_POD = """apiVersion: v1
kind: Pod
metadata: {name: shop, namespace: shop, labels: {app: storefront}}
spec:
  containers:
  - {name: shop, image: shop, ports: [{name: http, containerPort: 80}]}
"""
_CONFIG = """global: {{}}
scrape_configs:
- job_name: shop
  kubernetes_sd_configs: [{{role: pod}}]
  relabel_configs:
  - source_labels: [__meta_kubernetes_pod_label_app]
    regex: {label}
    action: keep
"""
_IDENTITY = re.compile(
    r"__meta_kubernetes_(?:pod|service|endpoints|endpointslice|ingress|namespace)"
    r"(?:_(?:label_\w+|name|container_name))?|__meta_kubernetes_(?:service|endpoint|endpointslice)_name"
)
"""Labels that say which thing is meant; the others say what is asked of it."""
_PORT = re.compile(r"__meta_kubernetes_(?:pod_container|service|endpoint|endpointslice)_port(?:_name|_number)?")
_LITERAL = re.compile(r"[\w./-]+")


@check(
    severity=Severity.ERROR,
    fix="Write the value that the pods and Services really carry into the rule.",
    bad=Example({"shop.yaml": _POD, "prometheus.yml": _CONFIG.format(label="store-front")}, at="regex: store-front"),
    good=Example({"shop.yaml": _POD, "prometheus.yml": _CONFIG.format(label="storefront")}),
)
def scrape_job_selects_nothing(model: Model) -> Iterator[Remark]:
    """No target is left to the job, so nothing that it is meant for is scraped, and no `up` tells of it.

    (prometheus.io/docs/prometheus/latest/configuration/configuration, relabel_config: targets are dropped for which
    the expression of `keep` does not match.)
    """
    jobs: dict[int, list[Target]] = {}
    for target in model.targets:
        jobs.setdefault(id(target.job), []).append(target)
    for found in jobs.values():
        job = found[0].job
        kubernetes = all(each.mechanism == "kubernetes_sd_configs" for each in job.discoveries)
        if job.origin or not kubernetes or any(target.kept or not target.certain for target in found):
            continue
        order = [rule.part.route for rule in steps(job.relabelling)]
        furthest = max(found, key=lambda target: order.index(_dropper(target).part.route))
        rule = _dropper(furthest)
        same = [target for target in found if _dropper(target).part.route == rule.part.route]
        passed = [r for r in steps(job.relabelling) if order.index(r.part.route) < order.index(rule.part.route)]
        message = _reason(rule, passed, same)
        if message:
            part = rule.part.get("regex") or rule.part
            related = tuple({target.part.place: None for target in same if target.part.file})[:3]
            yield at(
                part,
                f"job `{job.name}` keeps none of what it discovers: {message}",
                subject=job.subject,
                related=related,
            )


def _dropper(target: Target) -> Step:
    assert target.dropped_by is not None  # noqa: S101 only asked for targets that were dropped
    return target.dropped_by


def _reason(rule: Step, passed: list[Step], same: list[Target]) -> str:
    """Return why a rule is surely the mistake; empty if what it wants may be elsewhere."""
    if rule.action != "keep":
        return ""
    seen = sorted({rule.separator.join(target.discovered.get(name, "") for name in rule.sources) for target in same})
    shown = ", ".join(f"`{value}`" for value in seen[:5])
    names = ", ".join(rule.sources)
    if all(_PORT.fullmatch(name) for name in rule.sources) and any(_meant(each) for each in passed):
        return f"of the {len(same)} ports that got so far, {names} is {shown}, and never `{rule.regex}`"
    if len(rule.sources) == 1 and seen == [""]:
        known = {name for target in same for name in target.discovered if name.startswith("__meta_")}
        near = [name for name in nearest(rule.sources[0], known) if _alike(rule.sources[0], name)]
        return f"nothing here has {names}; did you mean `{near[0]}`?" if near else ""
    if {*seen} - {""} == {"true"} and len(rule.sources) == 1 and "_annotation_" in rule.sources[0]:
        return f"every {names} here is `true`, and never `{rule.regex}`"
    if not all(_IDENTITY.fullmatch(name) for name in rule.sources):
        return ""
    wanted = [piece for piece in re.split(r"[|();]", rule.regex) if _LITERAL.fullmatch(piece)]
    values = {piece for value in seen for piece in value.split(rule.separator or ";") if piece}
    for piece in wanted:
        near = [value for value in nearest(piece, values) if _alike(piece, value)]
        if piece not in values and near:
            return f"no {names} here is `{rule.regex}`; did you mean `{near[0]}`?"
    return ""


def _meant(rule: Step) -> bool:
    """Whether a rule has chosen certain things by what they are, and not by what they ask for."""
    return rule.action == "keep" and any(_IDENTITY.fullmatch(name) for name in rule.sources) and rule.regex != ".*"


def _alike(one: str, other: str) -> bool:
    """Whether two names are likely the same one, misspelt: but for a letter or two, or for how words are joined."""
    bare = [re.sub(r"[-_./]", "", name).lower() for name in (one, other)]
    if bare[0] == bare[1] or bare[0] in (f"{bare[1]}s", bare[1][:-1]) or bare[1] == f"{bare[0]}s":
        return True
    return min(len(one), len(other)) > 4 and _distance(bare[0], bare[1]) <= 2 - (min(len(one), len(other)) < 8)


def _distance(one: str, other: str) -> int:
    """Return how many letters have to be added, dropped or changed."""
    row = list(range(len(other) + 1))
    for i, left in enumerate(one[:80], 1):
        before, row[0] = row[0], i
        for j, right in enumerate(other[:80], 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (left != right))
    return row[-1]
