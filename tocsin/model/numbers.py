"""Numbers that must be one number: what a rule compares with and how long it waits, and what else says of that alert.

Others are the rule's own annotations, the page of its runbook, the panels that show its expression or name it, and the
thresholds that the application holds itself. What only may be about the same number is left alone.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

from tocsin.artefacts.application_thresholds import NamedNumber, in_python, in_settings
from tocsin.artefacts.dashboards import Panel
from tocsin.artefacts.rules import Rule
from tocsin.artefacts.runbooks import Runbook
from tocsin.model.alert_numbers import Alert
from tocsin.model.statements import Statement, Witness, near
from tocsin.part import Part
from tocsin.promql import Expr, unwrapped
from tocsin.promql.thresholds import Threshold
from tocsin.source import Place, place_within

if TYPE_CHECKING:
    from tocsin.model import Model

_TEMPLATE = re.compile(r"\{\{.{0,2000}?\}\}", re.DOTALL)
_MEANING = re.compile(
    r"meaning|summary|description|what|about|alert|definition|condition|trigger|overview", re.IGNORECASE
)
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_SAYING_NOTHING = frozenset(
    {"threshold", "thresholds", "limit", "limits", "max", "maximum", "min", "minimum", "high", "low", "too", "alert"}
    | {"over", "under", "above", "below", "value", "slo", "objective", "usage", "utilization", "utilisation"}
    | {"critical", "warning", "warn", "crit"}
)
"""Words of a name that say only that it is a threshold, and how bad it is to pass it."""
_UNTOUCHED = 80.0
"""The one threshold that every new panel of Grafana has."""


class Numbers:
    """What a system says of the numbers of its alerts."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @cached_property
    def alerts(self) -> Mapping[str, Alert]:
        """The alerts by name and file: those of several files are taken for several systems' own."""
        found: dict[tuple[str, str], list[Rule]] = {}
        for rule in self._model.alerts:
            found.setdefault((rule.file, rule.name), []).append(rule)
        return {f"{file}:{name}": Alert(name, tuple(rules), self._model) for (file, name), rules in found.items()}

    # Who says what

    def witnesses(self, alert: Alert) -> Iterator[Witness]:
        """Yield what others say of the numbers of an alert."""
        for rule in alert.rules:
            yield from self._of_annotations(alert, rule)
        for page in self._pages_of(alert):
            yield from self._of_page(alert, page)
        yield from self._of_panels(alert)
        yield from self._of_descriptions(alert)
        yield from self._held.get(id(alert), ())

    def _of_annotations(self, alert: Alert, rule: Rule) -> Iterator[Witness]:
        single = Alert(alert.name, (rule,), alert.model)
        for name, part in rule.part.get("annotations").items():
            text = part.text
            if "://" in text or not any(character.isspace() for character in text):
                continue
            blank = _TEMPLATE.sub(lambda match: " " * len(match[0]), text)
            where = partial(_within, self._model, part)
            yield from Statement(single, blank, f"the annotation `{name}`", where, rule).witnesses()

    def _pages_of(self, alert: Alert) -> list[Runbook]:
        links = self._model.links
        files = {page.file: page for link in links.of_alerts.get(alert.rules[0].file, {}).get(alert.name, ())
                 for page in links.one_page(link)}  # fmt: skip
        return list(files.values())

    def _of_page(self, alert: Alert, page: Runbook) -> Iterator[Witness]:
        if not self._own_page(alert, page):
            return
        for heading, lines in page.sections():
            title = heading.title if heading else ""
            if heading and heading.level > 1 and not _MEANING.search(title) and alert.name.lower() not in title.lower():
                continue
            text, places = _joined(lines, page.file)
            yield from Statement(alert, text, f"the runbook {page.file}", places).witnesses()

    @staticmethod
    def _own_page(alert: Alert, page: Runbook) -> bool:
        """Tell whether a page is about one alert only: it is called as the alert is."""
        bare = re.sub(r"[\W_]", "", alert.name).lower()
        name = re.sub(r"[\W_]", "", page.file.rpartition("/")[2].rpartition(".")[0]).lower()
        title = re.sub(r"[\W_]", "", page.headings[0].title).lower() if page.headings else ""
        return bare in (name, title)

    # Panels

    @cached_property
    def _shown(self) -> Mapping[Expr, list[Panel]]:
        """The panels by the expression of each of their queries."""
        found: dict[Expr, list[Panel]] = {}
        for dashboard in self._model.dashboards:
            for panel in dashboard.panels:
                if "thresholds" not in panel.field_config.get("defaults"):
                    continue
                for query in panel.queries:
                    asked = self._model.query_of(query)
                    if asked is not None and asked.tree is not None and not asked.interpolation.fragments:
                        found.setdefault(unwrapped(asked.tree), []).append(panel)
        return found

    @cached_property
    def _compared(self) -> Mapping[int, list[tuple[Alert, Threshold]]]:
        """By panel, what alerts compare the expressions with that it shows."""
        found: dict[int, list[tuple[Alert, Threshold]]] = {}
        for alert in self.alerts.values():
            for threshold in alert.thresholds:
                for panel in self._shown.get(unwrapped(threshold.measured), ()):
                    found.setdefault(id(panel), []).append((alert, threshold))
        return {panel: self._meant(panel, compared) for panel, compared in found.items()}

    def _meant(self, panel: int, compared: list[tuple[Alert, Threshold]]) -> list[tuple[Alert, Threshold]]:
        """Return those of the alerts that link to a panel; all, if none does."""
        linking = self._linking.get(panel, frozenset())
        return [each for each in compared if each[0].name in linking] or compared

    @cached_property
    def _linking(self) -> Mapping[int, frozenset[str]]:
        """By panel, the names of the alerts that link to it."""
        found: dict[int, set[str]] = {}
        links = self._model.links
        for to in links.to_dashboards:
            if to.link.rule is not None and to.panel:
                for dashboard in links.dashboards.get(to.uid, ()):
                    for panel in dashboard.panels:
                        if panel.id == to.panel:
                            found.setdefault(id(panel), set()).add(to.link.rule.name)
        return {panel: frozenset(names) for panel, names in found.items()}

    def _of_panels(self, alert: Alert) -> Iterator[Witness]:
        panels = {
            id(panel): panel
            for threshold in alert.thresholds
            if threshold.comparison.op not in ("==", "!=")
            for panel in self._shown.get(unwrapped(threshold.measured), ())
        }
        for panel in panels.values():
            compared = self._compared[id(panel)]
            others = {value for other, _ in compared for value in other.values}
            own = [threshold for other, threshold in compared if other is alert]
            yield from _of_panel(panel, own, others)

    @cached_property
    def _named_in(self) -> Mapping[str, list[tuple[Panel, int, str]]]:
        """By alert, the sentences of panels' descriptions that name it and no other."""
        names = {rule.name for rule in self._model.alerts}
        found: dict[str, list[tuple[Panel, int, str]]] = {}
        for dashboard in self._model.dashboards:
            for panel in dashboard.panels:
                text = panel.body.string("description")
                for match in re.finditer(r"[^\n]+", text):
                    named = names & set(re.findall(r"\w+", match[0]))
                    if len(named) == 1:
                        found.setdefault(named.pop(), []).append((panel, match.start(), match[0]))
        return found

    def _of_descriptions(self, alert: Alert) -> Iterator[Witness]:
        for panel, start, line in self._named_in.get(alert.name, ()):
            part = panel.body.get("description")
            where = partial(_within, self._model, part, start=start)
            yield from Statement(alert, line, f"the description of the panel {panel.title}", where).witnesses()

    # Applications

    @cached_property
    def _families(self) -> Mapping[tuple[str, str], list[tuple[NamedNumber, Alert]]]:
        """The thresholds of applications with the alerts that are called as they are, family by family."""
        by_words: dict[frozenset[str], list[Alert]] = {}
        for alert in self.alerts.values():
            by_words.setdefault(_words(alert.name), []).append(alert)
        found: dict[tuple[str, str], list[tuple[NamedNumber, Alert]]] = {}
        for number in self._named_numbers():
            meant = by_words.get(_words(number.name), [])
            if len(meant) == 1 and meant[0].thresholds:
                found.setdefault(number.family, []).append((number, meant[0]))
        return found

    def _named_numbers(self) -> Iterator[NamedNumber]:
        model = self._model
        if not model.alerts:
            return
        for name in model.folder.names:
            if name.endswith(".py") and "test" not in name.rpartition("/")[2]:
                yield from in_python(model.folder.text(name) or "", name)
        sorted_ones = {id(d) for documents in model.sorted.documents.values() for d in documents}
        for file in model.folder.files.values():
            for document in file.documents:
                if id(document) not in sorted_ones:
                    yield from in_settings(Part.whole(document))

    @cached_property
    def _held(self) -> Mapping[int, list[Witness]]:
        """By alert, what applications hold; of a family of which most agree with their alerts."""
        found: dict[int, list[Witness]] = {}
        for members in self._families.values():
            agreeing = sum(1 for number, alert in members if _agrees(number.value, alert))
            for number, alert in members:
                agrees = _agrees(number.value, alert)
                if agrees or (agreeing >= 2 and 2 * agreeing >= len(members)):  # one may agree by chance
                    source = f"the application ({number.family[1]}, {number.name})"
                    where = partial(_same, number.place)
                    against, text = alert.thresholds[0], f"{number.value:g}"
                    witness = Witness("threshold", number.value, text, source, where, number.width, agrees, against)
                    found.setdefault(id(alert), []).append(witness)
        return found


def _same(place: Place) -> Place:
    return place


def _within(model: Model, part: Part, offset: int, start: int = 0) -> Place:
    return place_within(model.text(part.file), part.place, part.text, start + offset)


def _joined(lines: Sequence[tuple[int, str]], file: str) -> tuple[str, Callable[[int], Place]]:
    """Return lines as one text without markup, and where each of its characters stands."""
    starts = [0]
    for _, line in lines:
        starts.append(starts[-1] + len(line) + 1)

    def where(offset: int) -> Place:
        index = max(0, bisect_right(starts, offset, hi=len(lines)) - 1)
        return Place(file, lines[index][0] if lines else 1, offset - starts[index] + 1)

    return re.sub(r"[\n*_`]", " ", "\n".join(line for _, line in lines)), where


# Panels


def _of_panel(panel: Panel, compared: Sequence[Threshold], others: set[float]) -> Iterator[Witness]:
    """Yield where a panel's colour changes; `others` are all numbers of the alerts that it may be drawn for."""
    defaults = panel.field_config.get("defaults")
    style = defaults.string("custom", "thresholdsStyle", "mode")
    if defaults.string("thresholds", "mode") == "percentage" or (panel.type == "timeseries" and style in ("", "off")):
        return
    steps = [(step.get("value"), step.number("value")) for step in defaults.list("thresholds", "steps")]
    lines = [(part, value) for part, value in steps if value is not None]
    if not lines or (len(lines) == 1 and lines[0][1] == _UNTOUCHED):
        return
    missing = [t for t in compared if not any(near(value, t.value) for _, value in lines)]
    for part, value in lines:
        agrees = any(near(value, threshold.value) for threshold in compared)
        if agrees or (missing and not any(near(value, other) for other in others)):
            against = missing[0] if missing else compared[0]
            where = partial(getattr, part, "place")
            width = max(1, len(f"{value:g}"))
            yield Witness("threshold", value, f"{value:g}", f"the panel {panel.title}", where, width, agrees, against)


# Names


def _words(name: str) -> frozenset[str]:
    """Return the words of a name in either spelling, those left out that say only that it is a threshold."""
    return frozenset(word.lower() for word in _WORDS.findall(name)) - _SAYING_NOTHING


def _agrees(value: float, alert: Alert) -> bool:
    readings = {value, value * 100, value / 100, value * 1000, value / 1000}
    return any(near(reading, threshold.value) for reading in readings for threshold in alert.thresholds)
