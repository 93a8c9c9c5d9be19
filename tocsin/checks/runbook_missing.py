"""A link to a page or a section that does not exist."""

import posixpath
from collections.abc import Iterator

from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.source import nearest

_RULE = "  - alert: {0}\n    expr: up == 0\n    annotations:\n      runbook_url: https://runbooks.example/{1}.md\n"


def _example(page: str) -> Example:
    rules = "".join(_RULE.format(name, name) for name in ("Down", "Slow")) + _RULE.format("Full", page)
    pages = {f"docs/{name}.md": f"# {name}\n" for name in ("Down", "Slow", "Full")}
    return Example({"rules.yml": f"groups:\n- name: a\n  rules:\n{rules}", **pages}, at=f"{page}.md")


@check(
    severity=Severity.WARNING,
    fix="Write the page, or link to the one that is meant.",
    bad=_example("DiskFull"),
    good=_example("Full"),
    origin="pint rule/link",
)
def runbook_missing(model: Model) -> Iterator[Remark]:
    """Who is woken by the alert finds no page that says what to do.

    (The address is taken for a page of the folder where its neighbours are; sections are named as GitHub names them.)
    """
    links = model.links
    for link, address, neighbours in links.lost():
        name = posixpath.basename(address)
        pages = {posixpath.basename(each) for each in (*neighbours, *(page.file for page in model.runbooks))}
        meant = nearest(name, pages, most=1)
        hint = f"; did you mean {' or '.join(meant)}?" if meant else ""
        said = f"there is no page {name} beside the {len(neighbours)} others that are linked to{hint}"
        yield Remark(link.place, said, width=link.width, subject=_subject(link.subject, link.name))
    for link, page, section in links.lost_sections():
        meant = nearest(section, page.anchors, most=2)
        hint = f"; did you mean #{' or #'.join(meant)}?" if meant else ""
        said = f"{page.file} has no section #{section}{hint}"
        yield Remark(link.place, said, width=link.width, subject=_subject(link.subject, link.name))


def _subject(subject: str, name: str) -> str:
    return f"{subject}/{name}" if name else subject
