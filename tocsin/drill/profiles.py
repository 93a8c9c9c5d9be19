"""Where load profiles are: those of the system first, then those that Tocsin brings."""

from __future__ import annotations

from pathlib import Path

from tocsin.source import Place, nearest
from tocsin.system import BadSystem, Problem

SHIPPED = Path(__file__).resolve().parents[2] / "loadprofiles"
NOT_PROFILES = {"recording", "shapes", "steady", "groups", "bound", "__init__"}
"""Modules that profiles share."""


def profile_path(system: Path, name: str, place: Place | None = None) -> Path:
    """Return the file of a profile; raises BadSystem, at the place that names it, if there is none."""
    folders = (system / "loadprofiles", SHIPPED)
    for folder in folders:
        path = folder / f"{name}.py"
        if path.is_file() and name not in NOT_PROFILES:
            return path
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
