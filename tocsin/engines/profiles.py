"""Where load profiles are: those of the system first, then those that Tocsin brings."""

from __future__ import annotations

from pathlib import Path

from tocsin.source import Place, nearest
from tocsin.system import BadSystem, Problem

SHIPPED = Path(__file__).resolve().parents[2] / "loadprofiles"
NOT_PROFILES = {"recording", "shapes", "steady", "groups", "bound", "__init__"}
"""Modules that profiles share."""


def profile_of(system: Path, name: str) -> Path | None:
    """Return the file of a profile; None if there is none."""
    found = (folder / f"{name}.py" for folder in (system / "loadprofiles", SHIPPED) if name not in NOT_PROFILES)
    return next((path for path in found if path.is_file()), None)


def profile_path(system: Path, name: str, place: Place | None = None) -> Path:
    """Return the file of a profile; raises BadSystem, at the place that names it, if there is none."""
    path = profile_of(system, name)
    if path is not None:
        return path
    folders = (system / "loadprofiles", SHIPPED)
    known = sorted({p.stem for folder in folders for p in folder.glob("*.py")} - NOT_PROFILES)
    meant = nearest(name, known)
    raise BadSystem(
        (
            Problem(
                place or Place("system.yaml"),
                f"there is no load profile {name!r}; there are {', '.join(known)}"
                + (f"; did you mean {meant[0]}?" if meant else ""),
            ),
        )
    )
