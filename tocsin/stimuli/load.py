"""`load: {profile, target, users, options}`: a Locust profile, run as a child process and then stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ValidationError

from tocsin.stimuli import World
from tocsin.system import Load

PART = "stimulus"


@dataclass(frozen=True, slots=True)
class LoadProfile:
    """Requests, as users of the system would send them; it kills and cuts nothing."""

    load: Load
    marker: ClassVar[str] = "load"
    processes: ClassVar[frozenset[str]] = frozenset()
    noticed_within: ClassVar[float] = 0.0
    jobs: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def declared(cls, argument: Any) -> LoadProfile:
        """Read the argument; raises ValueError that says which field is wrong."""
        try:
            return cls(Load.model_validate(argument))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"])) or "load"
            raise ValueError(f"{name}: {first['msg'].lower()}; load takes profile, target, users, options") from error

    def start(self, world: World) -> float:
        """Start the profile."""
        return world.start_load(PART, self.load)

    def stop(self, world: World) -> float:
        """Stop it."""
        return world.stop_load(PART)


STIMULUS = LoadProfile
