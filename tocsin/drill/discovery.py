"""Discovery: what a system that runs already is, as its Prometheus and its Alertmanager tell. Fixed once for a run."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from tocsin.artefacts.alertmanager import RouteNode, Routing, read_routing
from tocsin.artefacts.files import read_artefacts
from tocsin.artefacts.rules import Rule, case_ids, read_groups
from tocsin.artefacts.scrape import Scraping, read_scraping
from tocsin.compression.written import yaml_text
from tocsin.drill.admission import not_allowed
from tocsin.drill.planning import PlannedDrill, receivers_at
from tocsin.durations import format_duration
from tocsin.engines.alertmanager import AlertmanagerApi
from tocsin.engines.prometheus_api import PrometheusApi
from tocsin.engines.trouble import EngineTrouble
from tocsin.evidence import LeftOut, RuleFacts, Selected, Target
from tocsin.part import Part
from tocsin.promql import Expr, PromQLError, longest_window, parse, recording_delay, selectors
from tocsin.source import Document, Place, Unreadable, offered, read_document, read_text
from tocsin.system import BadSystem, Endpoint, Environment, Kind, Problem, System

DISCOVERY = "discovery.json"
"""The file of a run's folder that holds what was found."""
TIMEOUT = 10.0
"""Seconds that a running system has for an answer; it may be far away."""
MILLISECOND = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """A running system as it was found at the start of a run."""

    rules: tuple[RuleFacts, ...]
    left_out: tuple[LeftOut, ...]
    targets: tuple[Target, ...]
    engines: Mapping[str, str]
    scraping: Scraping = field(repr=False)
    routing: Routing | None = field(repr=False)
    alertmanager: str = field(repr=False)
    """Its routes and receivers, without anything that tells where a receiver is; empty where it was not asked."""
    prometheus: str = field(repr=False)
    """Its configuration, in which it hides its secrets itself."""
    unread: tuple[LeftOut, ...] = ()
    """Rules that run and whose expression we cannot read."""

    def written(self) -> dict[str, Any]:
        """Return what is kept in the run's folder."""
        return {
            "schema": 1,
            "engines": dict(self.engines),
            "targets": [target.model_dump(mode="json") for target in self.targets],
            "rules": [rule.model_dump(mode="json") for rule in self.rules],
            "left_out": [rule.model_dump(mode="json") for rule in self.left_out],
            "receivers": [asdict(r) for r in self.routing.receivers.values()] if self.routing else [],
        }

    def rule_of(self, alert: str, labels: Mapping[str, str]) -> RuleFacts | None:
        """Return the rule that gives an alert of that name and those labels."""
        same = (rule for rule in self.rules if rule.name == alert)
        return next((r for r in same if all(labels.get(k, v) == v for k, v in r.labels.items())), None)


def discover(system: System, environment: str, plans: Sequence[PlannedDrill]) -> Discovery:
    """Ask a running system what it is.

    Raises EngineTrouble where it does not answer, and BadSystem where what it says does not fit what is declared: a
    `pace` that is not its rules' own, or a receiver that a drill would tell and may not.
    """
    declared = system.environment(environment)[1]
    if declared.prometheus is None:
        raise BadSystem((Problem(system.place("environments", environment), "names no `prometheus` that runs"),))
    prometheus = PrometheusApi(declared.prometheus.url, timeout=TIMEOUT, headers=headers(system, declared.prometheus))
    try:
        scraping, configuration = _scraping(prometheus)
        rules = _Rules(system, declared, scraping)
        facts = tuple(rules.facts(prometheus.rule_groups()))
        targets = tuple(map(_target, prometheus.targets()))
        engines = {"prometheus": prometheus.version(), "locust": metadata.version("locust")}
    finally:
        prometheus.close()
    routing, reduced = None, ""
    if declared.alertmanager is not None:
        alertmanager = AlertmanagerApi(
            declared.alertmanager.url, timeout=TIMEOUT, headers=headers(system, declared.alertmanager)
        )
        try:
            routing, reduced = _routing(alertmanager)
            engines["alertmanager"] = alertmanager.version()
        finally:
            alertmanager.close()
    found = Discovery(
        rules=facts,
        left_out=tuple(rules.left_out()),
        unread=tuple(rules.unread),
        targets=targets,
        engines=engines,
        scraping=scraping,
        routing=routing,
        alertmanager=reduced,
        prometheus=configuration,
    )
    problems = (
        *rules.out_of_pace(environment),
        *_untold(system, environment, found, plans),
        *_unknown_receivers(system, found, plans),
        *_unread(found, plans),
    )
    if problems:
        raise BadSystem(problems)
    return found


def headers(system: System, endpoint: Endpoint) -> Mapping[str, str]:
    """Return the header by which an endpoint knows us: a bearer token, or user and password, from a file.

    Raises BadSystem if the file cannot be read or is empty; its content is never part of a message.
    """
    if endpoint.credentials is None:
        return {}
    path = system.directory / Path(endpoint.credentials.file).expanduser()
    place = _place_of_text(system.document, endpoint.credentials.file)
    try:
        secret = read_text(path, str(path)).strip()
    except Unreadable as error:
        raise BadSystem((Problem(place, f"the credentials file {path} {error.message}"),)) from error
    if not secret or "\n" in secret:
        raise BadSystem((Problem(place, f"the credentials file {path} must hold one line: a token, or user:password"),))
    if ":" in secret:
        return {"Authorization": "Basic " + base64.b64encode(secret.encode()).decode()}
    return {"Authorization": f"Bearer {secret}"}


def _place_of_text(document: Document, text: str) -> Place:
    """Return where a credentials file is named; the same file may be named for several endpoints."""
    for route, place in document.places.items():
        if route[-2:] == ("credentials", "file") and _at(document.value, route) == text:
            return place
    return document.place()


def _at(value: Any, route: Sequence[str | int]) -> Any:
    for part in route:
        value = value[part]
    return value


def _scraping(api: PrometheusApi) -> tuple[Scraping, str]:
    text = str(api.json("/api/v1/status/config")["data"]["yaml"])
    try:
        return read_scraping(read_document(text, "prometheus.yml", raw=True)), text
    except Unreadable as error:
        raise EngineTrouble("Prometheus's configuration cannot be read", api.url, str(error)) from error


def _routing(api: AlertmanagerApi) -> tuple[Routing, str]:
    """Return the routing, and the configuration reduced to it: who is told how, and nothing of where."""
    try:
        document = read_document(str(api.status()["config"]["original"]), "alertmanager.yml", raw=True)
        reduced = yaml_text(_reduced(document.value))
        return read_routing(read_document(reduced, "alertmanager.yml", raw=True)), reduced
    except (Unreadable, AttributeError, KeyError, TypeError) as error:
        raise EngineTrouble("Alertmanager's configuration cannot be read", api.url, str(error)) from error


def _reduced(config: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("route", "inhibit_rules", "mute_time_intervals", "time_intervals")
    receivers = [
        {
            "name": receiver["name"],
            **{
                kind: [{k: v for k, v in item.items() if k == "send_resolved"} for item in items]
                for kind, items in receiver.items()
                if kind.endswith("_configs")
            },
        }
        for receiver in config.get("receivers") or []
    ]
    return {**{key: config[key] for key in kept if config.get(key)}, "receivers": receivers}


def _target(target: Mapping[str, Any]) -> Target:
    labels = target["labels"]
    known = {"scrape_url": target["scrapeUrl"], "namespace": labels.get("namespace", "")}
    return Target(job=labels.get("job", ""), instance=labels.get("instance", ""), **known)


def _untold(system: System, name: str, found: Discovery, plans: Iterable[PlannedDrill]) -> Iterator[Problem]:
    """Yield the receivers that drills would tell, by the routes that run, and that may not be told."""
    if found.routing is None:
        return
    allowed = system.environment(name)[1].allow_receivers
    place = system.place("environments", name, "allow_receivers")
    for plan in plans:
        for expected in plan.drill.expect:
            rule = found.rule_of(expected.alert, expected.labels)
            if rule is None or expected.outcome != "notified":
                continue
            labels = {"alertname": rule.name, **rule.labels, **expected.labels}
            for route in found.routing.routes(labels):
                told = found.routing.receivers.get(route.receiver)
                if told is not None and told.integrations and route.receiver not in allowed:
                    yield Problem(place, not_allowed(plan, route.receiver))


def _unknown_receivers(system: System, found: Discovery, plans: Iterable[PlannedDrill]) -> Iterator[Problem]:
    """Yield the expected receivers that the running Alertmanager does not have."""
    if found.routing is None:
        return
    known = sorted(found.routing.receivers)
    for plan in plans:
        for route, receiver in receivers_at(plan.drill):
            if receiver not in known:
                said = f"drill {plan.name} expects {receiver!r} to be told, and no such receiver runs"
                yield Problem(system.place("drills", plan.name, *route), f"{said}; {offered(receiver, known)}")


def _unread(found: Discovery, plans: Iterable[PlannedDrill]) -> Iterator[Problem]:
    """Yield the drills whose alert runs by an expression that we cannot read: nothing could be said of it."""
    reasons = {rule.name: rule.reason for rule in found.unread}
    for plan in plans:
        for expected in plan.drill.expect:
            if expected.alert in reasons:
                yield Problem(plan.place, f"drill {plan.name} expects {expected.alert}; {reasons[expected.alert]}")


def all_routes(node: RouteNode) -> Iterator[RouteNode]:
    """Yield a route and all that are under it."""
    yield node
    for child in node.children:
        yield from all_routes(child)


@dataclass(slots=True)
class _Rules:
    """Brings the rules that run together with the files that they come from."""

    system: System
    environment: Environment
    scraping: Scraping
    _written: dict[str, Rule] = field(default_factory=dict)
    """The rules of the system's files by case id, until one that runs is found to be it."""
    _pairs: list[tuple[RuleFacts, Rule]] = field(default_factory=list)
    unread: list[LeftOut] = field(default_factory=list)
    _recorded: dict[str, Expr] = field(default_factory=dict)
    """What the running recording rules record."""

    def facts(self, groups: Sequence[Mapping[str, Any]]) -> Iterator[RuleFacts]:
        """Yield what is known of each alerting rule that runs."""
        self._written = self._read()
        self._recorded = dict(_recorded(groups))
        running = [
            (group, rule, self._as_written(group, rule))
            for group in groups
            for rule in group["rules"]
            if rule["type"] == "alerting"
        ]
        own = {id(rule): case for case, rule in case_ids(r for _, _, r in running).items()}
        for group, rule, shaped in running:
            found = self._place_in_files(shaped)
            case, source = found or (own[id(shaped)], shaped)
            try:
                facts = self._facts(case, source, rule, float(group["interval"]))
            except PromQLError as error:
                reason = f"its expression as it runs cannot be read: {error.message}"
                self.unread.append(
                    LeftOut(id=case, name=source.name, file=source.file, line=source.place.line, reason=reason)
                )
                continue
            if found:
                self._pairs.append((facts, source))
            yield facts

    def left_out(self) -> Iterator[LeftOut]:
        """Yield the rules of the files that do not run, and those that run and cannot be read."""
        yield from self.unread
        reason = "the running Prometheus has not loaded it"
        for case, rule in self._written.items():
            yield LeftOut(id=case, name=rule.name, file=rule.file, line=rule.place.line, reason=reason)

    def out_of_pace(self, name: str) -> Iterator[Problem]:
        """Yield what shows that the rules do not run at the declared pace: a `for` that is not the file's by it."""
        pace = self.environment.pace
        if pace == 1:
            return
        place = self.system.place("environments", name, "pace")
        for facts, rule in self._pairs:
            fitting = rule.hold_seconds / pace
            if abs(facts.hold_seconds - fitting) > MILLISECOND:
                said = (
                    f"does not fit what runs: {rule.name} waits {format_duration(facts.hold_seconds)}, and by "
                    f"{rule.hold_place} ({format_duration(rule.hold_seconds)}) it would be {format_duration(fitting)} "
                    f"at a pace of {pace:g}; declare the pace at which it was started"
                )
                yield Problem(place, said)
                return

    def _read(self) -> dict[str, Rule]:
        artefacts = read_artefacts(self.system)
        if artefacts.unreadable:
            raise BadSystem(artefacts.unreadable)
        try:
            documents = [read_groups(document) for document in artefacts.documents[Kind.RULES]]
        except Unreadable as error:
            raise BadSystem((Problem(error.place, error.message),)) from error
        return {case: r for groups in documents for case, r in case_ids(r for g in groups for r in g.rules).items()}

    def _place_in_files(self, shaped: Rule) -> tuple[str, Rule] | None:
        """Return the rule of the files of that name and static labels; of several, the one of the same group."""
        same = [(c, r) for c, r in self._written.items() if r.name == shaped.name and r.labels == shaped.labels]
        same.sort(key=lambda pair: pair[1].group != shaped.group)
        if not same:
            return None
        del self._written[same[0][0]]
        return same[0]

    @staticmethod
    def _as_written(group: Mapping[str, Any], rule: Mapping[str, Any]) -> Rule:
        """Return a rule that runs as a file would hold it; Prometheus tells its file, and no line."""
        file = str(group.get("file", ""))
        return Rule(
            name=rule["name"],
            alerting=True,
            expression=rule["query"],
            labels=dict(rule.get("labels") or {}),
            annotations=dict(rule.get("annotations") or {}),
            hold_seconds=float(rule.get("duration") or 0.0),
            keep_firing_seconds=float(rule.get("keepFiringFor") or 0.0),
            group=str(group["name"]),
            file=file,
            part=Part.whole(Document(file, None, {}, {})),
        )

    def _facts(self, case: str, source: Rule, rule: Mapping[str, Any], interval: float) -> RuleFacts:
        running = str(rule["query"])
        expression = parse(running)
        found = selectors(expression)
        jobs = [m.value for s in found for m in s.matchers if m.name == "job" and m.op == "="]
        return RuleFacts(
            id=case,
            name=source.name,
            group=source.group,
            file=source.file,
            line=source.place.line,
            expression_line=source.expression_place.line,
            hold_line=source.hold_place.line,
            expression=running,
            production_expression=source.expression,
            labels=dict(source.labels),
            hold_seconds=float(rule.get("duration") or 0.0),
            production_hold=format_duration(source.hold_seconds),
            keep_firing_seconds=float(rule.get("keepFiringFor") or 0.0),
            interval_seconds=interval,
            window_seconds=longest_window(expression),
            recording_seconds=recording_delay(expression, self._recorded, interval),
            scrape_seconds=self.scraping.interval(jobs),
            selectors=tuple(
                Selected(
                    text=s.text(running),
                    metric=s.name or "",
                    matchers=tuple((m.name, m.op, m.value) for m in s.matchers if m.name != "__name__"),
                )
                for s in found
            ),
        )


def _recorded(groups: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Expr]]:
    """Yield name and expression of each recording rule that runs; one that cannot be read adds no delay."""
    for group in groups:
        for rule in group["rules"]:
            if rule["type"] == "recording":
                with suppress(PromQLError):
                    yield str(rule["name"]), parse(str(rule["query"]))
