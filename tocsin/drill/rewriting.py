"""The rules of a system as a drill runs them: rewritten, proven where that is possible, and what is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tocsin.artefacts.promtool_tests import read_unit_tests
from tocsin.artefacts.scrape import Scraping
from tocsin.compression.proofs import Prover, Source, questions, source_written
from tocsin.compression.rules import (
    CompressedRules,
    HandledRule,
    HandledRules,
    Handling,
    handle_rules,
    recorded_in,
    write_rules,
)
from tocsin.compression.scaling import Recorded
from tocsin.compression.written import yaml_text
from tocsin.drill.proving import proofs
from tocsin.durations import format_duration, parse_duration
from tocsin.evidence import LeftOut, RuleFacts, Selected
from tocsin.promql import longest_window, parse, recording_delay, selectors
from tocsin.source import Document, Place, nearest, place_within, read_text
from tocsin.system import Decision, Environment, Problem, System


@dataclass(frozen=True, slots=True, kw_only=True)
class RewrittenRules:
    """The rules of a system, as a drill runs them."""

    files: Mapping[str, str]
    """The rewritten rule files, by name."""
    count: int
    """Rules that are loaded, alerting and recording."""
    facts: tuple[RuleFacts, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, kw_only=True)
class RuleRewriter:
    """Rewrites the rule files of a system for an environment of ours."""

    system: System
    environment: Environment
    scraping: Scraping
    documents: tuple[Document, ...]
    tests: tuple[Document, ...]

    @property
    def _decisions(self) -> Mapping[str, Decision]:
        return self.system.declaration.compression.rules

    @property
    def factor(self) -> float:
        """How many times faster than production it runs."""
        return self.environment.factor

    def problems(self) -> Iterator[Problem]:
        """Yield the expressions and decisions that cannot be used; raises Unreadable for what is no rule file."""
        handled = self.handled
        yield from dict.fromkeys(self._problems(handled))
        yield from self._unused(handled)

    def rewritten(self) -> RewrittenRules:
        """Return the rules as they run; a rule that has a problem is left out.

        Raises Unreadable for files that cannot be read, and EngineTrouble where promtool is needed and fails.
        """
        written = list(self._written(self._settled(self.handled)))
        rules = [rule for file in written for rule in file.rules]
        return RewrittenRules(
            files=dict(zip(_names(self.documents), (yaml_text(file.value) for file in written), strict=True)),
            count=sum(len(group["rules"]) for file in written for group in file.value["groups"]),
            facts=tuple(self._facts(r) for r in rules if r.compressed is not None and r.rule.alerting),
            left_out=tuple(_left_out(rule) for rule in rules if rule.compressed is None),
        )

    @cached_property
    def handled(self) -> tuple[HandledRules, ...]:
        """What becomes of each rule by itself, before anything is proven."""
        return tuple(
            handle_rules(d, self.factor, self._decisions, traffic=self.environment.traffic, recorded=self.recorded)
            for d in self.documents
        )

    @cached_property
    def recorded(self) -> Recorded:
        """What the recording rules record."""
        return recorded_in(self.documents)

    # -- what cannot be used

    def _problems(self, handled: Sequence[HandledRules]) -> Iterator[Problem]:
        for file in handled:
            texts = read_text(self.system.directory / file.document.file, file.document.file)
            for one in file.rules:
                if one.error is not None:
                    place = place_within(texts, one.place, one.rule.expression, one.error.start)
                    yield Problem(place, f"{one.rule.name}: the expression cannot be read: {one.error.message}")
                if one.contradiction and one.decided_by is not None:
                    said = f"does not fit {one.rule.name} at {one.place}: {one.contradiction}"
                    yield Problem(self._decision_place(one.decided_by), said)

    def _decision_place(self, name: str) -> Place:
        decision = self._decisions[name]
        return self._place(name, "scale_constant" if decision.scale_constant else "threshold")

    def _place(self, *route: str) -> Place:
        return self.system.place("compression", "rules", *route)

    def _unused(self, handled: Sequence[HandledRules]) -> Iterator[Problem]:
        """Yield decisions that name no rule: what its owner meant to decide is not decided."""
        used = frozenset().union(*(file.used for file in handled))
        rules = [one for file in handled for one in file.rules]
        known = {one.rule.name for one in rules} | {one.case for one in rules}
        for name in (name for name in self._decisions if name not in used):
            meant = nearest(name, known)
            cure = f"did you mean {' or '.join(meant)}?" if meant else "name an alert, or its case id"
            yield Problem(self._place(name), f"there is no rule {name!r} to decide on; {cure}")

    # -- what is proven, and written

    def _settled(self, handled: Sequence[HandledRules]) -> list[HandledRules]:
        """Return what proofs make of the rules."""
        rules = [one for file in handled for one in file.rules]
        recordings: dict[str, tuple[HandledRule, ...]] = {}
        for one in rules:
            if not one.rule.alerting:
                recordings[one.rule.name] = (*recordings.get(one.rule.name, ()), one)
        prover = Prover(
            factor=self.factor,
            traffic=self.environment.traffic,
            recorded=self.recorded,
            recordings=recordings,
        )
        open_ = [one for one in rules if one.ambiguities or one.decision]
        tests = [test for d in self.tests for test in read_unit_tests(d)] if open_ else []
        found = proofs(prover, list(questions(open_, self._sources(open_), tests)))
        return [file.settled(found) for file in handled]

    def _sources(self, rules: Sequence[HandledRule]) -> dict[str, Source]:
        """Return the series that stand under decisions, by the case id of the rule that they are for."""
        found = {}
        for one in rules:
            decision = self._decisions.get(one.decided_by or "")
            if one.decided_by is not None and decision is not None and decision.series is not None:
                interval = one.interval_seconds or self.scraping.evaluation_seconds
                found[one.case] = source_written(decision.series, self._place(one.decided_by, "series"), interval)
        return found

    def _written(self, handled: Sequence[HandledRules]) -> Iterator[CompressedRules]:
        """Write every file; what one leaves out is left out of the readers in the files after it too."""
        gone: dict[str, Handling] = {}
        for file in handled:
            written = write_rules(file, self.factor, left_out=gone)
            gone |= {one.rule.name: one.handling for one in written.rules if one.compressed is None}
            yield written

    # -- what is known of a rule

    def _facts(self, one: HandledRule) -> RuleFacts:
        rule, running = one.rule, one.compressed or one.rule.expression
        expression = parse(running)
        found = selectors(expression)
        jobs = [m.value for s in found for m in s.matchers if m.name == "job" and m.op == "="]
        interval = one.interval_seconds or self.scraping.evaluation_seconds
        return RuleFacts(
            id=one.case,
            name=rule.name,
            group=rule.group,
            file=rule.file,
            line=rule.place.line,
            expression_line=rule.expression_place.line,
            hold_line=rule.hold_place.line,
            expression=running,
            production_expression=rule.expression,
            labels=dict(rule.labels),
            hold_seconds=self._run(rule.hold_seconds),
            production_hold=format_duration(rule.hold_seconds),
            keep_firing_seconds=self._run(rule.keep_firing_seconds),
            interval_seconds=self._run(interval),
            window_seconds=longest_window(expression),
            recording_seconds=self._run(recording_delay(parse(rule.expression), self.recorded.expressions, interval)),
            scrape_seconds=self._run(self.scraping.interval(jobs)),
            selectors=tuple(
                Selected(
                    text=s.text(running),
                    metric=s.name or "",
                    matchers=tuple((m.name, m.op, m.value) for m in s.matchers if m.name != "__name__"),
                )
                for s in found
            ),
            invariance=one.invariance,
        )

    def _run(self, seconds: float) -> float:
        """Return a time of production's as it runs: of whole milliseconds."""
        return seconds if self.factor == 1 else parse_duration(format_duration(seconds / self.factor))


def _left_out(one: HandledRule) -> LeftOut:
    rule = one.rule
    reason = f"{one.handling}: {one.reason}"
    return LeftOut(id=one.case, name=rule.name, file=rule.file, line=rule.place.line, reason=reason)


def _names(documents: Sequence[Document]) -> Iterator[str]:
    """Yield a file name for each document: all in one folder, and all ending in .yml, which is what is loaded."""
    taken: Counter[str] = Counter()
    for document in documents:
        name = document.file.replace("/", "_").removesuffix(".yml")
        taken[name] += 1
        yield f"{name}.{taken[name]}.yml" if taken[name] > 1 else f"{name}.yml"
