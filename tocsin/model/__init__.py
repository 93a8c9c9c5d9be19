"""The model: everything that a system's files say, read once, with what must agree joined."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from tocsin.artefacts.alertmanager import AlertmanagerConfig
from tocsin.artefacts.compose import ComposeFile
from tocsin.artefacts.dashboards import Dashboard, Query
from tocsin.artefacts.folder import Folder, SourceFile
from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.artefacts.prometheus import PrometheusConfig
from tocsin.artefacts.provisioning import DataSource, Provider
from tocsin.artefacts.rules import Group, Rule
from tocsin.artefacts.runbooks import Runbook
from tocsin.model import sorting
from tocsin.model.alert_numbers import Windows
from tocsin.model.belonging import Belonging
from tocsin.model.cluster import Cluster
from tocsin.model.dashboards import DashboardQuery, dashboards, read_queries
from tocsin.model.flows import Flows
from tocsin.model.grafana import Grafana, grafanas
from tocsin.model.lineage import Lineage
from tocsin.model.links import Links
from tocsin.model.metric_labels import MetricLabels
from tocsin.model.metrics import Metrics
from tocsin.model.network import Network
from tocsin.model.notifications import Notifications
from tocsin.model.numbers import Numbers
from tocsin.model.operated import operated_stacks
from tocsin.model.patches import is_patch
from tocsin.model.processes import Process, processes
from tocsin.model.provisioning import provisioning_files, read_data_sources, read_providers
from tocsin.model.references import References
from tocsin.model.routing import AlertRouting
from tocsin.model.rule_labels import RuleLabels
from tocsin.model.services import Services
from tocsin.model.stacks import Stack, prometheus_configs, stacks
from tocsin.model.targets import Target, targets
from tocsin.model.timing import Timing
from tocsin.model.units import RecordedUnits
from tocsin.model.values import Values
from tocsin.model.workloads import Workload, workloads
from tocsin.part import Part
from tocsin.promql import Expr, PromQLError, Span, parsed
from tocsin.source import Document, Place, place_within
from tocsin.system import Declaration, Kind, System


class Model:
    """What the files of a folder say. Everything is read or computed when it is first asked for, and once."""

    def __init__(self, folder: Folder, system: System | None = None) -> None:
        self.folder = folder
        self.system = system

    @classmethod
    def of(cls, directory: Path, system: System | None = None) -> Model:
        """Return the model of a folder; `system` is its declaration, where it has one."""
        return cls(Folder(directory), system)

    @property
    def declaration(self) -> Declaration:
        """What the owners declare; of a folder without system.yaml, nothing."""
        return self.system.declaration if self.system else _NOTHING

    # What there is, by kind. Files inside of ConfigMaps and Secrets are there like any other.

    @cached_property
    def sorted(self) -> sorting.Sorted:
        """Every document by its kind, and the files that could not be read."""
        return sorting.sort(self.folder, self.system)

    def documents(self, kind: Kind) -> tuple[Document, ...]:
        """Return the documents of a kind."""
        return self.sorted.documents.get(kind, ())

    def text(self, name: str) -> str:
        """Return the text of a file of the folder; empty if there is no such file."""
        return self.folder.text(name) or ""

    # Prometheus

    @cached_property
    def prometheus_configs(self) -> tuple[PrometheusConfig, ...]:
        """Every Prometheus configuration, those that a container of the folder loads too."""
        return prometheus_configs(self)

    @cached_property
    def rule_groups(self) -> tuple[Group, ...]:
        """Every rule group, of rule files and of PrometheusRule objects, as far as it can be read."""
        return self.sorted.rules.groups

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule, in the order of files, groups and rules."""
        return tuple(rule for group in self.rule_groups for rule in group.rules)

    @cached_property
    def alerts(self) -> tuple[Rule, ...]:
        """Every alerting rule."""
        return tuple(rule for rule in self.rules if rule.alerting)

    @cached_property
    def recording_rules(self) -> tuple[Rule, ...]:
        """Every recording rule."""
        return tuple(rule for rule in self.rules if not rule.alerting)

    # The rest

    @cached_property
    def alertmanager_configs(self) -> tuple[AlertmanagerConfig, ...]:
        """Every Alertmanager configuration."""
        return tuple(AlertmanagerConfig(Part.whole(document)) for document in self.documents(Kind.ALERTMANAGER))

    @cached_property
    def promtool_tests(self) -> tuple[Part, ...]:
        """Every unit test file of promtool, whole."""
        return tuple(Part.whole(document) for document in self.documents(Kind.TESTS))

    @cached_property
    def objects(self) -> tuple[KubernetesObject, ...]:
        """Every Kubernetes object, those inside of lists too; the patches of kustomize are none."""
        return tuple(each for each in self._manifests if not is_patch(each.part, self._patch_files))

    @cached_property
    def patches(self) -> tuple[KubernetesObject, ...]:
        """What kustomize lays over objects that stand elsewhere: pieces of them, known by kind and name."""
        return tuple(each for each in self._manifests if is_patch(each.part, self._patch_files))

    @cached_property
    def _manifests(self) -> tuple[KubernetesObject, ...]:
        documents = self.documents(Kind.MANIFESTS)
        return tuple(KubernetesObject(part) for document in documents for part in sorting.objects(document))

    @cached_property
    def _patch_files(self) -> frozenset[str]:
        return self.cluster.kustomizations.patch_files

    def objects_of(self, *kinds: str) -> tuple[KubernetesObject, ...]:
        """Return the Kubernetes objects of some kinds."""
        return tuple(each for each in self.objects if each.kind in kinds)

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        """Every Kubernetes object that makes pods."""
        return workloads(self.objects)

    @cached_property
    def cluster(self) -> Cluster:
        """The Kubernetes objects as they would stand together: by name, by namespace, by selector."""
        return Cluster(self)

    @cached_property
    def services(self) -> Services:
        """The Services of Kubernetes, with the pods behind them and the names under which they are reached."""
        return Services(self.cluster)

    @cached_property
    def references(self) -> References:
        """What Kubernetes objects name of each other."""
        return References(self)

    @cached_property
    def flows(self) -> Flows:
        """Who of the monitoring has to reach whom."""
        return Flows(self)

    @cached_property
    def network(self) -> Network:
        """Who may reach whom, by the NetworkPolicies."""
        return Network(self.cluster)

    @cached_property
    def dashboards(self) -> tuple[Dashboard, ...]:
        """Every Grafana dashboard."""
        return dashboards(self)

    @cached_property
    def provisioning_files(self) -> tuple[Part, ...]:
        """Every provisioning file of Grafana, whole."""
        return tuple(provisioning_files(self))

    @cached_property
    def data_sources(self) -> tuple[DataSource, ...]:
        """Every data source that Grafana is told of by a file."""
        return tuple(read_data_sources(self))

    @cached_property
    def dashboard_providers(self) -> tuple[Provider, ...]:
        """Every folder that Grafana is told to read dashboards from."""
        return read_providers(self)

    @cached_property
    def grafanas(self) -> tuple[Grafana, ...]:
        """Each Grafana, with what it reads from files."""
        return tuple(grafanas(self))

    @cached_property
    def links(self) -> Links:
        """Every link of rules, runbooks and dashboards, and what it leads to."""
        return Links(self)

    @cached_property
    def windows(self) -> Windows:
        """How far back expressions look."""
        return Windows(self)

    @cached_property
    def numbers(self) -> Numbers:
        """What a system says of the numbers of its alerts."""
        return Numbers(self)

    @cached_property
    def queries(self) -> tuple[DashboardQuery, ...]:
        """Every PromQL query of dashboards and runbooks."""
        return tuple(read_queries(self))

    @cached_property
    def _queries_of_targets(self) -> dict[int, DashboardQuery]:
        return {id(query.owner): query for query in self.queries if query.owner is not None}

    @cached_property
    def _queries_of_dashboards(self) -> dict[int, list[DashboardQuery]]:
        found: dict[int, list[DashboardQuery]] = {}
        for query in self.queries:
            found.setdefault(id(query.dashboard), []).append(query)
        return found

    def query_of(self, query: Query) -> DashboardQuery | None:
        """Return what a panel's query asks Prometheus; None if it asks something else."""
        return self._queries_of_targets.get(id(query))

    def queries_of(self, dashboard: Dashboard) -> Sequence[DashboardQuery]:
        """Return every PromQL query of a dashboard."""
        return self._queries_of_dashboards.get(id(dashboard), ())

    @cached_property
    def recorded_units(self) -> RecordedUnits:
        """The units of what recording rules record."""
        return RecordedUnits(self)

    @cached_property
    def compose_files(self) -> tuple[ComposeFile, ...]:
        """Every docker-compose file."""
        return tuple(ComposeFile(Part.whole(document)) for document in self.documents(Kind.COMPOSE))

    @cached_property
    def runbooks(self) -> tuple[Runbook, ...]:
        """Every page of Markdown that is a runbook, or that others link to."""
        return tuple(Runbook(name, self.text(name)) for name in self.sorted.pages)

    # What is joined

    @cached_property
    def metrics(self) -> Metrics:
        """Which metrics this system exports, by whatever says so: saved bodies, applications, recording rules."""
        return Metrics(self)

    @cached_property
    def lineage(self) -> Lineage:
        """Where each metric comes from that rules, dashboards, runbooks and tests use."""
        return Lineage(self)

    @cached_property
    def metric_labels(self) -> MetricLabels:
        """Which labels the series of a metric can have, those of the target included."""
        return MetricLabels(self)

    @cached_property
    def notifications(self) -> tuple[Notifications, ...]:
        """The templates of each Alertmanager configuration."""
        return tuple(Notifications(self, config) for config in self.alertmanager_configs)

    @cached_property
    def routing(self) -> AlertRouting:
        """Which alerts each Alertmanager is told of, and where it routes them."""
        return AlertRouting(self)

    @cached_property
    def rule_labels(self) -> RuleLabels:
        """Which labels the series of each rule have."""
        return RuleLabels(self)

    @cached_property
    def belonging(self) -> Belonging:
        """Which Services, disruption budgets and autoscalers belong to which workloads."""
        return Belonging(self)

    @cached_property
    def timing(self) -> Timing:
        """How often each series gets a sample, each rule is evaluated, and how long samples are kept."""
        return Timing(self)

    @cached_property
    def values(self) -> Values:
        """What can be proven of the values of the rules' expressions."""
        return Values(self)

    @cached_property
    def stacks(self) -> tuple[Stack, ...]:
        """Each Prometheus with the rules that it loads and the Alertmanager that it tells, as far as files say so."""
        return (*stacks(self), *operated_stacks(self))

    @cached_property
    def processes(self) -> tuple[Process, ...]:
        """Each container that runs Prometheus, Alertmanager or the blackbox exporter, and the files that it sees."""
        return processes(self)

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """Each target that a scrape job finds in the folder, with its labels after relabelling; dropped ones too."""
        return targets(self)

    @cached_property
    def file_names(self) -> frozenset[str]:
        """The name of every file of the folder."""
        return frozenset(self.folder.names)

    # PromQL and where it stands

    def parsed(self, expression: str) -> Expr | PromQLError:
        """Return an expression's tree, or what is wrong with it."""
        return parsed(expression)

    def tree(self, rule: Rule) -> Expr | None:
        """Return the tree of a rule's expression; None if it cannot be read."""
        found = self.parsed(rule.expression)
        return None if isinstance(found, PromQLError) else found

    def piece(self, part: Part, span: Span) -> tuple[Place, int]:
        """Return the place of a piece of a scalar, and how many characters of its line belong to it."""
        text = self.text(part.file)
        value = part.text
        place = place_within(text, part.place, value, span.start)
        width = len(value[span.start : span.end].split("\n")[0])
        return place, max(1, width)

    @cached_property
    def prometheus_majors(self) -> frozenset[int]:
        """The major versions of Prometheus whose images the system names; none, where it names none."""
        return frozenset(int(major) for file in self.files() for major in _PROMETHEUS_IMAGE.findall(file.text))

    def files(self) -> Iterator[SourceFile]:
        """Yield every file that is YAML or JSON."""
        yield from self.folder.files.values()


_PROMETHEUS_IMAGE = re.compile(r"prom(?:etheus)?/prometheus:v?([0-9]+)\.")
_NOTHING = Declaration.model_validate({"schema": 1, "name": "folder"})
