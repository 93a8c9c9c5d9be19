"""Which Prometheus loads which rules and tells which Alertmanager, as far as files say so."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from tocsin.artefacts.alertmanager import AlertmanagerConfig
from tocsin.artefacts.files import kind_of
from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.artefacts.prometheus import PrometheusConfig, ScrapeJob, discoveries
from tocsin.artefacts.rules import Group, Rule
from tocsin.model.processes import Content, Process, content_of, glob
from tocsin.part import Part
from tocsin.system import Kind

if TYPE_CHECKING:
    from tocsin.model import Model


@dataclass(frozen=True)
class Stack:
    """A Prometheus with what belongs to it. What is not known to belong to it is not in it."""

    prometheus: PrometheusConfig
    groups: tuple[Group, ...]
    alertmanager: AlertmanagerConfig | None
    processes: tuple[Process, ...] = field(default=(), repr=False)
    """The containers that run it; none, if the folder does not tell."""
    fragments: tuple[PrometheusConfig, ...] = field(default=(), repr=False)
    """The files of scrape_config_files."""
    rules_known: bool = False
    """Whether every rule file that it names was found."""
    object: KubernetesObject | None = field(default=None, repr=False)
    """The object of which the Prometheus operator makes it; None if it has a configuration of its own."""
    jobs_known: bool = True
    """Whether it surely has no scrape jobs beyond those that are told here."""
    open: bool = False
    """Whether something that the folder does not hold may change the labels of its alerts."""

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return self.prometheus.subject

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that it loads."""
        return tuple(rule for group in self.groups for rule in group.rules)

    @cached_property
    def jobs(self) -> tuple[ScrapeJob, ...]:
        """Its scrape jobs, those of scrape_config_files too."""
        return (*self.prometheus.jobs, *(job for each in self.fragments for job in each.jobs))

    @cached_property
    def fragments_known(self) -> bool:
        """Whether every file of scrape_config_files was found."""
        return self.jobs_known and (not self.prometheus.scrape_config_files or bool(self.fragments))

    @property
    def composed(self) -> bool:
        """Whether it runs in docker-compose."""
        return any(process.workload is None for process in self.processes)

    @property
    def orchestrated(self) -> bool:
        """Whether it runs in Kubernetes."""
        return self.object is not None or any(process.workload is not None for process in self.processes)

    def loads(self, rule: Rule) -> bool:
        """Whether it evaluates a rule."""
        return any(rule is each for each in self.rules)


def prometheus_configs(model: Model) -> tuple[PrometheusConfig, ...]:
    """Return every Prometheus configuration: by kind, and what a container of the folder loads as such."""
    found = [PrometheusConfig(Part.whole(document)) for document in model.documents(Kind.PROMETHEUS)]
    for process in model.processes:
        content = process.config if process.program == "prometheus" else None
        file = model.folder.files.get(content.file) if content is not None and content.part is None else None
        if file is None or any(config.file == file.name for config in found):
            continue
        found.extend(
            PrometheusConfig(Part.whole(document))
            for document in file.documents
            if kind_of(document.value) is Kind.PROMETHEUS
        )
    return tuple(config for config in found if not config.foreign)


def stacks(model: Model) -> tuple[Stack, ...]:
    """Return the stacks of a system: one for each configuration that is no part of another."""
    configs = model.prometheus_configs
    named = {id(part) for config in configs for part in _fragments(model, config, configs)}
    return tuple(_stack(model, config, configs) for config in configs if id(config) not in named)


def runs(process: Process, config: PrometheusConfig) -> bool:
    """Whether a container loads a configuration."""
    content = process.config
    return process.program == "prometheus" and content is not None and content_of(config.part.document, [content])


def _stack(model: Model, config: PrometheusConfig, configs: Iterable[PrometheusConfig]) -> Stack:
    running = tuple(process for process in model.processes if runs(process, config))
    groups: list[Group] = []
    known = True
    for part in config.rule_files:
        contents = named_files(model, config.file, part.text, running)
        loaded = [group for group in model.rule_groups if any(each.holds(group.place) for each in contents)]
        known = known and bool(contents)
        groups.extend(group for group in loaded if not any(group is other for other in groups))
    if not config.rule_files and len(model.prometheus_configs) == 1 and not running and "global" in config.part:
        known = False
    return Stack(
        config,
        tuple(groups),
        _alertmanager(model, config, running),
        running,
        tuple(_fragments(model, config, configs)),
        known,
    )


def named_files(model: Model, file: str, pattern: str, running: Iterable[Process]) -> tuple[Content, ...]:
    """Return what a glob in a configuration means: in its containers, else beside it in the folder.

    Where containers are not described, an absolute path (`/etc/prometheus/rules/*.yml`) stands for the nearest files
    of the folder whose names end as it does.
    """
    found = [content for process in running for _, content in process.matching(pattern)]
    if found:
        return tuple(found)
    beside = glob(posixpath.normpath(posixpath.join(posixpath.dirname(file), pattern)))
    here = [name for name in model.folder.names if beside.fullmatch(name)]
    return tuple(Content(name) for name in here or _alike(model, file, pattern))


def _alike(model: Model, file: str, pattern: str) -> list[str]:
    """Return the files nearest to a configuration whose paths end as a pattern does, the longer end first."""
    steps = [step for step in pattern.split("/") if step not in ("", ".", "..")]
    rules = {group.file for group in model.rule_groups}
    for i in range(len(steps)):
        rest = glob("/".join(steps[i:]))
        ends = [name for name in rules if _ends(name, rest, len(steps) - i)]
        if ends and (i < len(steps) - 1 or not set(steps[-1].split(".")[0]) <= {"*"}):
            nearest = max(_shared(file, name) for name in ends)
            return sorted(name for name in ends if _shared(file, name) == nearest)
    return []


def _ends(name: str, end: object, length: int) -> bool:
    pieces = name.split("/")
    return len(pieces) >= length and bool(end.fullmatch("/".join(pieces[-length:])))  # type: ignore[attr-defined]


def _shared(one: str, other: str) -> int:
    """Return how many folders two names have in common from the top."""
    count = 0
    for left, right in zip(one.split("/")[:-1], other.split("/")[:-1], strict=False):
        if left != right:
            break
        count += 1
    return count


def _fragments(
    model: Model, config: PrometheusConfig, configs: Iterable[PrometheusConfig]
) -> Iterator[PrometheusConfig]:
    running = [process for process in model.processes if runs(process, config)]
    for part in config.scrape_config_files:
        contents = named_files(model, config.file, part.text, running)
        for each in configs:
            if each is not config and each.fragment and content_of(each.part.document, contents):
                yield each


def _alertmanager(model: Model, config: PrometheusConfig, running: Iterable[Process]) -> AlertmanagerConfig | None:
    """Return the Alertmanager that a Prometheus tells: one that is started beside it, else the only one there is."""
    if not any(discoveries(part) for part in config.alertmanagers):
        return model.alertmanager_configs[0] if len(model.alertmanager_configs) == 1 and not running else None
    beside = {
        id(found): found
        for process in model.processes
        if process.program == "alertmanager" and process.config is not None and _together(process, running)
        for found in model.alertmanager_configs
        if content_of(found.part.document, [process.config])
    }
    if len(beside) == 1:
        return next(iter(beside.values()))
    near = sorted(model.alertmanager_configs, key=lambda each: -_shared(config.file, each.file))
    if len(near) > 1 and _shared(config.file, near[0].file) == _shared(config.file, near[1].file):
        return None
    return near[0] if near else None


def _together(process: Process, running: Iterable[Process]) -> bool:
    for other in running:
        if process.workload is None and other.workload is None and process.file == other.file:
            return True
        if process.workload is not None and other.workload is not None:
            return True
    return False
