"""Rewrites a Prometheus rule file for compressed time, and says of each rule what was done with it and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from tocsin.artefacts.rules import Group, Rule, case_ids, read_groups
from tocsin.compression.ambiguity import Ambiguity, Class, classify
from tocsin.compression.expression import Unscalable, number_text, scale_expression, threshold_comparison
from tocsin.compression.invariance import Proof
from tocsin.compression.scaling import Recorded, Traffic
from tocsin.durations import scale_duration
from tocsin.promql import Expr, PromQLError, parse, selectors
from tocsin.source import Document, Place
from tocsin.system import Decision

HEARTBEAT = "tocsin:evaluation"
"""Recorded by every rewritten group: the time of each evaluation, so that a missed one is seen."""


class Handling(StrEnum):
    """What became of a rule."""

    COMPRESSED = "compressed"
    UNDECIDED = "undecided"
    """Left out: its meaning would change, and its owner has not said what to do."""
    NOT_DRILLABLE = "not drillable"
    """Left out: its owner says so, or it reads a rule that is."""
    DISPROVEN = "disproven"
    """Left out: as its owner decided, it does something else than in production on the series that there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandledRule:
    """One rule of the file, what was done with it, and why."""

    case: str
    """The case id of an alert; `name@file::group` of a recording rule."""
    rule: Rule
    handling: Handling
    compressed: str | None = None
    """The expression as rewritten; None if the rule is left out."""
    decision: str = ""
    """The owner's decision that was applied, as a phrase."""
    reason: str = ""
    """Why it is left out, and what would bring it in."""
    ambiguities: tuple[Ambiguity, ...] = ()
    """Those that no decision settles."""
    interval_seconds: float | None = None
    """Between evaluations, as its group says; None if it does not."""
    candidate: str | None = None
    """The expression that a proof is asked of: as rewritten, or as it would be if it were proven invariant."""
    invariance: str = ""
    """What a proof found of a rule that is kept."""
    decided_by: str | None = None
    """The name under which a decision was found."""
    contradiction: str = ""
    """Why the decision cannot be applied to the rule."""
    error: PromQLError | None = None
    """Why the expression cannot be read."""

    @property
    def place(self) -> Place:
        """Where its expression stands."""
        return self.rule.expression_place


@dataclass(frozen=True, slots=True, kw_only=True)
class HandledRules:
    """What becomes of each rule of a file, before that file is written anew."""

    document: Document
    groups: tuple[Group, ...]
    rules: tuple[HandledRule, ...]
    used: frozenset[str]
    """The names under which decisions were found."""

    def settled(self, proofs: Mapping[str, Proof]) -> HandledRules:
        """Return them with what proofs say, by case id: an ambiguous rule is kept, or a decided one left out."""
        return replace(self, rules=tuple(_settled(rule, proofs.get(rule.case)) for rule in self.rules))


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressedRules:
    """A rewritten rule file: the value to write, and each rule's fate."""

    value: dict[str, Any]
    rules: tuple[HandledRule, ...]
    used: frozenset[str]
    """The names under which decisions were found; a decision that no file uses decides nothing."""

    def left_out(self, handling: Handling) -> tuple[HandledRule, ...]:
        """Return the rules handled so."""
        return tuple(rule for rule in self.rules if rule.handling is handling)


def recorded_in(documents: Iterable[Document]) -> Recorded:
    """Return what the recording rules of several rule files record; expressions that cannot be read are skipped.

    Raises Unreadable for a document that is no rule file.
    """
    found: dict[str, Expr] = {}
    for document in documents:
        for group in read_groups(document):
            for rule in group.rules:
                if not rule.alerting and (expr := _parsed(rule.expression)) is not None:
                    found[rule.name] = expr
    return Recorded(found)


def compress_rules(
    document: Document,
    factor: float,
    decisions: Mapping[str, Decision],
    *,
    traffic: Traffic = "same",
    recorded: Recorded | None = None,
    left_out: Mapping[str, Handling] | None = None,
) -> CompressedRules:
    """Rewrite a rule file that was read with raw scalars.

    Group intervals, holds and expressions are divided by `factor`; each group also records HEARTBEAT. Decisions are
    found by case id first, then by the rule's name. A rule is left out if an ambiguity that matters under `traffic`
    is not settled by its decision, or if it reads a recording rule that is left out. `recorded` and `left_out` are
    of the other files: what their recording rules record, and those that they leave out; None means this file is all.
    With factor 1 nothing is ambiguous and only the heartbeat is added. Raises Unreadable if it is no rule file.
    """
    handled = handle_rules(document, factor, decisions, traffic=traffic, recorded=recorded)
    return write_rules(handled, factor, left_out=left_out)


def handle_rules(
    document: Document,
    factor: float,
    decisions: Mapping[str, Decision],
    *,
    traffic: Traffic = "same",
    recorded: Recorded | None = None,
) -> HandledRules:
    """Say what becomes of each rule of a file by itself; see `compress_rules`."""
    groups = read_groups(document)
    names = {id(rule): case for case, rule in case_ids(r for g in groups for r in g.rules).items()}
    compressor = _Compressor(factor, decisions, traffic, recorded or recorded_in([document]))
    handled = tuple(
        replace(compressor.handled(names.get(id(rule), rule.base_id), rule), interval_seconds=group.interval_seconds)
        for group in groups
        for rule in group.rules
    )
    return HandledRules(document=document, groups=groups, rules=handled, used=frozenset(compressor.used))


def write_rules(
    handled: HandledRules, factor: float, *, left_out: Mapping[str, Handling] | None = None
) -> CompressedRules:
    """Write a file anew, without the rules that are left out and those that read them; see `compress_rules`."""
    rules = _without_readers(list(handled.rules), left_out or {})
    fates = iter(rules)
    written = [
        _written(raw, [next(fates) for _ in group.rules], handled.document.file, factor)
        for raw, group in zip(handled.document.value["groups"], handled.groups, strict=True)
    ]
    value = {**handled.document.value, "groups": written}
    return CompressedRules(value=value, rules=tuple(rules), used=handled.used)


def _settled(one: HandledRule, proof: Proof | None) -> HandledRule:
    if proof is None or one.candidate is None:
        return one
    if one.compressed is not None and proof.disproven:
        reason = f"{one.decision.partition(',')[0]} is decided, but {proof}{_CURE}"
        return replace(one, handling=Handling.DISPROVEN, compressed=None, reason=reason)
    if one.compressed is not None or proof.proven:
        kept = replace(one, handling=Handling.COMPRESSED, compressed=one.candidate, reason="", ambiguities=())
        return replace(kept, invariance=str(proof))
    return replace(one, reason=f"{one.reason}\n{proof}")


_PROVABLE = "; or prove it with `series` under its name, or a promtool test that names it"
_CURE = "; decide otherwise, or write under `series: drill` what a drill's scrapes find where its traffic is its own"


def _parsed(text: str) -> Expr | None:
    try:
        return parse(text)
    except PromQLError:
        return None


class _Compressor:
    def __init__(self, factor: float, decisions: Mapping[str, Decision], traffic: Traffic, recorded: Recorded) -> None:
        self.factor = factor
        self.decisions = decisions
        self.traffic = traffic
        self.recorded = recorded
        self.used: set[str] = set()

    def decision(self, case: str, name: str) -> tuple[str | None, Decision | None]:
        """Return the decision for a rule, and the name under which it stands."""
        for key in (case, name):
            if key in self.decisions:
                self.used.add(key)
                return key, self.decisions[key]
        return None, None

    def handled(self, case: str, rule: Rule) -> HandledRule:
        key, decision = self.decision(case, rule.name)
        one = HandledRule(case=case, rule=rule, handling=Handling.UNDECIDED, decided_by=key)
        try:
            expr = parse(rule.expression)
        except PromQLError as error:
            return replace(one, reason=f"its expression cannot be read: {error}", error=error)
        if self.factor == 1:
            return replace(one, handling=Handling.COMPRESSED, compressed=rule.expression)
        if decision is not None and decision.not_drillable is not None:
            reason = decision.not_drillable
            return replace(one, handling=Handling.NOT_DRILLABLE, decision="not_drillable", reason=reason)
        try:
            return self.decided(one, expr, decision)
        except Unscalable as error:
            return replace(one, reason=str(error), contradiction=str(error))

    def decided(self, one: HandledRule, expr: Expr, decision: Decision | None) -> HandledRule:
        """Apply the decision, if any, and say what it leaves open; raises Unscalable."""
        open_ = [a for a in classify(expr, self.recorded) if self.traffic in a.traffic]
        scale_constants = decision is not None and decision.scale_constant
        threshold = decision.threshold if decision is not None else None
        phrase = ""
        if scale_constants:
            open_ = [a for a in open_ if "scale_constant" not in a.decisions]
            phrase = "scale_constant"
        elif decision is not None and threshold is not None:
            replaced = threshold_comparison(expr, self.recorded).node.span
            open_ = [a for a in open_ if a.span != replaced or "threshold" not in a.decisions]
            phrase = f"threshold {number_text(threshold)}, because {decision.because}"
        try:
            candidate = scale_expression(
                one.rule.expression,
                self.factor,
                scale_constants=scale_constants,
                threshold=threshold,
                recorded=self.recorded,
            )
        except Unscalable as error:
            raise Unscalable("; ".join([str(error), *_undecided(open_, one.rule, phrase).splitlines()])) from error
        if not open_:
            return replace(
                one, handling=Handling.COMPRESSED, compressed=candidate, candidate=candidate, decision=phrase
            )
        # No series can show what the time of day does: a test has its own clock.
        provable = one.rule.alerting and all(a.kind is not Class.CALENDAR for a in open_)
        return replace(
            one,
            decision=phrase,
            reason=_undecided(open_, one.rule, phrase) + (_PROVABLE if provable else ""),
            ambiguities=tuple(open_),
            candidate=candidate if provable else None,
        )


def _undecided(ambiguities: Iterable[Ambiguity], rule: Rule, decided: str) -> str:
    """Say what is open, one ambiguity a line, and that a decision which was made does not settle it."""
    but = f" ({decided.partition(',')[0]} does not settle it)" if decided else ""
    return "\n".join(
        f"`{a.span.text(rule.expression)}`: {a.reason}; decide {_either(a.decisions)}{but}" for a in ambiguities
    )


def _either(decisions: tuple[str, ...]) -> str:
    written = {"scale_constant": "scale_constant: true", "threshold": "threshold: N with because"}
    return " or ".join(written.get(decision, f"{decision}: REASON") for decision in decisions)


def _without_readers(handled: list[HandledRule], left_out: Mapping[str, Handling]) -> list[HandledRule]:
    """Leave out, too, every rule that reads a recording rule that is left out, however many steps away."""
    gone = dict(left_out)
    gone |= {h.rule.name: h.handling for h in handled if not h.rule.alerting and h.compressed is None}
    kept_names = {h.rule.name for h in handled if not h.rule.alerting and h.compressed is not None}
    gone = {name: handling for name, handling in gone.items() if name not in kept_names}
    changed = bool(gone)
    while changed:
        changed = False
        for index, one in enumerate(handled):
            if one.compressed is None:
                continue
            lost = next((s.name for s in selectors(parse(one.rule.expression)) if s.name in gone), None)
            if lost is not None:
                reason = f"it reads {lost}, which is left out"
                handled[index] = HandledRule(case=one.case, rule=one.rule, handling=gone[lost], reason=reason)
                if not one.rule.alerting and one.rule.name not in gone:
                    gone[one.rule.name] = gone[lost]
                changed = True
    return handled


def _written(raw: dict[str, Any], handled: Iterable[HandledRule], file: str, factor: float) -> dict[str, Any]:
    group = {**raw}
    for key in ("interval", "query_offset"):
        if group.get(key):
            group[key] = _scaled(group[key], factor)
    group["rules"] = [_heartbeat(group["name"], file), *_rules(raw, handled, factor)]
    return group


def _rules(raw: dict[str, Any], handled: Iterable[HandledRule], factor: float) -> Iterator[dict[str, Any]]:
    for rule, one in zip(raw.get("rules") or [], handled, strict=True):
        if one.compressed is None:
            continue
        written = {**rule, "expr": one.compressed}
        for key in ("for", "keep_firing_for"):
            if written.get(key):
                written[key] = _scaled(written[key], factor)
        yield {key: value for key, value in written.items() if value not in ("", None)}


def _scaled(raw: Any, factor: float) -> str:
    return str(raw) if factor == 1 else scale_duration(str(raw), factor)


def _heartbeat(group: str, file: str) -> dict[str, Any]:
    return {"record": HEARTBEAT, "expr": "time()", "labels": {"group": group, "file": file}}
