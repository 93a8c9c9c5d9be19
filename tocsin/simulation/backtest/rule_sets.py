"""The alerting rules that are run over history, with what of their system it takes to run them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.artefacts.folder import Folder
from tocsin.artefacts.rules import Rule, case_ids
from tocsin.durations import parse_duration
from tocsin.model import Model
from tocsin.promql.intervals import LOOKBACK
from tocsin.simulation.backtest.inlining import Definition, Definitions
from tocsin.source import Place
from tocsin.system import FILE, BadSystem, Problem, load_system


@dataclass(frozen=True, slots=True)
class Alert:
    """An alerting rule as it is evaluated. Times in milliseconds."""

    case: str
    """The case id."""
    rule: Rule
    interval: int
    offset: int
    """`query_offset`: how long before each evaluation the moment lies that it is about."""
    limit: int
    """Alerts that its group allows; 0: any number."""

    @property
    def hold(self) -> int:
        """`for`."""
        return round(self.rule.hold_seconds * 1000)

    @property
    def keep(self) -> int:
        """`keep_firing_for`."""
        return round(self.rule.keep_firing_seconds * 1000)


@dataclass(frozen=True)
class RuleSet:
    """Rules that are run together."""

    alerts: tuple[Alert, ...]
    definitions: Definitions = field(repr=False)
    """What the recording rules record."""
    lookback: float = LOOKBACK
    """Seconds for which a sample counts, as the system's own Prometheus is started."""
    evaluation: float | None = None
    """Seconds between evaluations of its Prometheus; None if the files do not say."""


def read_rule_set(paths: Sequence[Path], *, default: float, step: float | None = None) -> RuleSet:
    """Return the alerting rules of a folder, or of single files.

    Of a file that belongs to a system (a folder with a system.yaml above it) the rest of the system counts too, as for
    its recording rules; of any other the named files alone. A group whose interval no file tells has `default`
    seconds; `step` is that of all, if given. Raises BadSystem.
    """
    found: list[RuleSet] = []
    for directory, names in _folders(paths):
        system = load_system(directory) if (directory / FILE).is_file() else None
        if names and system is None:
            whole = Folder(directory)
            model = Model(whole.with_texts({}, without=frozenset(whole.names) - names))
        else:
            model = Model.of(directory, system)
        found.append(_rule_set(model, names, default, step))
    alerts = tuple(alert for each in found for alert in each.alerts)
    if not alerts:
        said = "holds no alerting rules, so there is nothing to run over history"
        raise BadSystem((Problem(Place(", ".join(map(str, paths))), said),))
    definitions: dict[str, list[Definition]] = {}
    for each in found:
        for name, rules in each.definitions.items():
            definitions.setdefault(name, []).extend(rules)
    intervals = [each.evaluation for each in found if each.evaluation]
    return RuleSet(alerts, definitions, max(each.lookback for each in found), min(intervals, default=None))


def _folders(paths: Sequence[Path]) -> Iterable[tuple[Path, frozenset[str]]]:
    """Return each folder to read, with the names of the files in it that are meant; none means all."""
    files: dict[Path, set[str]] = {}
    for path in paths:
        if path.is_dir():
            files.setdefault(path.resolve(), set())
        elif path.is_file():
            real = path.resolve()
            folder = next((up for up in real.parents if (up / FILE).is_file()), real.parent)
            files.setdefault(folder, set()).add(real.relative_to(folder).as_posix())
        else:
            raise BadSystem((Problem(Place(str(path)), "there is no such folder or file"),))
    whole = {path.resolve() for path in paths if path.is_dir()}
    return [(folder, frozenset() if folder in whole else frozenset(names)) for folder, names in files.items()]


def _rule_set(model: Model, names: frozenset[str], default: float, step: float | None) -> RuleSet:
    def interval(rule: Rule) -> int:
        return max(1, round((step or model.timing.evaluation(rule) or default) * 1000))

    alerts = [
        Alert(case, rule, interval(rule), _offset(model, rule), _limit(model, rule))
        for case, rule in case_ids(model.rules).items()
        if not names or rule.file in names
    ]
    definitions: dict[str, list[Definition]] = {}
    for rule in model.recording_rules:
        recorded_every = max(1, round((model.timing.evaluation(rule) or default) * 1000))
        one = Definition(rule.expression, tuple(sorted(rule.labels.items())), recorded_every)
        if one not in definitions.setdefault(rule.name, []):
            definitions[rule.name].append(one)
    written = [stack.prometheus.seconds("evaluation_interval") for stack in model.stacks]
    return RuleSet(tuple(alerts), definitions, model.timing.lookback, min(filter(None, written), default=None))


def _offset(model: Model, rule: Rule) -> int:
    group = model.timing.group_of(rule)
    stacks = model.timing.stacks_of(rule)
    texts = [group.part.string("query_offset")] if group is not None else []
    texts += [stack.prometheus.part.get("global").string("rule_query_offset") for stack in stacks]
    for text in filter(None, texts):
        try:
            return round(parse_duration(text) * 1000)
        except ValueError:
            continue
    return 0


def _limit(model: Model, rule: Rule) -> int:
    group = model.timing.group_of(rule)
    text = group.part.string("limit") if group is not None else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
