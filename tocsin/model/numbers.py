"""Numbers that must be one number: what a rule compares with and how long it waits, and what else says of that alert.

Others are the rule's own annotations, the page of its runbook, the panels that show its expression or name it, and the
thresholds that the application holds itself. What only may be about the same number is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal

from tocsin.artefacts.application_thresholds import NamedNumber, in_python, in_settings
from tocsin.artefacts.dashboards import Panel
from tocsin.artefacts.prose import Claim, Dimension, claims
from tocsin.artefacts.rules import Rule
from tocsin.artefacts.runbooks import Runbook
from tocsin.durations import parse_duration
from tocsin.part import Part
from tocsin.promql import (
    Binary,
    Comparison,
    Duration,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Paren,
    Span,
    Subquery,
    Unary,
    VectorSelector,
    comparisons,
    selectors,
    unwrapped,
    walk,
)
from tocsin.promql.units import unit_of
from tocsin.source import Place, place_within

if TYPE_CHECKING:
    from tocsin.model import Model

Quantity = Literal["threshold", "duration"]

_IN_NAME = re.compile(r"(?<![A-Za-z])(?:rate|increase|avg|ratio|mean|burnrate|sum|max|min)?_?(\d+(?:ms|[smhdwy]))(?![A-Za-z0-9])")
_TEMPLATE = re.compile(r"\{\{.{0,2000}?\}\}", re.DOTALL)
_MEANING = re.compile(r"meaning|summary|description|what|about|alert|definition|condition|trigger|overview", re.IGNORECASE)
_TIMES = re.compile(r"second|latency|duration|delay|age|lag|time|_ms\b|milli", re.IGNORECASE)
_PERCENT = re.compile(r"percent|pct|utili[sz]ation|usage", re.IGNORECASE)
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_SAYING_NOTHING = frozenset(
    "threshold thresholds limit limits max maximum min minimum high low too alert over under above below value slo "
    "objective usage utilization utilisation critical warning error warn crit".split()
)
_LEVELS = frozenset("critical warning error warn crit info".split())
_TOLERANCE = 0.005
"""How far two numbers may lie apart that are one: 7.2 % and 0.0720."""


@dataclass(frozen=True)
class Threshold:
    """A number that an alert's expression is compared with."""

    comparison: Comparison
    number: Expr
    """The side that is the number."""
    measured: Expr
    """The other side."""
    value: float
    over: bool
    """Whether the alert rings above it, or at it; below otherwise."""


@dataclass(frozen=True)
class Witness:
    """A number that something else says of an alert."""

    quantity: Quantity
    value: float
    """In the unit of the rule's own number."""
    text: str
    """As it is written there."""
    source: str
    """What says it: `the runbook`, `the panel Latency`."""
    where: Callable[[], Place] = field(repr=False, compare=False)
    width: int
    agrees: bool
    against: Threshold | None = None
    """The threshold that it contradicts."""
    rule: Rule | None = field(default=None, repr=False)

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.where()


@dataclass(frozen=True)
class Alert:
    """All rules of one name: the rungs of one ladder, the windows of one burn rate."""

    name: str
    rules: tuple[Rule, ...]
    model: Model = field(repr=False, compare=False)

    @cached_property
    def trees(self) -> tuple[Expr, ...]:
        """The expressions, as far as they parse."""
        return tuple(tree for rule in self.rules if (tree := self.model.tree(rule)) is not None)

    @cached_property
    def thresholds(self) -> tuple[Threshold, ...]:
        """What the expressions are compared with."""
        return tuple(found for tree in self.trees for found in thresholds(tree))

    @cached_property
    def values(self) -> frozenset[float]:
        """Every number of the expressions, sums and products of numbers among them."""
        found: set[float] = set()
        for tree in self.trees:
            for node in walk(tree):
                value = folded(node)
                if value is not None:
                    found.add(value)
        return frozenset(found)

    @cached_property
    def holds(self) -> frozenset[float]:
        """How long the rules wait, in seconds."""
        return frozenset(rule.hold_seconds for rule in self.rules)

    @cached_property
    def durations(self) -> frozenset[float]:
        """Every time that an expression looks back over, in its recorded series too, and how long the rules wait."""
        found: set[float] = set()
        for tree in self.trees:
            found |= self.model.numbers.windows(tree)
        found |= {rule.keep_firing_seconds for rule in self.rules}
        found |= {window + hold for window in found for hold in self.holds}
        return frozenset(found | self.holds)


class Numbers:
    """What a system says of the numbers of its alerts."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._windows: dict[str, frozenset[float]] = {}

    @cached_property
    def alerts(self) -> Mapping[str, Alert]:
        """The alerts by name and file: those of several files are taken for several systems' own."""
        found: dict[tuple[str, str], list[Rule]] = {}
        for rule in self._model.alerts:
            found.setdefault((rule.file, rule.name), []).append(rule)
        return {f"{file}:{name}": Alert(name, tuple(rules), self._model) for (file, name), rules in found.items()}

    # How far expressions look back

    @cached_property
    def _recorded(self) -> Mapping[str, list[Rule]]:
        found: dict[str, list[Rule]] = {}
        for rule in self._model.recording_rules:
            found.setdefault(rule.name, []).append(rule)
        return found

    def windows(self, tree: Expr) -> frozenset[float]:
        """Return the times that an expression looks back over, in seconds; those of what it reads too."""
        found: set[float] = set()
        for node in walk(tree):
            for name in ("range", "step", "offset"):
                duration = getattr(node, name, None)
                if isinstance(duration, Duration):
                    found.add(abs(duration.seconds))
        for selector in selectors(tree):
            found |= self._of_name(selector.name or "")
        return frozenset(found)

    def _of_name(self, name: str) -> frozenset[float]:
        if name not in self._windows:
            found = {_seconds(match[1]) for match in _IN_NAME.finditer(name)} if ":" in name else set()
            self._windows[name] = frozenset(found)  # of a rule that reads itself, its name is all
            for rule in self._recorded.get(name, ()):
                tree = self._model.tree(rule)
                found |= self.windows(tree) if tree is not None else set()
            self._windows[name] = frozenset(found)
        return self._windows[name]

    # Who says what

    def witnesses(self, alert: Alert) -> Iterator[Witness]:
        """Yield what others say of the numbers of an alert."""
        for rule in alert.rules:
            yield from self._of_annotations(alert, rule)
        for page in self._pages_of(alert):
            yield from self._of_page(alert, page)
        yield from self._of_panels(alert)
        yield from self._of_descriptions(alert)
        yield from self._of_application(alert)

    def _of_annotations(self, alert: Alert, rule: Rule) -> Iterator[Witness]:
        single = Alert(alert.name, (rule,), alert.model)
        for name, part in rule.part.get("annotations").items():
            text = part.text
            if "://" in text or not any(character.isspace() for character in text):
                continue
            blank = _TEMPLATE.sub(lambda match: " " * len(match[0]), text)
            where = partial(_within, self._model, part)
            yield from _said(single, blank, f"the annotation `{name}`", where, rule)

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
            yield from _said(alert, text, f"the runbook {page.file}", places, None)

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
        return found

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
            where = partial(_within, self._model, part)
            yield from _said(alert, line, f"the description of the panel {panel.title}", where, None, start)

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

    def _of_application(self, alert: Alert) -> Iterator[Witness]:
        for members in self._families.values():
            agreeing = sum(1 for number, of in members if _agrees(number.value, of))
            for number, of in members:
                agrees = _agrees(number.value, of)
                if of is alert and (agrees or agreeing >= 2):  # noqa: PLR2004 one may agree by chance
                    against = alert.thresholds[0]
                    source = f"the application ({number.family[1]}, {number.name})"
                    where = partial(_same, number.place)
                    text = f"{number.value:g}"
                    yield Witness("threshold", number.value, text, source, where, number.width, agrees, against)


def _same(place: Place) -> Place:
    return place


def _within(model: Model, part: Part, offset: int) -> Place:
    return place_within(model.text(part.file), part.place, part.text, offset)


def _joined(lines: Sequence[tuple[int, str]], file: str) -> tuple[str, Callable[[int], Place]]:
    """Return lines as one text, and where each of its characters stands."""
    starts: list[tuple[int, int]] = []
    text = ""
    pieces: list[str] = []
    length = 0
    for number, line in lines:
        starts.append((length, number))
        pieces.append(line)
        length += len(line) + 1
    text = "\n".join(pieces)

    def where(offset: int) -> Place:
        start, number = max((s for s in starts if s[0] <= offset), default=(0, 1))
        return Place(file, number, offset - start + 1)

    return re.sub(r"[\n*_`]", " ", text), where


# What a text says


def _said(
    alert: Alert, text: str, source: str, where: Callable[[int], Place], rule: Rule | None, offset: int = 0
) -> Iterator[Witness]:
    """Yield what a text says of an alert's numbers: what agrees, and what contradicts beyond doubt."""
    found = list(claims(text))
    lasting = [claim for claim in found if claim.kind == "duration"]
    compared = [claim for claim in found if claim.kind == "threshold"]
    yield from _durations(alert, lasting, source, where, rule, offset)
    yield from _thresholds(alert, compared, source, where, rule, offset)


def _durations(
    alert: Alert, lasting: Sequence[Claim], source: str, where: Callable[[int], Place], rule: Rule | None, offset: int
) -> Iterator[Witness]:
    known = alert.durations | {value for value in alert.values if value > 0}
    agreeing = [c for c in lasting if any(_near(c.value, k) or _near(c.written, k) for k in known)]
    others = [claim for claim in lasting if claim not in agreeing]
    hold = max(alert.holds, default=0.0)
    for claim in agreeing:
        yield _witness(claim, "duration", claim.value, source, where, offset, agrees=True, rule=rule)
    if len(others) == 1 and len(lasting) == 1 and hold > 0:
        claim = others[0]
        yield _witness(claim, "duration", claim.value, source, where, offset, agrees=False, rule=rule)


def _thresholds(
    alert: Alert, compared: Sequence[Claim], source: str, where: Callable[[int], Place], rule: Rule | None, offset: int
) -> Iterator[Witness]:
    agreeing = [claim for claim in compared if _known(claim, alert)]
    others = [claim for claim in compared if claim not in agreeing]
    for claim in agreeing:
        yield _witness(claim, "threshold", claim.value, source, where, offset, agrees=True, rule=rule)
    open_ones = [t for t in alert.thresholds if t.value != 0 and not any(_means(claim, t) for claim in compared)]
    for claim in others:
        meant = [t for t in open_ones if t.over == (claim.direction == "over") and _comparable(claim, t, alert)]
        rivals = [c for c in others if c.direction == claim.direction and c.dimension == claim.dimension]
        if len(meant) == 1 and len(rivals) == 1 and len(alert.thresholds) == 1:
            value = _scaled(claim, meant[0])
            yield _witness(claim, "threshold", value, source, where, offset, agrees=False, against=meant[0], rule=rule)


def _witness(
    claim: Claim,
    quantity: Quantity,
    value: float,
    source: str,
    where: Callable[[int], Place],
    offset: int,
    *,
    agrees: bool,
    against: Threshold | None = None,
    rule: Rule | None = None,
) -> Witness:
    width = len(claim.text.split("\n")[0])
    place = partial(where, claim.start + offset)
    return Witness(quantity, value, claim.text, source, place, width, agrees, against, rule)


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= _TOLERANCE * max(abs(one), abs(other))


def _readings(claim: Claim) -> set[float]:
    """Return the numbers that an expression may hold for what a text says."""
    found = {claim.value, claim.written}
    if claim.dimension == "share":
        found |= {1 - claim.value, 100 - claim.written}
    elif claim.dimension == "time":
        found |= {claim.value * 1e3, claim.value / 60, claim.value / 3600, claim.value / 86400}
    elif claim.dimension == "bytes":
        found |= {claim.written * 2.0**power for power in (10, 20, 30, 40)} | {claim.value / 2.0**20, claim.value / 1e6}
    else:
        found |= {claim.value / 100, claim.value / 60, claim.value + 1, claim.value - 1}
    return found


def _known(claim: Claim, alert: Alert) -> bool:
    numbers = alert.values | (alert.durations if claim.dimension in ("time", "count") else frozenset())
    return any(_near(reading, number) for reading in _readings(claim) for number in numbers)


def _means(claim: Claim, threshold: Threshold) -> bool:
    return any(_near(reading, threshold.value) for reading in _readings(claim))


def _comparable(claim: Claim, threshold: Threshold, alert: Alert) -> bool:
    """Tell whether a threshold is surely of the dimension that a text speaks of."""
    unit = unit_of(threshold.measured, alert.model.recorded_units)
    names = " ".join(name for s in selectors(threshold.measured) if (name := s.name))
    kinds: dict[Dimension, tuple[str, ...]] = {"share": ("ratio", "seconds/s"), "time": ("seconds",), "bytes": ("bytes",), "count": ()}
    if unit is not None and unit.kind not in ("count", "count/s"):
        return unit.kind in kinds[claim.dimension]
    if claim.dimension == "share":
        share = 0 < threshold.value <= 1 and _divides(threshold.measured)
        hundred = any(folded(node) == 100 for node in walk(threshold.measured))  # noqa: PLR2004
        return share or (1 < threshold.value <= 100 and (hundred or bool(_PERCENT.search(names))))  # noqa: PLR2004
    if claim.dimension == "time":
        return unit is None and bool(_TIMES.search(names))
    return claim.dimension == "count" and claim.written > 0 and not _divides(threshold.measured)


def _divides(expr: Expr) -> bool:
    return any(isinstance(node, Binary) and node.op == "/" for node in walk(expr))


def _scaled(claim: Claim, threshold: Threshold) -> float:
    return claim.written if claim.dimension == "share" and threshold.value > 1 else claim.value


# What an expression says


def thresholds(tree: Expr) -> Iterator[Threshold]:
    """Yield the comparisons of an alert's expression with a number."""
    for comparison in comparisons(tree):
        left, right = folded(comparison.left), folded(comparison.right)
        if right is not None and left is None:
            over = comparison.op in (">", ">=", "==", "!=")
            yield Threshold(comparison, comparison.right, comparison.left, right, over)
        elif left is not None and right is None:
            yield Threshold(comparison, comparison.left, comparison.right, left, comparison.op in ("<", "<=", "==", "!="))


def folded(expr: Expr) -> float | None:
    """Return the number that an expression of numbers is; None if it is anything else."""
    match expr:
        case NumberLiteral(value=value):
            return value
        case Paren(expr=inner):
            return folded(inner)
        case Unary(op=op, expr=inner):
            value = folded(inner)
            return None if value is None else -value if op == "-" else value
        case Binary(op=op, left=left, right=right) if op in ("+", "-", "*", "/", "^"):
            one, other = folded(left), folded(right)
            return None if one is None or other is None else _calculated(op, one, other)
        case _:
            return None


def _calculated(op: str, one: float, other: float) -> float | None:
    try:
        match op:
            case "+":
                return one + other
            case "-":
                return one - other
            case "*":
                return one * other
            case "/":
                return one / other
        return one**other if abs(other) < 64 and one > 0 else None  # noqa: PLR2004
    except (OverflowError, ZeroDivisionError):
        return None


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError:
        return 0.0


# Panels' thresholds


def _of_panel(panel: Panel, compared: Sequence[Threshold], others: set[float]) -> Iterator[Witness]:
    """Yield the steps at which a panel's colour changes; `others` are all numbers of alerts that it may be drawn for."""
    defaults = panel.field_config.get("defaults")
    style = defaults.string("custom", "thresholdsStyle", "mode")
    if defaults.string("thresholds", "mode") == "percentage" or (panel.type == "timeseries" and style in ("", "off")):
        return
    steps = [(step.get("value"), step.number("value")) for step in defaults.list("thresholds", "steps")]
    lines = [(part, value) for part, value in steps if value is not None]
    if not lines or (len(lines) == 1 and lines[0][1] == 80):  # noqa: PLR2004 what every new panel has
        return
    missing = [t for t in compared if not any(_near(value, t.value) for _, value in lines)]
    for part, value in lines:
        agrees = any(_near(value, threshold.value) for threshold in compared)
        if agrees or (missing and not any(_near(value, other) for other in others)):
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
    return any(_near(reading, threshold.value) for reading in readings for threshold in alert.thresholds)
