"""Scrapes that Prometheus throws away whole, because a limit of their job is lower than what the target says."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.exposition import samples_of
from tocsin.artefacts.prometheus import ScrapeJob, bytes_of
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.metrics import SavedBody
from tocsin.part import Part
from tocsin.relabelling import relabel, steps

_CONFIG = """global: {{}}
scrape_configs:
- job_name: shop
  sample_limit: {limit}
  static_configs: [{{targets: ["shop:80"]}}]
"""
_BODY = "# TYPE sales_total counter\n" + "".join(f'sales_total{{till="{till}"}} 1\n' for till in range(4))


@check(
    severity=Severity.ERROR,
    fix="Raise the limit above what the target exports in production, or drop series with metric_relabel_configs.",
    bad=Example({"prometheus.yml": _CONFIG.format(limit=3), "shop.prom": _BODY}, at="sample_limit: 3"),
    good=Example({"prometheus.yml": _CONFIG.format(limit=300), "shop.prom": _BODY}),
)
def scrape_limit_exceeded(model: Model) -> Iterator[Remark]:
    """Every scrape fails: `up` is 0 and no sample of it is kept, though the target answers.

    (prometheus.io/docs/prometheus/latest/configuration/configuration, scrape_config: "If more than this number of
    samples are present after metric relabeling the entire scrape will be treated as failed"; likewise for
    `body_size_limit`, `label_limit`, `label_name_length_limit` and `label_value_length_limit`.)
    """
    bodies: dict[str, list[SavedBody]] = {}
    for body in model.metrics.bodies:
        bodies.setdefault(body.job, []).append(body)
    for stack in model.stacks if bodies else ():
        for job in stack.jobs:
            names = {job.name} if job.origin is None else job.origin.jobs or frozenset()
            for body in (body for name in sorted(names) for body in bodies.get(name, ())):
                yield from _exceeded(model, job, body)


def _exceeded(model: Model, job: ScrapeJob, body: SavedBody) -> Iterator[Remark]:
    """Yield the limits of a job that a saved body of it exceeds."""
    text = model.text(body.file)
    for key, part in ((key, _limit(job, key)) for key in _LIMITS):
        limit = bytes_of(part.text) if key == "body_size_limit" else part.number()
        if not limit:
            continue
        has = _measured(key, job, body, text, limit)
        if has is not None and has > limit:
            said = f"{job.said} allows {_LIMITS[key].format(part.text)}, and {body.file} has {has:,.0f}"
            yield at(part, said, subject=f"{job.subject}/{key}")


_LIMITS = {
    "body_size_limit": "{} of a body",
    "sample_limit": "{} samples a scrape",
    "label_limit": "{} labels a sample",
    "label_name_length_limit": "{} bytes of a label's name",
    "label_value_length_limit": "{} bytes of a label's value",
}


def _limit(job: ScrapeJob, key: str) -> Part:
    """Return the limit of a job: its own, else that of all jobs."""
    own = job.part.get(key)
    return own if own and own.text not in ("0", "") else job.config.part.get("global", key)


def _measured(key: str, job: ScrapeJob, body: SavedBody, text: str, limit: float) -> float | None:
    """Return how much of something a body has at least, what relabelling may drop left out; None if it is not known."""
    if key == "body_size_limit":
        return len(text.encode("utf-8", "surrogatepass"))
    if key == "sample_limit":
        count = sum(series.count for series in body.exposition.series.values())
        return _kept(job, text) if job.metric_relabelling and count > limit else count
    if job.metric_relabelling:
        return None
    every = body.exposition.series.values()
    if key == "label_limit":
        # Labels that only some series of a name have may never stand together: a lower bound counts the name alone.
        fixed = {"__name__", "job", "instance"}
        labels = [fixed | {n for n, values in series.labels.items() if values} for series in every if series.count == 1]
        return max(map(len, labels), default=None)
    if key == "label_name_length_limit":
        return max((len(name.encode()) for series in every for name in series.labels), default=None)
    lengths = (len(v.encode("utf-8", "replace")) for s in every for values in s.labels.values() for v in values)
    return max(lengths, default=None)


def _kept(job: ScrapeJob, text: str) -> float | None:
    """Return how many samples metric relabelling surely keeps; None if the body cannot be read."""
    rules = steps(job.metric_relabelling)
    try:
        told = [relabel(labels, rules, further=True) for labels, _ in samples_of(text)]
    except (ValueError, KeyError, IndexError):
        return None
    return sum(one.kept and one.certain for one in told)
