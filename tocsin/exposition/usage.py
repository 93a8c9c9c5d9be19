"""How much of each limit of its job a scrape uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tocsin.artefacts.exposition.samples import Sample, Unreadable, samples
from tocsin.exposition.asked import Answer, Asked


@dataclass(frozen=True, slots=True)
class Use:
    """A limit that a job has, and what a scrape needs of it."""

    key: str
    """`sample_limit`."""
    limit: int
    amount: int
    said: str
    """The amount, and where it is."""
    series: str = ""

    @property
    def exceeded(self) -> bool:
        """Whether the scrape is dropped: at the limit of bytes, and beyond every other."""
        return self.amount >= self.limit if self.key == "body_size_limit" else self.amount > self.limit


def used(asked: Asked) -> Iterator[Use]:
    """Yield each limit of the job with what the newest generation's scrape uses of it.

    Labels are counted as Prometheus does, after those of the target have come on top, and the name is one of them
    (prometheus/prometheus, scrape/scrape.go, verifyLabelLimits). `metric_relabel_configs` are not followed.
    """
    first, limits = asked.first, asked.facts.limits
    if first is None or not first.scraped.kept or not first.body:
        return
    if limits.body_size_limit:
        size = first.scraped.body_bytes
        yield Use("body_size_limit", limits.body_size_limit, size, f"{size:,} bytes")
    digest = asked.digest(first.name)
    if digest is None:
        return
    if limits.sample_limit:
        yield Use("sample_limit", limits.sample_limit, digest.samples, f"{digest.samples:,} samples")
    if limits.label_limit or limits.label_name_length_limit or limits.label_value_length_limit:
        yield from _of_labels(asked, first)


def _of_labels(asked: Asked, first: Answer) -> Iterator[Use]:
    syntax, limits = asked.syntax(first), asked.facts.limits
    if syntax is None:
        return
    most: dict[str, tuple[int, str, str]] = {}

    def seen(key: str, amount: int, said: str, name: str) -> None:
        if amount > most.get(key, (0, "", ""))[0]:
            most[key] = amount, said, name

    try:
        for sample in samples(b"".join(asked.chunks(first)), syntax):
            labels = _labels(sample, asked)
            seen("label_limit", len(labels), f"{len(labels)} labels on one series", sample.name)
            for name, value in labels.items():
                seen("label_name_length_limit", len(name.encode()), f"the label {name[:60]!r}", sample.name)
                size = len(value.encode())
                seen("label_value_length_limit", size, f"{size:,} bytes in the label {name[:60]!r}", sample.name)
    except Unreadable:
        return
    for key, (amount, said, name) in most.items():
        limit = getattr(limits, key)
        if limit:
            yield Use(key, limit, amount, said, name)


def _labels(sample: Sample, asked: Asked) -> dict[str, str]:
    own = {name: value for name, value in sample.labels if value}
    return {"__name__": sample.name, **own, **asked.facts.labels}
