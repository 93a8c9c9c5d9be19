"""A runbook of an alert that does not exist."""

import posixpath
from collections.abc import Iterator

from tocsin.artefacts.runbooks import Runbook
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.source import Place, nearest

_LEAST = 3
"""So many pages of one folder that are called as alerts are say that all are meant to be."""


def _example(name: str) -> Example:
    names = ("BackendDown", "FrontendDown", "DiskFills", name)
    rules = "".join(
        f"  - alert: {n}\n    expr: up == 0\n" for n in ("BackendDown", "FrontendDown", "DiskFills", "SlowPages")
    )
    pages = {f"docs/runbooks/{n}.md": f"# {n}\n" for n in names}
    return Example({"rules.yml": f"groups:\n- name: a\n  rules:\n{rules}", **pages}, at=f"# {name}")


@check(
    severity=Severity.WARNING,
    fix="Rename the page as the alert is called now, or remove it.",
    bad=_example("SlowPage"),
    good=_example("SlowPages"),
)
def runbook_names_no_alert(model: Model) -> Iterator[Remark]:
    """Who looks for the alert's page by its name does not find it, and this one is never opened.

    (Every other page of the folder is called as an alert is.)
    """
    names = {rule.name for rule in model.alerts}
    folders: dict[str, list[Runbook]] = {}
    for page in model.links.runbooks:
        folders.setdefault(posixpath.dirname(page.file), []).append(page)
    for pages in folders.values():
        lost = [page for page in pages if not _called(page) & names and _called(page)]
        called = [page for page in pages if _called(page) & names]
        if len(called) < _LEAST or len(lost) * 2 > len(called):
            continue
        taken = {name for page in called for name in _called(page)}
        for page in lost:
            name = min(_called(page))
            meant = [each for each in nearest(name, names - taken, most=1) if _close(each, name)]
            hint = f", and the alert {meant[0]} has no page" if meant else ""
            place = page.headings[0].place if page.headings else Place(page.file)
            width = len(page.text.split("\n")[place.line - 1])
            severity = None if meant else Severity.INFO
            said = f"no alert is called {name}{hint}"
            yield Remark(place, said, width=max(1, width), subject=name, severity=severity)


def _called(page: Runbook) -> set[str]:
    """Return what a page says that its alert is called: its file's name and its title, if they are single words."""
    stem = posixpath.basename(page.file).rpartition(".")[0]
    title = page.headings[0].title if page.headings else ""
    return {word for word in (stem, title) if word.isidentifier() and word.lower() not in ("readme", "index", "_index")}


def _close(one: str, other: str) -> bool:
    """Tell whether one name is surely the other, misspelt or renamed a little."""
    short, long = sorted((one.lower(), other.lower()), key=len)
    return len(long) - len(short) <= 3 and long[:4] == short[:4]
