"""system.yaml: the one declaration of a system, its environments and its drills, read with places."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from tocsin.artefacts.promtool_tests import parse_values
from tocsin.durations import parse_duration
from tocsin.explained import Explained
from tocsin.source import Document, Place, Route, Unreadable, nearest, read_document, read_text

FILE = "system.yaml"


class Kind(StrEnum):
    """The kinds of artefact that a system may have."""

    PROMETHEUS = "prometheus"
    RULES = "rules"
    ALERTMANAGER = "alertmanager"
    MANIFESTS = "manifests"
    DASHBOARDS = "dashboards"
    RUNBOOKS = "runbooks"
    TESTS = "tests"
    METRICS = "metrics"
    COMPOSE = "compose"


class Declared(BaseModel):
    """What every part of system.yaml is: immutable, and nothing in it goes unread."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _seconds(value: object) -> object:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ValueError("needs a unit, as Prometheus writes durations: 30s, 5m, 1h30m")
    return value


Seconds = Annotated[float, BeforeValidator(_seconds)]
"""A duration as Prometheus writes it (`5m`), held in seconds; production time, divided by the factor when run."""


def _text_of_number(value: object) -> object:
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _promtool_values(value: str) -> str:
    parse_values(value)
    return value


def _port_pattern(value: str) -> str:
    try:
        groups = re.compile(value).groupindex
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from error
    if "port" not in groups:
        raise ValueError(r"has no group named `port`: write it as `listens on (?P<port>\d+)`")
    return value


Exporter = Literal["prometheus", "alertmanager", "node_exporter"]
"""An engine of ours that can be scraped."""


class Process(Declared):
    """A process of the system that an environment starts and stops."""

    command: tuple[str, ...] = Field(min_length=1)
    """Program and arguments. `{python}`, `{port}`, `{NAME.url}` and `{NAME.port}` of other processes are filled in."""
    directory: str = "."
    """Working directory, relative to system.yaml."""
    environment: dict[str, str] = {}
    """Environment variables, filled in like the command; `{memory_bytes}` and `{cores}` too."""
    ready: str = "/"
    """Path that answers 200 once the process can serve."""
    metrics: str = "/metrics"
    """Path at which the process exposes its metrics; what a scrape job asks is the business of its own file."""
    jobs: tuple[str, ...] | None = None
    """Scrape jobs of which the process is a target; the job of its own name if left out."""
    memory_bytes: int | None = Field(None, gt=0)
    cores: float | None = Field(None, gt=0)
    listening: Annotated[str, AfterValidator(_port_pattern)] | None = None
    """Regular expression whose group `port` is the real port in the process's log; as uvicorn prints it if left out."""
    optional: bool = False
    """Started only in drills that need it; in the others its address is empty. No scrape job has it as a target."""

    @model_validator(mode="after")
    def _no_target_that_may_be_absent(self) -> Process:
        if self.optional and self.jobs != ():
            raise ValueError("an optional process is no target of a scrape job, for it may be absent: add `jobs: []`")
        return self


class Endpoint(Declared):
    """An HTTP address of something that is already running."""

    url: str = Field(pattern=r"^https?://[^\s]+$")
    credentials: CredentialsFile | None = None


class CredentialsFile(Declared):
    """A file that holds a bearer token, or `user:password`; never the secret itself."""

    file: str


class Ceilings(Declared):
    """What the load of a drill may never exceed; one that would is refused, and one that does is stopped."""

    users: int = Field(gt=0)
    requests_per_second: float = Field(gt=0)
    seconds: float = Field(gt=0)
    """How long the load of one drill may go on, in real seconds."""


class InCluster(Declared):
    """A Kubernetes cluster in which the system runs, and what may be done to it there: nothing, if nothing is said."""

    kubeconfig: str | None = None
    """A file, relative to system.yaml; else `$KUBECONFIG`, else ~/.kube/config, else the pod's own account."""
    context: str = ""
    """Of the kubeconfig; its current one if left out."""
    namespace: str = Field("", pattern=r"^[a-z0-9-]*$")
    """Where the workloads are; the one of each manifest if left out, else `default`."""
    allow: tuple[Literal["ask", "exec", "rollout", "kill", "outage"], ...] = ()
    """`ask`: a Job asks probes on the pod network; `exec`: commands of exec probes are run in their containers;
    `rollout`: pods are made anew; `kill`: a container's process is told to end; `outage`: what a workload calls is
    scaled to no pods. Everything is put back."""
    image: str = "python:3.13-slim"
    """Of the Job that asks: any image with a `python3` from 3.11 on."""
    watch: Seconds = Field(60, gt=0, le=3600)
    """For how many seconds it is watched when nothing is done to it."""


class Environment(Declared):
    """Where drills happen: processes that we start, or addresses of what already runs."""

    factor: float = Field(1, ge=1)
    """How many times faster than production the time constants run; 1 where nothing is rewritten."""
    pace: float = Field(1, ge=1)
    """How many times faster than its own files what already runs was started; only declared durations are divided."""
    traffic: Literal["same", "scaled"] = "same"
    processes: dict[str, Process] = {}
    exporters: dict[str, Exporter] = {}
    """Scrape jobs whose target is an engine that we start."""
    prometheus: Endpoint | None = None
    alertmanager: Endpoint | None = None
    sink: Endpoint | None = None
    """Where notifications can be read back; without it the stage is not observable."""
    addresses: dict[str, str] = {}
    """Base URL of each service that load is sent to."""
    hosts: tuple[str, ...] = ()
    """Hosts that load and faults may touch; any other is refused."""
    allow_load: bool = False
    allow_faults: tuple[str, ...] = ()
    allow_receivers: tuple[str, ...] = ()
    ceilings: Ceilings | None = None
    cluster: InCluster | None = None
    """Where its pods are, if they are in a Kubernetes cluster that can be asked."""

    @property
    def ours(self) -> bool:
        """Whether we start the system ourselves, on fresh stacks."""
        return bool(self.processes)

    @property
    def speed(self) -> float:
        """How many times faster than production time passes here, by our rewriting or by its owner's."""
        return self.factor * self.pace

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Environment:
        if self.processes and self.prometheus:
            raise ValueError("names both processes to start and a Prometheus that already runs; it must be one of them")
        if self.processes and self.cluster:
            raise ValueError("names both processes to start and a cluster where all runs already; give each its own")
        if not self.processes and not self.prometheus and not self.cluster:
            raise ValueError("names neither processes to start, nor the address of a running Prometheus, nor a cluster")
        if self.prometheus and self.factor != 1:
            raise ValueError("is already running, so nothing can be rewritten: its factor must be 1")
        if self.processes and self.pace != 1:
            raise ValueError("is started by us, at `factor` times production's pace; `pace` is for what already runs")
        return self


class Load(Declared):
    """A Locust profile and how much of it."""

    profile: str
    """A file of loadprofiles/, without `.py`, of this system or of Tocsin."""
    target: str
    """The process or address that the requests go to."""
    users: int = Field(10, gt=0)
    options: dict[str, str] = {}
    """Environment variables for the profile."""


class Proof(Declared):
    """How it is known that a stimulus landed, by other eyes than the alert's own metrics."""

    status: str | None = None
    """Regular expression of HTTP statuses that the load generator must see ..."""
    share: float = Field(0.0, ge=0, le=1)
    """... in at least this share of its requests."""
    p95_seconds: float | None = None
    """Response time that the load generator must see at its 95th percentile."""
    process: str | None = None
    cpu_cores: float | None = None
    """Cores that `process` must use, by the kernel's account."""
    memory_bytes: int | None = None
    """Resident memory that `process` must reach, by the kernel's account."""


class Expectation(Declared):
    """An alert that must follow the stimulus."""

    alert: str
    labels: dict[str, str] = {}
    receivers: tuple[str, ...] = ()
    resolution_not_sent: tuple[str, ...] = ()
    """Those of the receivers that must not be told of the end: their `send_resolved: false` is on purpose."""
    outcome: Literal["notified", "inhibited", "muted"] = "notified"
    within: Seconds | None = None
    """From injected to notified, at most."""
    crossed_within: Seconds | None = None
    """From injected to crossed, at most; else the expression's longest window and two scrapes."""
    resolved_within: Seconds | None = None
    """From recovered to resolved, at most; else as for crossing."""

    @property
    def ends_in_silence(self) -> bool:
        """Whether nobody is to be told of the end."""
        return bool(self.receivers) and set(self.receivers) <= set(self.resolution_not_sent)

    @model_validator(mode="after")
    def _silent_of_those_told(self) -> Expectation:
        strangers = sorted(set(self.resolution_not_sent) - set(self.receivers))
        if strangers:
            raise ValueError(
                f"names {', '.join(strangers)} under `resolution_not_sent` and not under `receivers`; it is for "
                "receivers that are told of the alert, and not of its end"
            )
        return self


class Allowed(Declared):
    """An alert that may start during a drill without being its subject."""

    alert: str
    labels: dict[str, str] = {}
    reason: str = Field(min_length=1)


class Replicas(Declared):
    """How many of each engine a drill's stack has. With more than one, whoever must be told must be told once."""

    prometheus: int = Field(1, ge=1, le=5)
    alertmanager: int = Field(1, ge=1, le=5)
    label: str | None = Field(None, min_length=1)
    """The external label whose value tells one Prometheus from the other; else the usual ones are looked for."""

    def names(self, engine: Literal["prometheus", "alertmanager"]) -> tuple[str, ...]:
        """Return the names of an engine's processes: its own if it is alone, else numbered from 1."""
        count = self.prometheus if engine == "prometheus" else self.alertmanager
        return (engine,) if count == 1 else tuple(f"{engine}-{n}" for n in range(1, count + 1))

    @property
    def several(self) -> tuple[str, ...]:
        """The processes of which there is another of the kind: those that can be lost."""
        return tuple(n for e in ("prometheus", "alertmanager") if len(found := self.names(e)) > 1 for n in found)


class Disturbance(Declared):
    """What the monitoring itself suffers besides the stimulus; it lasts to the end of the drill."""

    when: Literal["before", "firing"]
    """`before`: in the steady state, before the stimulus; `firing`: when every expected alert was told of."""
    kill: str | None = None
    """The replica that is killed."""
    partition: tuple[str, ...] | None = None
    """The Alertmanagers that are cut off from each other: all of the stack's."""

    @property
    def stimulus(self) -> dict[str, Any]:
        """What is done, in the form of a stimulus."""
        return {"kill": self.kill} if self.kill is not None else {"partition": list(self.partition or ())}

    @model_validator(mode="after")
    def _one_of_them(self) -> Disturbance:
        if (self.kill is None) == (self.partition is None):
            raise ValueError("must be one of `kill: REPLICA` and `partition: [ALERTMANAGER, ...]`, and `when`")
        return self


class Drill(Declared):
    """A stimulus, and the alerts that must follow it."""

    stimulus: dict[str, Any] = Field(min_length=1, max_length=1)
    """The stimulus's name and its argument."""
    background: Load | None = None
    """Load under the thresholds, from before the steady state to the end."""
    warm_up: Seconds | None = None
    """How long the background runs before the stimulus; else the longest window of the expected expressions."""
    hold: Seconds = 0.0
    """The least time that the stimulus is kept."""
    expect: tuple[Expectation, ...] = ()
    allow: tuple[Allowed, ...] = ()
    proof: Proof | None = None
    exclusive: Literal["cpu"] | None = None
    """`cpu`: no other drill runs beside it, nor starts or ends."""
    marker: Literal["security"] | None = None
    """`security`: its load is what an attacker would send, so `-m load` does not select it."""
    flaps: int = Field(0, ge=0)
    """Times that an alert may stop firing and start again."""
    needs: tuple[str, ...] = ()
    """Optional processes that run in this drill, besides those that its stimulus or its load names."""
    exporters: dict[str, Exporter] = {}
    """Scrape jobs whose target is an engine that we start, besides those of the environment."""
    replicas: Replicas | None = None
    """Of the engines; one of each if left out. Only on stacks of ours."""
    disturbance: Disturbance | None = None
    """What the monitoring suffers besides the stimulus; needs `replicas`."""

    @property
    def stimulus_name(self) -> str:
        """The stimulus's name."""
        return next(iter(self.stimulus))

    @property
    def stimulus_argument(self) -> Any:
        """The stimulus's argument, as written."""
        return next(iter(self.stimulus.values()))

    @property
    def partitions(self) -> bool:
        """Whether Alertmanagers are cut off from each other at some time."""
        return self.stimulus_name == "partition" or (
            self.disturbance is not None and self.disturbance.partition is not None
        )

    @model_validator(mode="after")
    def _disturbed_replicas(self) -> Drill:
        if self.disturbance is None:
            return self
        if self.replicas is None or not self.replicas.several:
            raise ValueError(
                "has a `disturbance` and one of each engine, so nobody would be left to tell of anything; add"
                " `replicas: {prometheus: 2, alertmanager: 2}`"
            )
        if self.disturbance.when == "firing" and all(e.outcome != "notified" for e in self.expect):
            raise ValueError("is disturbed when its alerts fire, and expects none that anybody is told of")
        return self


class PromtoolSeries(Declared):
    """A series and its samples, in the notation of promtool's unit tests."""

    series: str = Field(min_length=1)
    """Name and labels: `errors_total{job="backend"}`."""
    values: Annotated[str, BeforeValidator(_text_of_number), AfterValidator(_promtool_values)]
    """One sample a scrape: `0x20 0+1x60 stale`."""


class ProofSeries(Declared):
    """Series on which a rule must be pending and firing as often in a drill's time as in production's."""

    interval: Seconds = Field(gt=0)
    """Between two samples, in production's time."""
    input: tuple[PromtoolSeries, ...] = Field(min_length=1)
    drill: tuple[PromtoolSeries, ...] | None = Field(None, min_length=1)
    """What a drill's scrapes find instead, where that does not follow from `traffic`."""


class Decision(Declared):
    """What its owner says of a rule whose meaning changes when time is compressed."""

    scale_constant: bool = False
    threshold: float | None = None
    because: str | None = None
    not_drillable: str | None = Field(None, min_length=1)
    series: ProofSeries | None = None
    """Series that prove the rule as it is, or as decided; they take the place of those in the system's tests."""

    @model_validator(mode="after")
    def _at_most_one(self) -> Decision:
        decided = sum((self.scale_constant, self.threshold is not None, self.not_drillable is not None))
        if decided > 1 or (decided == 0 and self.series is None):
            raise ValueError(
                "must be exactly one of scale_constant: true, threshold: N, not_drillable: REASON"
                " (or none, with `series` that prove the rule as it is)"
            )
        if self.threshold is not None and not self.because:
            raise ValueError("changes a threshold without saying why: add `because`")
        if self.not_drillable is not None and self.series is not None:
            raise ValueError("is not_drillable, so its `series` would prove nothing: remove one of them")
        return self


class Compression(Declared):
    """Decisions for rules that are ambiguous under time compression, by alert name or case id."""

    rules: dict[str, Decision] = {}


def _finding_key(value: str) -> str:
    if "@" not in value or "#" not in value.partition("@")[2]:
        raise ValueError("is not a finding key: CHECK@FILE#SUBJECT")
    return value


class Waiver(Declared):
    """A finding that its owner accepts until a day; it stays visible."""

    finding: Annotated[str, AfterValidator(_finding_key)]
    owner: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    until: Annotated[date, BeforeValidator(lambda v: date.fromisoformat(v) if isinstance(v, str) else v)]


class Static(Declared):
    """What the checks of files have to be told, because no file of the system says it."""

    kubernetes: Annotated[str, BeforeValidator(_text_of_number)] | None = Field(None, pattern=r"^v?1\.\d{1,3}$")
    """Version of the cluster that the manifests are for; the newest that Tocsin knows if left out."""
    vendored: dict[str, Literal["error", "warning", "info", "never"]] = {}
    """Globs of files that others wrote, and from which severity on their findings fail."""
    lazily_born: dict[str, str] = {}
    """Metrics that a target exposes only once something has happened, and what that is."""
    empty_by_design: dict[str, str] = {}
    """Metrics whose series are absent as long as all is well, and why."""
    exporters: tuple[str, ...] = ()
    """Folders of saved /metrics of exporters, beside those that come with Tocsin."""
    reports: tuple[str, ...] = ()
    """Files that pint, kube-linter or dashboard-linter wrote (JSON or SARIF), to be shown under the same waivers."""


class Budget(Declared):
    """How many series a metric may have at one target, and how many values its labels."""

    series: int | None = Field(None, gt=0)
    """Of one scrape; of a histogram, its buckets, sums and counts together."""
    labels: dict[str, Annotated[int, Field(gt=0)]] = {}
    """Distinct values of a label, in one scrape."""

    @model_validator(mode="after")
    def _some_bound(self) -> Budget:
        if self.series is None and not self.labels:
            raise ValueError("bounds nothing: add `series: N`, or `labels: {LABEL: N}`")
        return self


RequestPath = Annotated[str, Field(pattern=r"^/(?:[^/\s#][^\s#]*)?$")]
"""A path on the target's own host, which a GET asks for."""
UNIQUE = "{unique}"
"""What stands in a path or a user agent for something that no request had before."""


class KnownRequests(Declared):
    """Requests that a counter must count, each once."""

    path: RequestPath
    """Asked for by GET, and nothing but counters may be changed by it."""
    requests: int = Field(20, gt=0, le=1_000)
    counter: str = Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")
    """The metric that counts them."""
    labels: dict[str, str] = {}
    """Labels of the series that do; the sum of all that have them rises by one a request."""


class Growth(Declared):
    """Requests of which each is unlike all others, and after which no metric may have more series than before."""

    path: RequestPath
    """Asked for by GET; `{unique}` in it is another text each time."""
    user_agent: str | None = None
    """Sent with it; `{unique}` in it is another text each time."""
    inputs: int = Field(20, ge=10, le=1_000)
    """How many, twice: what the first ones give birth to is no growth."""

    @model_validator(mode="after")
    def _something_differs(self) -> Growth:
        if UNIQUE not in self.path and UNIQUE not in (self.user_agent or ""):
            raise ValueError(f"asks the same each time: put {UNIQUE} into `path` or `user_agent`")
        return self


class Outage(Declared):
    """A process that a target is scraped without."""

    up: str | None = Field(None, pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")
    """The metric of the target that is to be 0 then."""


class AskedOf(Declared):
    """What may be asked of one target besides its metrics, all by GET, and what may be done around it."""

    traffic: tuple[RequestPath, ...] = ()
    """Asked for between scrapes, and all the time while scrapes are made under load."""
    known: tuple[KnownRequests, ...] = ()
    growth: tuple[Growth, ...] = ()
    outages: dict[str, Outage] = {}
    """By process, in an environment of ours: it is killed, the target scraped, and it is started again."""
    restart: bool = False
    """Whether the target is killed and started again between two scrapes, in an environment of ours."""


class Endpoints(Declared):
    """What the judge of `/metrics` has to be told."""

    budgets: dict[str, Budget] = {}
    """By metric."""
    targets: dict[str, AskedOf] = {}
    """By the name of a process or an address."""


class ProbedLoad(Declared):
    """Load under which the probes must stay well."""

    profile: str
    """A file of loadprofiles/, without `.py`, of this system or of Tocsin."""
    users: int = Field(10, gt=0)
    seconds: Seconds = Field(20, gt=0, le=600)
    options: dict[str, str] = {}
    """Environment variables for the profile."""


class Dependency(Declared):
    """A process that a container calls, and what its absence may do to the container's probes."""

    readiness: Literal["fails", "stays"] = "stays"
    """Whether the container is to leave its Service while it is gone."""


class Probed(Declared):
    """What is to be known of a container to exercise its probes; without it, only what its manifest says is done."""

    process: str | None = None
    """The environment's process or address that stands for it; the one of its own name if left out."""
    ports: dict[str, Annotated[int, Field(gt=0, lt=65536)]] = {}
    """Ports of loopback by the container's port, name or number, where it is not the process's one port."""
    environment: dict[str, str] = {}
    """Environment variables over those of the process: what the manifest gives it, and a drill does not."""
    commands: dict[Literal["startup", "liveness", "readiness"], Annotated[tuple[str, ...], Field(min_length=1)]] = {}
    """Commands of this machine for `exec` probes; `{python}` and `{port}` are filled in."""
    dependencies: dict[str, Dependency] = {}
    """By process. Those that the process itself names by a placeholder are known without."""
    load: ProbedLoad | None = None
    requests: RequestPath | None = None
    """What clients ask for while it is told to end; else what its readiness probe asks for."""
    endpoints_lag: Seconds = Field(2, ge=0)
    """Seconds for which requests still come after the pod was told to end: until every proxy knows."""
    boots: int = Field(10, ge=1, le=100)
    """How often it is started to learn how long that takes."""


class Probes(Declared):
    """What the exercise of the probes has to be told."""

    kubernetes: Annotated[str, BeforeValidator(_text_of_number)] = Field("1.37", pattern=r"^1\.(?:2[0-9]|3[0-7])$")
    """The version whose kubelet is foreseen, from 1.20 to 1.37."""
    workloads: dict[str, Probed] = {}
    """By the name of a workload, or `WORKLOAD/CONTAINER`."""


class Declaration(Declared):
    """The whole of system.yaml."""

    schema_: Literal[1] = Field(alias="schema")
    name: str = Field(min_length=1)
    artefacts: dict[Kind, tuple[str, ...]] = {}
    environments: dict[str, Environment] = {}
    compression: Compression = Compression()
    allow: tuple[Allowed, ...] = ()
    """Alerts that may fire in any drill, such as a watchdog."""
    drills: dict[str, Drill] = {}
    routes: tuple[dict[str, Any], ...] = ()
    static: Static = Static()
    endpoints: Endpoints = Endpoints()
    probes: Probes = Probes()
    waivers: tuple[Waiver, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a file of the user's, and where."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class BadSystem(Explained):
    """A system.yaml that cannot be used; holds every problem found, each at its place."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class System:
    """A system as declared: its folder, its declaration, and where each part of it stands."""

    directory: Path
    declaration: Declaration
    document: Document = field(repr=False)

    @property
    def name(self) -> str:
        """The system's name."""
        return self.declaration.name

    def place(self, *route: str | int) -> Place:
        """Return where a part of system.yaml stands."""
        return self.document.key_place(*route)

    def environment(self, name: str | None) -> tuple[str, Environment]:
        """Return the named environment; the only one if none is named.

        Raises BadSystem if there is no such environment, or a choice and no name.
        """
        known = self.declaration.environments
        if name is None and len(known) == 1:
            name = next(iter(known))
        if name is None or name not in known:
            said = f"has no environment {name!r}" if name else "has several environments and none was named"
            raise BadSystem((Problem(self.place("environments"), f"{said}; it declares: {_listed(known)}"),))
        return name, known[name]


def load_system(directory: Path) -> System:
    """Read and validate the system.yaml in `directory` (or that file itself).

    Raises BadSystem with every problem at its place.
    """
    path = directory / FILE if directory.is_dir() else directory
    if not path.is_file():
        raise BadSystem((Problem(Place(str(path)), f"there is no {FILE} here; name the folder that holds it"),))
    file = path.name
    try:
        document = read_document(read_text(path, str(path)), file)
    except Unreadable as error:
        raise BadSystem((Problem(Place(str(path), error.place.line, error.place.column), error.message),)) from error
    if not isinstance(document.value, dict):
        raise BadSystem((Problem(Place(str(path)), "is not a mapping; it starts with `schema: 1`"),))
    try:
        declaration = Declaration.model_validate(document.value)
    except ValidationError as error:
        raise BadSystem(tuple(_problems(error, document, str(path)))) from error
    system = System(path.parent.resolve(), declaration, document)
    if problems := tuple(_inconsistencies(system)):
        raise BadSystem(tuple(Problem(Place(str(path), p.place.line, p.place.column), p.message) for p in problems))
    return system


def _problems(error: ValidationError, document: Document, path: str) -> Iterator[Problem]:
    details = error.errors()
    for detail in details:
        if detail["type"] == "too_short" and any(_is_inside(other["loc"], detail["loc"]) for other in details):
            continue  # it has items, each with a problem of its own
        route: Route = tuple(part for part in detail["loc"] if part != "[key]")
        place = document.key_place(*route)
        name = ".".join(map(str, route)) or FILE
        yield Problem(Place(path, place.line, place.column), f"{name}: {_said(detail, route)}")


def _is_inside(inner: Route, outer: Route) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _said(detail: Mapping[str, Any], route: Route) -> str:
    match detail["type"]:
        case "extra_forbidden":
            fields = _fields_at(route[:-1])
            offered = nearest(str(route[-1]), fields)
            meant = f"did you mean {_listed(offered)}?" if offered else f"there are {_listed(fields)}"
            return f"is not a field that Tocsin knows here; {meant}"
        case "missing":
            return "is missing"
        case "value_error":
            return str(detail["ctx"]["error"])
        case _:
            shown = detail.get("input")
            return (
                f"{detail['msg'].lower()} (it is {shown!r})" if not isinstance(shown, dict) else detail["msg"].lower()
            )


def _fields_at(route: Route) -> frozenset[str]:
    """Return the fields that the part of system.yaml at a route may have; the keys of a mapping are its owner's."""
    here: list[Any] = [Declaration]
    for step in route:
        here = [inner for each in here for inner in _inside(each, step)]
    models = [each for each in here if isinstance(each, type) and issubclass(each, Declared)]
    return frozenset(field.alias or name for model in models for name, field in model.model_fields.items())


def _inside(annotation: Any, step: str | int) -> Iterator[Any]:
    """Yield the types that a value of a type may have under a key or an index."""
    if isinstance(annotation, type) and issubclass(annotation, Declared):
        found = [f.annotation for name, f in annotation.model_fields.items() if step in (name, f.alias)]
    else:  # dict[str, X] or tuple[X, ...]
        found = [each for each in get_args(annotation)[-2:] if each not in (str, Ellipsis)]
    for each in found:
        yield from get_args(each) if get_origin(each) in (Union, UnionType) else (each,)


def _inconsistencies(system: System) -> Iterator[Problem]:
    """Yield what is wrong between the parts of a declaration whose parts are each right."""
    known = {name for env in system.declaration.environments.values() for name in (*env.processes, *env.addresses)}
    for name, drill in system.declaration.drills.items():
        loads = {("background", "target"): drill.background} if drill.background else {}
        for route, load in loads.items():
            if load.target not in known:
                place = system.place("drills", name, *route)
                yield Problem(
                    place,
                    f"drill {name} sends load to {load.target!r}, which no environment declares"
                    f"; declared: {_listed(known)}",
                )
        if not drill.expect and not drill.hold:
            yield Problem(
                system.place("drills", name),
                f"drill {name} expects no alert, so it needs `hold`: how long nothing may fire",
            )
    yield from _asked_of_nobody(system, known)
    yield from _probed_without(system, known)
    yield from _waived_twice(system)


def _asked_of_nobody(system: System, known: set[str]) -> Iterator[Problem]:
    """Yield the targets of questions that no environment has."""
    ours = {name for environment in system.declaration.environments.values() for name in environment.processes}
    for name, asked in system.declaration.endpoints.targets.items():
        if name not in known:
            said = f"requests would go to {name!r}, which no environment declares; declared: {_listed(known)}"
            yield Problem(system.place("endpoints", "targets", name), said)
        for other in asked.outages:
            if other not in ours - {name}:
                said = f"{name} is to be scraped without {other!r}, which is no other process of an environment"
                place = system.place("endpoints", "targets", name, "outages", other)
                yield Problem(place, f"{said}; declared: {_listed(ours - {name})}")


def _probed_without(system: System, known: set[str]) -> Iterator[Problem]:
    """Yield the processes that the exercise of the probes would need and no environment has.

    In a cluster they are workloads, which the manifests know.
    """
    if any(environment.cluster for environment in system.declaration.environments.values()):
        return
    for name, said in system.declaration.probes.workloads.items():
        route = ("probes", "workloads", name)
        if said.process is not None and said.process not in known:
            text = f"{said.process!r} would stand for {name}, and no environment declares it"
            yield Problem(system.place(*route, "process"), text + _offered(said.process, known))
        others = known - {said.process or name}
        for other in said.dependencies:
            if other not in others:
                text = f"{name} is to be exercised without {other!r}, which is no other process of an environment"
                yield Problem(system.place(*route, "dependencies", other), text + _offered(other, others))


def _offered(name: str, known: set[str]) -> str:
    meant = nearest(name, known)
    return f"; did you mean {_listed(meant)}?" if meant else f"; declared: {_listed(known)}"


def _waived_twice(system: System) -> Iterator[Problem]:
    """Yield the waivers of a finding that another one waives already: which of them holds nobody could say."""
    first: dict[str, Place] = {}
    for i, waiver in enumerate(system.declaration.waivers):
        place = system.place("waivers", i, "finding")
        if waiver.finding in first:
            said = f"{waiver.finding} is waived twice: it is at {first[waiver.finding]} too; keep one of them"
            yield Problem(place, said)
        else:
            first[waiver.finding] = place


def _listed(names: Any) -> str:
    return ", ".join(sorted(map(str, names))) or "none"


Endpoint.model_rebuild()
