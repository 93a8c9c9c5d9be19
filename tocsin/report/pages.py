"""A page for each check, made of what stands in its file: CHECKS.md, and `tocsin explain`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Protocol

from tocsin.checks import Check
from tocsin.exposition.sense import Sense

LANGUAGES = {".yml": "yaml", ".yaml": "yaml", ".json": "json", ".py": "python", ".md": "markdown"}
"""What a fence of Markdown calls a file, by its suffix."""

Documented = Check | Sense
"""What has a page: a check of files, or of a scrape."""


class Shown(Protocol):
    """An example, as its files."""

    @property
    def files(self) -> Mapping[str, str]:
        """Its texts by name."""


_SCRAPES = """# Checks of a scrape

What `tocsin judge` and `pytest -m exposition` find senseless in one `/metrics`, one section a check.
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
            f"`{check.severity}`, looks at each {check.subject.replace('_', ' ')}.",
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


def all_pages(found: Iterable[Check], scrapes: Iterable[Sense]) -> str:
    """Return CHECKS.md: the checks of files, then those of scrapes."""
    return f"{_pages(_HEAD, found)}\n{_pages(_SCRAPES, scrapes)}"


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
