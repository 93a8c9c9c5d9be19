"""Each Grafana that a system runs: its environment, the data sources and the dashboards that it reads from files.

A folder may hold dashboards that are only imported by hand, and data sources of which nobody mounts the file. What is
said here is of what a container of the folder surely sees.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from tocsin.artefacts.compose import ComposeFile, ComposeService
from tocsin.artefacts.dashboards import Dashboard
from tocsin.artefacts.provisioning import DataSource, Provider
from tocsin.model.processes import Content, Process
from tocsin.part import Part

if TYPE_CHECKING:
    from tocsin.model import Model

PROVISIONING = "/etc/grafana/provisioning"
"""Where Grafana looks for provisioning files unless GF_PATHS_PROVISIONING says another folder."""
_EXPANDED = re.compile(r"\$\$|\$__env\{(?P<env>\w+)\}|\$\{(?P<braced>\w+)\}|\$(?P<plain>[A-Za-z]\w*)")


@dataclass(frozen=True)
class Grafana:
    """A container that runs Grafana."""

    process: Process
    model: Model = field(repr=False, compare=False)
    compose: ComposeFile | None = None
    service: ComposeService | None = None

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return self.process.subject

    @cached_property
    def environment(self) -> Mapping[str, Part]:
        """Its variables: what each is set to, or what says that it is set."""
        if self.service is not None:
            return {name: part for name, (_, part) in self.service.environment.items()}
        found = {}
        for part in self.process.part.list("env"):
            found[part.string("name")] = part.get("value") or part
        return found

    @cached_property
    def environment_known(self) -> bool:
        """Whether it has no other variables."""
        part = self.process.part
        return not (part.get("envFrom") or part.get("env_file") or part.get("build") or part.get("extends"))

    def value(self, name: str) -> str | None:
        """Return what a variable is set to; None if it is not, or if nobody knows to what."""
        if self.service is not None:
            return self.service.environment.get(name, (None,))[0]
        part = self.environment.get(name)
        return part.text if part is not None and part.text else None

    @property
    def provisioning(self) -> str:
        """The folder of its provisioning files."""
        return self.value("GF_PATHS_PROVISIONING") or PROVISIONING

    @cached_property
    def data_sources(self) -> tuple[DataSource, ...]:
        """The data sources that it is told of."""
        seen = self._within(f"{self.provisioning}/datasources")
        return tuple(source for source in self.model.data_sources if _held(source.part, seen))

    @cached_property
    def providers(self) -> tuple[Provider, ...]:
        """The providers of dashboards that it is told of."""
        seen = self._within(f"{self.provisioning}/dashboards")
        return tuple(provider for provider in self.model.dashboard_providers if _held(provider.part, seen))

    @cached_property
    def sources_known(self) -> bool:
        """Whether it is told of no other data source by a file."""
        folder = f"{self.provisioning}/datasources"
        return bool(self.data_sources) and self.process.known(f"{folder}/x.yaml")

    @cached_property
    def dashboards(self) -> tuple[Dashboard, ...]:
        """The dashboards that it surely reads."""
        paths = [provider.path.text for provider in self.providers if provider.path.text.startswith("/")]
        seen = [content for path in paths for content in self._within(path)]
        by_file: dict[str, list[Content]] = {}
        for content in seen:
            by_file.setdefault(content.file, []).append(content)
        return tuple(d for d in self.model.dashboards if _held(d.part, by_file.get(d.part.file, [])))

    def _within(self, folder: str) -> list[Content]:
        prefix = f"{posixpath.normpath(folder)}/"
        return [content for path, content in self.process.files.items() if path.startswith(prefix)]

    def expanded(self, part: Part) -> tuple[str, tuple[str, ...], Part]:
        """Return a value of a provisioning file with its variables replaced.

        Beside it, the variables that are not set, and what says the value: a variable, if it is nothing else.
        """
        unset: list[str] = []
        said = part

        def value(match: re.Match[str]) -> str:
            nonlocal said
            name = match["env"] or match["braced"] or match["plain"]
            if name is None:
                return "$"
            if name not in self.environment:
                unset.append(name)
                return ""
            if match.span() == (0, len(part.text)):
                said = self.environment[name]
            return self.value(name) or f"${name}"

        text = _EXPANDED.sub(value, part.text)
        return text, tuple(unset), said


def _held(part: Part, contents: list[Content]) -> bool:
    here = [content for content in contents if content.file == part.file]
    return any(content.part is None or content.holds(part.place) for content in here)


def grafanas(model: Model) -> Iterator[Grafana]:
    """Yield each Grafana of a system."""
    services = {
        (file.name, f"services/{service.name}"): (file, service)
        for file in model.compose_files
        for service in file.services.values()
    }
    for process in model.processes:
        if process.program == "grafana":
            compose, service = (None, None)
            if process.workload is None:
                compose, service = services.get((process.file, process.subject), (None, None))
            yield Grafana(process, model, compose, service)
