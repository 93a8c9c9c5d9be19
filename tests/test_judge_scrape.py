"""The scrape client against real servers that do all that a target must not do: it ends, bounded, and tells why."""

from __future__ import annotations

import gzip
import io
import itertools
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scraped_server import Target, serving
from tocsin.artefacts.exposition.syntax import Generation
from tocsin.exposition.decoding import BadEncoding, Gunzip
from tocsin.exposition.http import BODY, Reply, Visit, healthy
from tocsin.exposition.limits import MEBIBYTE, Limits
from tocsin.exposition.scrape import ACCEPTS, scrape, scrape_headers
from tocsin.exposition.scraped import Ending, Request, Scraped, shown_url

HEADERS = scrape_headers(Generation.V3_5, 10.0)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
MOST = Limits(body_bytes=2 * MEBIBYTE, seconds=1.0)
SECRET = "t0ps3cret-t0ken"  # noqa: S105


def asked(url: str, limits: Limits = MOST, **more: object) -> tuple[Scraped, bytes]:
    """Scrape, and return the body too."""
    into = io.BytesIO()
    found = scrape(Request(url, HEADERS, **more), into, limits)  # type: ignore[arg-type]
    return found, into.getvalue()


@contextmanager
def saying(*pieces: bytes, endlessly: bytes = b"", slowly: bytes = b"") -> Iterator[str]:
    """Give the address of a server that reads a request and says some bytes, and then some for ever."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)

    def answer() -> None:
        while not over.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(5)
                    connection.recv(1 << 16)
                    for piece in pieces:
                        connection.sendall(piece)
                    while endlessly and not over.is_set():
                        connection.sendall(endlessly)
                    while slowly and not over.wait(0.05):
                        connection.sendall(slowly)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/metrics"
    finally:
        over.set()
        thread.join()
        listener.close()


@pytest.mark.parametrize("generation", Generation)
def test_asks_as_prometheus_does(generation: Generation) -> None:
    """The headers are those that the generation's server was seen to send."""
    with serving(healthy) as server:
        into = io.BytesIO()
        found = scrape(Request(server.url, scrape_headers(generation, 0.75)), into, Limits(seconds=10))

    headers = server.seen[0].headers
    assert found.kept
    assert list(headers)[:3] == ["Host", "User-Agent", "Accept"]
    assert headers["Accept"] == ACCEPTS[generation]
    assert headers["Accept-Encoding"] == "gzip"
    assert headers["X-Prometheus-Scrape-Timeout-Seconds"] == "0.75"
    assert headers["User-Agent"].startswith(f"Prometheus/{generation.value.removeprefix('prometheus-')}")


HOSTILE: dict[str, tuple[dict[str, bytes | tuple[bytes, ...]], Ending]] = {
    "endless body": ({"pieces": (HEAD + b"\r\n",), "endlessly": b"m 1\n" * 4096}, Ending.TOO_LARGE),
    "one endless line": ({"pieces": (HEAD + b"\r\n",), "endlessly": b"m" * 16384}, Ending.TOO_LARGE),
    "endless chunks": (
        {"pieces": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n",), "endlessly": b"4000\r\n" + b"m" * 0x4000 + b"\r\n"},
        Ending.TOO_LARGE,
    ),
    "endless head of a chunk": (
        {"pieces": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n",), "endlessly": b"4" * 16384},
        Ending.CUT,
    ),
    "slow drip": ({"pieces": (HEAD + b"\r\n",), "slowly": b"m"}, Ending.TIMED_OUT),
    "slow drip of headers": ({"pieces": (HEAD,), "slowly": b"X"}, Ending.TIMED_OUT),
    "silence": ({"slowly": b"", "pieces": ()}, Ending.MALFORMED),
    "header flood": ({"pieces": (HEAD,), "endlessly": b"X-Flood: 1\r\n" * 99}, Ending.MALFORMED),
    "endless header": ({"pieces": (HEAD + b"X-Flood: ",), "endlessly": b"1" * 16384}, Ending.MALFORMED),
    "endless informational answers": ({"pieces": (), "endlessly": b"HTTP/1.1 100 Continue\r\n\r\n"}, Ending.TIMED_OUT),
    "no HTTP": ({"pieces": (b"SSH-2.0-OpenSSH_9.6\r\n",)}, Ending.MALFORMED),
    "no length at all": ({"pieces": (HEAD + b"\r\n" + BODY,)}, Ending.WHOLE),
    "shorter than said": ({"pieces": (HEAD + b"Content-Length: 999\r\n\r\n" + BODY,)}, Ending.CUT),
    "cut chunk": ({"pieces": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n99\r\nm 1\n",)}, Ending.CUT),
    "two lengths": ({"pieces": (HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nm 1\n",)}, Ending.MALFORMED),
}


@pytest.mark.parametrize(("says", "ending"), HOSTILE.values(), ids=HOSTILE)
def test_ends_whatever_it_is_told(says: dict[str, bytes | tuple[bytes, ...]], ending: Ending) -> None:
    """Every answer comes to its end, within the bounds, with a reason."""
    pieces = says.get("pieces", ())
    more = {name: value for name, value in says.items() if name != "pieces"}
    with saying(*pieces, **more) as url:  # type: ignore[misc, arg-type]
        found, body = asked(url)

    assert found.ending is ending
    assert (found.problem == "") == (ending is Ending.WHOLE)
    assert len(body) <= MOST.body_bytes


def test_a_bomb_is_stopped_in_little_memory() -> None:
    """A kilobyte that becomes a gigabyte is read up to the bound, in pieces."""
    packed = gzip.compress(b"m 1\n" * (64 * MEBIBYTE // 4), 9)
    with serving(lambda _: Reply(packed, headers=(("Content-Encoding", "gzip"),))) as server:
        tracemalloc.start()
        with open("/dev/null", "w+b") as nowhere:  # noqa: PTH123
            found = scrape(Request(server.url, HEADERS), nowhere, Limits(body_bytes=32 * MEBIBYTE, seconds=60))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert found.ending is Ending.TOO_LARGE
    assert found.wire_bytes < MEBIBYTE
    assert peak < 8 * MEBIBYTE


def test_nobody_there() -> None:
    """A port that nobody listens on, and a name that nobody knows."""
    assert asked("http://127.0.0.1:1/metrics")[0].ending is Ending.UNREACHABLE
    assert asked("http://no-such-host.invalid/metrics", Limits(seconds=20))[0].ending in (
        Ending.UNREACHABLE,
        Ending.TIMED_OUT,
    )


def redirecting(to: Callable[[Visit], str], status: int = 302) -> Callable[[Visit], Reply]:
    """Answer /metrics with a redirect, and everything else well."""
    return lambda v: Reply(b"", status=status, headers=(("Location", to(v)),)) if v.path == "/metrics" else healthy(v)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(status: int) -> None:
    """Each of Go's five; the hop is told."""
    with serving(redirecting(lambda _: "/elsewhere", status)) as server:
        found, body = asked(server.url, authorization=f"Bearer {SECRET}")

    assert found.kept
    assert [hop.status for hop in found.hops] == [status]
    assert not found.hops[0].elsewhere
    assert body
    assert [visit.headers.get("Authorization") for visit in server.seen] == [f"Bearer {SECRET}"] * 2


def test_redirects_are_not_followed_where_the_job_says_so() -> None:
    """`follow_redirects: false`."""
    with serving(redirecting(lambda _: "/elsewhere")) as server:
        found, _ = asked(server.url, follows=False)

    assert (found.status, found.hops, found.kept) == (302, (), False)


def test_credentials_stay_with_their_host() -> None:
    """Another port is another server: it is followed to, and told nothing."""
    with serving(healthy) as other, serving(redirecting(lambda _: other.url)) as server:
        found, _ = asked(server.url, authorization=f"Bearer {SECRET}")

    assert found.kept
    assert found.hops[0].elsewhere
    assert server.seen[0].headers["Authorization"] == f"Bearer {SECRET}"
    assert "Authorization" not in other.seen[0].headers
    assert SECRET not in repr(found)


@pytest.mark.parametrize("location", ["/metrics", "ftp://127.0.0.1/x", "http://[broken", "file:///etc/passwd", "//"])
def test_redirects_to_nowhere_end(location: str) -> None:
    """Loops, and what is no address of HTTP."""
    with serving(redirecting(lambda _: location)) as server:
        found, _ = asked(server.url)

    assert found.ending is Ending.REDIRECTS
    assert found.problem
    assert len(server.seen) <= 11


def test_secrets_are_in_no_message() -> None:
    """Neither the request, nor what came of it, nor an address tells the credentials."""
    request = Request("http://127.0.0.1:1/metrics?token=" + SECRET, HEADERS, f"Bearer {SECRET}")
    found = scrape(request, io.BytesIO(), MOST)

    assert SECRET not in repr(found)
    assert SECRET not in repr(Request(found.url, HEADERS, f"Bearer {SECRET}"))
    assert shown_url(f"https://user:{SECRET}@shop.example/m?a=1&api_key={SECRET}") == (
        "https://shop.example/m?a=1&api_key=..."
    )


def test_a_new_connection_each_time() -> None:
    """Who keeps one sees one worker."""
    ports: list[int] = []

    class Noting(Target):
        def process_request(self, request: object, client_address: tuple[str, int]) -> None:
            ports.append(client_address[1])
            super().process_request(request, client_address)  # type: ignore[arg-type]

    server = Noting(healthy)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        for _ in range(3):
            assert asked(server.url)[0].kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

    assert len(set(ports)) == 3


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=20), st.integers(1, 3))
def test_gunzip_takes_what_gzip_makes(data: bytes, cuts: list[int], members: int) -> None:
    """However it is cut, and in however many members."""
    packed = gzip.compress(data) * members
    decoder, at, decoded = Gunzip(), 0, b""
    for size in itertools.chain(cuts, itertools.repeat(64)):
        if at >= len(packed):
            break
        decoded += b"".join(decoder.feed(packed[at : at + size]))
        at += size
    decoder.finish()

    assert decoded == data * members


@given(st.binary(max_size=200))
def test_gunzip_refuses_or_decodes(data: bytes) -> None:
    """Whatever it is given, it decodes it or says BadEncoding."""
    decoder = Gunzip()
    with suppress(BadEncoding):
        list(decoder.feed(data))
        decoder.finish()
