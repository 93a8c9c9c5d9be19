"""One target that two jobs scrape, or one job under two names."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.prometheus import ScrapeJob
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.targets import Target
from tocsin.part import Part
from tocsin.relabelling import with_port

_CONFIG = """global: {{}}
scrape_configs:
- job_name: shop
  static_configs: [{{targets: ["shop:80"]}}]
- job_name: all
  static_configs: [{{targets: ["{other}:80", "store:80"]}}]
"""


@check(
    severity=Severity.WARNING,
    fix="Let one of the jobs drop it; in a sum over all jobs it counts twice.",
    bad=Example({"prometheus.yml": _CONFIG.format(other="shop")}, at="job_name: all"),
    good=Example({"prometheus.yml": _CONFIG.format(other="till")}),
)
def target_scraped_twice(model: Model) -> Iterator[Remark]:
    """Its series are there twice, so sums and counts over all jobs are too high, and one failure rings twice.

    (prometheus/prometheus, scrape/manager.go: each job has its own pool of targets; only within a job are targets of
    the same labels and the same address one.)
    """
    asked: dict[tuple[object, ...], list[Target]] = {}
    for target in model.targets:
        if target.kept and target.certain and not target.problem and not target.open and _known(target):
            address = with_port(target.address, target.scheme)
            request = tuple(sorted(target.parameters.items()))
            key = (id(target.stack), target.scheme, address, target.path, request)
            asked.setdefault(key, []).append(target)
    told: set[tuple[str, ...]] = set()
    for same in asked.values():
        first = same[0]
        for other in same[1:]:
            pair = (first.stack.prometheus.file, first.job.name, other.job.name)
            if first.job is other.job or pair in told or _divided(first.job, other.job):
                continue
            told.add(pair)
            what = f"`{first.object.kind}/{first.object.name}`" if first.object else f"`{first.address}`"
            message = f"{what} is scraped by job `{first.job.name}` and by job `{other.job.name}`, both at {first.path}"
            part = _sieve(model, other) or _sieve(model, first) or other.job.part.get("job_name")
            subject = f"{other.job.subject}/{first.job.name}"
            yield at(part, message, subject=subject, related=(first.job.part.get("job_name").place,))


def _known(target: Target) -> bool:
    """Whether its address is its own: that of a pod is only a sample, but no other pod has it."""
    return target.object is not None or target.knows("__address__")


def _divided(one: ScrapeJob, other: ScrapeJob) -> bool:
    """Whether two jobs may each keep another part of what they scrape."""
    return bool(one.metric_relabelling or other.metric_relabelling)


def _sieve(model: Model, target: Target) -> Part | None:
    """Return the rule of a job that drops what other jobs scrape, and should have dropped this target as well."""
    scraped = {id(each.object) for each in model.targets if each.kept and each.job is not target.job and each.object}
    for other in model.targets:
        rule = other.dropped_by
        if other.job is target.job and rule is not None and rule.action == "drop" and id(other.object) in scraped:
            return rule.part.get("regex") or rule.part
    return None
