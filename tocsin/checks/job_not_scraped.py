"""A rule that asks for a job which no scrape job yields."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.stacks import Stack
from tocsin.part import Part
from tocsin.promql import Binary, Call, Expr, Matcher, VectorSelector, children
from tocsin.relabelling import Step, matches, references, steps
from tocsin.source import nearest, offered

_CONFIG = """global: {{}}
rule_files: [rules.yml]
scrape_configs:
- job_name: {job}
  static_configs: [{{targets: ["shop:80"]}}]
"""
_RULES = 'groups:\n- name: a\n  rules:\n  - alert: ShopDown\n    expr: up{job="shop"} == 0\n'
_TELLS_JOBS = re.compile(r"federat|push|gateway|remote|thanos|cortex|mimir", re.IGNORECASE)
"""Of jobs with honor_labels: those whose targets tell of other jobs."""

_PUSHED = re.compile(r"^(?!.*federat).*push", re.IGNORECASE)
"""Of those, the ones that keep what is pushed to them, and scrape nobody themselves."""
_RECEIVES = re.compile(r"web\.enable-(?:remote-write|otlp)-receiver|(?:remote|otlp)-write-receiver")
"""Flags by which others may send series with jobs of their own."""
_KUBERNETES_LABELS = (
    "__meta_kubernetes_pod_label_",
    "__meta_kubernetes_service_label_",
    "__meta_kubernetes_node_label_",
)


@check(
    severity=Severity.ERROR,
    fix="Name the job as scrape_configs does, or scrape what the rule is about.",
    bad=Example({"prometheus.yml": _CONFIG.format(job="store"), "rules.yml": _RULES}, at='job="shop"'),
    good=Example({"prometheus.yml": _CONFIG.format(job="shop"), "rules.yml": _RULES}),
)
def job_not_scraped(model: Model) -> Iterator[Remark]:
    """No series carries the job that the rule asks for, so the rule finds nothing, ever.

    (prometheus.io/docs/concepts/jobs_instances: `job` is the configured job name, unless relabelling writes another.)
    """
    loaded: dict[int, list[Stack]] = {}
    rules: dict[int, Rule] = {}
    plain = [stack for stack in model.stacks if stack.object is None]
    declared = [stack for stack in plain if stack.prometheus.file in model.sorted.declared]
    for stack in declared or plain:  # a variant for one machine may well scrape less than the system does
        for rule in stack.rules:
            loaded.setdefault(id(rule), []).append(stack)
            rules[id(rule)] = rule
    jobs = {id(stack): _jobs(model, stack) for stack in model.stacks}
    scraped = {id(stack): _jobs(model, stack, pushed=False) for stack in model.stacks}
    recorded = {rule.name for rule in model.recording_rules}
    for key, stacks in loaded.items():
        for known, only in (([jobs[id(s)] for s in stacks], None), ([scraped[id(s)] for s in stacks], _OF_SCRAPES)):
            names = {name for each in known if each is not None for name in each}
            if None not in known and names:
                yield from _asked(model, rules[key], names, recorded, only)
                break
    yield from _shown(model, jobs, recorded)
    yield from _monitored(model)
    for stack in model.stacks:
        if stack.object is not None and stack.fragments_known:
            yield from _operated(model, stack, recorded)


_OF_SCRAPES = frozenset({"up", "scrape_duration_seconds", "scrape_samples_scraped"})
"""What Prometheus says itself of a scrape: nobody pushes it."""


def _monitored(model: Model) -> Iterator[Remark]:
    """Yield the jobs of rules that are, but for how their words are joined, those that the operator makes of monitors.

    (prometheus-operator, pkg/prometheus/promcfg.go: a ServiceMonitor's job is the name of the Service, unless jobLabel
    says another; a PodMonitor's is namespace/name.)
    """
    if model.prometheus_configs or model.cluster.hidden("Service"):
        return
    monitors = model.objects_of("ServiceMonitor")
    plain = [each for each in monitors if not each.part.string("spec", "jobLabel") and not _rewrites(each.part)]
    names = {service.name for service in model.services.all} if plain and len(plain) == len(monitors) else set()
    bare = {re.sub(r"[-_. ]", "", name).lower(): name for name in names}
    other = {each.name for each in model.objects_of("PodMonitor", "Probe", "ScrapeConfig", "VMServiceScrape")}
    loaded = {id(rule) for stack in model.stacks for rule in stack.rules}
    for rule in model.alerts if names and not other else ():
        tree = model.tree(rule) if id(rule) not in loaded else None
        for selector, severity, what in _selectors(tree) if tree is not None else ():
            for matcher in selector.matchers:
                meant = bare.get(re.sub(r"[-_. ]", "", matcher.value).lower())
                if matcher.name != "job" or matcher.op != "=" or meant is None or matcher.value in names:
                    continue
                place, width = model.piece(rule.part.get("expr"), matcher.span)
                message = f'no monitor yields `job="{matcher.value}"`, so {what}; did you mean {meant}?'
                subject = f"{rule.subject}/{matcher.value}"
                yield Remark(place, message, width=width, subject=subject, severity=severity)


_MOST_UNKNOWN = 0.2
"""Of the jobs that rules ask for: if no more are unknown, the folder holds the monitors of the system."""


def _operated(model: Model, stack: Stack, recorded: set[str]) -> Iterator[Remark]:
    """Yield the jobs that the rules of an operator's Prometheus ask for and that none of its monitors yields.

    It is sure where a job is but a slip away; else others may stand elsewhere, unless the folder has nearly all.
    """
    known = [job.origin.jobs for job in stack.jobs if job.origin is not None]
    names = {name for each in known if each is not None for name in each}
    missing: dict[str, list[tuple[Rule, VectorSelector, Matcher, str, Severity]]] = {}
    asked: set[str] = set()
    for rule in stack.rules:
        tree = model.tree(rule)
        for selector, severity, what in _selectors(tree) if tree is not None and names else ():
            for matcher in selector.matchers if selector.name not in recorded else ():
                if matcher.name == "job" and matcher.op == "=" and matcher.value:
                    asked.add(matcher.value)
                    if _misses(matcher, names):
                        missing.setdefault(matcher.value, []).append((rule, selector, matcher, what, severity))
    whole = None not in known and len(asked) > 2 and len(missing) <= _MOST_UNKNOWN * len(asked)
    for value, uses in missing.items():
        meant = _meant(value, names - asked) or _meant(value, names)
        if meant is None and not whole:
            continue
        told: set[str] = set()
        for rule, _, matcher, what, severity in uses:
            if rule.subject not in told:
                told.add(rule.subject)
                place, width = model.piece(rule.part.get("expr"), matcher.span)
                message = f'no monitor yields `job="{value}"`, so {what}; {offered(value, sorted(names))}'
                least = severity if meant is not None else Severity.WARNING
                yield Remark(place, message, width=width, subject=f"{rule.subject}/{value}", severity=least)


def _meant(value: str, names: set[str]) -> str | None:
    """Return the job that differs by no more than how its words are joined, or by a letter."""
    bare = {re.sub(r"[-_. ]", "", name).lower(): name for name in names}
    plain = re.sub(r"[-_. ]", "", value).lower()
    near = bare.get(plain) or bare.get(f"{plain}s") or bare.get(plain.removesuffix("s"))
    return near or next((n for n in nearest(value, names, most=1) if len(n) > 5 and _one_letter(value, n)), None)


def _one_letter(one: str, other: str) -> bool:
    """Whether two names differ by one letter: changed, left out, doubled, or two of them in the wrong order."""
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1 or any(letter.isdigit() for letter in set(one) ^ set(other)):
        return False
    i = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    swapped = len(short) == len(long) and short[i : i + 2] == long[i : i + 2][::-1] and short[i + 2 :] == long[i + 2 :]
    return swapped or short[i + (len(short) == len(long)) :] == long[i + 1 :]


def _rewrites(monitor: Part) -> bool:
    """Whether a monitor writes a job of its own."""
    return any(part.key == "targetLabel" and part.text == "job" for part in monitor.walk())


def _shown(model: Model, jobs: dict[int, set[str] | None], recorded: set[str]) -> Iterator[Remark]:
    """Yield the queries of dashboards that ask for a job which no Prometheus of the folder yields."""
    if not jobs or None in jobs.values():
        return
    names = {name for each in jobs.values() if each is not None for name in each}
    for query in model.queries:
        tree = query.known_tree if query.certain and names else None
        for selector, _, __ in _selectors(tree) if tree is not None else ():
            for matcher in selector.matchers:
                if selector.name in recorded or not _misses(matcher, names) or query.varies(matcher.span):
                    continue
                place, width = query.piece(matcher.span)
                message = f'no scrape job yields `job{matcher.op}"{matcher.value}"`, so there is nothing to show; '
                yield Remark(
                    place,
                    message + offered(matcher.value, sorted(names)),
                    width=width,
                    subject=f"{query.subject}/{matcher.value}",
                    severity=Severity.WARNING,
                )


def _asked(
    model: Model, rule: Rule, jobs: set[str], recorded: set[str], only: frozenset[str] | None = None
) -> Iterator[Remark]:
    tree = model.tree(rule)
    told: set[str] = set()
    for selector, severity, what in _selectors(tree) if tree is not None else ():
        for matcher in selector.matchers if only is None or selector.name in only else ():
            if selector.name in recorded or not _misses(matcher, jobs) or matcher.value in told:
                continue
            told.add(matcher.value)
            place, width = model.piece(rule.part.get("expr"), matcher.span)
            message = f'no scrape job yields `job{matcher.op}"{matcher.value}"`, so {what}; '
            message += offered(matcher.value, sorted(jobs))
            yield Remark(place, message, width=width, subject=f"{rule.subject}/{matcher.value}", severity=severity)


def _misses(matcher: Matcher, jobs: set[str]) -> bool:
    if matcher.name != "job" or not matcher.value:
        return False
    if matcher.op == "=":
        return matcher.value not in jobs and "|" not in matcher.value  # no name, but a pattern in the wrong place
    if matcher.op == "=~":
        return matches(matcher.value, "") is False and all(matches(matcher.value, job) is False for job in jobs)
    return False


def _selectors(tree: Expr) -> Iterator[tuple[VectorSelector, Severity, str]]:
    """Yield each selector with what follows if it finds nothing."""
    nothing = (Severity.ERROR, "the rule never gives a result")
    half = (Severity.WARNING, "one side of `or` never gives a result")
    waiting = [(tree, nothing)]
    while waiting:
        node, follows = waiting.pop()
        if isinstance(node, VectorSelector):
            yield node, *follows
        elif isinstance(node, Call) and node.function.startswith("absent"):
            absent = (Severity.ERROR, f"{node.function}() is true for ever") if follows in (nothing, half) else follows
            waiting.extend((child, absent) for child in children(node))
        elif isinstance(node, Binary) and node.op == "or":
            waiting.extend((child, half) for child in children(node))
        elif isinstance(node, Binary) and node.op == "unless":
            waiting.append((node.left, follows))
            waiting.append((node.right, (Severity.WARNING, "`unless` never takes anything away")))
        else:
            waiting.extend((child, follows) for child in children(node))


def _jobs(model: Model, stack: Stack, *, pushed: bool = True) -> set[str] | None:
    """Return every value that `job` may have in a Prometheus; None if it may have others.

    Without what is pushed: what one of those who keep pushed metrics tells of other jobs is left out.
    """
    received = any(_RECEIVES.search(part.text) for process in stack.processes for part in process.arguments)
    if not stack.fragments_known or stack.prometheus.remote_reads or stack.prometheus.part.get("otlp") or received:
        return None
    found: set[str] = set()
    for job in stack.jobs:
        targets = [target for target in model.targets if target.job is job]
        hosts = " ".join(target.address for target in targets)
        said = f"{job.name} {job.metrics_path} {hosts}"
        if job.honor_labels and _TELLS_JOBS.search(said) and (pushed or not _PUSHED.search(said)):
            return None
        written = [_written(rule) for rule in (*steps(job.relabelling), *steps(job.metric_relabelling))]
        if None in written:
            return None
        found |= {job.name, *(value for value in written if value)}
        found |= {target.labels["job"] for target in targets if target.kept and "job" in target.labels}
        for discovery in job.discoveries:
            found |= {label.text for name, label in discovery.part.get("labels").items() if name == "job"}
    return found


def _written(rule: Step) -> str | None:
    """Return what a rule writes to `job`; nothing if it writes something else, None if it may write anything."""
    if rule.action == "labelmap":  # a tag or an option may well be called so; a label of a pod is not
        own = rule.regex.startswith((*_KUBERNETES_LABELS, "__param_"))
        unsure = "_tag" in rule.regex or "(.+)" in rule.regex or matches(rule.regex, "job") is not False
        return None if unsure and not own else ""
    if rule.sieves or rule.action in ("labeldrop", "labelkeep") or "$" in rule.target:
        return None if "$" in rule.target else ""
    if rule.target != "job":
        return ""
    return None if rule.action != "replace" or references(rule.replacement) else rule.replacement
