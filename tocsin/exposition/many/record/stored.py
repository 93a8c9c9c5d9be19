"""A record as a folder: the bodies, and a file that tells what was done; it can be judged again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from tocsin.atomic import write_json
from tocsin.exposition.many.record.scrapes import Record

FILE = "many.json"
_RECORD = TypeAdapter(Record)


def write_record(record: Record, folder: Path) -> None:
    """Write a record beside its bodies, which are in the folder. Raises OSError."""
    write_json(folder / FILE, _each_file(_RECORD.dump_python(record, mode="json"), lambda file: Path(file).name))


def read_record(folder: Path) -> Record:
    """Return the record of a folder. Raises OSError, or ValueError if it is none."""
    stored = json.loads((folder / FILE).read_text())
    return _RECORD.validate_python(_each_file(stored, lambda file: str(folder / file)))


def _each_file(value: Any, change: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: change(inner) if key == "file" and isinstance(inner, str) else _each_file(inner, change)
            for key, inner in value.items()
        }
    return [_each_file(inner, change) for inner in value] if isinstance(value, list) else value
