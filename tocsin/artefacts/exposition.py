"""Exposition: the samples of a `/metrics` body."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families


def samples_of(text: str) -> Iterator[tuple[dict[str, str], float]]:
    """Yield each sample's labels (its name as `__name__`) and value; raises ValueError where the text is malformed."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield {"__name__": sample.name, **sample.labels}, float(sample.value)
