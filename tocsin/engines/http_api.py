"""Ask an engine over HTTP: explicit timeouts, no retries, and every failure as EngineTrouble."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tocsin.engines.trouble import EngineTrouble, said, translated
from tocsin.supervisor import Kind

TIMEOUT_SECONDS = 5.0
_OK = 200


def no_retry() -> Retry:
    """Return the policy to try once; with read=False a hang stays a timeout not a lost connection."""
    return Retry(0, read=False)


class HttpApi:
    """One server's HTTP interface. `name` is how messages call it."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        headers: Mapping[str, str] | None = None,
        verify: bool | str = True,
    ) -> None:
        self.name = name
        self.url = url.rstrip("/")
        self.timeout = timeout
        self.session = requests.Session()
        self.session.headers.update(headers or {})
        self.session.verify = verify
        # a proxy of the environment, or a .netrc, has nothing to do with a server of our own
        self.session.trust_env = urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1")
        self.session.mount(self.url, HTTPAdapter(max_retries=no_retry()))

    def request(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Return the answer, whatever its status."""
        arguments.setdefault("timeout", self.timeout)
        with translated(f"{self.name} did not answer {method} {path}", self.url):
            return self.session.request(method, self.url + path, **arguments)

    def text(self, path: str, *, method: str = "GET", **arguments: Any) -> str:
        """Return the body of an answer with status 200; raises EngineTrouble (answered) with what it says otherwise."""
        response = self.request(method, path, **arguments)
        if response.status_code != _OK:
            what = f"{self.name} answered {method} {path} with an error"
            raise EngineTrouble(what, self.url, said(response), Kind.ANSWERED)
        return response.text

    def json(self, path: str, **arguments: Any) -> Any:
        """Return the JSON of an answer with status 200."""
        response = self.request("GET", path, **arguments)
        if response.status_code != _OK:
            what = f"{self.name} answered GET {path} with an error"
            raise EngineTrouble(what, self.url, said(response), Kind.ANSWERED)
        with translated(f"{self.name} answered GET {path} with something that is not JSON", self.url):
            return response.json()

    def answers(self, path: str) -> str:
        """Return the empty string if a path answers 200 now, else why not."""
        try:
            response = self.request("GET", path)
        except EngineTrouble as trouble:
            return trouble.detail
        return "" if response.status_code == _OK else said(response)

    def close(self) -> None:
        """Close the connections."""
        self.session.close()
