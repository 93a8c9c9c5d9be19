"""Make the snapshot of an exporter out of bodies of its /metrics that were saved from running ones.

python bench/exporter_snapshot.py NAME --prefix node_ --version 1.5.0=a.prom --version 1.9.0=b.prom > NAME.txt
"""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime
from pathlib import Path

from tocsin.artefacts.exposition import read_exposition

PARTS = re.compile(r"_(?:bucket|sum|count|created)$")


def main() -> None:
    """Print the snapshot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--prefix", nargs="+", required=True)
    parser.add_argument("--version", action="append", required=True, help="VERSION=FILE; several of one are united")
    options = parser.parse_args()
    versions: dict[str, None] = {}
    found: dict[str, dict[str, tuple[str, set[str]]]] = {}
    for said in options.version:
        version, _, file = said.partition("=")
        versions[version] = None
        body = read_exposition(Path(file).read_text())
        known = {name: (series.type, set(series.labels)) for name, series in body.series.items()}
        known |= {family: (type_, set()) for family, type_ in body.families.items() if not _has(family, known, type_)}
        for name, (type_, labels) in known.items():
            if name.startswith(tuple(options.prefix)):
                told = found.setdefault(name, {}).setdefault(version, (type_, set()))
                told[1].update(labels)
    print(f"# exporter: {options.name}")
    print(f"# versions: {' '.join(versions)}")
    print("# source: run")
    print(f"# date: {datetime.now(UTC).date()}")
    print(f"# prefixes: {' '.join(options.prefix)}")
    for name, by in sorted(found.items()):
        type_ = next(reversed(by.values()))[0]
        names = sorted(set().union(*(labels for _, labels in by.values())))
        only = "" if len(by) == len(versions) else " @" + ",".join(by)
        print(f"{name} {type_} {','.join(names) or '-'}{only}")


def _has(family: str, known: dict[str, tuple[str, set[str]]], type_: str) -> bool:
    """Tell whether a family that a body declares has samples in it."""
    parts = ("_bucket", "_sum", "_count") if type_ in ("histogram", "summary") else ("",)
    return any(f"{family}{part}" in known for part in parts)


if __name__ == "__main__":
    main()
