"""Labels that say which target a series is of: Prometheus' own, and those that a scrape's configuration gives.

Source: prometheus.io/docs/practices/naming and writing_exporters: target labels, not static scraped labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tocsin.exposition.digest import Digest, FamilyDigest
from tocsin.exposition.sense.vocabulary.metrics import Label, exporter_of, is_information, is_runtime, labels_of

OF_PROMETHEUS = ("job", "instance")
"""Given to every target by Prometheus."""
OF_PLACES = frozenset(
    {
        *("region", "az", "availability_zone", "datacenter", "dc"),
        *("env", "environment", "deployment_environment"),
    }
)
"""Given to targets by who runs them."""
ENVIRONMENTS = frozenset({"dev", "development", "test", "testing", "qa", "staging", "stage", "prod", "production"})
OF_PROGRAMS = frozenset(
    {
        *("app", "application", "app_name", "application_name", "service", "service_name", "component", "product"),
        *("version", "app_version", "release", "host", "hostname", "host_name", "pod", "pod_name", "node", "namespace"),
        *("owner", "team", "customer"),
    }
)
"""What a program is and where it runs: of the target, or in an info metric."""


@dataclass(slots=True)
class Spread:
    """Where a label is, over all metrics that a program's authors made."""

    first: Label
    families: int = 0
    samples: int = 0
    values: set[str] = field(default_factory=set)
    more: bool = False
    """There are values beside those."""

    @property
    def constant(self) -> str | None:
        """The one value that the label has; None where it has several."""
        return next(iter(self.values)) if len(self.values) == 1 and not self.more else None


@dataclass(frozen=True, slots=True)
class Spreads:
    """The labels of a scrape's own metrics, beside how many families and samples those have."""

    labels: dict[str, Spread]
    families: int
    samples: int


def spreads(scrape: Digest) -> Spreads:
    """Return where the labels of a scrape are; info metrics and those of runtimes and known exporters are left out."""
    found: dict[str, Spread] = {}
    own = [*_own(scrape)]
    for family in own:
        for label in labels_of(family):
            spread = found.setdefault(label.label, Spread(label))
            spread.families += 1
            spread.values |= {*label.digest.values}
            spread.more = spread.more or label.digest.more
        for name in family.names.values():
            for label_name, digest in name.labels.items():
                if label_name in found:
                    found[label_name].samples += digest.series
    samples = sum(name.count for family in own for name in family.names.values())
    return Spreads(found, len(own), samples)


def _own(scrape: Digest) -> Iterator[FamilyDigest]:
    for family in scrape.families.values():
        if family.names and not is_runtime(family) and not is_information(family) and exporter_of(family) is None:
            yield family
