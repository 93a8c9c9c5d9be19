"""Prometheus configurations: intervals and scrape jobs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tocsin.durations import parse_duration
from tocsin.source import Document, Place, Route, Unreadable

DEFAULT_INTERVAL = 60.0
"""Seconds between scrapes, and between evaluations, where nothing is said (Prometheus, config/config.go)."""


@dataclass(frozen=True, slots=True)
class Job:
    """One scrape job."""

    name: str
    interval_seconds: float
    metrics_path: str
    place: Place
    metrics_path_place: Place


@dataclass(frozen=True, slots=True)
class Scraping:
    """What a Prometheus configuration scrapes and how often it evaluates."""

    jobs: tuple[Job, ...]
    evaluation_seconds: float

    def job(self, name: str) -> Job | None:
        """Return the job of that name."""
        return next((job for job in self.jobs if job.name == name), None)

    def interval(self, names: Iterable[str]) -> float:
        """Return the longest scrape interval, in seconds, of the named jobs; of none, of all."""
        wanted = set(names)
        return max((j.interval_seconds for j in self.jobs if not wanted or j.name in wanted), default=DEFAULT_INTERVAL)


def read_scraping(document: Document) -> Scraping:
    """Return the scrape jobs of a configuration read with raw scalars; raises Unreadable where it is none."""
    value = document.value
    if not isinstance(value, dict) or not isinstance(value.get("scrape_configs"), list):
        raise Unreadable(document.place(), "is not a Prometheus configuration: it has no list `scrape_configs`")
    top = value.get("global")
    top = top if isinstance(top, dict) else {}
    every = _duration(document, ("global", "scrape_interval"), top.get("scrape_interval"), DEFAULT_INTERVAL)
    evaluation = _duration(
        document, ("global", "evaluation_interval"), top.get("evaluation_interval"), DEFAULT_INTERVAL
    )
    jobs = tuple(_job(document, i, job, every) for i, job in enumerate(value["scrape_configs"]))
    return Scraping(jobs, evaluation)


def _job(document: Document, index: int, job: Any, every: float) -> Job:
    route: Route = ("scrape_configs", index)
    if not isinstance(job, dict) or not isinstance(job.get("job_name"), str):
        raise Unreadable(document.place(*route), "is a scrape job without `job_name`")
    return Job(
        name=job["job_name"],
        interval_seconds=_duration(document, (*route, "scrape_interval"), job.get("scrape_interval"), every),
        metrics_path=str(job.get("metrics_path") or "/metrics"),
        place=document.place(*route),
        metrics_path_place=document.key_place(*route, "metrics_path"),
    )


def _duration(document: Document, route: Route, raw: Any, default: float) -> float:
    if raw is None:
        return default
    try:
        return parse_duration(str(raw)) or default
    except ValueError as error:
        raise Unreadable(document.place(*route), f"{route[-1]}: {error}") from error
