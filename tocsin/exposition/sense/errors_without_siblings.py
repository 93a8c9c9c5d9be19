"""Errors that are not counted from the start."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tocsin.exposition.digest import Digest, FamilyDigest, NameDigest
from tocsin.exposition.sense import Body, Remark, sense
from tocsin.exposition.sense.vocabulary.metrics import exporter_of
from tocsin.exposition.sense.vocabulary.quoting import listed, value_of
from tocsin.finding import Severity

ERROR = re.compile(r"_(?:errors?|failures?|failed|exceptions?)(?=_|$)")
ALL = re.compile(r"_(?:requests|attempts|calls|operations|executions|runs)$")


@sense(
    severity=Severity.WARNING,
    fix="Create the series of errors where that of attempts is created, so that it is exported as 0.",
    bad=Body(
        """\
# HELP shop_payments_total Payments.
# TYPE shop_payments_total counter
shop_payments_total{bank="a"} 3
shop_payments_total{bank="b"} 4
# HELP shop_payments_failed_total Payments that failed.
# TYPE shop_payments_failed_total counter
shop_payments_failed_total{bank="b"} 1
""",
        at="shop_payments_failed_total{",
    ),
    good=Body(
        """\
# HELP shop_payments_total Payments.
# TYPE shop_payments_total counter
shop_payments_total{bank="a"} 3
shop_payments_total{bank="b"} 4
# HELP shop_payments_failed_total Payments that failed.
# TYPE shop_payments_failed_total counter
shop_payments_failed_total{bank="a"} 0
shop_payments_failed_total{bank="b"} 1
"""
    ),
)
def errors_without_siblings(scrape: Digest) -> Iterator[Remark]:
    """The first error makes the series with the value 1: `increase()` over it is 0, and a ratio has no value before.

    (prometheus.io/docs/practices/instrumentation: avoid missing metrics.)
    """
    attempts = _attempts(scrape)
    for family in scrape.families.values():
        errors, stem = _counted(family), family.name.removesuffix("_total")
        if errors is None or not ERROR.search(stem) or exporter_of(family) is not None:
            continue
        tried = attempts.get(ERROR.sub("", stem))
        if tried is not None and {*tried.labels} == {*errors.labels}:
            yield from _missing(errors, tried)


def _missing(errors: NameDigest, attempts: NameDigest) -> Iterator[Remark]:
    """Yield a remark for each label of which attempts have more values than errors."""
    for label, digest in attempts.labels.items():
        counted = errors.labels[label].values
        missing = [value for value in digest.values if value not in counted]
        if missing and counted.keys() < digest.values.keys() and not (digest.more or errors.labels[label].more):
            which = listed([f'{label}="{value_of(label, value)}"' for value in missing])
            yield Remark(errors.line, errors.name, f"{errors.name} has no series for {which}; {attempts.name} has")


def _counted(family: FamilyDigest) -> NameDigest | None:
    """Return the one metric of a counter that has labels."""
    name = next((name for name in family.names.values() if not name.name.endswith("_created")), None)
    return name if family.type == "counter" and name is not None and name.labels else None


def _attempts(scrape: Digest) -> Mapping[str, NameDigest]:
    """Return the counters that count no errors, by the stems of their names."""
    found: dict[str, NameDigest] = {}
    for family in scrape.families.values():
        stem = family.name.removesuffix("_total")
        counted = _counted(family)
        if counted is not None and not ERROR.search(stem):
            found.setdefault(stem, counted)
            found.setdefault(ALL.sub("", stem), counted)
            found.setdefault(stem.removesuffix("s"), counted)
    return found
