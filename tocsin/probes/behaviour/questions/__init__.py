"""What a question about probes is: one function in one file of this package, with its reason and its cure.

    @question(severity=Severity.ERROR, fix="...")
    def passes_when_healthy(seen: Seen) -> Iterator[Remark]:
        '''What follows if the answer is bad.

        (Source of the rule of the field.)
        '''

The id is the function's name with dashes, which is the module's name too. A question reads the episodes of a container
and yields what is wrong; it raises NotAsked where there is nothing to ask, and Unproven where the episode that it needs
is lacking. Modules are discovered; importing one changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from tocsin.catalogue import catalogue, described
from tocsin.finding import Severity
from tocsin.probes.behaviour.episode import Attempted, Episode
from tocsin.probes.behaviour.subject import Subject
from tocsin.probes.ground import Ground, from_source
from tocsin.probes.setup import Setup
from tocsin.probes.specification import ProbeKind, ProbeSpec
from tocsin.probes.versions import Version
from tocsin.source import Place


class NotAsked(Exception):
    """There is nothing to ask, and why."""


class Unproven(Exception):
    """What is needed for an answer was not seen, and why."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What a question has found wrong."""

    message: str
    """What was seen, with its figures."""
    kind: ProbeKind | None = None
    """The probe that it is about; None: the container."""
    severity: Severity | None = None
    """Where it differs from the question's."""
    fix: str = ""
    """Where it can be said better than by the question's cure."""
    episode: str = ""
    """The episode that shows it, for the picture."""


@dataclass(frozen=True)
class Seen:
    """What was seen of a container, and what is known of the kubelet that it is foreseen for."""

    subject: Subject
    episodes: Mapping[str, Episode]
    version: Version

    @property
    def ground(self) -> Ground:
        """What predictions stand on."""
        return from_source(self.version)

    @property
    def setup(self) -> Setup:
        """The container as its manifest has it."""
        return Setup(self.subject.spec, pod=self.subject.pod, version=self.version)

    @property
    def probes(self) -> tuple[ProbeSpec, ...]:
        """Its probes."""
        return self.subject.spec.probes

    def probe(self, kind: ProbeKind) -> ProbeSpec | None:
        """Return its probe of a kind."""
        return self.subject.spec.probe(kind)

    def place(self, kind: ProbeKind | None) -> Place:
        """Return where a probe stands, or the container."""
        return self.subject.probe_place(kind) if kind is not None else self.subject.place

    def episode(self, name: str) -> Episode:
        """Return an episode. Raises Unproven if it was not made."""
        found = self.episodes.get(name)
        if found is None:
            raise Unproven(f"the experiment `{name}` was not made")
        _expect_made(found)
        return found

    def many(self, prefix: str) -> tuple[Episode, ...]:
        """Return the episodes whose name begins so; Unproven if there are some, and none was made."""
        found = [each for name, each in self.episodes.items() if name.startswith(prefix)]
        made = tuple(each for each in found if not each.lacking)
        if found and not made:
            _expect_made(found[0])
        return made

    def in_cluster(self, name: str) -> Episode:
        """Return an episode of a cluster. Raises NotAsked where it runs in none, and as `episode`."""
        if "watch" not in self.episodes:
            raise NotAsked("it does not run in a cluster here")
        return self.episode(name)


def _expect_made(episode: Episode) -> None:
    """Raise NotAsked or Unproven if an experiment was not made."""
    if episode.lacking:
        raise (NotAsked if episode.declined else Unproven)(episode.lacking)


@dataclass(frozen=True, slots=True)
class Question:
    """A question, with all that is known of it."""

    id: str
    severity: Severity
    title: str
    """The first line of its reason."""
    why: str
    fix: str
    function: Callable[[Seen], Iterable[Remark]] = field(repr=False, compare=False)


def question(*, severity: Severity, fix: str) -> Callable[[Callable[[Seen], Iterable[Remark]]], Question]:
    """Make a question of a function. Raises TypeError if it lacks a reason."""

    def made(function: Callable[[Seen], Iterable[Remark]]) -> Question:
        said = described(function, ("seen",), ())
        return Question(said.id, severity, said.title, said.why, fix, function)

    return made


@cache
def questions() -> Mapping[str, Question]:
    """Return every question by its id, in order."""
    return catalogue(__name__, __path__, Question, others=("measures",))


def failed(attempts: Sequence[Attempted]) -> list[Attempted]:
    """Return the attempts that a kubelet would count as failures."""
    return [each for each in attempts if each.outcome.counts and not each.outcome.healthy]
