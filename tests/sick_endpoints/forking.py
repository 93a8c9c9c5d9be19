"""A server that forks: each child accepts from one socket, counts for itself, and says nothing of its process."""

from __future__ import annotations

import os
import random
import signal
import socket
import sys

BODY = """\
# HELP shop_pages_total Pages that were shown.
# TYPE shop_pages_total counter
shop_pages_total %d
# HELP shop_scrapes_total Scrapes that were answered.
# TYPE shop_scrapes_total counter
shop_scrapes_total %d
"""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nConnection: close\r\n"


def serve(listener: socket.socket, turns: list[tuple[int, int]], number: int) -> None:
    """Answer when it is this child's turn, until the process is ended.

    Left to the kernel, one child may answer nearly all; and were it each other's turn, whoever asks in a rhythm would
    always meet the same.
    """
    pages = scrapes = 0
    chance = random.Random(number)
    while os.read(turns[number][0], 1):
        connection, _ = listener.accept()
        with connection:
            asked = connection.recv(65536)
            if asked.startswith(b"GET /metrics"):
                scrapes += 1
                body = (BODY % (pages, scrapes)).encode()
            else:
                pages += 1
                body = b"%d" % os.getpid()
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        following = chance.randrange(len(turns))
        os.write(turns[following][1], b".")


def main(workers: int) -> None:
    """Fork so many children, and wait until the end."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    turns = [os.pipe() for _ in range(workers)]
    os.write(turns[0][1], b".")
    children = []
    for number in range(workers):
        child = os.fork()
        if not child:
            serve(listener, turns, number)
        children.append(child)
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)

    def end(*_: object) -> None:
        for child in children:
            os.kill(child, signal.SIGKILL)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.pause()


if __name__ == "__main__":
    main(int(sys.argv[1]))
