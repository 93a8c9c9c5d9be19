"""The process that puts back what was changed in a cluster, if nobody else does.

It is run as a script with an interpreter that loads nothing else (`python -I -S kubernetes_undo.py JOURNAL`), so it
imports only the standard library, and nothing of this package. It waits for SIGTERM, which it gets when the harness
ends in whatever way, and from the kernel if its parent is killed; then it sends what the journal holds, the last first,
and ends. Where the harness has put everything back itself, the journal is empty. Each step may be sent twice.
"""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import select
import signal
import ssl
import sys
import time
from typing import Any
from urllib.parse import urlsplit

WITHIN = 30.0
"""Seconds for all steps together."""
ANSWERED = 5.0
"""Seconds for one answer."""
GONE = 404
_REFUSED = 400
_AGAIN = (409, 429, 500, 502, 503, 504)
_AGAIN_AFTER = 0.3
_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Wait for the word to end, and put back what the journal holds; return how many steps failed."""
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    # The supervisor has children killed when it is; this one is asked to end instead.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != 1:
        print("watching", flush=True)
        os.read(told, 1)
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs start-up time
        journal = json.load(file)
    failed = sum(not put_back(journal, step) for step in reversed(journal["steps"]))
    return min(failed, 100)


def put_back(journal: dict[str, Any], step: dict[str, Any]) -> bool:
    """Send one step, again and again while it may yet succeed; return whether it did."""
    deadline = time.monotonic() + WITHIN
    said = ""
    while time.monotonic() < deadline:
        try:
            status = _sent(journal, step)
        except (OSError, http.client.HTTPException) as error:
            said = str(error)
        else:
            said = str(status)
            if status < _REFUSED or status == GONE:
                print(f"put back: {step['what']}", flush=True)
                return True
            if status not in _AGAIN:
                break
        select.select([], [], [], _AGAIN_AFTER)  # nothing would tell when the API server is there again
    print(f"NOT put back: {step['what']}: {said}", flush=True)
    return False


def _sent(journal: dict[str, Any], step: dict[str, Any]) -> int:
    where = urlsplit(journal["server"])
    headers = {"Content-Type": step["type"], "Accept": "application/json"}
    if journal["token"]:
        headers["Authorization"] = f"Bearer {journal['token']}"
    connection = _connection(where.scheme, where.hostname or "", where.port, journal)
    try:
        body = None if step["body"] is None else json.dumps(step["body"]).encode()
        connection.request(step["method"], where.path.rstrip("/") + step["path"], body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def _connection(scheme: str, host: str, port: int | None, journal: dict[str, Any]) -> http.client.HTTPConnection:
    if scheme != "https":
        return http.client.HTTPConnection(host, port, timeout=ANSWERED)
    context = ssl.create_default_context(cafile=journal["authority"] or None)
    if journal["certificate"]:
        context.load_cert_chain(*journal["certificate"])
    return http.client.HTTPSConnection(host, port, timeout=ANSWERED, context=context)


if __name__ == "__main__":
    sys.exit(main())
