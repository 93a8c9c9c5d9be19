"""A backtest as a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tocsin.report.backtest.words import (
    MOST_EPISODES,
    counted,
    head,
    labels_text,
    noisiest,
    pending_text,
    remarks,
    side,
    span,
    stretch,
)
from tocsin.simulation.backtest import Backtest, Change, Episode, Kind, Outcome, compare


def render(done: Backtest) -> str:
    """Return a table of what changed, with the episodes side by side; without a comparison, of every alert."""
    first, *more = head(done)
    lines = ["### Backtest of the alerting rules", "", _plain(first), *(f"- {_plain(line)}" for line in more), ""]
    if done.before is not None:
        lines += _compared(compare(done.before, done.outcomes))
    else:
        lines += _table(done.outcomes)
    return "\n".join(lines).rstrip()


def _table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield "| alert | fired | a day | flaps | share of time | longest | pending only |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for outcome in noisiest(outcomes):
        noise = outcome.noise
        if outcome.state in ("not evaluated", "failing", "no data"):
            yield f"| {_code(outcome.alert.rule.name)} | {outcome.state} | | | | | |"
        else:
            yield (
                f"| {_code(outcome.alert.rule.name)} | {noise.episodes} | {noise.per_day:.3g} | {noise.flaps} "
                f"| {noise.share:.2%} | {span(noise.longest)} | {noise.pending} |"
            )
    for outcome in noisiest(outcomes):
        if outcome.firing:
            yield from _details(outcome.alert.rule.name, _episodes(outcome))
    yield from _remarks(outcomes)


def _episodes(outcome: Outcome) -> Iterator[str]:
    if pending := pending_text(outcome):
        yield f"{pending}."
        yield ""
    yield "| fired | labels |"
    yield "| --- | --- |"
    for episode in outcome.firing[:MOST_EPISODES]:
        yield f"| {stretch(episode)} | {_code(labels_text(episode.labels))} |"
    yield from _more(len(outcome.firing))


def _compared(changes: Sequence[Change]) -> Iterator[str]:
    yield f"**{counted(changes)}**"
    told = [change for change in changes if change.kind is not Kind.SAME]
    if not told:
        return
    yield ""
    yield "| | alert | before | now |"
    yield "| --- | --- | --- | --- |"
    for change in told:
        yield f"| {change.kind} | {_code(change.name)} | {side(change.before)} | {side(change.after)} |"
    for change in told:
        if change.pairs:
            yield from _details(f"{change.name}: {change.kind}", _side_by_side(change))
    yield from _remarks(each for change in told for each in (change.before, change.after) if each is not None)


def _side_by_side(change: Change) -> Iterator[str]:
    yield "| before | now | labels |"
    yield "| --- | --- | --- |"
    # what differs comes first, for that is what the comment is read for
    for pair in sorted(change.pairs, key=lambda each: each.before == each.after)[:MOST_EPISODES]:
        labels = dict.fromkeys(side.labels for side in (pair.before, pair.after) if side is not None)
        named = " → ".join(_code(labels_text(each)) for each in labels)
        yield f"| {_cell(pair.before)} | {_cell(pair.after)} | {named} |"
    yield from _more(len(change.pairs))


def _cell(episode: Episode | None) -> str:
    return "—" if episode is None else stretch(episode)


def _more(count: int) -> Iterator[str]:
    if count > MOST_EPISODES:
        yield ""
        yield f"... and {count - MOST_EPISODES} more."


def _details(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield ""
    yield f"<details><summary>{_plain(title)}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"


def _remarks(outcomes: Iterable[Outcome]) -> Iterator[str]:
    said = dict.fromkeys(f"- {_code(each.alert.rule.name)}: {_plain(r)}" for each in outcomes for r in remarks(each))
    if said:
        yield ""
        yield from said


def _plain(text: str) -> str:
    """Return a text that Markdown shows as it is written, in a table too."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace("\n", " ")
    return "".join("\\" + each if each in "\\`*_|[]" else each for each in escaped)


def _code(text: str) -> str:
    """Return a text as code within a table."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text.replace('|', chr(92) + '|')}{fence}".replace("\n", " ")
