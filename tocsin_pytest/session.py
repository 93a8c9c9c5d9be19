"""What every part of the plugin knows: the system under test, and what is read of it once."""

from collections.abc import Iterator

import pytest

from tocsin.artefacts.files import Artefacts
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.plan import read
from tocsin.runner import RunRequest
from tocsin.static import Examination, Request, examine

DRILL_MARKERS = ("load", "faults", "security")
"""The markers whose items judge drills; each has a suite `test_MARKER.py`, and one of its waivers."""
PICTURES = "pictures"
"""The folder of a run that holds pictures of what is wrong."""
SESSION = pytest.StashKey[RunRequest]()
"""The system under test, and the run that this session is.

Its drills are those that were selected, once that is known.
"""
INTERRUPTED = pytest.StashKey[bool]()
"""Whether the drills were interrupted after the run had begun."""
_ARTEFACTS = pytest.StashKey[Artefacts]()


_EXAMINATION = pytest.StashKey[Examination]()


def examination_of(config: pytest.Config) -> Examination:
    """Return the examination of the system's files, made once in each process."""
    if _EXAMINATION not in config.stash:
        session = config.stash[SESSION]
        fail_on = config.getoption("fail_on")
        request = Request(session.today, None if fail_on == "never" else Severity(fail_on))
        config.stash[_EXAMINATION] = examine(Model.of(session.system.directory, session.system), request)
    return config.stash[_EXAMINATION]


def artefacts_of(config: pytest.Config) -> Artefacts:
    """Return the files of the system under test, read once."""
    if _ARTEFACTS not in config.stash:
        config.stash[_ARTEFACTS] = read(config.stash[SESSION].system)
    return config.stash[_ARTEFACTS]


def waiver_params(session: RunRequest, marker: str, what: str) -> Iterator[object]:
    """Yield the waivers of what is wrong with something that a marker asks for, each by its number."""
    waivers = session.system.declaration.waivers
    found = [(i, waiver) for i, waiver in enumerate(waivers) if waiver.finding.startswith(f"{marker}@")]
    for index, waiver in found:
        yield pytest.param(index, id=waiver.finding)
    if not found:
        yield lacking(f"{session.system.name} waives nothing of its {what}", "no-waivers")


def lacking(reason: str, name: str) -> object:
    """Return the one item where there is nothing to ask: it is skipped, and says why."""
    return pytest.param(None, id=name, marks=pytest.mark.skip(reason=reason))
