"""What is asked: the endpoints behind an address, a system's files, or a running Prometheus, and how each is asked."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

from tocsin.artefacts.prometheus import ScrapeJob, bytes_of
from tocsin.durations import parse_duration
from tocsin.engines.prometheus_api import PrometheusApi
from tocsin.exposition.scraped import Tls, shown_url
from tocsin.model import Model
from tocsin.model.targets import Target
from tocsin.part import Part
from tocsin.relabelling import META, Step, relabel, steps
from tocsin.source import Place

UNSUPPORTED = {
    "oauth2": "OAuth 2 tokens are not fetched",
    "sigv4": "requests are not signed with SigV4",
    "azuread": "Azure AD tokens are not fetched",
    "google_iam": "Google's tokens are not fetched",
    "proxy_url": "proxies are not used",
    "proxy_from_environment": "proxies are not used",
}
"""Settings of a job with which Prometheus asks in a way that is not ours."""


@dataclass(frozen=True, slots=True)
class JobLimits:
    """What a job takes of one scrape; 0: anything. Beyond one of them the whole scrape is dropped."""

    body_size_limit: int = 0
    """Bytes, decoded."""
    sample_limit: int = 0
    label_limit: int = 0
    label_name_length_limit: int = 0
    label_value_length_limit: int = 0


@dataclass(frozen=True, slots=True)
class Settings:
    """How a job has its targets asked."""

    timeout_seconds: float = 10.0
    authorization: str = field(default="", repr=False)
    """The value of the header; empty: none."""
    tls: Tls = field(default_factory=Tls)
    follows: bool = True
    """`follow_redirects`."""
    compression: bool = True
    """`enable_compression`."""
    fallback: str = ""
    """`fallback_scrape_protocol`."""
    limits: JobLimits = JobLimits()
    unsupported: tuple[str, ...] = ()
    """Why it cannot be asked as its job says."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One target, with the labels that its series carry."""

    name: str
    """As keys have it: `backend/127.0.0.1:8000`."""
    url: str = field(repr=False)
    """Without user and password."""
    settings: Settings = Settings()
    labels: Mapping[str, str] = field(default_factory=dict)
    """After relabelling; those of the scrape itself come on top."""
    place: Place | None = None
    """Where its job stands."""
    version: str = ""
    """Of what answers, where that is known."""

    @property
    def job(self) -> str:
        """Its label `job`, or its host."""
        return self.labels.get("job") or urlsplit(self.url).hostname or ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A target that is not asked, and why."""

    name: str
    reason: str
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What was found."""

    asked: tuple[Endpoint, ...]
    left_out: tuple[LeftOut, ...] = ()


def endpoint_of_url(url: str, timeout_seconds: float = Settings().timeout_seconds) -> Endpoint:
    """Return the endpoint of an address; its user and password become basic authentication. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is no address of HTTP: it begins with http:// or https:// and names a host")
    _ = parts.port  # raises ValueError where it is none
    host = parts.netloc.rpartition("@")[2]
    authorization = _basic(unquote(parts.username or ""), unquote(parts.password or "")) if parts.username else ""
    plain = urlunsplit((parts.scheme, host, parts.path or "/metrics", parts.query, ""))
    settings = Settings(timeout_seconds=timeout_seconds, authorization=authorization)
    name = shown_url(urlunsplit((parts.scheme, host, parts.path, "", "")))
    return Endpoint(name, plain, settings, {"instance": host})


def endpoints_of_model(model: Model, addresses: Mapping[str, str] | None = None) -> Endpoints:
    """Return the endpoints that the scrape jobs of a system's files lead to.

    `addresses` are base URLs by job: where a system runs that is described for elsewhere. Of jobs that are not among
    them, those targets are asked whose address the files tell: of static configurations and file_sd.
    """
    known = addresses or {}
    asked: dict[str, Endpoint] = {}
    left_out: dict[str, LeftOut] = {}
    for job in _jobs(model):
        if job.name in known:
            endpoint = endpoint_at(model, job, known[job.name])
            asked.setdefault(endpoint.name, endpoint)
    for target in model.targets:
        if target.job.name not in known:
            found = _of_target(model, target)
            into: dict[str, Any] = asked if isinstance(found, Endpoint) else left_out
            into.setdefault(found.name, found)
    return Endpoints(tuple(asked.values()), tuple(left_out.values()))


def endpoints_of_prometheus(api: PrometheusApi, model: Model | None = None) -> Endpoints:
    """Return the targets of a running Prometheus: those that it asks, and those that its relabelling dropped.

    How a target is asked is said by the files, where there are some: an API shows no secrets. Raises EngineTrouble.
    """
    answer = api.json("/api/v1/targets")
    data = answer.get("data") if isinstance(answer, dict) else None
    told = data if isinstance(data, dict) else {}
    jobs = {job.name: job for job in _jobs(model)} if model else {}
    asked = [_active(each, jobs, model) for each in told.get("activeTargets") or ()]
    dropped = [_dropped(each, jobs) for each in told.get("droppedTargets") or ()]
    return Endpoints(tuple(asked), tuple({each.name: each for each in dropped}.values()))


def settings_of(model: Model, job: ScrapeJob, *, address: str = "") -> Settings:
    """Return how a job has its targets asked; `address` is one of them."""
    part = job.part
    folder = model.folder.directory / Path(job.config.file).parent
    reader = _Files(folder)
    unsupported = [said for key, said in UNSUPPORTED.items() if part.get(key).value not in (None, False, "")]
    authorization = reader.authorization(part)
    tls = reader.tls(part.get("tls_config"))
    unsupported += reader.problems
    return Settings(
        timeout_seconds=job.timeout_seconds,
        authorization=authorization,
        tls=tls,
        follows=part.get("follow_redirects").value is not False,
        compression=part.get("enable_compression").value is not False,
        fallback=part.string("fallback_scrape_protocol")
        or job.config.part.string("global", "fallback_scrape_protocol"),
        limits=_limits(part, job.config.part.get("global")),
        unsupported=tuple(f"job {job.name}{f' ({address})' if address else ''}: {each}" for each in unsupported),
    )


def _limits(job: Part, everywhere: Part) -> JobLimits:
    def said(key: str) -> int:
        written = job.string(key) or everywhere.string(key)
        if key == "body_size_limit":
            return int(bytes_of(written) or 0)
        return int(written) if written.isdigit() and len(written) < 20 else 0

    return JobLimits(**{key: said(key) for key in JobLimits.__slots__})


class _Files:
    """Reads what a job's settings name, and tells what of it is not here."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.problems: list[str] = []

    def authorization(self, part: Part) -> str:
        """Return the value of `Authorization`."""
        basic, bearer = part.get("basic_auth"), part.get("authorization")
        if basic.value is not None:
            return _basic(self._secret(basic, "username"), self._secret(basic, "password"))
        if bearer.value is not None:
            credentials = self._secret(bearer, "credentials")
            return f"{bearer.string('type') or 'Bearer'} {credentials}" if credentials else ""
        token = self._secret(part, "bearer_token")
        return f"Bearer {token}" if token else ""

    def tls(self, part: Part) -> Tls:
        """Return the settings of TLS."""
        for inline in ("ca", "cert", "key"):
            if part.string(inline):
                self.problems.append(f"a certificate in the configuration itself (`{inline}`) is not read; name a file")
        return Tls(
            ca_file=self._path(part.string("ca_file")),
            certificate=self._path(part.string("cert_file")),
            key=self._path(part.string("key_file")),
            server_name=part.string("server_name"),
            verified=part.get("insecure_skip_verify").value is not True,
        )

    def _path(self, named: str) -> str:
        if not named:
            return ""
        path = self._folder / named
        if not path.is_file():
            self.problems.append(f"{named} is not on this machine")
            return ""
        return str(path)

    def _secret(self, part: Part, key: str) -> str:
        named = part.string(f"{key}_file")
        if not named:
            return part.string(key)
        path = self._path(named)
        try:
            return Path(path).read_text(encoding="utf-8").strip() if path else ""
        except (OSError, UnicodeDecodeError):
            self.problems.append(f"{named} cannot be read")
            return ""


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _jobs(model: Model) -> Iterable[ScrapeJob]:
    return (job for stack in model.stacks for job in stack.jobs)


def endpoint_at(model: Model, job: ScrapeJob, base: str) -> Endpoint:
    """Return the endpoint of a job at the address (a base URL) where its target runs."""
    parts = urlsplit(base)
    query = urlencode([(name, value.text) for name, values in job.params.items() for value in values])
    url = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") + job.metrics_path, query, ""))
    labels = {"job": job.name, "instance": parts.netloc, **_static_labels(model, job)}
    return Endpoint(f"{job.name}/{job.name}", url, settings_of(model, job), labels, job.part.place)


def _static_labels(model: Model, job: ScrapeJob) -> Mapping[str, str]:
    """Return the labels that all targets of a job in the files carry with one value, but for their address."""
    own = [target.labels for target in model.targets if target.job is job and target.kept]
    first = own[0] if own else {}
    return {
        name: value
        for name, value in first.items()
        if name != "instance" and all(labels.get(name) == value for labels in own)
    }


def _of_target(model: Model, target: Target) -> Endpoint | LeftOut:
    job, place = target.job, target.part.place
    found = target.object
    at = target.discovered.get("__address__", "") if found is None else f"{found.kind}/{found.name}"
    name = f"{job.name}/{at}"
    if not target.kept:
        step = target.dropped_by
        where = f" ({step.part.place})" if step else ""
        return LeftOut(name, f"the relabelling of job {job.name} drops it{where}", place)
    if target.problem:
        return LeftOut(name, target.problem, place)
    if not target.certain or not target.knows("__address__", "__scheme__", "__metrics_path__"):
        said = f"job {job.name} discovers it elsewhere: no file tells its address; name a Prometheus that knows it"
        return LeftOut(job.name, said, place)
    query = urlencode(list(_parameters(target)))
    url = urlunsplit((target.scheme, target.address, target.path, query, ""))
    settings = settings_of(model, job, address=target.address)
    return Endpoint(f"{job.name}/{target.address}", url, settings, dict(target.labels), place)


def _parameters(target: Target) -> Iterator[tuple[str, str]]:
    """Yield the request's parameters (prometheus/prometheus, scrape/target.go, URL): labels set the first value."""
    values = {name: [each.text for each in parts] for name, parts in target.job.params.items()}
    for name, value in target.parameters.items():
        values[name] = [value, *values.get(name, [])[1:]]
    for name in sorted(values):
        yield from ((name, value) for value in values[name])


def _active(told: Mapping[str, Any], jobs: Mapping[str, ScrapeJob], model: Model | None) -> Endpoint:
    labels = {str(k): str(v) for k, v in (told.get("labels") or {}).items()}
    url = str(told.get("scrapeUrl") or "")
    pool = str(told.get("scrapePool") or labels.get("job", ""))
    job = jobs.get(pool)
    settings = settings_of(model, job) if model and job else Settings(timeout_seconds=_timeout(told))
    name = f"{labels.get('job', pool)}/{labels.get('instance', '')}"
    return Endpoint(name, url, settings, labels, job.part.place if job else None)


def _timeout(told: Mapping[str, Any]) -> float:
    try:
        return parse_duration(str(told.get("scrapeTimeout") or "")) or Settings().timeout_seconds
    except ValueError:
        return Settings().timeout_seconds


def _dropped(told: Mapping[str, Any], jobs: Mapping[str, ScrapeJob]) -> LeftOut:
    labels = {str(k): str(v) for k, v in (told.get("discoveredLabels") or {}).items()}
    pool = str(told.get("scrapePool") or labels.get("job", ""))
    name = f"{pool}/{labels.get('__address__', '')}"
    job = jobs.get(pool)
    step = relabel(labels, steps(job.relabelling)).dropped_by if job else None
    if job is None or step is None:
        return LeftOut(name, f"the relabelling of job {pool} drops it")
    return LeftOut(name, f"the relabelling of job {pool} drops it: {_said(step, labels)}", step.part.place)


def _said(step: Step, labels: Mapping[str, str]) -> str:
    value = step.separator.join(labels.get(source, "") for source in step.sources)
    sources = ", ".join(source.removeprefix(META) for source in step.sources)
    return f"`{step.action}` of {sources or 'nothing'} = {value!r} against `{step.regex}`"
