"""Proofs as text for a terminal: a table of what is worth a look, the reasons, and what came of it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tocsin.simulation.proofs import BASE

_STYLES = {"proven": "green", "dead": "bold red", "refuted": "bold red", "open": "magenta"}
_SHORT = {"not applicable": "-", "no contract": "-"}
MOST_LINES = 60
"""Alerts that are listed where nothing is wrong with them; of more, only those with which something is."""
MOST_SURVIVORS = 10
"""Mutants that are shown where nobody asks for all."""
_MOST_SERIES = 6
_COLUMN = 66

Report = Mapping[str, Any]


def print_report(console: Console, report: Report, *, whole: bool = False) -> None:
    """Print a report."""
    alerts: Sequence[Report] = report["alerts"]
    listed = alerts if whole or len(alerts) <= MOST_LINES else [each for each in alerts if _worth_a_look(each)]
    if listed:
        console.print(_table(report["engines"], listed))
    for each in alerts:
        for line in _reasons(each):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    for line in (*_files(alerts), *_besides(report, whole=whole), summary(report)):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def summary(report: Report) -> str:
    """Return in a line what came of all alerts."""
    alerts: Sequence[Report] = report["alerts"]
    fires = Counter(each["properties"]["fires"] for each in alerts)
    grounded = Counter(each["grounded"] for each in alerts)
    whole = sum(each["verdict"] == "passed" for each in alerts)
    living = len(alerts) - fires["dead"]
    parts = [
        f"{len(alerts)} alerts: {fires['proven']} of {living} that can fire do, {whole} proven in all they are asked",
        f"{fires['dead']} dead",
        f"{fires['open']} open",
    ]
    if grounded["proven"] or grounded["refuted"] or grounded["open"]:
        said = f"{grounded['proven']} fire on input of this system, {grounded['refuted']} never will"
        parts.append(said + (f", {grounded['open']} open" if grounded["open"] else ""))
    skewed = sum(bool(each["skew"]) for each in alerts)
    if skewed:
        parts.append(f"{skewed} behave otherwise in another engine")
    if edged := sum(bool(each["skew_at_edges"]) for each in alerts):
        parts.append(f"{edged} do by one sample at the edge of a range, which 3.0 leaves out")
    return "; ".join(parts)


def _worth_a_look(alert: Report) -> bool:
    return alert["verdict"] != "passed" or bool(alert["skew"])


def _table(engines: Sequence[str], alerts: Sequence[Report]) -> Table:
    table = Table(title="Alerts in virtual time", title_justify="left", header_style="bold", pad_edge=False)
    for title in ("alert", "where", *BASE, "grounded", *engines[1:]):
        table.add_column(title, overflow="fold")
    for each in alerts:
        cells = [each["properties"][name] for name in BASE]
        cells += [each["grounded"], *(each["engines"].get(name, "") for name in engines[1:])]
        place = f"{each['file']}:{each['line']}"
        table.add_row(each["name"], place, *(Text(_SHORT.get(c, c), style=_STYLES.get(c, "")) for c in cells))
    return table


def _reasons(alert: Report) -> Iterator[str]:
    """Yield what is to be said of an alert that is not proven, or not everywhere."""
    notes = [f"  note: {said}" for said in alert["notes"]]
    skew = [f"  skew: {said}" for said in alert["skew"]]
    if alert["verdict"] == "passed" and not notes and not skew:
        return
    if alert["verdict"] == "passed":
        yield f"{alert['file']}:{alert['line']} {alert['name']}"
    else:
        yield f"{alert['verdict']} {alert['file']}:{alert['line']} {alert['reason']}"
        if alert["underlined"]:
            yield from (f"  {line}" for line in underlined(alert["expression"], *alert["underlined"]))
        yield from (f"  {line}" for line in _inputs(alert))
    yield from (*skew, *notes)


def explained(alert: Report) -> str:
    """Return all that is to be said of an alert that is not proven, without its place."""
    lines = [str(alert["reason"]), *list(_reasons(alert))[1:]]
    return "\n".join(lines)


def underlined(expression: str, start: int, end: int) -> Iterator[str]:
    """Yield the lines of an expression that a piece of it is on, each with the piece marked under it."""
    at = 0
    for line in expression.split("\n"):
        first, last = max(start - at, 0), min(end - at, len(line))
        if first < last:
            yield line.replace("\t", " ")
            yield " " * first + "^" * (last - first)
        at += len(line) + 1


def _inputs(alert: Report) -> Iterator[str]:
    """Yield the input that fires an alert beside that which its system has."""
    free, grounded = alert["inputs"]["free"], alert["inputs"]["grounded"]
    if alert["grounded"] not in ("refuted", "open") or free is None:
        return
    left = list(_shown("made up", free))
    right = list(_shown("of this system", grounded)) if grounded else ["of this system:", alert["grounded_reason"]]
    for one, other in zip_longest(left, right, fillvalue=""):
        yield f"{_cut(one):<{_COLUMN}} | {other}".rstrip()


def _shown(title: str, given: Report) -> Iterator[str]:
    paces = [f"samples every {given['interval']:g}s"] if given["interval"] else []
    paces += [f"evaluated every {given['evaluation']:g}s"] if given["evaluation"] else []
    yield f"{title}: {', '.join(paces)}" if paces else f"{title}:"
    for selector, values in given["series"][:_MOST_SERIES]:
        yield f"{selector}  {values}".rstrip()
    if len(given["series"]) > _MOST_SERIES:
        yield f"and {len(given['series']) - _MOST_SERIES} more series"
    yield f"so {given['outcome']}"


def _cut(text: str) -> str:
    return text if len(text) <= _COLUMN else text[: _COLUMN - 1] + "…"


def _files(alerts: Sequence[Report]) -> Iterator[str]:
    """Yield the counts of each rule file, where there are several."""
    by_file: dict[str, list[Report]] = {}
    for each in alerts:
        by_file.setdefault(each["file"], []).append(each)
    if len(by_file) < 2:
        return
    width = max(len(name) for name in by_file)
    for name, own in sorted(by_file.items()):
        fires = Counter(each["properties"]["fires"] for each in own)
        whole = sum(each["verdict"] == "passed" for each in own)
        rest = "".join(f", {fires[word]} {word}" for word in ("dead", "open") if fires[word])
        yield f"{name:<{width}}  {len(own):>4} alerts, {fires['proven']:>4} fire, {whole:>4} proven in all{rest}"


def _besides(report: Report, *, whole: bool) -> Iterator[str]:
    """Yield what was found of the owner's tests, and of mutants."""
    coverage = report.get("coverage") or {}
    if coverage.get("by_alert"):
        yield (
            f"the owner's tests see {coverage['covered']} of {coverage['alerts']} alerts fire and be silent"
            f" ({coverage['coverage']:.0%})"
        )
        yield from (f"  {said}" for said in coverage.get("findings", ()))
    mutation = report.get("mutation") or {}
    if mutation.get("mutants"):
        yield f"mutants before our tests: {_fates(mutation)}"
        owners = mutation.get("owners") or {}
        if owners.get("mutants"):
            yield f"mutants before the owner's tests: {_fates(owners)}"
        yield from _survivors(mutation["survivors"], whole=whole)


def _fates(mutation: Report) -> str:
    """Return the score of mutants, and what became of them."""
    names = ("killed", "survived", "equivalent", "probably equivalent")
    counts = ", ".join(f"{mutation[name]} {name}" for name in names if mutation.get(name))
    scores = f"score {mutation['score']:.1%} without equivalent ones, {mutation['score_of_all']:.1%} of all"
    return f"{mutation['mutants']}: {counts}; {scores}"


def _survivors(survivors: Sequence[Report], *, whole: bool) -> Iterator[str]:
    """Yield the mutants that no test tells from their rule, each as a diff."""
    shown = survivors if whole else survivors[:MOST_SURVIVORS]
    for each in shown:
        yield f"{each['fate']} {each['id']}: {each['description']} ({each['reason']})"
        yield from (f"  {line}" for line in str(each["diff"]).splitlines())
    if len(shown) < len(survivors):
        yield f"and {len(survivors) - len(shown)} more mutants (--all)"
