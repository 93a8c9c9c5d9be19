"""A run's folder under reports/: its name, `latest`, and the evidence in it."""

from __future__ import annotations

import contextlib
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path


def new_run(reports: Path, now: float) -> Path:
    """Make the folder of a run that starts at `now` (Unix time), and return it."""
    name = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S") + f"-{secrets.token_hex(2)}"
    folder = reports / name
    (folder / "evidence").mkdir(parents=True)
    return folder


def point_latest(folder: Path) -> None:
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
