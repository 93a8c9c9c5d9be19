"""Which metrics a system exports, and who says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from tocsin.artefacts.application import Application, Instrument
from tocsin.artefacts.exposition import Exposition, Series, is_exposition, read_exposition
from tocsin.artefacts.instrumentators import switched_on
from tocsin.exporters import Exported, exported
from tocsin.source import Place, Unreadable, read_documents
from tocsin.system import Kind

if TYPE_CHECKING:
    from tocsin.model import Model

MetricType = Literal["counter", "gauge", "histogram", "summary", "untyped"]
Origin = Literal["saved", "application", "recorded", "exporter"]
"""A saved body of /metrics, the application's source, a recording rule, the shipped snapshot of an exporter."""
MOST_SOURCES = 5_000
"""Of a folder with more Python files none is read: it holds more than one system, and to read them would take long."""
_TYPES: Mapping[str, MetricType] = {
    "counter": "counter",
    "gauge": "gauge",
    "histogram": "histogram",
    "summary": "summary",
    "info": "gauge",
    "enum": "gauge",
    "stateset": "gauge",
    "gaugehistogram": "histogram",
}


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric as one origin tells of it. The name is the series' own: `x_bucket` and `x_count` are two."""

    name: str
    type: MetricType
    """Of its family: that of `x_bucket` is histogram."""
    labels: frozenset[str]
    """Names of the labels that its series have, those of the target left out."""
    origin: Origin
    place: Place
    values: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The values of a label, where all of them are known."""
    buckets: tuple[float, ...] = ()
    """The upper bounds of a histogram's buckets, +Inf left out; none where they are not known."""
    quantiles: tuple[float, ...] = ()
    """The quantiles of a summary; none where they are not known."""
    complete: bool = True
    """Whether `labels` are all that its series can have; where they may have others, absence proves nothing."""
    lazy: bool = False
    """Whether its series are born one by one, when a label value first occurs, so that there may be none before."""
    by: str = ""
    """Who exports it, where that is known: the job of a saved body, or an exporter's name."""


@dataclass(frozen=True, slots=True)
class SavedBody:
    """A saved body of /metrics, and what its owner says of it in the file of the same name that ends in .yaml."""

    file: str
    job: str
    """The job that scrapes it; by default, the file's name."""
    exposition: Exposition
    labels: Mapping[str, str]
    """The target's labels."""
    version: str = ""
    date: str = ""
    lazily_born: Mapping[str, str] = field(default_factory=dict)
    """Metrics that come only once something has happened, and what that is."""


class Metrics:
    """The metrics of a system."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def named(self, name: str) -> tuple[Metric, ...]:
        """Return what is known of a metric, nearest origin first; nothing if no origin has it."""
        return (*self._known.get(name, ()), *(_of_exporter(metric) for metric in exported().get(name, ())))

    def own(self, name: str) -> tuple[Metric, ...]:
        """Return what the system's own files tell of a metric, no snapshot that is shipped with Tocsin."""
        return self._known.get(name, ())

    def names(self) -> frozenset[str]:
        """Return every name that is known, those of exporters included."""
        return self.own_names | exported().keys()

    @cached_property
    def own_names(self) -> frozenset[str]:
        """Every name that the system's own files tell of."""
        return frozenset(self._known)

    @cached_property
    def _known(self) -> Mapping[str, tuple[Metric, ...]]:
        found: dict[str, list[Metric]] = {}
        for origin in (self._saved(), self._declared(), self._recorded(), self._of_exporters()):
            for metric in origin:
                found.setdefault(metric.name, []).append(metric)
        return {name: tuple(metrics) for name, metrics in found.items()}

    @cached_property
    def application(self) -> Application:
        """What the folder's Python sources declare."""
        folder = self._model.folder
        names = [name for name in folder.names if name.endswith(".py")]
        texts = ((name, folder.text(name)) for name in (names if len(names) <= MOST_SOURCES else ()))
        return Application({name: text for name, text in texts if text})

    @cached_property
    def bodies(self) -> tuple[SavedBody, ...]:
        """Every saved body of the folder: declared in system.yaml, else known by what the file says."""
        return tuple(_bodies(self._model))

    def _declared(self) -> Iterator[Metric]:
        for instrument in self.application.instruments:
            if instrument.known:
                yield from _metrics_of(instrument)
        for one in switched_on(self.application.texts):
            yield Metric(
                name=one.name,
                type=_TYPES[one.type],
                labels=one.labels,
                origin="application",
                place=one.place,
                buckets=one.buckets,
                values=one.values,
                lazy=True,
            )

    def _saved(self) -> Iterator[Metric]:
        for body in self.bodies:
            for series in body.exposition.series.values():
                yield _saved_metric(series, body)

    def _of_exporters(self) -> Iterator[Metric]:
        """Yield what the folders of saved bodies of exporters tell that system.yaml names."""
        for body in _exporter_bodies(self._model):
            for series in body.exposition.series.values():
                yield replace(_saved_metric(series, body), origin="exporter", complete=False)

    def _recorded(self) -> Iterator[Metric]:
        for rule in self._model.recording_rules:
            yield Metric(
                name=rule.name,
                type="untyped",
                labels=frozenset(rule.labels),
                origin="recorded",
                place=rule.place,
                complete=False,
            )


def _metrics_of(instrument: Instrument) -> Iterator[Metric]:
    for name, more in instrument.series:
        yield Metric(
            name=name,
            type="gauge" if name.endswith("_created") else _TYPES.get(instrument.type, "untyped"),
            labels=instrument.labels | more,
            origin="application",
            place=instrument.place,
            values={instrument.name: instrument.states} if instrument.states else {},
            buckets=instrument.buckets if name.endswith("_bucket") else (),
            complete=instrument.complete,
            lazy=instrument.lazy,
        )


def _saved_metric(series: Series, body: SavedBody) -> Metric:
    bounds = [bound for value in series.labels.get("le", ()) if (bound := _number(value)) is not None]
    quantiles = [each for value in series.labels.get("quantile", ()) if (each := _number(value)) is not None]
    return Metric(
        name=series.name,
        type=_TYPES.get(series.type, "untyped"),
        labels=frozenset(series.labels),
        origin="saved",
        place=Place(body.file, series.line),
        buckets=tuple(sorted(bound for bound in bounds if bound != float("inf"))),
        quantiles=tuple(sorted(quantiles)),
        by=body.job,
    )


def client_bound(bound: float) -> str:
    """Return a bucket's bound as prometheus_client writes it."""
    from prometheus_client.utils import floatToGoString  # noqa: PLC0415 its package brings a web server

    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]


def _of_exporter(metric: Exported) -> Metric:
    return Metric(
        name=metric.name,
        type=_TYPES.get(metric.type, "untyped"),
        labels=metric.labels,
        origin="exporter",
        place=Place(f"exporters/{metric.file}", metric.line),
        values=metric.values,
        complete=False,
        by=metric.exporter,
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _bodies(model: Model) -> Iterator[SavedBody]:
    declared = {name for name, kind in model.sorted.declared.items() if kind is Kind.METRICS}
    says = Kind.METRICS in model.declaration.artefacts
    for name in model.folder.names:
        suffix = name.lower().rpartition(".")[2]
        if name.startswith(_exporter_folders(model)):
            continue  # of an exporter, whatever job scrapes it
        if name in declared or (not says and suffix in ("prom", "metrics", "txt", "om")):
            text = model.text(name)
            if text and (name in declared or is_exposition(text)) and not name.endswith((".yaml", ".yml")):
                yield _body(model, name, text)


def _exporter_bodies(model: Model) -> Iterator[SavedBody]:
    for name in model.folder.names:
        if name.startswith(_exporter_folders(model)) and not name.endswith((".yaml", ".yml", ".md")):
            text = model.text(name)
            if text:
                yield _body(model, name, text)


def _exporter_folders(model: Model) -> tuple[str, ...]:
    return tuple(f"{each.strip('/').removeprefix('./')}/" for each in model.declaration.static.exporters)


def _body(model: Model, name: str, text: str) -> SavedBody:
    stem = name.rpartition(".")[0]
    contract: Mapping[str, object] = {}
    for suffix in (".yaml", ".yml"):
        said = model.text(stem + suffix)
        try:
            documents = read_documents(said, stem + suffix) if said else ()
        except Unreadable:
            documents = ()
        if documents and isinstance(documents[0].value, dict):
            contract = documents[0].value
    labels, lazy = contract.get("labels"), contract.get("lazily_born")
    return SavedBody(
        file=name,
        job=str(contract.get("job") or contract.get("target") or stem.rpartition("/")[2]),
        exposition=read_exposition(text),
        labels={str(k): str(v) for k, v in labels.items()} if isinstance(labels, dict) else {},
        version=str(contract.get("version") or ""),
        date=str(contract.get("date") or ""),
        lazily_born={str(k): str(v or "") for k, v in lazy.items()} if isinstance(lazy, dict) else {},
    )
