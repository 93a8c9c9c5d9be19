"""Files that are there whole, or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` in one rename, so that a reader sees all of it or none."""
    draft = path.with_name(path.name + ".part")
    draft.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    os.replace(draft, path)  # noqa: PTH105 the same call, and the one whose atomicity is documented


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Write bytes to `path` in one rename, so that a reader sees all of them, or what was there before."""
    draft = path.with_name(path.name + ".part")
    with draft.open("wb") as file:
        file.writelines(pieces)
    os.replace(draft, path)  # noqa: PTH105 as above
