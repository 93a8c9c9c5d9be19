"""How a backtest is told: times, durations, labels, and the sentence of an alert."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from tocsin.durations import format_duration
from tocsin.simulation.backtest import Backtest, Change, Episode, Noise, Outcome, written

MOST_EPISODES = 20
"""Of one alert in a text for people; JSON has all."""


def span(seconds: float) -> str:
    """Return a duration for people: whole seconds from a minute on."""
    return format_duration(round(seconds) if seconds >= 60 else round(seconds, 3))


def moment(time: int) -> str:
    """Return a moment for people."""
    return written(time).replace("T", " ").removesuffix("Z")


def labels_text(labels: Iterable[tuple[str, str]]) -> str:
    """Return labels as PromQL writes them."""
    quoted = (f'{name}="{value}"' for name, value in labels)
    return "{" + ", ".join(part.replace("\n", "\\n") for part in quoted) + "}"


def stretch(episode: Episode) -> str:
    """Return when an episode began and ended, and how long it was."""
    begin = f"{'before ' if episode.began_before else ''}{moment(episode.begin)}"
    end = f"{'after ' if episode.lasting else ''}{moment(episode.end)}"
    return f"{begin} to {end} ({span(episode.seconds)})"


def times(count: int) -> str:
    """Return a number of times in words."""
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def firing_text(noise: Noise) -> str:
    """Return how often and how long an alert fired, in a sentence."""
    if not noise.episodes:
        return "never fired"
    flaps = f", {noise.flaps} of them within 15 minutes of the last" if noise.flaps else ""
    several = f", longest {span(noise.longest)}, median {span(noise.median)}" if noise.episodes > 1 else ""
    return (
        f"fired {times(noise.episodes)} ({noise.per_day:.3g} a day){flaps}, for {span(noise.seconds)} in all "
        f"({noise.share:.2%} of the time){several}"
    )


def pending_text(outcome: Outcome) -> str:
    """Return how often an alert was pending without firing; nothing if it never was."""
    if not outcome.pending:
        return ""
    longest = max(episode.seconds for episode in outcome.pending)
    return f"pending {times(len(outcome.pending))} without firing, {span(longest)} at the longest"


def rule_text(outcome: Outcome) -> str:
    """Return where a rule stands and at what pace it is evaluated."""
    alert = outcome.alert
    keep = f", keep_firing_for {span(alert.keep / 1000)}" if alert.keep else ""
    hold = f", for {span(alert.hold / 1000)}" if alert.hold else ""
    return f"{alert.rule.file}:{alert.rule.place.line}, every {span(alert.interval / 1000)}{hold}{keep}"


def remarks(outcome: Outcome) -> Iterator[str]:
    """Yield what a reader must know of an alert besides its episodes."""
    if outcome.not_evaluated:
        yield outcome.not_evaluated
    if outcome.missing:
        yield f"history has no series of {', '.join(outcome.missing)}"
    for reason, count in Counter(why for _, _, why in outcome.refused).items():
        first, last, _ = next(each for each in outcome.refused if each[2] == reason)
        more = f", and {count - 1} times more" if count > 1 else ""
        yield f"its evaluation fails from {moment(first)} to {moment(last)}{more}: {reason}"
    yield from outcome.notes


def head(done: Backtest) -> Iterator[str]:
    """Yield what was looked at."""
    window = done.window
    count = len(done.outcomes)
    against = "" if done.before is None else f" against {len(done.before)}"
    yield (
        f"{count} alert{'s' * (count != 1)}{against}, {moment(window.begin)} to {moment(window.end)} UTC "
        f"({span(window.seconds)}), {done.requests} requests"
    )
    for begin, end in done.gaps[:MOST_EPISODES]:
        yield f"no history from {moment(begin)} to {moment(end)}: nothing was evaluated there"
    if done.from_history:
        yield f"read as they were recorded then: {', '.join(done.from_history)}"
    if done.inlined:
        yield f"evaluated anew by their recording rules: {', '.join(done.inlined)}"
    yield from (f"the server warns: {warning}" for warning in done.warnings)


def counted(changes: Iterable[Change]) -> str:
    """Return how many changes there are of each kind."""
    found = Counter(str(change.kind) for change in changes)
    return ", ".join(f"{count} {kind}" for kind, count in found.items())


def noisiest(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Return outcomes in the order in which they are worth reading."""
    return sorted(
        outcomes,
        key=lambda each: (-each.noise.episodes, -each.noise.seconds, -each.noise.pending, each.alert.case),
    )


def side(outcome: Outcome | None) -> str:
    """Return one side of a comparison in a few words."""
    if outcome is None:
        return "no such rule"
    if outcome.state in ("not evaluated", "failing", "no data"):
        return outcome.state
    noise = outcome.noise
    pending = f", pending {times(noise.pending)}" if noise.pending else ""
    return (f"{times(noise.episodes)}, {span(noise.seconds)}" if noise.episodes else "never") + pending
