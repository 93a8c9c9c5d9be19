"""A run's folder under reports/: its name, `latest`, and the evidence in it."""

from __future__ import annotations

import contextlib
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path


def run_folder(reports: Path, now: float) -> Path:
    """Return the folder of a run that starts at `now` (Unix time); it is made when the run begins."""
    name = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S") + f"-{secrets.token_hex(2)}"
    return reports / name


def begin_run(folder: Path, evidence: Path | None = None) -> None:
    """Make a run's folder, with the evidence of an older run if there is one to judge, and point `latest` to it.

    A run that is refused never begins, so it leaves no folder, and `latest` stays where it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if evidence is None:
        (folder / "evidence").mkdir(exist_ok=True)
    else:
        (folder / "evidence").symlink_to(evidence.resolve())
    _point_latest(folder)


def has_begun(folder: Path) -> bool:
    """Tell whether the run of this folder ever began."""
    return (folder / "evidence").is_dir()


def _point_latest(folder: Path) -> None:
    """Let `latest` beside a run's folder point to it, in one rename."""
    draft = folder.parent / f".latest.{folder.name}"
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    draft.symlink_to(folder.name)
    os.replace(draft, folder.parent / "latest")  # noqa: PTH105 the same call, and the one whose atomicity is documented


def drill_folders(folder: Path) -> list[Path]:
    """Return the folders of evidence in a run's folder, or the folder itself if it is one of a drill."""
    if (folder / "evidence").is_dir():
        return sorted(p for p in (folder / "evidence").iterdir() if p.is_dir())
    return [folder]
