"""When monitoring works: every target scraped, Alertmanager known, every rule evaluated without error.

Prometheus's /-/ready says none of it: its first scrape and its first Alertmanager come up to 5 s later, on tickers
that no setting changes, and after every reload the Alertmanagers are unknown again for seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from threading import Event
from typing import Any

from tocsin.deadline import DeadlineExceeded, Unmet, wait_until
from tocsin.engines.prometheus_api import PrometheusApi
from tocsin.engines.trouble import EngineTrouble
from tocsin.supervisor import Kind

EVERY_SECONDS = 0.05


def await_targets(
    api: PrometheusApi,
    *,
    jobs: Collection[str],
    seconds: float,
    stop: Event | None = None,
    check: Callable[[], None] | None = None,
) -> None:
    """Wait until every job has a target and every target of theirs has been scraped with success (up == 1).

    `check` is called at every look and raises if there is nothing to wait for any more. Raises EngineTrouble that
    names each target that is not up, with Prometheus's reason.
    """

    def look() -> bool | Unmet:
        wanted = [target for target in api.targets() if target["labels"].get("job") in jobs]
        up = {_identity(series.labels) for series in api.query("up == 1")}
        problems = [_target_problem(target) for target in wanted if _identity(target["labels"]) not in up]
        present = {target["labels"]["job"] for target in wanted}
        problems += [f"job {job!r} has no target" for job in sorted(set(jobs) - present)]
        return Unmet("; ".join(problems)) if problems else True

    _await(api, look, "targets are not all up", seconds=seconds, stop=stop, check=check)


def await_alertmanagers(
    api: PrometheusApi,
    *,
    count: int = 1,
    seconds: float,
    stop: Event | None = None,
    check: Callable[[], None] | None = None,
) -> None:
    """Wait until Prometheus sends to so many Alertmanagers; raises EngineTrouble that says how many it knows."""

    def look() -> bool | Unmet:
        known = api.alertmanagers()
        if len(known) >= count:
            return True
        return Unmet(f"knows {len(known)} of {count}: {', '.join(known) or 'none'}; alerts sent now are dropped")

    _await(api, look, "Alertmanager is not known to Prometheus", seconds=seconds, stop=stop, check=check)


def await_rules(
    api: PrometheusApi,
    *,
    count: int,
    seconds: float,
    stop: Event | None = None,
    check: Callable[[], None] | None = None,
) -> None:
    """Wait until exactly so many rules are loaded and each has been evaluated without error.

    The number is part of it, for a rule file that was lost or emptied is a silent green. Raises EngineTrouble that
    names each rule that is not healthy, with Prometheus's reason.
    """

    def look() -> bool | Unmet:
        rules = [(group, rule) for group in api.rule_groups() for rule in group["rules"]]
        problems = [_rule_problem(group, rule) for group, rule in rules if rule["health"] != "ok"]
        if len(rules) != count:
            problems.insert(0, f"{len(rules)} rules are loaded, {count} are expected")
        return Unmet("; ".join(problems)) if problems else True

    _await(api, look, "rules are not all healthy", seconds=seconds, stop=stop, check=check)


def _await(
    api: PrometheusApi,
    look: Callable[[], bool | Unmet],
    what: str,
    *,
    seconds: float,
    stop: Event | None,
    check: Callable[[], None] | None,
) -> None:
    """Wait for a barrier; an answer that fails to come is a reason to look again, to the deadline."""
    kind = Kind.TIMED_OUT

    def guarded() -> bool | Unmet:
        nonlocal kind
        if check is not None:
            check()
        try:
            found = look()
        except EngineTrouble as trouble:
            kind = trouble.kind
            return Unmet(str(trouble))
        kind = Kind.TIMED_OUT
        return found

    try:
        wait_until(guarded, seconds=seconds, what=what, every=EVERY_SECONDS, stop=stop)
    except DeadlineExceeded as error:
        raise EngineTrouble(what, api.url, f"after {seconds:g} s: {error.reason}", kind) from error


def _identity(labels: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """Return a target's labels; its `up` has them all and no other, but for the name."""
    return frozenset((name, value) for name, value in labels.items() if name != "__name__")


def _target_problem(target: dict[str, Any]) -> str:
    labels = target["labels"]
    reason = target["lastError"] or ("not scraped yet" if target["health"] == "unknown" else "no sample yet")
    return f"{labels.get('job')} {labels.get('instance')} ({target['scrapeUrl']}): {reason}"


def _rule_problem(group: dict[str, Any], rule: dict[str, Any]) -> str:
    return f"{group['file']} {group['name']}/{rule['name']}: {rule.get('lastError') or 'not evaluated yet'}"
