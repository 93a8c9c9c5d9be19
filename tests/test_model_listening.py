"""Where servers listen, by their command lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.model.listening import listening
from tocsin.part import Part
from tocsin.source import read_document


def found(text: str) -> list[tuple[str, int | None, bool]]:
    """Return host, port and whether it is the loopback, of a container's `args` and `env`."""
    whole = Part.whole(read_document(text, "a.yaml"))
    environment = dict(whole.get("env").items())
    arguments = whole.list("args") or ((whole.get("args"),) if whole.string("args") else ())
    return [(each.host, each.port, each.loopback) for each in listening(arguments, environment)]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("args: [uvicorn, 'a:b', --host, 0.0.0.0, --port, '8000']", [("", 8000, False)]),
        ("args: [uvicorn, 'a:b', --host=127.0.0.1, --port=8000]", [("127.0.0.1", 8000, True)]),
        ("args: [python, -m, uvicorn, 'a:b', --host, localhost]", [("localhost", 8000, True)]),
        ("args: [uvicorn, 'a:b', --port, '80']", [("127.0.0.1", 80, True)]),
        ("args: [uvicorn, 'a:b', --uds, /run/a.sock]", []),
        ("args: uvicorn a:b --host 127.0.0.1 --port 9000", [("127.0.0.1", 9000, True)]),
        ("args: [sh, -c, 'exec uvicorn a:b --host 127.0.0.1']", [("127.0.0.1", 8000, True)]),
        ("args: [uvicorn, 'a:b']\nenv: {UVICORN_HOST: 0.0.0.0}", [("", None, False)]),
        ("args: [flask, run]", [("127.0.0.1", 5000, True)]),
        ("args: [flask, run]\nenv: {FLASK_RUN_HOST: 0.0.0.0}", [("", None, False)]),
        ("args: [flask, db, upgrade]", []),
        ("args: [python, manage.py, runserver]", [("127.0.0.1", 8000, True)]),
        ("args: [python, manage.py, runserver, '0.0.0.0:80']", [("", 80, False)]),
        ("args: [python, manage.py, runserver, '80']", [("127.0.0.1", 80, True)]),
        ("args: [hypercorn, 'a:b', --bind, '0.0.0.0:80']", [("", 80, False)]),
        ("args: [gunicorn, 'a:b']", []),
        ("args: [gunicorn, -b, '127.0.0.1:8000', 'a:b']", [("127.0.0.1", 8000, True)]),
        ("args: [gunicorn, -k, uvicorn.workers.UvicornWorker, -b, ':8000']", [("", 8000, False)]),
        ("args: ['--web.listen-address=:9090']", [("", 9090, False)]),
        ("args: ['--web.listen-address=127.0.0.1:9090']", [("127.0.0.1", 9090, True)]),
        ("args: ['--web.listen-address=[::1]:9090']", [("[::1]", 9090, True)]),
        ("args: ['--redis-addr=localhost:6379', '--upstream=http://127.0.0.1:80']", []),
        ("args: ['--host=db', '--user=a']", []),
        ("args: []\nenv: {QUARKUS_HTTP_HOST: 127.0.0.1}", [("127.0.0.1", None, True)]),
        ("args: []\nenv: {LISTEN_ADDR: 'localhost:80'}", [("localhost", 80, True)]),
        ("args: []\nenv: {DB_HOST: localhost}", []),
    ],
)
def test_a_command_line(text: str, places: list[tuple[str, int | None, bool]]) -> None:
    """What is told, else what the server does by itself; addresses of others are not its own."""
    assert found(text) == places


@given(st.lists(st.text(max_size=20), max_size=6))
def test_it_takes_any_words(words: list[str]) -> None:
    """No command line is too odd to be looked at."""
    document = read_document("args: []", "a.yaml")
    parts = [Part(document, ("args", i), word) for i, word in enumerate(words)]
    assert all(place.port is None or place.port < 100_000 for place in listening(parts, {}))
