"""Recorded metrics that no rule records."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.expressions import PlacedExpression, rule_expressions
from tocsin.promql import selectors
from tocsin.source import nearest

_RULES = (
    "groups:\n- name: a\n  rules:\n  - record: job:errors:rate{}5m\n    expr: sum by (job) (rate(errors_total[5m]))\n"
    "  - alert: Errors\n    expr: job:errors:rate5m > 1\n"
)


@check(
    severity=Severity.ERROR,
    fix="Record it under the name that is asked for, or ask for the name that is recorded.",
    bad=Example({"rules.yml": _RULES.format("_")}, at="job:errors:rate5m > 1"),
    good=Example({"rules.yml": _RULES.format("")}),
    origin="pint promql/series, pint rule/dependency",
)
def recording_rule_missing(model: Model) -> Iterator[Remark]:
    """The series is written by nobody, so the expression yields nothing, and an alert on it cannot fire.

    (Prometheus, documentation of metric names: colons are reserved for what recording rules write.)
    """
    recorders = model.rule_labels.recorders
    recorded = frozenset(name for name in recorders if ":" in name)
    if not recorded or _federates(model):
        return
    whole = _loaded_whole(model)
    used = {s.name for each in rule_expressions(model) for s in selectors(each.tree) if s.name}
    for each in rule_expressions(model):
        told: set[str] = set()
        for selector in selectors(each.tree):
            name = selector.name
            if name is None or ":" not in name or name in told or name.startswith(":"):
                continue
            if name in recorders:
                told.add(name)
                yield from _not_loaded(each, name, recorders[name])
                continue
            told.add(name)
            yield from _missing(each, name, recorded, used, whole=whole)


def _not_loaded(each: PlacedExpression, name: str, recorders: tuple[Rule, ...]) -> Iterator[Remark]:
    """Yield that the Prometheus which evaluates an expression loads none of the rules that record a name."""
    model = each.model
    stacks = [stack for stack in model.stacks if each.rule is not None and stack.loads(each.rule)]
    sure = all(s.processes and s.rules_known and not s.prometheus.part.get("remote_read") for s in stacks)
    if not stacks or not sure or any(stack.loads(rule) for stack in stacks for rule in recorders):
        return
    place, width = each.piece(next(s for s in selectors(each.tree) if s.name == name).span)
    said = f"no rule that {stacks[0].prometheus.file} loads records `{name}`; {recorders[0].file} does, unloaded"
    yield Remark(place, said, width=width, subject=f"{each.subject}/{name}", severity=Severity.ERROR)


def _missing(
    each: PlacedExpression, name: str, recorded: frozenset[str], used: set[str], *, whole: Mapping[str, bool]
) -> Iterator[Remark]:
    meant = _meant(name, recorded, used)
    if meant is None and each.file not in whole:
        return
    if each.model.metrics.named(name):
        return
    selector = next(s for s in selectors(each.tree) if s.name == name)
    place, width = each.piece(selector.span)
    near = meant or next(iter(nearest(name, recorded, most=1)), None)
    more = f"; `{near}` is recorded" if near else ""
    severity = Severity.ERROR if meant is not None or whole[each.file] else Severity.WARNING
    yield Remark(place, f"no rule records `{name}`{more}", width=width, subject=f"{each.subject}/{name}",
                 severity=severity)  # fmt: skip


def _meant(name: str, recorded: Iterable[str], used: set[str]) -> str | None:
    """Return the recorded name that differs by so little that it is surely meant, and that nobody else asks for."""
    for other in nearest(name, recorded):
        plain, found = (each.replace("_", "").replace(":", "").lower() for each in (name, other))
        if plain == found:
            return other
        alike = SequenceMatcher(None, name, other).ratio() > 0.93
        if alike and other not in used and _windows(name) == _windows(other):
            return other
    return None


def _windows(name: str) -> list[str]:
    """Return the numbers in a name: the rate of five minutes is not meant by that of an hour."""
    digits = "".join(c if c.isdigit() else " " for c in name)
    return digits.split()


def _federates(model: Model) -> bool:
    """Whether recorded series of another Prometheus are scraped."""
    jobs = (job for config in model.prometheus_configs for job in config.jobs)
    return any("federate" in job.part.string("metrics_path") for job in jobs)


def _loaded_whole(model: Model) -> Mapping[str, bool]:
    """Return the files of rules that a Prometheus loads all of whose rules are here, and whether it names each."""
    files: dict[str, bool] = {}
    for stack in model.stacks:
        patterns = stack.prometheus.part.list("rule_files")
        here = {group.file for group in stack.groups}
        others = {group.file for group in model.rule_groups} - here
        remote = stack.prometheus.part.get("remote_read").value
        if patterns and len(patterns) <= len(here) and not others and not remote:
            files |= dict.fromkeys(here, not any("*" in pattern.text for pattern in patterns))
    return files
