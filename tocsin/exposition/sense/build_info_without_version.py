"""Build infos without a version."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.exposition.digest import FamilyDigest
from tocsin.exposition.sense import Body, Remark, sense
from tocsin.finding import Severity


@sense(
    severity=Severity.WARNING,
    fix="Give it the label `version`.",
    bad=Body(
        """\
# HELP shop_build_info The program.
# TYPE shop_build_info gauge
shop_build_info{language="python"} 1
""",
        at="shop_build_info{",
    ),
    good=Body(
        """\
# HELP shop_build_info The program.
# TYPE shop_build_info gauge
shop_build_info{version="1.2"} 1
"""
    ),
    of_names=True,
)
def build_info_without_version(family: FamilyDigest) -> Iterator[Remark]:
    """Nobody can tell since which release something is so, or whether a rollout is through.

    (prometheus.io/docs/practices/naming: `foobar_build_info` tells of the running binary.)
    """
    for name in family.names.values():
        told = any("version" in label.lower() for label in name.labels)
        if name.name.endswith("_build_info") and not told:
            yield Remark(name.line, name.name, f"{name.name} has no label with a version")
