"""Prometheus configurations, whole: every section, each value with its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from tocsin.durations import parse_duration
from tocsin.part import Part

DEFAULT_SECONDS = {"scrape_interval": 60.0, "scrape_timeout": 10.0, "evaluation_interval": 60.0}
"""What `global` says where it says nothing (prometheus/prometheus, config/config.go, DefaultGlobalConfig)."""
SECTIONS = frozenset(
    {
        "global",
        "runtime",
        "alerting",
        "rule_files",
        "scrape_config_files",
        "scrape_configs",
        "storage",
        "tracing",
        "remote_write",
        "remote_read",
        "otlp",
    }
)
"""The keys of a configuration, of any version from 2.42 to 3.x (config/config.go, Config)."""
FOREIGN = frozenset({"clients", "positions", "server", "receivers", "exporters", "service", "metrics", "integrations"})
"""Keys of Promtail's, the agents' and collectors' configurations, which have `scrape_configs` as well."""
FOREIGN_JOB = frozenset(
    {
        "pipeline_stages",
        "journal",
        "syslog",
        "loki_push_api",
        "gcplog",
        "kafka",
        "cloudflare",
        "windows_events",
        "heroku_drain",
        "gelf",
        "azure_event_hubs",
        "decompression",
    }
)
"""Keys of a scrape job of Promtail's, which collects logs."""


@dataclass(frozen=True)
class Discovery:
    """One way in which a job finds its targets: an item of `static_configs`, `kubernetes_sd_configs`, ..."""

    mechanism: str
    """The key: `static_configs`."""
    part: Part

    @property
    def static(self) -> bool:
        """Whether the targets stand in the file itself."""
        return self.mechanism == "static_configs"


@dataclass(frozen=True)
class Origin:
    """What a scrape configuration was made of that stands in no file: an endpoint of a ServiceMonitor, say."""

    part: Part
    """The endpoint."""
    subject: str
    """Its name path: `ServiceMonitor/monitoring/shop/0`."""
    said: str
    """What it is, for a message: `ServiceMonitor shop`."""
    jobs: frozenset[str] | None
    """The values that the label `job` of its series has; None if they are not known."""


@dataclass(frozen=True)
class ScrapeJob:
    """One scrape configuration."""

    part: Part
    config: PrometheusConfig
    origin: Origin | None = None
    """What it was made of; None if it stands in a file as it is."""

    @property
    def name(self) -> str:
        """`job_name`; empty if it has none."""
        return self.part.string("job_name")

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return self.origin.subject if self.origin else f"scrape_configs/{self.name}"

    @property
    def said(self) -> str:
        """What it is, for a message."""
        return self.origin.said if self.origin else f"job {self.name}"

    @cached_property
    def interval_seconds(self) -> float:
        """How often it scrapes, by its own word or by that of `global`."""
        return duration(self.part, "scrape_interval") or self.config.seconds("scrape_interval")

    @cached_property
    def timeout_seconds(self) -> float:
        """How long a scrape may take: never longer than the interval, where nothing is said."""
        said = duration(self.part, "scrape_timeout")
        return said or min(self.config.seconds("scrape_timeout"), self.interval_seconds)

    @property
    def metrics_path(self) -> str:
        """The path that is scraped, where no label says another."""
        return self.part.string("metrics_path") or "/metrics"

    @property
    def scheme(self) -> str:
        """`http` or `https`, where no label says another."""
        return self.part.string("scheme") or "http"

    @property
    def honor_labels(self) -> bool:
        """Whether labels that are scraped win over those of the target."""
        return self.part.get("honor_labels").value is True

    @cached_property
    def params(self) -> dict[str, tuple[Part, ...]]:
        """The parameters of the request, each with its values."""
        return {name: value.list() for name, value in self.part.get("params").items()}

    @cached_property
    def relabelling(self) -> tuple[Part, ...]:
        """The rules that make a target's labels of what was discovered."""
        return self.part.list("relabel_configs")

    @cached_property
    def metric_relabelling(self) -> tuple[Part, ...]:
        """The rules that are applied to every series that is scraped."""
        return self.part.list("metric_relabel_configs")

    @cached_property
    def discoveries(self) -> tuple[Discovery, ...]:
        """Every way in which it finds targets."""
        return discoveries(self.part)


@dataclass(frozen=True)
class PrometheusConfig:
    """A Prometheus configuration."""

    part: Part

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return "prometheus"

    @property
    def file(self) -> str:
        """The file's name."""
        return self.part.file

    @cached_property
    def foreign(self) -> bool:
        """Whether it is the configuration of another program, which has `scrape_configs` too."""
        value = self.part.value
        if not isinstance(value, dict):
            return False
        jobs = self.part.list("scrape_configs")
        logs = any(key in FOREIGN_JOB for job in jobs for key, _ in job.items())
        logs = logs or any("__path__" in group.get("labels") for job in jobs for group in job.list("static_configs"))
        return logs or not FOREIGN.isdisjoint(value) or len(set(value) - SECTIONS) > len(SECTIONS.intersection(value))

    @cached_property
    def fragment(self) -> bool:
        """Whether it holds scrape jobs and nothing else, as what `scrape_config_files` names."""
        value = self.part.value
        return isinstance(value, dict) and set(value) == {"scrape_configs"}

    @cached_property
    def jobs(self) -> tuple[ScrapeJob, ...]:
        """The scrape jobs, those of scrape_config_files left out."""
        return tuple(ScrapeJob(part, self) for part in self.part.list("scrape_configs") if isinstance(part.value, dict))

    @cached_property
    def external_labels(self) -> dict[str, str]:
        """What every alert and every series that leaves this Prometheus carries, as written: `${HOSTNAME}` is kept."""
        return self.part.strings("global", "external_labels")

    @cached_property
    def rule_files(self) -> tuple[Part, ...]:
        """The globs of rule files."""
        return tuple(part for part in self.part.list("rule_files") if part.text)

    @cached_property
    def scrape_config_files(self) -> tuple[Part, ...]:
        """The globs of files with further scrape jobs."""
        return tuple(part for part in self.part.list("scrape_config_files") if part.text)

    @cached_property
    def alertmanagers(self) -> tuple[Part, ...]:
        """Each item of `alerting.alertmanagers`."""
        return self.part.list("alerting", "alertmanagers")

    @cached_property
    def alert_relabelling(self) -> tuple[Part, ...]:
        """The rules that are applied to every alert before it is sent."""
        return self.part.list("alerting", "alert_relabel_configs")

    @cached_property
    def remote_writes(self) -> tuple[Part, ...]:
        """Each item of `remote_write`."""
        return self.part.list("remote_write")

    @cached_property
    def remote_reads(self) -> tuple[Part, ...]:
        """Each item of `remote_read`."""
        return self.part.list("remote_read")

    def seconds(self, key: str) -> float:
        """Return a duration of `global`, or its default."""
        said = duration(self.part.get("global"), key)
        if said:
            return said
        default = DEFAULT_SECONDS.get(key, 0.0)
        return min(default, self.seconds("scrape_interval")) if key == "scrape_timeout" else default


def discoveries(part: Part) -> tuple[Discovery, ...]:
    """Return every way in which a scrape job, or an item of `alertmanagers`, finds what it is about."""
    found = (
        Discovery(key, item)
        for key, value in part.items()
        if key == "static_configs" or key.endswith("_sd_configs")
        for item in value.list()
        if isinstance(item.value, dict)
    )
    return tuple(found)


def duration(part: Part, key: str) -> float | None:
    """Return the seconds of a duration; None if there is none, or if it cannot be read."""
    written = part.string(key)
    if not written:
        return None
    try:
        return parse_duration(written)
    except ValueError:
        return None


_SIZE = re.compile(r"([0-9]*\.?[0-9]+)([KMGTPE]?)i?B?")


def bytes_of(written: str) -> float | None:
    """Return a size in bytes; K, M and so on are powers of 1024 (alecthomas/units, Base2Bytes). None if it is none."""
    found = list(_SIZE.finditer(written))
    if not written or "".join(each[0] for each in found) != written or len(written) > _LONGEST_SIZE:
        return None
    return float(sum(float(each[1]) * 1024.0 ** " KMGTPE".index(each[2] or " ") for each in found))


_LONGEST_SIZE = 100
