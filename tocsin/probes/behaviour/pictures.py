"""The picture of an episode: what was foreseen above, what was seen below, on one scale of seconds."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.probes.behaviour.episode import Episode
from tocsin.probes.behaviour.questions import Seen
from tocsin.probes.figures import noticed, restarted
from tocsin.probes.marks import Made, Mark, MarkKind
from tocsin.probes.specification import ProbeKind
from tocsin.probes.timeline import Moment, Timeline, sheet
from tocsin.probes.window import Window

MOST_ATTEMPTS = 400
"""Dots in a row; of more, every so many."""


def draw(seen: Seen, name: str) -> str:
    """Return the picture of an episode as SVG; nothing if there is none, or if nothing was seen in it."""
    episode = seen.episodes.get(name)
    if episode is None or episode.lacking or not (episode.attempts or episode.marks):
        return ""
    foreseen = tuple(_foreseen(seen, episode))
    until = max([episode.lasted, *(each.at for each in episode.marks), *(each.when.latest for each in foreseen)])
    rows = [Timeline("foreseen", until, foreseen)] if foreseen else []
    moments = tuple(Moment(Mark(each.kind, each.number), Window.at(each.at)) for each in episode.marks)
    notes = tuple((each.at, each.what) for each in episode.actions if not each.what.startswith("phase "))
    rows.append(Timeline("seen", until, moments, tuple(_attempts(episode)), notes))
    return sheet(f"{episode.subject}: {episode.name}", rows)


def _attempts(episode: Episode) -> Iterator[Made]:
    for kind in ProbeKind:
        made = episode.of(kind)
        every = -(-len(made) // MOST_ATTEMPTS) or 1
        wrong = {id(each) for each in made if not each.outcome.healthy}
        for number, each in enumerate(made):
            if number % every == 0 or id(each) in wrong:
                yield Made(each.kind, each.instance, each.started, each.seconds, each.outcome)


def _foreseen(seen: Seen, episode: Episode) -> Iterator[Moment]:
    begun = episode.action("load begins") or 0.0
    for each in episode.foreseen:
        window = Window(begun + each.earliest, begun + each.latest)
        yield Moment(Mark(each.kind, each.number), window, certain=each.share >= 1)
    frozen = episode.action("SIGSTOP")
    if episode.name != "hang" or frozen is None:
        return
    readiness = seen.probe(ProbeKind.READINESS)
    if readiness is not None:
        figure = noticed(readiness, seen.ground)
        yield Moment(Mark(MarkKind.READINESS, 2), Window(frozen + figure.least, frozen + figure.most))
    if seen.probe(ProbeKind.LIVENESS) is not None:
        figure = restarted(seen.setup, seen.ground)
        yield Moment(Mark(MarkKind.RESTART, 1), Window(frozen + figure.least, frozen + figure.most))
