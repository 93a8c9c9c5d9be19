"""`tocsin explain`: what a check looks for, why, and how to mend it, with its examples."""

from __future__ import annotations

import argparse

from tocsin.checks import checks
from tocsin.report.pages import all_pages, listing, page
from tocsin.source import Place, offered
from tocsin.system import BadSystem, Problem


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Explains a check: what it looks for, what follows, how to mend it. Without ID, lists all."
    parser.add_argument("id", nargs="?", metavar="ID")
    parser.add_argument("--markdown", action="store_true", help="the pages of all checks: what CHECKS.md holds")


def run(options: argparse.Namespace) -> int:
    """Print it. Raises BadSystem if there is no such check."""
    if options.markdown:
        print(all_pages(checks().values()), end="")
    elif options.id is None:
        print(listing(checks().values()))
    elif options.id in checks():
        print(page(checks()[options.id]))
    else:
        raise BadSystem(
            (Problem(Place("explain"), f"there is no check {options.id!r}; {offered(options.id, checks())}"),)
        )
    return 0
