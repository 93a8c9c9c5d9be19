"""`tocsin explain`: what a check looks for, why, and how to mend it, with its examples."""

from __future__ import annotations

import argparse

from tocsin.checks import checks
from tocsin.exposition.http import behaviours
from tocsin.exposition.many import checks as across
from tocsin.exposition.sense import senses
from tocsin.report.pages import Documented, all_pages, listing, page
from tocsin.source import Place, offered
from tocsin.system import BadSystem, Problem


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Explains a check: what it looks for, what follows, how to mend it. Without ID, lists all."
    parser.add_argument("id", nargs="?", metavar="ID")
    parser.add_argument("--markdown", action="store_true", help="the pages of all checks: what CHECKS.md holds")


def run(options: argparse.Namespace) -> int:
    """Print it. Raises BadSystem if there is no such check."""
    known: dict[str, Documented] = {**checks(), **senses(), **behaviours(), **across()}
    if options.markdown:
        pages = all_pages(checks().values(), senses().values(), behaviours().values(), across().values())
        print(pages, end="")
    elif options.id is None:
        print(listing(known.values()))
    elif options.id in known:
        print(page(known[options.id]))
    else:
        raise BadSystem((Problem(Place("explain"), f"there is no check {options.id!r}; {offered(options.id, known)}"),))
    return 0
