"""What follows from a running Prometheus's answers: drift, metrics that are not there, cost, cardinality, retention."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tocsin.artefacts.rules import Rule
from tocsin.durations import format_duration, parse_duration
from tocsin.finding import Finding, Severity
from tocsin.live.answers import LATELY, Answers, Cost
from tocsin.model import Model
from tocsin.promql import Expr, PromQLError, longest_window, parse, selectors
from tocsin.promql.printing import quoted
from tocsin.source import Place

MANY_SERIES = 10_000
"""Series of one metric from which on it is worth a look."""
SLOW_SHARE = 0.5
"""The share of a group's interval that one evaluation of one of its rules may take."""
DEFAULT_RETENTION = "15d"
"""(prometheus.io/docs/prometheus/latest/storage, "Operational aspects".)"""

_DURATION = re.compile(r"(?<![\w.])(?:\d+(?:ms|[smhdwy]))+(?!\w)")


def judge_answers(model: Model, answers: Answers, *, paced: bool, where: Place) -> Iterator[Finding]:
    """Yield what is wrong. `paced`: it was started at another pace than its files', so no duration can be compared.

    `where` is the environment's place in system.yaml: of what runs there is no other.
    """
    yield from _rules(model, answers, paced=paced, where=where)
    if not paced:
        yield from _configuration(model, answers)
    yield from _absent(model, answers)
    yield from _costs(model, answers)
    yield from _cardinality(model, answers, where)
    yield from _retention(model, answers)


def _rules(model: Model, answers: Answers, *, paced: bool, where: Place) -> Iterator[Finding]:
    """Yield the rules that are in the files and not loaded, the other way round, and those that differ."""
    loaded = [(group, rule) for group in answers.groups for rule in group.get("rules") or ()]
    left = list(loaded)
    for rule in model.rules:
        same = [pair for pair in left if pair[1].get("name") == rule.name and _kind(pair[1]) == rule.alerting]
        if not same:
            said = f"{rule.name} is in the files, and the running Prometheus has no such rule"
            fix = "Deploy the rules, and reload Prometheus; look in its log for why it kept the old ones."
            yield Finding("live-rule-not-loaded", rule.subject, rule.place, said, fix=fix, why=_DRIFT)
            continue
        best = min(same, key=lambda pair: len(list(_differences(rule, pair[1], paced=paced))))
        left.remove(best)
        differences = list(_differences(rule, best[1], paced=paced))
        if differences:
            said = f"{rule.name} runs otherwise than the file says: {'; '.join(differences)}"
            fix = "Deploy the file, or bring what runs back into it."
            yield Finding("live-rule-differs", rule.subject, rule.place, said, fix=fix, why=_DRIFT)
        if best[1].get("lastError"):
            said = f"the running Prometheus fails to evaluate {rule.name}: {best[1]['lastError']}"
            yield Finding("live-rule-failing", rule.subject, rule.expression_place, said, why=_FAILING)
    if model.rules:
        for group, extra in left:
            said = f"the running Prometheus has a rule {extra.get('name')} (group {group.get('name')}) that no file has"
            fix = "Bring it into the files, or remove it from the server."
            subject = f"{group.get('name')}/{extra.get('name')}"
            yield Finding("live-rule-unknown", subject, where, said, Severity.WARNING, fix=fix, why=_DRIFT)


_DRIFT = "What was reviewed and tested is not what rings."
_FAILING = "A rule that cannot be evaluated never fires, and nobody is told."


def _kind(rule: Mapping[str, Any]) -> bool:
    return bool(rule.get("type") == "alerting")


def _differences(rule: Rule, loaded: Mapping[str, Any], *, paced: bool) -> Iterator[str]:
    if _shape(rule.expression, paced=paced) != _shape(str(loaded.get("query")), paced=paced):
        yield f"its expression is {loaded.get('query')}"
    if not paced and rule.alerting and float(loaded.get("duration") or 0) != rule.hold_seconds:
        yield f"its `for` is {format_duration(float(loaded.get('duration') or 0))}"
    if dict(loaded.get("labels") or {}) != dict(rule.labels):
        yield f"its labels are {dict(loaded.get('labels') or {})}"


def _shape(expression: str, *, paced: bool) -> Expr | str:
    """Return what of an expression is the same however it is written; at another pace, without its durations."""
    plain = _DURATION.sub("1m", expression) if paced else expression
    try:
        tree = parse(plain)
    except PromQLError:
        return plain
    return _NUMBERS.sub("N", plain.replace(" ", "")) if paced else tree


_NUMBERS = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def _configuration(model: Model, answers: Answers) -> Iterator[Finding]:
    """Yield the scrape jobs that are configured otherwise than in the one file that there is."""
    if len(model.prometheus_configs) != 1:
        return
    running = {
        str(job.get("job_name")): job
        for job in answers.configuration.get("scrape_configs") or ()
        if isinstance(job, dict)
    }
    config = model.prometheus_configs[0]
    for job in config.jobs:
        loaded = running.get(job.name)
        if loaded is None:
            known = ", ".join(sorted(running)) or "none"
            said = f"the running Prometheus has no scrape job {job.name!r}; it has {known}"
            yield Finding("live-job-not-loaded", job.subject, job.part.place, said, why=_DRIFT)
            continue
        for key in ("metrics_path", "scheme", "scrape_interval", "scrape_timeout", "honor_labels"):
            part = job.part.get(key)
            if part and not _same(part.text, loaded.get(key)):
                said = f"job {job.name!r} runs with {key} {loaded.get(key)!r}; the file says {part.text}"
                yield Finding("live-job-differs", job.subject, part.place, said, why=_DRIFT)


def _same(written: str, loaded: Any) -> bool:
    if str(loaded).lower() == written.lower():
        return True
    try:
        return parse_duration(written) == parse_duration(str(loaded))
    except ValueError:
        return loaded is None  # a default, which the server does not write down


def selectors_of(model: Model) -> dict[str, list[Rule]]:
    """Return the selectors of all rules, without offsets and ranges, with the rules that use each."""
    found: dict[str, list[Rule]] = {}
    for rule in model.rules:
        tree = model.tree(rule)
        for selector in selectors(tree) if tree is not None else ():
            if selector.name is not None:
                written = ",".join(f"{m.name}{m.op}{quoted(m.value)}" for m in selector.matchers)
                text = f"{selector.metric or ''}{{{written}}}"
                found.setdefault(text, []).append(rule)
    return found


def _absent(model: Model, answers: Answers) -> Iterator[Finding]:
    quiet = model.declaration.static.empty_by_design.keys() | model.declaration.static.lazily_born.keys()
    recorded = {rule.name for rule in model.recording_rules}
    for selector, rules in selectors_of(model).items():
        name = selector.partition("{")[0]
        if selector not in answers.present or answers.present[selector] is not None or name in quiet:
            continue
        told = {rule.subject: rule for rule in rules}
        for rule in told.values():
            if "absent" in rule.expression:
                continue
            also = " (a recorded series)" if name in recorded else ""
            said = f"{selector}{also} has no series, and had none for {LATELY}"
            why = "A rule over nothing is as quiet as a rule over something that is well."
            fix = "Find out what it is called now; if it is there only in trouble, declare it empty_by_design."
            yield Finding(
                "live-metric-absent", rule.subject, rule.expression_place, said, Severity.WARNING, why=why, fix=fix
            )


def _costs(model: Model, answers: Answers) -> Iterator[Finding]:
    default = _seconds(str((answers.configuration.get("global") or {}).get("evaluation_interval") or "1m"))
    for group in model.rule_groups:
        interval = group.interval_seconds or default
        for rule in group.rules:
            cost = answers.costs.get(rule.expression)
            if isinstance(cost, str):
                said = f"the running Prometheus refuses the expression: {cost}"
                yield Finding("live-rule-failing", rule.subject, rule.expression_place, said, why=_FAILING)
            elif isinstance(cost, Cost) and cost.seconds > interval * SLOW_SHARE:
                said = (
                    f"one evaluation took {cost.seconds:.2f} s and read {cost.samples:,} samples;"
                    f" the group is evaluated every {format_duration(interval)}"
                )
                why = "A group that is not done in its interval misses evaluations, and its alerts come late or not."
                fix = "Record the costly part in a rule of its own, or narrow the selector."
                yield Finding("live-query-slow", rule.subject, rule.expression_place, said, Severity.WARNING,
                              why=why, fix=fix)  # fmt: skip


def _cardinality(model: Model, answers: Answers, where: Place) -> Iterator[Finding]:
    used = {name.partition("{")[0] for name in selectors_of(model)}
    for name, count in answers.head_series.items():
        if count >= MANY_SERIES:
            known = "rules use it" if name in used else "no rule uses it"
            said = f"{name} has {count:,} series; {known}"
            why = "The memory of a Prometheus goes with its series; one that runs out of it tells nobody."
            yield Finding("live-cardinality", name, where, said, Severity.INFO, why=why)


def _retention(model: Model, answers: Answers) -> Iterator[Finding]:
    flags = (answers.flags.get(name) or "" for name in ("storage.tsdb.retention.time", "storage.tsdb.retention"))
    kept = next((seconds for flag in flags if (seconds := _seconds(flag))), _seconds(DEFAULT_RETENTION))
    for rule in model.rules:
        tree = model.tree(rule)
        window = longest_window(tree) if tree is not None else 0.0
        if window > kept:
            said = f"it looks back {format_duration(window)}, and this Prometheus keeps {format_duration(kept)}"
            why = "What is older than the retention is gone, so the rule sees less than it means to."
            fix = "Keep more, or look back less."
            yield Finding("live-range-over-retention", rule.subject, rule.expression_place, said, why=why, fix=fix)


def _seconds(text: str) -> float:
    try:
        return parse_duration(text) if text else 0.0
    except ValueError:
        return 0.0


def expressions_of(model: Model) -> Sequence[str]:
    """Return the expressions of all rules that can be read."""
    return [rule.expression for rule in model.rules if model.tree(rule) is not None]
