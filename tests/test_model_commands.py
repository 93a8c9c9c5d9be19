"""What the command of a probe runs and whom it asks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.model.commands import asked, by_shell, heavy_program, script
from tocsin.part import Part
from tocsin.source import Document


def words(*texts: str) -> tuple[Part, ...]:
    """Return the words of a command as a manifest holds them."""
    return tuple(Part(Document("a.yaml", list(texts), {}, {}), (i,), text) for i, text in enumerate(texts))


@pytest.mark.parametrize(
    ("texts", "ends"),
    [
        (["curl", "-f", "http://search:8080/live"], [("search", 8080)]),
        (["curl", "-f", "https://search.shop.svc/live"], [("search.shop.svc", 443)]),
        (["sh", "-c", "wget -qO- http://user:secret@search/live || exit 1"], [("search", 80)]),
        (["pg_isready", "-h", "db"], [("db", 5432)]),
        (["psql", "--host=db", "-p", "5433", "-c", "select 1"], [("db", 5433)]),
        (["redis-cli", "-h", "cache", "ping"], [("cache", 6379)]),
        (["nc", "-z", "-w", "2", "db", "5432"], [("db", 5432)]),
        (["bash", "-c", "exec 3<>/dev/tcp/db/5432"], [("db", 5432)]),
        (["grpc_health_probe", "-addr=localhost:9000"], [("localhost", 9000)]),
        (["redis-cli", "ping"], []),
        (["curl", "http://$HOST:8080/"], []),
        (["curl", "http://search:${PORT}/"], []),
        (["cat", "/alive"], []),
        (["curl", "http://search:99999/"], []),
    ],
)
def test_whom_a_command_asks(texts: list[str], ends: list[tuple[str, int]]) -> None:
    """Where host and port are written out; what a variable says is not known."""
    found = list(asked(words(*texts)))

    assert [(each.host, each.port) for each in found] == ends
    assert all(each.host in each.part.text for each in found)


@pytest.mark.parametrize(
    ("texts", "program"),
    [
        (["java", "-jar", "/a.jar"], "java"),
        (["/usr/bin/python3.12", "/a.py"], "/usr/bin/python3.12"),
        (["sh", "-c", "rabbitmq-diagnostics -q ping"], "rabbitmq-diagnostics"),
        (["/bin/bash", "-ec", "nodetool status"], "nodetool"),
        (["cat", "/java"], ""),
        (["sh", "/node"], ""),
        ([], ""),
    ],
)
def test_a_heavy_program(texts: list[str], program: str) -> None:
    """The one that is run, by a shell or without."""
    assert heavy_program(words(*texts)) == program


def test_a_shell_reads_its_script() -> None:
    """And nothing else is read by one."""
    assert script(words("sh", "-c", "cat /a && echo b")) == "cat /a && echo b"
    assert script(words("cat", "/a")) == "cat /a"
    assert by_shell(words("/bin/sh", "-c", "x"))
    assert not by_shell(words("sh", "/script"))


@given(st.lists(st.text(alphabet="curlnch:/.-@ $'\"&|<>0123456789apsh=", max_size=300), max_size=6))
def test_any_words_are_read(texts: list[str]) -> None:
    parts = words(*texts)

    assert all(1 <= each.port <= 65535 and each.part in parts for each in asked(parts))
    assert isinstance(script(parts) + heavy_program(parts), str)
