"""Where the links of rules, runbooks and dashboards lead: to pages and sections, dashboards and panels of the folder.

A folder seldom holds everything that is linked to. That an address leads nowhere is said only if others of the same
place are found in the folder, so that this is evidently where it would be.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from tocsin.artefacts.dashboards import Dashboard
from tocsin.artefacts.rules import Rule
from tocsin.artefacts.runbooks import Runbook
from tocsin.part import Part
from tocsin.source import Place, place_within
from tocsin.system import Kind

if TYPE_CHECKING:
    from tocsin.model import Model

Origin = Literal["rule", "runbook", "dashboard"]

_ADDRESS = re.compile(r"https?://[^\s\"'<>`|\\]{1,2000}")
_DASHBOARD = re.compile(
    r"(?P<base>(?:https?://[^\s\"'<>()?#]{1,300}?|(?<![\w/.}])(?:\.\.?)?)(?=/d/|/d-solo/))"
    r"/d(?:-solo)?/(?P<uid>[A-Za-z0-9_-]{1,40})"
    r"(?:/[^\s?#\"'<>()]{0,300})?(?:\?(?P<query>[^\s#\"'<>()]{0,2000}))?"
)
_PANEL = re.compile(r"(?:panel-)?(\d{1,12})")
_RUNBOOK_FOLDER = re.compile(r"(?:^|/)(?:run-?_?books?|play-?_?books?)(?:/|$)", re.IGNORECASE)
_LINK_FIELDS = frozenset({"url", "content", "description", "href"})
_GITHUB = re.compile(r"^/[^/]+/[^/]+/(?:-/)?(?:blob|tree|raw|edit)/[^/]+/")
_WEAK = frozenset({"readme.md", "index.md", "_index.md", "readme", "index", ""})


@dataclass(frozen=True)
class Link:
    """A link, and who says it."""

    target: str
    """The address as it is written."""
    where: Callable[[], Place] = field(repr=False, compare=False)
    subject: str
    """The name path of what says it."""
    origin: Origin
    rule: Rule | None = field(default=None, repr=False)
    name: str = ""
    """Of a rule: the annotation."""
    page: Runbook | None = field(default=None, repr=False)

    @cached_property
    def place(self) -> Place:
        """Where it stands. Few links are ever shown, and of a large file the places are costly."""
        return self.where()

    @property
    def width(self) -> int:
        """How many characters it is long."""
        return max(1, len(self.target))


@dataclass(frozen=True)
class DashboardLink:
    """A link to a dashboard of Grafana, and perhaps to a panel of it."""

    link: Link
    base: str
    """What stands before `/d/`: the address of Grafana, empty if it is the one that shows the link."""
    uid: str
    panel: str
    """The number of the panel; empty if the link is to the whole."""


def links(model: Model) -> Iterator[Link]:
    """Yield every link of rules, runbooks and dashboards."""
    for rule in model.rules:
        yield from _of_rule(rule, model)
    for page in model.runbooks:
        if "](" in page.text or "://" in page.text or "]:" in page.text:
            for each in page.links:
                yield Link(each.target, partial(getattr, each, "place"), page.file, "runbook", page=page)
    for dashboard in model.dashboards:
        yield from _of_dashboard(dashboard, model)


def _of_rule(rule: Rule, model: Model) -> Iterator[Link]:
    for name, part in rule.part.get("annotations").items():
        text = part.text
        if "://" not in text and "/d/" not in text:
            continue
        found = [match.span() for match in _ADDRESS.finditer(text)]
        if not found:
            found = [match.span() for match in _DASHBOARD.finditer(text)]
        for start, end in found:
            target = text[start:end].rstrip(".,;:!?)")
            where = partial(_place, model, part, start)
            yield Link(target, where, rule.subject, "rule", rule, name)


def _of_dashboard(dashboard: Dashboard, model: Model) -> Iterator[Link]:
    for part in _addresses(dashboard.part):
        if part.key == "url":
            yield Link(part.text, partial(_place, model, part, 0), dashboard.subject, "dashboard")
        else:
            for match in _ADDRESS.finditer(part.text):
                target = match[0].rstrip(".,;:!?)]")
                yield Link(target, partial(_place, model, part, match.start()), dashboard.subject, "dashboard")


def _place(model: Model, part: Part, offset: int) -> Place:
    return place_within(model.text(part.file), part.place, part.text, offset)


def _addresses(whole: Part) -> Iterator[Part]:
    """Yield the texts of a dashboard that hold an address. Dashboards are large: only these become parts."""
    waiting: list[tuple[object, tuple[str | int, ...]]] = [(whole.value, ())]
    while waiting:
        value, route = waiting.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                if isinstance(inner, (dict, list)):
                    waiting.append((inner, (*route, key)))
                elif key in _LINK_FIELDS and isinstance(inner, str) and ("/d/" in inner or "://" in inner):
                    yield whole.get(*route, key)
        elif isinstance(value, list):
            waiting.extend((inner, (*route, i)) for i, inner in enumerate(value) if isinstance(inner, (dict, list)))


class Links:
    """All links of a system, and what they lead to."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @cached_property
    def all(self) -> tuple[Link, ...]:
        """Every link."""
        return tuple(links(self._model))

    # Dashboards

    @cached_property
    def dashboards(self) -> Mapping[str, Sequence[Dashboard]]:
        """The dashboards by uid."""
        found: dict[str, list[Dashboard]] = {}
        for dashboard in self._model.dashboards:
            if dashboard.uid:
                found.setdefault(dashboard.uid, []).append(dashboard)
        return found

    @cached_property
    def to_dashboards(self) -> tuple[DashboardLink, ...]:
        """Every link that leads to a dashboard."""
        found: list[DashboardLink] = []
        for link in self.all:
            for match in _DASHBOARD.finditer(link.target):
                query = parse_qs((match["query"] or "").replace("&amp;", "&"))
                panel = next(iter([*query.get("viewPanel", ()), *query.get("panelId", ())]), "")
                number = _PANEL.fullmatch(panel)
                found.append(DashboardLink(link, match["base"], match["uid"], number[1] if number else ""))
        return tuple(found)

    @cached_property
    def trusted(self) -> frozenset[str]:
        """Addresses of Grafanas whose dashboards are those of the folder."""
        by_base: dict[str, set[str]] = {}
        for link in self.to_dashboards:
            by_base.setdefault(link.base, set()).add(link.uid)
        own = {(grafana.value("GF_SERVER_ROOT_URL") or "-").rstrip("/") for grafana in self._model.grafanas}
        return frozenset(
            base
            for base, uids in by_base.items()
            if (found := len(uids & self.dashboards.keys())) and (base in own or 2 * found >= len(uids))
        )

    # Pages

    @cached_property
    def _pages(self) -> Mapping[str, Sequence[Runbook]]:
        """The pages by the last step of their paths, in lower case."""
        found: dict[str, list[Runbook]] = {}
        for page in self._model.runbooks:
            found.setdefault(posixpath.basename(page.file).lower(), []).append(page)
        return found

    @cached_property
    def _by_file(self) -> Mapping[str, Runbook]:
        return {page.file: page for page in self._model.runbooks}

    def pages(self, address: str) -> list[tuple[Runbook, int]]:
        """Return the pages that an address may be, each with how many steps of its path agree; the best only."""
        path = unquote(urlsplit(address).path)
        steps = [step for step in _GITHUB.sub("/", path).lower().split("/") if step]
        if not steps:
            return []
        best: list[tuple[Runbook, int]] = []
        for tail in _variants(steps[-1]):
            for page in self._pages.get(posixpath.basename(tail), ()):
                if not f"/{page.file.lower()}".endswith(f"/{tail}"):
                    continue
                rest = page.file.lower()[: -len(tail)].strip("/").split("/")
                agreeing = _agreeing(rest, steps[:-1])
                if agreeing == 0 and posixpath.basename(tail) in _WEAK and tail == posixpath.basename(tail):
                    continue
                best.append((page, agreeing + 1))
        most = max((steps for _, steps in best), default=0)
        return [each for each in best if each[1] == most]

    @cached_property
    def outer(self) -> Mapping[str, tuple[Mapping[str, Sequence[Link]], Mapping[str, Sequence[Link]]]]:
        """By the folder of an address: the addresses in it that are pages of the system, and those that are not."""
        found: dict[str, tuple[dict[str, list[Link]], dict[str, list[Link]]]] = {}
        for link in self.all:
            address = link.target.split("#")[0].split("?")[0].rstrip("/")
            if "://" not in address or "{{" in link.target or "$" in address or self._leads_to_dashboard(link.target):
                continue
            folder, _, last = address.rpartition("/")
            if last and folder.count("/") >= 2:
                there, missing = found.setdefault(folder, ({}, {}))
                (there if self.pages(address) else missing).setdefault(address, []).append(link)
        return found

    @staticmethod
    def _leads_to_dashboard(target: str) -> bool:
        return _DASHBOARD.search(target) is not None

    def lost(self) -> Iterator[tuple[Link, str, list[str]]]:
        """Yield each link to a page that does not exist: the address, and those of its neighbours that do."""
        for there, missing in self.outer.values():
            if len(there) >= 2 and len(there) >= 2 * len(missing):
                for address, lost in missing.items():
                    for link in lost:
                        yield link, address, list(there)
        for there, missing in self._inner.values():
            if len(there) >= 2 and len(there) >= 2 * len(missing):
                for path, lost in missing.items():
                    for link in lost:
                        yield link, path, list(there)

    @cached_property
    def of_alerts(self) -> Mapping[str, Mapping[str, Sequence[Link]]]:
        """The links of alerts by file and by alert."""
        found: dict[str, dict[str, list[Link]]] = {}
        for link in self.all:
            if link.rule is not None and link.rule.alerting:
                found.setdefault(link.rule.file, {}).setdefault(link.rule.name, []).append(link)
        return found

    def one_page(self, link: Link) -> list[Runbook]:
        """Return the page that a link leads to, if it is certain which one that is."""
        found = self.pages(link.target) if "://" in link.target and "{{" not in link.target else []
        return [page for page, _ in found] if len(found) == 1 else []

    @cached_property
    def runbooks(self) -> tuple[Runbook, ...]:
        """The pages that are runbooks: as system.yaml says, by their folder's name, or because a rule links to them."""
        linked = {
            page.file
            for link in self.all
            if link.origin == "rule" and "://" in link.target
            for page, _ in self.pages(link.target)
        }
        declared = {name for name, kind in self._model.sorted.declared.items() if kind is Kind.RUNBOOKS}
        return tuple(
            page
            for page in self._model.runbooks
            if page.file in linked or page.file in declared or _RUNBOOK_FOLDER.search(posixpath.dirname(page.file))
        )

    @cached_property
    def _inner(self) -> Mapping[tuple[str, str], tuple[dict[str, list[Link]], dict[str, list[Link]]]]:
        """By folder and folder: relative links of runbooks to pages that are there, and to those that are not."""
        found: dict[tuple[str, str], tuple[dict[str, list[Link]], dict[str, list[Link]]]] = {}
        runbooks = {page.file for page in self.runbooks}
        for link in self.all:
            path = self.inner_path(link)
            if path is None or link.page is None or link.page.file not in runbooks or not path.lower().endswith(".md"):
                continue
            there, missing = found.setdefault((posixpath.dirname(link.page.file), posixpath.dirname(path)), ({}, {}))
            (there if path in self._by_file else missing).setdefault(path, []).append(link)
        return found

    def inner_path(self, link: Link) -> str | None:
        """Return the file that a relative link of a page means; None if it is no such link."""
        target = link.target.split("#")[0].split("?")[0]
        if link.page is None or not target or "://" in link.target or target.startswith(("/", "mailto:", "{", "<")):
            return None
        return posixpath.normpath(posixpath.join(posixpath.dirname(link.page.file), unquote(target)))

    # Sections

    def lost_sections(self) -> Iterator[tuple[Link, Runbook, str]]:
        """Yield each link to a section that a page does not have: the link, the page and the name of the section."""
        waiting: dict[str, list[tuple[Link, Runbook, str, bool]]] = {}
        runbooks = {page.file for page in self.runbooks}
        for link in self.all:
            address, hash_, fragment = link.target.partition("#")
            if not hash_ or not fragment or "{{" in fragment or "$" in fragment:
                continue
            if "://" in link.target:
                found = self.pages(address)
                pages, sure = [page for page, _ in found], any(steps > 1 for _, steps in found)
            elif link.page is not None and link.page.file in runbooks:
                path = self.inner_path(link) if address else link.page.file
                own = self._by_file.get(path or "")
                pages, sure = [own] if own is not None else [], True
            else:
                continue
            if pages:
                ok = any(has_section(page, fragment, github="://github.com/" in link.target) for page in pages)
                waiting.setdefault(pages[0].file, []).append((link, pages[0], fragment, ok))
                if sure and not ok:
                    waiting[pages[0].file].append((link, pages[0], "", True))
        for several in waiting.values():
            if any(ok for _, _, _, ok in several):
                yield from ((link, page, fragment) for link, page, fragment, ok in several if not ok)


def _variants(last: str) -> Iterable[str]:
    yield last
    if not last.endswith((".md", ".markdown")):
        bare = re.sub(r"\.html?$", "", last)
        yield from (f"{bare}.md", f"{bare}.markdown", f"{bare}/readme.md", f"{bare}/index.md", f"{bare}/_index.md")


def _agreeing(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many steps two paths have in common at their ends."""
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b or not a:
            break
        count += 1
    return count


def has_section(page: Runbook, fragment: str, *, github: bool) -> bool:
    """Tell whether a page has a section of a name: exactly on GitHub, else but for case and punctuation."""
    wanted = unquote(fragment)
    if wanted.lower() in {anchor.lower() for anchor in page.anchors}:
        return True
    if re.fullmatch(r"L\d+(?:C\d+)?(?:-L?\d+(?:C\d+)?)?|top|:~:text=.*", wanted):
        return True
    return not github and _bare(wanted) in {_bare(anchor) for anchor in page.anchors}


def _bare(text: str) -> str:
    return re.sub(r"[\W_]", "", text.lower())
