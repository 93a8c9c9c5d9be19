"""Broken input for the static checks: mutated files of real systems, and values that no file should have.

    python bench/static_fuzz.py FOLDER [--cases 10000] [--seed 1]

Each case is one system of FOLDER (or the reference system) with one of its files mutated, or a small system made of
odd values. A case fails if a check stumbles, an exception gets out, or it takes more than two seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from tocsin.artefacts.folder import Folder
from tocsin.model import Model
from tocsin.static import COMPLETED, Request, examine

REFERENCE = Path(__file__).parents[1] / "fixtures" / "systems" / "dharmamind"
LIMIT = 2.0
MOST_BYTES = 60_000
"""A larger file is cut, so that ten thousand cases take minutes and not hours."""
ODD = (None, True, 0, -1, 1e309, "", " ", "a" * 3000, "{{", "}}", "[", "${x}", "\x00", "é", [], {}, [[]], {"": None},
       "1m", "5xx", "(((", "{{ $labels.x }}", 10**30, "-5m", "0x", "up{", "sum(", "NaN", [None], {"a": {"a": {}}},
       ["x"] * 50, "^(", "*", "&a", "2001-01-01", "1:30")  # fmt: skip


def mutants(random_: random.Random) -> tuple[Callable[[str], str], ...]:  # noqa: C901 one line each
    """Return the ways in which a text is broken."""

    def lines(change: Callable[[list[str], int], None]) -> Callable[[str], str]:
        def mutate(text: str) -> str:
            found = text.split("\n")
            change(found, random_.randrange(len(found)))
            return "\n".join(found)

        return mutate

    def drop(found: list[str], i: int) -> None:
        del found[i : i + random_.choice((1, 1, 2, 5))]

    def double(found: list[str], i: int) -> None:
        found.insert(i, found[i])

    def indent(found: list[str], i: int) -> None:
        found[i] = random_.choice(("  ", "\t", " ")) + found[i]

    def swap(found: list[str], i: int) -> None:
        j = random_.randrange(len(found))
        found[i], found[j] = found[j], found[i]

    def value(found: list[str], i: int) -> None:
        key, colon, _ = found[i].partition(":")
        if colon:
            found[i] = f"{key}: {json.dumps(random_.choice(ODD))}"

    def character(text: str) -> str:
        i = random_.randrange(len(text) + 1)
        return text[:i] + random_.choice("{}[]()\"'`:,&*!|>%@#\\\t\n\x7f\u2028é0-") + text[i + random_.choice((0, 1)) :]

    def cut(text: str) -> str:
        return text[: random_.randrange(len(text) + 1)]

    return (lines(drop), lines(double), lines(indent), lines(swap), lines(value), lines(value), lines(value),
            character, character, cut)  # fmt: skip


def tree(random_: random.Random, value: object) -> object:
    """Return a document with a few of its values replaced by odd ones."""
    if isinstance(value, dict):
        return {key: tree(random_, each) for key, each in value.items()} if random_.random() > 0.03 else odd(random_)
    if isinstance(value, list):
        return [tree(random_, each) for each in value] if random_.random() > 0.03 else odd(random_)
    return value if random_.random() > 0.03 else odd(random_)


def odd(random_: random.Random) -> object:
    """Return a value that nothing expects."""
    return random_.choice(ODD)


def cases(random_: random.Random, folders: dict[Path, Folder]) -> Iterator[tuple[str, Folder, str, str]]:
    """Yield what is broken: a name, the folder, the file and its new text."""
    systems = list(folders)
    ways = mutants(random_)
    while True:
        path = random_.choice(systems)
        folder = folders[path]
        name = random_.choice([n for n in folder.names if (folder.text(n) or "").strip()])
        text = (folder.text(name) or "")[:MOST_BYTES]
        way = random_.randrange(len(ways) + 2)
        if way >= len(ways) and name in folder.files and folder.files[name].documents:
            broken = [tree(random_, document.value) for document in folder.files[name].documents]
            new = json.dumps(broken[0]) if name.endswith(".json") else yaml.safe_dump_all(broken, allow_unicode=True)
        else:
            new = ways[way % len(ways)](text)
        yield f"{path.name}/{name}", folder, name, new


def main() -> int:
    """Run the cases, print what failed; exit 1 if any did."""
    parser = argparse.ArgumentParser(description=__doc__)
    corpus = os.environ.get("TOCSIN_CORPUS")
    parser.add_argument("folder", type=Path, nargs="?", default=Path(corpus) / "systems" if corpus else None)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--alone", action="store_true", help="examine the broken file without the rest of its system")
    options = parser.parse_args()
    systems = [REFERENCE]
    if options.folder is not None:
        systems += sorted(path for path in options.folder.iterdir() if path.is_dir())
    random_ = random.Random(options.seed)  # noqa: S311 no secret
    bad: Counter[str] = Counter()
    longest = 0.0
    folders = {path: Folder(path) for path in systems}
    for folder in folders.values() if not options.alone else ():
        examine(Model(folder), Request(date(2026, 1, 1)))  # so that a case is what its one file costs
    with TemporaryDirectory() as empty:
        for number, (name, folder, file, text) in zip(range(options.cases), cases(random_, folders), strict=False):
            place = Folder(Path(empty)) if options.alone else folder
            began = time.process_time()
            try:
                done = examine(Model(place.with_texts({file: text})), Request(date(2026, 1, 1)))
                stumbled = [each.finding.message for each in done.judged if each.finding.check == COMPLETED]
            except Exception as error:  # noqa: BLE001 that is what is looked for
                frame = traceback.extract_tb(error.__traceback__)[-1]
                stumbled = [f"{type(error).__name__}: {error} ({frame.filename}:{frame.lineno})"]
            took = time.process_time() - began
            longest = max(longest, took)
            if took > LIMIT:
                stumbled.append(f"took {took:.1f} s")
            for said in stumbled:
                bad[said] += 1
                if bad[said] <= 1:
                    kept = Path(f"reports/fuzz-{number}{Path(file).suffix}")
                    kept.parent.mkdir(exist_ok=True)
                    kept.write_text(text, errors="surrogatepass")
                    print(f"case {number} {name}: {said} ({kept})", flush=True)
    print(f"{options.cases} cases, seed {options.seed}: {bad.total()} failed; the longest took {longest:.2f} s of CPU")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
