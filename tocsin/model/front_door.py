"""What the world may ask a system for: the hosts and paths of its Ingresses.

(kubernetes.io/docs/concepts/services-networking/ingress: path types, hostname wildcards, default backend.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from tocsin.part import Part

if TYPE_CHECKING:
    from tocsin.model import Model

_OTHER_ROUTERS = (
    "HTTPRoute", "IngressRoute", "VirtualService", "Route", "HTTPProxy", "TLSRoute", "Mapping", "ApisixRoute"
)  # fmt: skip
_REWRITING = re.compile(r"regex|rewrite|snippet|redirect|app-root|actions\.|conditions\.|default-backend|path-match")
"""Annotations by which a controller routes by more than the Ingress says."""
_PLAIN = re.compile(r"/[\w./~-]*")


class FrontDoor:
    """The Ingresses of a folder, taken together by host."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def routes(self, host: str, path: str) -> bool | None:
        """Tell whether a path of a host leads anywhere; None if the folder does not surely say."""
        rules = [rule for known, rule in self._rules if _same(known, host)]
        if not rules or host in self._elsewhere or self._open:
            return None
        answers = [self._leads(rule, path) for rule in rules]
        return True if True in answers else (None if None in answers else False)

    def shown(self, host: str) -> str:
        """Return the paths of a host for a message."""
        rules = [rule for known, rule in self._rules if _same(known, host)]
        paths = [each.string("path") or "/" for rule in rules for each in rule.list("http", "paths")]
        return ", ".join(dict.fromkeys(paths))

    @cached_property
    def _rules(self) -> tuple[tuple[str, Part], ...]:
        return tuple(
            (rule.string("host"), rule)
            for each in self._model.objects_of("Ingress")
            for rule in each.part.list("spec", "rules")
        )

    @cached_property
    def _open(self) -> bool:
        """Whether something may answer for any host, or is not known from the manifests alone."""
        return any(
            each.part.get("spec", "defaultBackend")
            or any(_REWRITING.search(key) for key, _ in each.part.get("metadata", "annotations").items())
            or any(not rule.string("host") for rule in each.part.list("spec", "rules"))
            for each in self._model.objects_of("Ingress")
        )

    @cached_property
    def _elsewhere(self) -> frozenset[str]:
        """Hosts that another kind of router knows too."""
        return frozenset(self._hosts_of_others())

    def _hosts_of_others(self) -> Iterator[str]:
        for each in self._model.objects_of(*_OTHER_ROUTERS):
            for part in each.part.get("spec").walk():
                found = re.findall(r"[a-z0-9][a-z0-9.-]*\.[a-z]+", part.text[:500])
                yield from found

    def _leads(self, rule: Part, path: str) -> bool | None:
        paths = rule.list("http", "paths")
        if not paths:
            return None
        answer: bool | None = False
        for each in paths:
            written, kind = each.string("path") or "/", each.string("pathType") or "ImplementationSpecific"
            if not _PLAIN.fullmatch(written):
                answer = None
            elif kind == "Exact":
                if written == path:
                    return True
            elif _below(path, written):
                return True
            elif kind != "Prefix" and path.startswith(written):
                answer = None
        return answer


def _below(path: str, prefix: str) -> bool:
    """Tell whether a path lies below a prefix, step by step."""
    steps, start = ([s for s in each.split("/") if s] for each in (path, prefix))
    return steps[: len(start)] == start


def _same(known: str, host: str) -> bool:
    if known.startswith("*."):
        return host.partition(".")[2] == known[2:]
    return known == host
