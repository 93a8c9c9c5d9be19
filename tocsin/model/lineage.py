"""Where every metric comes from that rules, dashboards, runbooks and tests select, and which come from nowhere.

That a name is nowhere proves something only where its origin would have told of it: a saved body of the job that is
asked, the application whose names begin alike, or a name that differs from a known one by a slip of the hand. Of
everything else nothing is said: a folder rarely holds all that is scraped.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Literal

from tocsin.artefacts.rules import Rule
from tocsin.exporters import Renaming, exported, owner, renamed
from tocsin.model.metrics import Metric, SavedBody
from tocsin.part import Part
from tocsin.promql import Expr, Span, VectorSelector, selectors
from tocsin.source import Place

if TYPE_CHECKING:
    from tocsin.model import Model

Where = Literal["alert", "recording rule", "panel", "variable", "annotation", "runbook", "test"]

SYNTHETIC = frozenset(
    {"up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling"}
    | {"scrape_series_added", "scrape_timeout_seconds", "scrape_sample_limit", "scrape_body_size_bytes"}
    | {"ALERTS", "ALERTS_FOR_STATE"}
)
"""What Prometheus makes itself (prometheus.io/docs/concepts/jobs_instances, Automatically generated labels)."""
_SUFFIXES = ("_total", "_seconds", "_bytes", "_count", "_sum", "_bucket", "_info", "_ratio", "_created")
_PARTS = re.compile(r"_(?:total|count|sum|bucket|created|info)$")
_QUOTED = re.compile(r"[\"'`]([\w.:-]{1,200})(?=[\"'`])")
_NAMED = re.compile(r"^[ \t-]*[\"']?\w{0,40}name[\"']?:[ \t]*[\"']?([\w.:]{1,200})", re.MULTILINE | re.IGNORECASE)
_SUFFIX_WORDS = "c cc clj cjs cpp cs erl ex exs go java js kt lua mjs php rb rs scala sh swift ts tsx"
_SOURCES = tuple(f".{suffix}" for suffix in _SUFFIX_WORDS.split())
"""Suffixes of files that may name a metric which Python sources do not declare."""
_COMMON_WORDS = """
api app application async auth backend batch broker build cache celery client collector container cpu cron custom
daemon data database db demo disk django error errors event events example exporter fastapi file files flask
frontend go grpc health http https in info instance internal job jobs jvm kafka kube latency log logs machine memory
message messages metric metrics model my mysql network nginx node number order orders page pages pg process
processed processing prometheus python queue rabbitmq rate redis request requests response responses rpc service
server session sessions slo sql system target task tasks test thread threads time total unit up user users version
web worker workers
"""
_COMMON = frozenset(_COMMON_WORDS.split())
"""First words of names that many applications have; whoever uses one may mean another application."""
_SHORTEST = 4
"""Letters of a word in which one that is wrong is a slip, and not another word."""
_FEW = 2
"""So many names that an application does not declare are mistakes; more may be those of another, which is elsewhere."""
MOST_TEXT = 2_000_000
"""Characters of one source file that are searched for a name."""


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """One selector with a metric's name, and where it stands."""

    name: str
    selector: VectorSelector
    where: Where
    subject: str
    file: str
    tree: Expr = field(repr=False)
    """The whole expression that it is part of."""
    piece: Callable[[Span], tuple[Place, int]] = field(repr=False)
    rule: Rule | None = None
    label: str = ""
    """The label whose values a dashboard's variable asks for."""

    @property
    def at(self) -> tuple[Place, int]:
        """Where the name stands, and how long it is."""
        span = self.selector.span
        if self.selector.metric is not None:
            span = Span(span.start, span.start + len(self.selector.metric))
        return self.piece(span)

    @property
    def deciding(self) -> bool:
        """Whether alerts hang on it."""
        return self.where in ("alert", "recording rule")

    @property
    def job(self) -> str:
        """The job that is asked for by name; empty if none is."""
        return next((m.value for m in self.selector.matchers if m.name == "job" and m.op == "="), "")


@dataclass(frozen=True, slots=True)
class Missing:
    """A metric that is used, and that nobody who should know it exports."""

    why: str
    """Who would have told of it."""
    meant: tuple[str, ...]
    """What may have been meant, nearest first."""
    sure: bool
    """Whether it is certain, and not a matter of versions."""


_EVERYWHERE = frozenset({"python", "go"})
"""Snapshots of what client libraries export of every process."""


class Lineage:
    """The uses of metrics in a system, against what is known to be exported."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._judged: dict[tuple[str, str], Missing | None] = {}

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """Every selector that names its metric."""
        return (*self._of_rules(), *self._of_queries(), *self._of_tests())

    @cached_property
    def used_names(self) -> frozenset[str]:
        """Every name that is used."""
        return frozenset(use.name for use in self.uses)

    def users_of(self, name: str) -> tuple[Use, ...]:
        """Return the uses of a metric."""
        return self._users.get(name, ())

    @cached_property
    def _users(self) -> Mapping[str, tuple[Use, ...]]:
        found: dict[str, list[Use]] = {}
        for use in self.uses:
            found.setdefault(use.name, []).append(use)
        return {name: tuple(uses) for name, uses in found.items()}

    def missing(self, use: Use) -> Missing | None:
        """Return why a metric is known to be missing; None if it is there, or if nothing is known."""
        key = (use.name, use.job)
        if key not in self._judged:
            self._judged[key] = self._judge(use)
        return self._judged[key]

    def exporter_of(self, name: str) -> str:
        """Return who alone exports a metric, for a message; empty if that is not sure, or several may."""
        own, known = self._model.metrics.own(name), exported().get(name, ())
        if own and not known and all(metric.origin == "application" for metric in own):
            return "the application"
        exporters = {metric.exporter for metric in known}
        alone = owner(name) is not None and len(exporters) == 1 and not own
        return next(iter(exporters)) if alone and not exporters & _EVERYWHERE else ""

    @cached_property
    def one_instance_each(self) -> bool:
        """Whether every target keeps an instance of its own: scraping is described, and nothing writes the label."""
        configs = self._model.prometheus_configs
        parts = (part for config in configs for part in config.part.walk())
        written = any(
            (part.key == "target_label" and (part.text == "instance" or "$" in part.text))
            or (part.key == "action" and part.text in ("labelmap", "labeldrop", "labelkeep"))
            or (part.key == "instance" and "labels" in part.route)
            or (part.key == "honor_labels" and part.value is True)
            or part.key
            in ("remote_read", "http_sd_configs", "file_sd_configs", "consul_sd_configs", "scrape_config_files")
            for part in parts
        )
        pushed = any("write_to_textfile" in text for text in self._model.metrics.application.texts.values())
        return bool(configs) and not written and not pushed

    def renaming(self, use: Use) -> Renaming | None:
        """Return what a metric is called now that nobody exports by that name any more."""
        found = renamed().get(use.name)
        if found is None or self._model.metrics.own(use.name) or self._declared(use.name) or self._renames:
            return None
        asked = {selector.name for selector in selectors(use.tree)}
        both = found.name in asked or any(other.old != use.name and other.name == found.name and other.old in asked
                                          for other in renamed().values())  # fmt: skip
        return None if both else found

    # Where metrics are used

    def _of_rules(self) -> Iterator[Use]:
        model = self._model
        for rule in model.rules:
            tree = model.tree(rule)
            if tree is None:
                continue
            part = rule.part.get("expr")
            where: Where = "alert" if rule.alerting else "recording rule"
            for selector in selectors(tree):
                if selector.name:
                    yield Use(selector.name, selector, where, rule.subject, rule.file, tree, _piece(model, part), rule)

    def _of_queries(self) -> Iterator[Use]:
        for query in self._model.queries:
            tree = query.known_tree
            if tree is None or not query.certain:
                continue
            for selector in selectors(tree):
                if selector.name and not query.varies(_name_span(selector)):
                    yield Use(
                        selector.name,
                        selector,
                        query.origin,
                        query.subject,
                        query.part.file,
                        tree,
                        query.piece,
                        label=query.label,
                    )

    def _of_tests(self) -> Iterator[Use]:
        model = self._model
        for test_file in model.promtool_tests:
            for test in test_file.list("tests"):
                for series in test.list("input_series"):
                    part = series.get("series")
                    tree = model.parsed(part.text) if part.text else None
                    if isinstance(tree, VectorSelector) and tree.name:
                        subject = f"{test_file.file}/{test.string('name') or 'test'}/{tree.name}"
                        yield Use(tree.name, tree, "test", subject, part.file, tree, _piece(model, part))

    # What is known of them

    def _judge(self, use: Use) -> Missing | None:
        name, metrics = use.name, self._model.metrics
        if name in SYNTHETIC or ":" in name or self._declared(name) or self._renames:
            return None
        if metrics.named(name):
            return self._of_other_job(use)
        if name in renamed() or metrics.application.may_have(name):
            return None
        return self._unsaved(use) or self._undeclared(use) or self._of_kin(use) or self._slipped(use)

    def _declared(self, name: str) -> bool:
        static = self._model.declaration.static
        said = name in static.lazily_born or name in static.empty_by_design
        return said or any(name in body.lazily_born for body in self._model.metrics.bodies)

    @cached_property
    def _renames(self) -> bool:
        """Whether some metric is given another name when it is scraped; which, is not followed."""
        configs = [config.part for config in self._model.prometheus_configs]
        kinds = ("ServiceMonitor", "PodMonitor", "Probe", "ScrapeConfig")
        monitors = [each.part for each in self._model.objects_of(*kinds)]
        parts = (part for whole in (*configs, *monitors) for part in whole.walk())
        return any(part.key in ("target_label", "targetLabel") and part.text == "__name__" for part in parts)

    def _of_other_job(self, use: Use) -> Missing | None:
        """Tell of a metric that another job exports than the one that is asked, where both are known."""
        told = self._model.metrics.own(use.name)
        if not told or not use.job or use.job not in self._homes or use.name in exported():
            return None  # what client libraries export of every process, no source declares
        jobs = [frozenset({metric.by}) if metric.by else self._jobs_of(metric) for metric in told]
        if not all(jobs) or any(use.job in each for each in jobs):
            return None
        others = sorted(set().union(*jobs))
        said = f"job {use.job} does not export it, job {' and '.join(others)} does ({_teller(told[0])})"
        return Missing(said, (), sure=True)

    @cached_property
    def _homes(self) -> frozenset[str]:
        """Jobs of which it is known what they export: by a saved body, or by the folder of their source."""
        metrics = self._model.metrics
        bodies = {body.job for body in metrics.bodies}
        if not metrics.application.whole:
            return frozenset(bodies)
        told = (metric for name in metrics.own_names for metric in metrics.own(name) if metric.origin == "application")
        return frozenset(bodies.union(*(self._jobs_of(metric) for metric in told)))

    def _jobs_of(self, metric: Metric) -> frozenset[str]:
        return self._built & set(metric.place.file.split("/")[:-1])

    @cached_property
    def _built(self) -> frozenset[str]:
        """Jobs whose name a folder has that is built by itself: what another folder declares is not in it."""
        jobs = {job.name for stack in self._model.stacks for job in stack.jobs}
        built = ("Dockerfile", "Containerfile", "pyproject.toml", "setup.py", "requirements.txt")
        names = (name.split("/") for name in self._model.folder.names if name.endswith(built))
        return frozenset(parts[-2] for parts in names if len(parts) > 1 and parts[-2] in jobs)

    def _unsaved(self, use: Use) -> Missing | None:
        """Tell of a metric that the saved body of the very job has not."""
        body = next((each for each in self._model.metrics.bodies if use.job and each.job == use.job), None)
        if body is None:
            return None
        meant = self._meant(use.name, body.exposition.series)
        said = f"the saved /metrics of job {body.job}{_dated(body)} ({body.file}) has no such metric"
        eager = "go_info" not in body.exposition.series  # a vector of client_golang without children shows nothing
        return Missing(said, meant, sure=bool(meant) or eager)

    def _undeclared(self, use: Use) -> Missing | None:
        """Tell of a metric whose name begins as those of the application do, which does not declare it."""
        word, application = use.name.partition("_")[0], self._model.metrics.application
        families = self._families.get(word, frozenset())
        if word in _COMMON or len(families) < 2 or not application.whole or self._said_elsewhere(use.name):
            return None
        kin = [each for each in families if _words(each)[:2] == _words(use.name)[:2]]
        asked = [name for name in self.used_names if name.startswith(f"{word}_") and ":" not in name]
        known = [name for name in asked if name in self._model.metrics.own_names]
        here = len(known) >= 0.7 * len(asked)  # else others may export the rest, whose sources are elsewhere
        if not kin and not here:
            return None
        files = sorted({metric.place.file for each in families for metric in self._own_series(each)})
        where = ", ".join(files[:2]) + (" and others" if len(files) > 2 else "")
        said = f"the application declares {len(families)} metrics that begin with {word}_ ({where}), and not this one"
        own = self._model.metrics.own_names
        turned = [each for each in own if sorted(each.split("_")) == sorted(use.name.split("_"))]
        meant = tuple(turned[:1]) or self._meant(use.name, own) or tuple(sorted(kin)[:3])
        few = len(asked) - len(known) <= _FEW
        return Missing(said, meant, sure=bool(kin) and (here or few or use.job in self._homes))

    def _of_kin(self, use: Use) -> Missing | None:
        """Tell of a metric of a job that is asked for nothing else but what the application declares, save this one."""
        application = self._model.metrics.application
        if not use.job or not application.whole or self._backends or self._said_elsewhere(use.name):
            return None
        others = self._asked_of.get(use.job, frozenset()) - {use.name}
        theirs = {name for name in others if any(m.origin == "application" for m in self._model.metrics.own(name))}
        if not theirs or any(name not in exported() for name in others - theirs):
            return None
        kin = self._meant(use.name, self._model.metrics.own_names) or tuple(
            sorted(name for name in self._model.metrics.own_names if _words(name)[:2] == _words(use.name)[:2])[:3]
        )
        told = self._model.metrics.own(min(theirs))[0]
        said = f"job {use.job} is the application that declares {min(theirs)} ({_teller(told)}), and not this one"
        return Missing(said, kin, sure=True)

    @cached_property
    def _asked_of(self) -> Mapping[str, frozenset[str]]:
        """The metrics that are asked of each job, without those that Prometheus makes itself."""
        found: dict[str, set[str]] = {}
        for use in self.uses:
            if use.job and use.name not in SYNTHETIC and ":" not in use.name:
                found.setdefault(use.job, set()).add(use.name)
        return {job: frozenset(names) for job, names in found.items()}

    @cached_property
    def _backends(self) -> bool:
        """Whether the folder has sources of servers in other languages, which may export what Python does not."""
        return any(
            name.endswith((".go", ".java", ".kt", ".rs", ".cs", ".rb", ".php")) for name in self._model.folder.names
        )

    def _slipped(self, use: Use) -> Missing | None:
        """Tell of a name that is a slip of the hand away from a known one, and known to nobody."""
        metrics = self._model.metrics
        own = self._meant(use.name, metrics.own_names)
        if own:
            told = metrics.own(own[0])[0]
            said = f"nobody exports it; {_teller(told)} has {own[0]}"
            return Missing(said, own, sure=told.origin != "recorded" and self._of_job(told, use.job))
        snapshot = owner(use.name)
        meant = self._meant(use.name, snapshot.metrics if snapshot else {})
        if snapshot is None or not meant or self._said_elsewhere(use.name):
            return None
        versions = ", ".join(snapshot.versions)
        said = f"{snapshot.exporter} has {meant[0]}, and in none of the versions looked at ({versions}) this name"
        return Missing(said, meant, sure=False)

    def _meant(self, name: str, known: Mapping[str, object] | frozenset[str]) -> tuple[str, ...]:
        near = (each for each in known if slip(name, each))
        return tuple(sorted(near, key=lambda each: (abs(len(each) - len(name)), each)))[:3]

    @cached_property
    def _families(self) -> Mapping[str, frozenset[str]]:
        """Return the names of the application's metrics by their first word, parts of histograms taken together."""
        found: dict[str, set[str]] = {}
        for instrument in self._model.metrics.application.instruments:
            if instrument.known:
                found.setdefault(instrument.name.partition("_")[0], set()).add(instrument.name)
        return {word: frozenset(names) for word, names in found.items()}

    def _own_series(self, family: str) -> Iterator[Metric]:
        for name in (family, f"{family}_total", f"{family}_bucket", f"{family}_count", f"{family}_info"):
            yield from (m for m in self._model.metrics.own(name) if m.origin == "application")

    def _said_elsewhere(self, name: str) -> bool:
        """Tell whether a source that is not followed says a metric's name, or what its name is put together of.

        Said is a name that stands alone in quotes: within an expression it is used, not made.
        """
        base = _PARTS.sub("", name)
        word, _, rest = base.partition("_")
        made = base in self._families.get(word, ())
        if not made and not self._quoted_here.isdisjoint((base, f"{base}_total")):
            return True
        spelt = (base, base.replace("_", "."), rest, word) if rest else ()
        if any(f"{text}{total}" in self._quoted_elsewhere for text in spelt for total in ("", "_total", ".total")):
            return True
        at = bisect_left(self._named, base.lower())
        return self._named[at : at + 1] != [] and self._named[at].startswith(base.lower())

    @cached_property
    def _quoted_here(self) -> frozenset[str]:
        """The words that stand alone in quotes in the sources of the application."""
        return frozenset(
            word for text in self._model.metrics.application.texts.values() for word in _QUOTED.findall(text)
        )

    @cached_property
    def _quoted_elsewhere(self) -> frozenset[str]:
        """The words that stand alone in quotes in sources that are not followed."""
        folder = self._model.folder
        names = (name for name in folder.names if name.lower().endswith(_SOURCES))
        return frozenset(word for name in names for word in _QUOTED.findall((folder.text(name) or "")[:MOST_TEXT]))

    @cached_property
    def _named(self) -> list[str]:
        """What some key says that ends in `name`, as in the settings of exporters; in small letters, in order."""
        return sorted(word.lower() for file in self._model.files() for word in _NAMED.findall(file.text))

    @staticmethod
    def _of_job(metric: Metric, job: str) -> bool:
        """Tell whether a metric is that of the job that is asked for: by its body, or by the folder of its source."""
        return bool(job) and (metric.by == job or job in metric.place.file.split("/"))


def slip(name: str, known: str) -> bool:
    """Tell whether a name is a known one with a slip of the hand: a few letters at one place, or one ending.

    Names that differ in digits only are two (`node_load1`, `node_load5`), and so are those that differ in a short word.
    """
    if name == known or min(len(name), len(known)) < 6:
        return False
    longer, shorter = (name, known) if len(name) > len(known) else (known, name)
    if longer.startswith(shorter):
        rest = longer[len(shorter) :]
        return rest in _SUFFIXES or (len(rest) == 1 and not rest.isdigit())
    if len(longer) - len(shorter) > 2 or (name[:3] != known[:3] and name[-3:] != known[-3:]):
        return False
    begin = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(name, known, strict=False))))
    a, b = name[begin:], known[begin:]
    end = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(reversed(a), reversed(b), strict=False))))
    a, b = a[: len(a) - end], b[: len(b) - end]
    word = longer[longer.rfind("_", 0, begin) + 1 :].partition("_")[0]
    if any(letter.isdigit() for letter in a + b) or len(word) < _SHORTEST:
        return False
    return (len(a) <= 1 and len(b) <= 1) or (len(a) == len(b) == 2 and a == b[::-1])


def _words(name: str) -> list[str]:
    return name.split("_")


def _name_span(selector: VectorSelector) -> Span:
    start = selector.span.start
    return Span(start, start + len(selector.metric)) if selector.metric is not None else selector.span


def _piece(model: Model, part: Part) -> Callable[[Span], tuple[Place, int]]:
    return lambda span: model.piece(part, span)


def _dated(body: SavedBody) -> str:
    said = " of ".join(word for word in (body.version, body.date) if word)
    return f" ({said})" if said else ""


def _teller(metric: Metric) -> str:
    match metric.origin:
        case "saved":
            return f"the saved /metrics of job {metric.by}"
        case "recorded":
            return "a recording rule"
    return f"{metric.place.file}:{metric.place.line}"
