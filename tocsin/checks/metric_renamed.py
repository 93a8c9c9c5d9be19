"""Metrics under a name that their exporter has given up."""

import re
from collections.abc import Iterator

from tocsin.checks import Example, Remark, check
from tocsin.exporters import Renaming
from tocsin.finding import Severity
from tocsin.model import Model

_RULES = "groups:\n- name: node\n  rules:\n  - alert: DiskFull\n    expr: node_filesystem_avail{} < 1e9\n"


@check(
    severity=Severity.WARNING,
    fix="Use the name that the exporter has now.",
    bad=Example({"rules.yml": _RULES.format("")}, at="node_filesystem_avail"),
    good=Example({"rules.yml": _RULES.format("_bytes")}),
    origin="pint promql/series",
)
def metric_renamed(model: Model) -> Iterator[Remark]:
    """Nothing has the name since the exporter gave it up: the alert cannot fire, the panel stays empty.

    (The changelogs and upgrade guides of the exporters, each named in the finding.)
    """
    told: set[tuple[str, str, str]] = set()
    for use in model.lineage.uses:
        renaming = model.lineage.renaming(use)
        key = (use.file, use.subject, use.name)
        if renaming is None or key in told:
            continue
        told.add(key)
        runs = _running(renaming, model)
        if runs and min(runs) < _version(renaming.version):
            continue
        place, width = use.at
        here = f", and {'.'.join(map(str, min(runs)))} runs here" if runs else ""
        since = f"{renaming.product} {renaming.version}{here} ({renaming.source})"
        yield Remark(
            place,
            f"{use.name} is called {renaming.new} since {since}",
            width=width,
            subject=f"{use.subject}/{use.name}",
            severity=Severity.ERROR if runs and use.deciding else Severity.WARNING,
            fix=f"Use {renaming.new}.",
        )


_IMAGE = re.compile(r"(?:^|/)(?P<name>[\w.-]+):v?(?P<version>\d+(?:\.\d+)*)")


def _running(renaming: Renaming, model: Model) -> list[tuple[int, ...]]:
    """Return the versions of what exports it that the folder runs, by the tags of images."""
    images = [c.part.string("image") for w in model.workloads for c in w.containers]
    images += [p.string("image") for f in model.compose_files for _, p in f.part.get("services").items()]
    found = (_IMAGE.search(image.partition("@")[0]) for image in images)
    product = renaming.product.replace("_", "-")
    return [_version(each["version"]) for each in found if each and each["name"].replace("_", "-") == product]


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number[:9]) for number in text.split("."))
