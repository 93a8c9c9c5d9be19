"""Grafana's provisioning files: data sources, and the providers that dashboards are read by.

Source: grafana.com/docs/grafana/latest/administration/provisioning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tocsin.part import Part


@dataclass(frozen=True)
class DataSource:
    """A data source that Grafana is told of by a file."""

    part: Part

    @property
    def name(self) -> str:
        """Its name."""
        return self.part.string("name")

    @property
    def type(self) -> str:
        """Its type, such as `prometheus`."""
        return self.part.string("type")

    @property
    def uid(self) -> str:
        """What dashboards know it by; Grafana derives it from the name where the file says none.

        (pkg/services/provisioning/datasources/types.go, `safeUIDFromName`.)
        """
        given = self.part.string("uid")
        if given or not self.name:
            return given
        return f"P{hashlib.sha256(self.name.encode()).hexdigest()[:16]}".upper()

    @property
    def url(self) -> Part:
        """Its address."""
        return self.part.get("url")

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return f"datasource/{self.name or self.uid}"


@dataclass(frozen=True)
class Provider:
    """A folder that Grafana reads dashboards from."""

    part: Part

    @property
    def name(self) -> str:
        """Its name."""
        return self.part.string("name")

    @property
    def path(self) -> Part:
        """The folder, as Grafana sees it; `folder` of the options is its old name."""
        return self.part.get("options", "path") or self.part.get("options", "folder")

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return f"provider/{self.name}"


def is_provisioning(value: Any) -> bool:
    """Tell whether a document's value is a provisioning file of data sources or of dashboards."""
    if not isinstance(value, dict) or "kind" in value:
        return False
    sources = value.get("datasources")
    providers = value.get("providers")
    return _has(sources, "type", "name") or _has(providers, "options")


def _has(items: Any, *keys: str) -> bool:
    return isinstance(items, list) and any(isinstance(item, dict) and item.keys() >= {*keys} for item in items)


def data_sources(documents: Iterable[Part]) -> Iterator[DataSource]:
    """Yield the data sources of provisioning files."""
    for whole in documents:
        yield from (DataSource(part) for part in whole.list("datasources") if isinstance(part.value, dict))


def providers(documents: Iterable[Part]) -> Iterator[Provider]:
    """Yield the providers of provisioning files."""
    for whole in documents:
        yield from (Provider(part) for part in whole.list("providers") if isinstance(part.value, dict))
