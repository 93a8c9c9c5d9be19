"""A page for each check, made of what stands in its file: CHECKS.md, and `tocsin explain`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from tocsin.checks import Check, Example

LANGUAGES = {".yml": "yaml", ".yaml": "yaml", ".json": "json", ".py": "python", ".md": "markdown"}
"""What a fence of Markdown calls a file, by its suffix."""

_HEAD = """# Checks

What `tocsin check` and `pytest -m static` look for, one section a check. Made by `tocsin explain --markdown`; do not
edit it. `error`: an alert cannot fire, arrive or be scraped, rings without cause, or a probe does harm, or the program
refuses the file. `warning`: everything else that is wrong. Only errors fail, unless `--fail-on` says otherwise.
"""


def listing(found: Iterable[Check]) -> str:
    """Return a line for each check."""
    known = list(found)
    width = max((len(check.id) for check in known), default=0)
    return "\n".join(f"{check.id:{width}}  {check.severity:7}  {check.title}" for check in known)


def page(check: Check) -> str:
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


def all_pages(found: Iterable[Check]) -> str:
    """Return CHECKS.md."""
    known = list(found)
    index = "\n".join(f"- [{check.id}](#{check.id}): {check.title}" for check in known)
    return "\n".join((_HEAD, index, "", *(f"{page(check)}\n" for check in known)))


def _example(example: Example) -> str:
    blocks = []
    for name, text in example.files.items():
        language = LANGUAGES.get(PurePosixPath(name).suffix, "")
        fence = "````" if "```" in text else "```"
        blocks.append(f"`{name}`:\n\n{fence}{language}\n{text.rstrip()}\n{fence}")
    return "\n\n".join(blocks)
