"""Trouble with an engine, and how the errors of its HTTP clients become it."""

from __future__ import annotations

import ast
import contextlib
import json
from collections.abc import Iterator

import requests
from prometheus_api_client.exceptions import PrometheusApiClientException

from tocsin.supervisor import Kind, Trouble

_LONGEST_ANSWER = 600


class EngineTrouble(Trouble):
    """An engine did not start, answer, or get ready: what, where, the detail; `kind` tells a hang from a refusal."""


@contextlib.contextmanager
def translated(what: str, where: str) -> Iterator[None]:
    """Turn whatever the HTTP clients raise into EngineTrouble."""
    try:
        yield
    except requests.Timeout as error:
        raise EngineTrouble(what, where, "did not answer in time; it hangs or is overloaded", Kind.TIMED_OUT) from error
    except requests.ConnectionError as error:
        if _refused(error):
            raise EngineTrouble(what, where, "refused the connection; nothing listens there", Kind.REFUSED) from error
        raise EngineTrouble(what, where, f"the connection broke: {error}", Kind.BROKEN) from error
    except requests.RequestException as error:  # also JSON that is none
        raise EngineTrouble(what, where, f"could not be asked, or understood: {error}", Kind.FAILED) from error
    except PrometheusApiClientException as error:
        raise EngineTrouble(what, where, _refusal(str(error)), Kind.ANSWERED) from error
    except (KeyError, TypeError) as error:  # how PrometheusConnect takes an answer that has not Prometheus's form
        raise EngineTrouble(what, where, f"answered in another form than Prometheus does: {error!r}") from error


def said(response: requests.Response) -> str:
    """Return what an answer says went wrong: the error of Prometheus's JSON, else its text."""
    try:
        body = response.json()
    except ValueError:
        body = None
    text = body.get("error") if isinstance(body, dict) else body if isinstance(body, str) else None
    return f"HTTP {response.status_code}: {(text or response.text).strip()[:_LONGEST_ANSWER]}"


def _refused(error: BaseException) -> bool:
    """Return whether a connection was refused; requests wraps urllib3, which wraps the system's error."""
    seen: list[object] = []
    queue: list[object] = [error]
    while queue:
        each = queue.pop()
        if isinstance(each, ConnectionRefusedError):
            return True
        if isinstance(each, BaseException) and not any(each is other for other in seen):
            seen.append(each)
            queue += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
    return False


def _refusal(message: str) -> str:
    """Return the error in PrometheusConnect's "HTTP Status Code 400 (b'{...}')"."""
    status, _, body = message.partition(" (")
    with contextlib.suppress(ValueError, SyntaxError, AttributeError, KeyError):
        return f"{status}: {json.loads(ast.literal_eval(body.removesuffix(')')))['error']}"
    return message[:_LONGEST_ANSWER]
