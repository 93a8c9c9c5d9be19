"""With how many processes a Python server is started."""

from __future__ import annotations

import pytest

from tocsin.model.workers import counted
from tocsin.part import Part
from tocsin.source import Document

_PART = Part(Document("a", None, {}, {}), (), "x")


@pytest.mark.parametrize(
    ("command", "variables", "count"),
    [
        ("uvicorn a:b --workers=2", {}, 2),
        ("python3 -m uvicorn a:b --workers 4", {}, 4),
        ("/venv/bin/gunicorn -w 3 a:b", {}, 3),
        ("gunicorn -w3 a:b", {}, 3),
        ("gunicorn --workers=${N} a:b", {}, 0),
        ("gunicorn a:b", {"WEB_CONCURRENCY": "5"}, 5),
        ("gunicorn a:b", {"GUNICORN_CMD_ARGS": "--bind=:80 --workers=6"}, 6),
        ("hypercorn a:b", {"WEB_CONCURRENCY": "5"}, 0),
        ("uvicorn a:b --workers 1", {}, 0),
        ("uvicorn a:b", {}, 0),
        ("nginx -w 4", {}, 0),
        ("uvicorn a:b --workers", {}, 0),
        ("uwsgi --processes 4", {}, 4),
    ],
)
def test_processes_are_counted(command: str, variables: dict[str, str], count: int) -> None:
    """By the flags of each server, and by the variables that it reads."""
    words = [(word, _PART) for word in command.split(" ")]
    found = counted(words, {name: (value, _PART) for name, value in variables.items()})

    assert (found[1] if found else 0) == count
