"""A page for each check, made of what stands in its file: CHECKS.md, and `tocsin explain`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Protocol

from tocsin.checks import Check
from tocsin.exposition.http import Behaviour
from tocsin.exposition.many import Across
from tocsin.exposition.sense import Sense

LANGUAGES = {".yml": "yaml", ".yaml": "yaml", ".json": "json", ".py": "python", ".md": "markdown"}
"""What a fence of Markdown calls a file, by its suffix."""

Documented = Check | Sense | Behaviour | Across
"""What has a page: a check of files, of a scrape, of how a target answers, or of many scrapes."""


_SUBJECTS = {
    "watched": "row of scrapes",
    "counted": "number of known requests",
    "grown": "row of unlike requests",
    "restarted": "restart",
    "bereft": "outage of a dependency",
    "compared": "pair of formats",
    "record": "record of scrapes",
}
"""Words for what a check of many scrapes looks at."""


class Shown(Protocol):
    """An example, as its files."""

    @property
    def files(self) -> Mapping[str, str]:
        """Its texts by name."""


_SCRAPES = """# Checks of a scrape

What `tocsin judge` and `pytest -m endpoints` find senseless in one `/metrics`, one section a check.
"""

_ANSWERS = """# Checks of how a target answers

What they look for in statuses, headers and bodies when a target is asked as each generation of Prometheus asks, and
otherwise. An example shows a job's settings, where they matter, and the answers of a target.
"""

_MANY = """# Checks of many scrapes

What `tocsin judge --often` and `pytest -m endpoints` look for across many scrapes of one target.
"""

_HEAD = """# Checks

What `tocsin check` and `pytest -m static` look for, one section a check. Made by `tocsin explain --markdown`; do not
edit it. `error`: an alert cannot fire, arrive or be scraped, rings without cause, or a probe does harm, or the program
refuses the file. `warning`: everything else that is wrong. Only errors fail, unless `--fail-on` says otherwise.
"""


def listing(found: Iterable[Documented]) -> str:
    """Return a line for each check."""
    known = list(found)
    width = max((len(check.id) for check in known), default=0)
    return "\n".join(f"{check.id:{width}}  {check.severity:7}  {check.title}" for check in known)


def page(check: Documented) -> str:
    """Return what is known of a check, as Markdown."""
    origin = f"\n\nAlso found by: {check.origin}." if check.origin else ""
    return "\n".join(
        (
            f"## {check.id}",
            "",
            f"`{check.severity}`, looks at each {_SUBJECTS.get(check.subject, check.subject.replace('_', ' '))}.",
            "",
            check.why + origin,
            "",
            f"**Mend it:** {check.fix}",
            "",
            "Bad:",
            "",
            _example(check.bad),
            "",
            "Good:",
            "",
            _example(check.good),
        )
    )


def all_pages(
    files: Iterable[Check], scrapes: Iterable[Sense], answers: Iterable[Behaviour], many: Iterable[Across]
) -> str:
    """Return CHECKS.md: the checks of files, then those of what is exposed."""
    pages = (_pages(_HEAD, files), _pages(_SCRAPES, scrapes), _pages(_ANSWERS, answers), _pages(_MANY, many))
    return "\n".join(pages)


def _pages(head: str, found: Iterable[Documented]) -> str:
    known = list(found)
    index = "\n".join(f"- [{check.id}](#{check.id}): {check.title}" for check in known)
    return "\n".join((head, index, "", *(f"{page(check)}\n" for check in known)))


def _example(example: Shown) -> str:
    blocks = []
    for name, text in example.files.items():
        language = LANGUAGES.get(PurePosixPath(name).suffix, "")
        fence = "````" if "```" in text else "```"
        blocks.append(f"`{name}`:\n\n{fence}{language}\n{text.rstrip()}\n{fence}")
    return "\n\n".join(blocks)
