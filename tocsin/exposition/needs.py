"""What the rules and dashboards of a system need of its targets, and what a change of a target breaks for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tocsin.exposition.contract import Change
from tocsin.exposition.digest import Digest
from tocsin.exposition.judgement import Complaint
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.lineage import SYNTHETIC, Use
from tocsin.promql import Aggregation, Binary, Expr, walk

MOST_TOLD = 8
"""So many rules and panels are named; the others are counted."""
_WHY = {
    "metric-gone": "What asks for it gets nothing: an alert on it never fires, a panel is empty.",
    "type-changed": "Functions that fit one type do not fit the other: `rate` of a gauge means nothing.",
    "label-gone": "A matcher on the label finds nothing any more, and what is grouped by it falls into one.",
    "label-added": "Vector matching that was one to one may become many to one, and fails then.",
    "buckets-changed": "Quantiles and shares of quick requests jump, and a bound that is asked for may be gone.",
    "help-changed": "Whoever reads it at night reads something else.",
    "unit-changed": "Thresholds in the old unit are wrong by its factor.",
}


@dataclass(frozen=True, slots=True)
class Start:
    """A target that was just asked, for what must be there from the start."""

    job: str
    digest: Digest
    lazily_born: Mapping[str, str]


def complaint_of(change: Change, model: Model | None, against: str) -> Complaint:
    """Return what a change is, with the rules and dashboards that it breaks, as far as there is a system to ask."""
    users = affected(change, model) if model else ()
    deciding = any(use.deciding for use in users)
    severity = Severity.ERROR if deciding or model is None else Severity.WARNING
    severity = severity if change.breaks else Severity.INFO
    if change.kind == "label-added":
        severity = Severity.WARNING
    said = f"{change.message}; it breaks {_told(users)}" if users and change.breaks else change.message
    return Complaint(
        check=change.kind,
        severity=severity,
        line=change.line,
        column=1 if change.line else 0,
        series=change.names[0] if change.names and change.kind != "help-changed" else change.family,
        message=said,
        why=_WHY[change.kind],
        fix=f"Bring it back, or mend who uses it and save the new body as the contract (in place of {against}).",
    )


def affected(change: Change, model: Model) -> tuple[Use, ...]:
    """Return who uses what has changed: rules first, then dashboards; tests are not meant."""
    uses = (use for name in change.names for use in model.lineage.users_of(name) if use.where != "test")
    if change.kind in ("label-gone", "label-added"):
        uses = (use for use in uses if _touches(use, change.label, gone=change.kind == "label-gone"))
    return tuple(sorted(dict.fromkeys(uses), key=lambda use: not use.deciding))


def _touches(use: Use, label: str, *, gone: bool) -> bool:
    """Whether a label matters to a use: one that is gone, by its name; one that is new, where vectors are matched."""
    if gone:
        named = any(matcher.name == label for matcher in use.selector.matchers)
        return named or use.label == label or any(label in names for names in _named(use.tree))
    return any(isinstance(node, Binary) and node.matching is None for node in walk(use.tree))


def _named(tree: Expr) -> Iterator[tuple[str, ...]]:
    for node in walk(tree):
        if isinstance(node, Aggregation) and node.grouping and not node.without:
            yield node.grouping
        elif isinstance(node, Binary) and node.matching is not None:
            yield (*(node.matching.labels if node.matching.on else ()), *node.matching.include)


def lacking_at_start(model: Model, starts: Iterable[Start]) -> Iterator[tuple[str, Complaint]]:
    """Yield what rules and dashboards need of a target and its body has not, each with the target's job.

    It must be there at the start, or be declared as born late: in system.yaml (`static: lazily_born`) or beside a saved
    body. Asked is only who is known to export it: by the selector's own job, or by the source that declares it.
    """
    known = list(starts)
    by_job = {start.job: start for start in known}
    everywhere = {name for start in known for name in _names(start.digest)}
    static = model.declaration.static
    made = SYNTHETIC | {rule.name for rule in model.recording_rules}
    told: set[str] = set()
    for use in model.lineage.uses:
        if use.where == "test" or use.name in told or use.name in everywhere or use.name in made:
            continue
        start = by_job.get(_home(model, use, by_job.keys()))
        if start is None or use.name in static.lazily_born or use.name in static.empty_by_design:
            continue
        if use.name in start.lazily_born:
            continue
        told.add(use.name)
        users = tuple(each for each in model.lineage.users_of(use.name) if each.where != "test")
        yield start.job, _absent(use.name, users)


def _absent(name: str, users: tuple[Use, ...]) -> Complaint:
    return Complaint(
        check="metric-not-there-at-start",
        severity=Severity.ERROR if any(use.deciding for use in users) else Severity.WARNING,
        line=0,
        column=0,
        series=name,
        message=f"{name} is not exposed after the start; it is needed by {_told(users)}",
        why="As long as the series is not there, expressions on it give nothing, which looks like all is well.",
        fix="Initialise it with 0 for every value of its labels, or declare when it is born: `static: lazily_born`.",
    )


def _home(model: Model, use: Use, jobs: Iterable[str]) -> str:
    """Return the job that a metric belongs to: the one that is asked for, or the one whose source declares it."""
    if use.job:
        return use.job
    for metric in model.metrics.own(use.name):
        if metric.by:
            return metric.by
        if metric.origin == "application":
            folders = metric.place.file.split("/")[:-1]
            found = [job for job in jobs if job in folders]
            if len(found) == 1:
                return found[0]
    return ""


def _names(digest: Digest) -> Iterator[str]:
    for family in digest.families.values():
        yield from family.names


def _told(users: tuple[Use, ...]) -> str:
    said = list(dict.fromkeys(f"{use.where} {use.subject} ({use.at[0].file}:{use.at[0].line})" for use in users))
    more = f" and {len(said) - MOST_TOLD} more" if len(said) > MOST_TOLD else ""
    return ", ".join(said[:MOST_TOLD]) + more
