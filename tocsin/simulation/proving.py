"""Alerts proven: what is searched for each, what the engines say of it, and what follows.

An engine that disagrees with our own evaluation is right: the alert is searched for again with another seed, and what
stays unconfirmed is open. Of several engines the first is the one that the environment runs; its verdict is the
alert's. The others run the same tests unchanged, and if some come out otherwise, tests of their own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tocsin.engines.rule_engines import RuleEngine, RuleFiles, run_files
from tocsin.promql.evaluation import Generation
from tocsin.simulation.problems import Subject
from tocsin.simulation.proofs import (
    BASE,
    AlertProof,
    EngineProof,
    Ground,
    Input,
    Page,
    Property,
    Standing,
)
from tocsin.simulation.refuting import Refutation
from tocsin.simulation.skewing import at_edges
from tocsin.simulation.storage import Storage
from tocsin.simulation.trials import Request, Trial, run_trials
from tocsin.synthesis import Dead, Open, Problem, Solution, State, Test

ATTEMPTS = 3
"""How often an alert is searched for where the engine disagrees."""
CHUNK = 400
"""Alerts that are proven together; what is proven of them is kept before the next."""
MOST_PAGES = 6
"""Alerts of one rule that are kept as they would be sent."""
_UNPINNED = ("fires", "inactive", "blip")
"""Claims in which a difference of one evaluation between engines is no matter."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of the prover."""

    engines: tuple[RuleEngine, ...]
    storage: Storage | None = None
    threads: int = 1
    grounded: bool = True


@dataclass(kw_only=True)
class _Found:
    """What is known so far of an alert, by one kind of input on one engine."""

    trials: list[Trial] = field(default_factory=list)

    @property
    def solution(self) -> Solution | None:
        """The first solution of which most was confirmed."""
        solved = [trial for trial in self.trials if isinstance(trial.outcome, Solution)]
        best = max(solved, key=lambda trial: len(trial.proven), default=None)
        return best.outcome if best is not None and isinstance(best.outcome, Solution) else None

    @property
    def dead(self) -> Dead | None:
        return next((trial.outcome for trial in self.trials if isinstance(trial.outcome, Dead)), None)

    @property
    def proven(self) -> frozenset[str]:
        return frozenset().union(*(trial.proven for trial in self.trials))

    @property
    def failed(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for trial in self.trials:
            found |= trial.failed
        return {claim: said for claim, said in found.items() if claim not in self.proven}

    @property
    def refused(self) -> str:
        return next((trial.refused for trial in self.trials if trial.refused), "")

    @property
    def wants_more(self) -> bool:
        """Whether another search may prove what the engine did not confirm."""
        return bool(self.failed) and not self.refused and len(self.trials) < ATTEMPTS

    @property
    def standing(self) -> Standing:
        if self.dead is not None:
            return Standing.DEAD
        return Standing.PROVEN if "fires" in self.proven else Standing.OPEN

    @property
    def reason(self) -> str:
        """Why it does not fire, as far as that is known."""
        if self.dead is not None:
            return self.dead.argument
        if self.refused:
            return f"the engine refuses the rule: {self.refused}"
        if "fires" in self.failed:
            return self.failed["fires"]
        return next((trial.outcome.reason for trial in self.trials if isinstance(trial.outcome, Open)), "")


def prove(
    subjects: Sequence[Subject],
    asked: Asked,
    tell: Callable[[str, int, int], None] = lambda *_: None,
) -> Iterator[AlertProof]:
    """Yield the proof of each alert, in their order.

    `tell` is told what is being done, how much of it is done, and of how much. Raises EngineTrouble.
    """
    for start in range(0, len(subjects), CHUNK):
        chunk = subjects[start : start + CHUNK]
        known = {each.id: asked.storage.read(each) for each in chunk} if asked.storage else {}
        wanted = [each for each in chunk if known.get(each.id) is None]
        fresh = {proof.id: proof for proof in _Prover(asked, tell, len(subjects), start).prove(wanted)}
        for each in chunk:
            proof = fresh.get(each.id) or known.get(each.id)
            if proof is None:
                raise LookupError(each.id)
            if asked.storage and each.id in fresh:
                asked.storage.write(each, proof)
            yield proof


class _Prover:
    def __init__(self, asked: Asked, tell: Callable[[str, int, int], None], of: int, done: int) -> None:
        self._asked = asked
        self._tell = tell
        self._of = of
        self._done = done

    def prove(self, subjects: Sequence[Subject]) -> Iterator[AlertProof]:
        """Yield the proofs of some alerts."""
        readable = [each for each in subjects if each.alert is not None]
        first, *others = self._asked.engines
        free = self._search(
            first, readable, "free input", lambda s, seed: s.free(first.generation, seed=seed), pages=True
        )
        on_ground: dict[str, _Found] = {}
        if self._asked.grounded:
            asked = [each for each in readable if _worth_grounding(each, free[each.id], first.generation)]
            on_ground = self._search(
                first, asked, "grounded input", lambda s, seed: s.grounded(first.generation, seed=seed), pages=True
            )
        elsewhere = {engine.name: self._compare(engine, readable, free) for engine in others}
        for each in subjects:
            if each.alert is None:
                yield _unread(each, first)
                continue
            by_engine = {first.name: EngineProof(standing=free[each.id].standing, reason=free[each.id].reason)}
            by_engine |= {name: found[each.id] for name, found in elsewhere.items()}
            yield _proof(each, free[each.id], on_ground.get(each.id), by_engine, first.generation)

    def _search(
        self,
        engine: RuleEngine,
        subjects: Sequence[Subject],
        what: str,
        problem: Callable[[Subject, int], Problem],
        *,
        pages: bool = False,
    ) -> dict[str, _Found]:
        """Search and run until the engine confirms all, or no more is to be expected."""
        found = {each.id: _Found() for each in subjects}
        waiting = list(subjects)
        for attempt in range(ATTEMPTS):
            requests = (Request(key=each.id, problem=problem(each, attempt), ask_pages=pages) for each in waiting)
            said = f"{engine.name}, {what}" + (f", search {attempt + 1}" if attempt else "")
            for trial in self._run(engine, requests, said, len(waiting)):
                found[trial.request.key].trials.append(trial)
            waiting = [each for each in waiting if found[each.id].wants_more]
            if not waiting:
                break
        return found

    def _run(self, engine: RuleEngine, requests: Iterable[Request], said: str, count: int) -> Iterator[Trial]:
        done = [0]

        def tell(more: int) -> None:
            done[0] += more
            self._tell(said, done[0] if count != self._of else self._done + done[0], max(count, 1))

        return run_trials(engine, requests, threads=self._asked.threads, tell=tell)

    def _compare(
        self, engine: RuleEngine, subjects: Sequence[Subject], free: Mapping[str, _Found]
    ) -> dict[str, EngineProof]:
        """Run the first engine's tests on another; search again for what comes out otherwise."""
        same = [
            Request(key=each.id, problem=each.free(engine.generation), outcome=free[each.id].solution)
            for each in subjects
            if free[each.id].solution is not None
        ]
        unchanged = {t.request.key: t for t in self._run(engine, same, f"{engine.name}, the same tests", len(same))}
        confirmed = {key for key, trial in unchanged.items() if not trial.failed and not trial.refused}
        other = [each for each in subjects if each.id not in confirmed]
        again = self._search(engine, other, "tests of its own", lambda s, seed: s.free(engine.generation, seed=seed))
        found: dict[str, EngineProof] = {}
        for each in subjects:
            trial, own = unchanged.get(each.id), again.get(each.id)
            if trial is not None and own is None:
                own = _Found(trials=[trial])
            own = own or _Found()
            differs = _differing(trial, free[each.id]) if trial is not None else frozenset()
            edges = self._at_edges(each, free[each.id], differs, engine)
            found[each.id] = EngineProof(
                standing=own.standing,
                reason="" if own.standing is Standing.PROVEN else own.reason,
                differs=tuple(sorted(differs - edges)),
                at_edges=tuple(sorted(edges)),
                refused=own.refused,
                refuted=_refuted_by(each, engine) if self._asked.grounded else "",
            )
        return found

    def _at_edges(self, subject: Subject, free: _Found, claims: frozenset[str], engine: RuleEngine) -> frozenset[str]:
        """Return those of the claims that fell on another engine for one sample at the edge of a range."""
        if free.solution is None or engine.vmalert:
            return frozenset()
        first = self._asked.engines[0]
        return at_edges(subject.free(first.generation), free.solution, claims, engine.generation)


def _differing(trial: Trial, free: _Found) -> frozenset[str]:
    """Return the claims that the first engine proved on an input, and that another does not confirm on it."""
    asked = {claim for claim in trial.otherwise if claim.partition(":")[0] in _UNPINNED}
    return free.proven & asked


def _worth_grounding(subject: Subject, free: _Found, generation: Generation) -> bool:
    grounded = not subject.ground.grounding.free and free.standing is Standing.PROVEN
    return grounded and _refuted(subject, generation) is None


def _unread(subject: Subject, engine: RuleEngine) -> AlertProof:
    """Return the proof of an alert whose expression does not parse: dead if the engine refuses it too, else open."""
    rule = subject.rule
    alone = {"groups": [{"name": "alone", "rules": [{"alert": rule.name or "Alert", "expr": rule.expression}]}]}
    loading = {"rule_files": ["rules.yml"], "tests": [{"interval": "1m", "input_series": []}]}
    (said,) = run_files(engine, [RuleFiles(json.dumps(alone), json.dumps(loading))])
    if said.passed:
        standing, reason = Standing.OPEN, f"the expression cannot be read here: {subject.unread}"
    else:
        standing, reason = Standing.DEAD, f"{engine.name} refuses the expression, and loads no rule of its file"
    found = {name: Property(standing=standing, reason=reason) for name in BASE}
    proof = _base(subject, found, {engine.name: EngineProof(standing=standing, reason=reason)})
    return proof if said.passed else replace(proof, argument=f"{reason}: {subject.unread}")


def _base(subject: Subject, properties: Mapping[str, Property], engines: Mapping[str, EngineProof]) -> AlertProof:
    rule = subject.rule
    return AlertProof(
        id=subject.id,
        name=rule.name,
        group=rule.group,
        file=rule.file,
        line=rule.place.line,
        expression=rule.expression,
        properties=properties,
        engines=engines,
    )


def _proof(
    subject: Subject,
    free: _Found,
    grounded: _Found | None,
    engines: Mapping[str, EngineProof],
    generation: Generation,
) -> AlertProof:
    """Return all that is known of an alert."""
    solution = free.solution
    proof = replace(
        _base(subject, dict(_properties(subject, free)), engines),
        argument=free.dead.argument if free.dead else None,
        underlined=(free.dead.span.start, free.dead.span.end) if free.dead else None,
        edges={edge.name: edge.said for edge in solution.edges} if solution else {},
        notes=solution.notes if solution else (),
        free_input=_input(solution, "it fires") if solution else None,
        tests=_confirmed(free),
    )
    proof = _with_pages(proof, free)
    return _with_ground(proof, subject, free, grounded, generation)


def _with_pages(proof: AlertProof, found: _Found) -> AlertProof:
    """Return a proof with what the engine would send where the tests first say that the alert fires."""
    rendered = next((t.pages for t in found.trials if t.outcome is found.solution), ())
    pages = tuple(Page(labels=each.labels, annotations=each.annotations) for each in rendered[:MOST_PAGES])
    return replace(proof, pages=pages, more_pages=len(rendered) > MOST_PAGES)


def _properties(subject: Subject, free: _Found) -> Iterator[tuple[str, Property]]:
    """Yield the base properties, each the sum of its claims, and then every claim that is another."""
    solution = free.solution
    claims = solution.claims if solution else ()
    for name in BASE:
        yield name, _summed(name, [c for c in claims if c.partition(":")[0] == name], subject, free)
    for claim in claims:
        if claim not in BASE:
            proven = claim in free.proven
            said = "" if proven else free.failed.get(claim, "")
            yield claim, Property(standing=Standing.PROVEN if proven else Standing.OPEN, reason=said)


def _summed(name: str, claims: Sequence[str], subject: Subject, free: _Found) -> Property:
    if free.dead is not None:
        return Property(standing=Standing.DEAD, reason=free.dead.argument)
    unproven = [claim for claim in claims if claim not in free.proven]
    if claims and not unproven:
        return Property(standing=Standing.PROVEN)
    if unproven:
        said = "; ".join(free.failed.get(claim, free.reason) for claim in unproven)
        return Property(standing=Standing.OPEN, reason=said)
    impossible = _impossible(name, free.solution) if "fires" in free.proven else ""
    if impossible:
        return Property(standing=Standing.NOT_APPLICABLE, reason=impossible)
    missing = free.solution.missing if free.solution else {}
    why = next((reason for key, reason in missing.items() if key == name), free.reason)
    if name == "blip" and subject.rule.hold_seconds == 0:
        return Property(standing=Standing.NOT_APPLICABLE, reason="it has no `for`: whatever fires it, fires it at once")
    return Property(standing=Standing.OPEN, reason=why)


def _impossible(name: str, solution: Solution | None) -> str:
    """Return why there is no such thing as a property for this alert, where that is known."""
    if solution is None:
        return ""
    if solution.always:
        return "it fires whatever its input is"
    return next((reason for key, reason in solution.impossible.items() if key == name), "")


def _refuted(subject: Subject, generation: Generation) -> Refutation | None:
    return subject.ground.refuted(subject.alert.tree, generation) if subject.alert is not None else None


def _refuted_by(subject: Subject, engine: RuleEngine) -> str:
    found = None if engine.vmalert else _refuted(subject, engine.generation)
    return found.argument if found is not None else ""


def _with_ground(
    proof: AlertProof, subject: Subject, free: _Found, grounded: _Found | None, generation: Generation
) -> AlertProof:
    ground = subject.ground
    said = "; ".join(ground.said)
    if free.standing is not Standing.PROVEN:
        return replace(proof, grounded=Ground.NO_CONTRACT if ground.free else Ground.OPEN, grounded_reason=said)
    refuted = _refuted(subject, generation) or (grounded.dead if grounded is not None else None)
    if refuted is not None:
        return replace(
            proof,
            grounded=Ground.REFUTED,
            grounded_reason=said,
            argument=refuted.argument,
            underlined=(refuted.span.start, refuted.span.end),
            grounded_input=_contract(subject),
        )
    if grounded is None:
        return replace(proof, grounded_reason="the files of the system say nothing of its input")
    if grounded.standing is Standing.PROVEN and grounded.solution is not None:
        shown = _input(grounded.solution, "it fires")
        on_ground = replace(proof, grounded=Ground.PROVEN, grounded_reason=said, grounded_input=shown)
        return _with_pages(replace(on_ground, tests=_confirmed(grounded)), grounded)
    why = f"no input of this system was found that fires it ({grounded.reason}); {said}"
    return replace(proof, grounded=Ground.OPEN, grounded_reason=why, grounded_input=_contract(subject))


def _confirmed(found: _Found) -> tuple[Test, ...]:
    """Return the tests, without the assertions that the engine did not confirm."""
    if found.solution is None or found.refused:
        return ()
    failed = next(trial.failed for trial in found.trials if trial.outcome is found.solution)
    kept = (
        replace(test, assertions=tuple(each for each in test.assertions if each.claim not in failed))
        for test in found.solution.tests
    )
    return tuple(test for test in kept if test.assertions)


def _input(solution: Solution, outcome: str) -> Input:
    """Return the input of the test in which the alert fires."""
    test = next(
        (test for test in solution.tests if any(a.state is State.FIRING for a in test.assertions)), solution.tests[0]
    )
    return Input(
        series=tuple((each.selector, each.values) for each in test.series),
        interval=test.interval,
        evaluation=test.evaluation,
        outcome=outcome,
    )


def _contract(subject: Subject) -> Input:
    """Return the series that the system has, without values, as far as it says which."""
    grounding = subject.ground.grounding
    series = tuple(
        (name + "{" + ", ".join(f'{k}="{v}"' for k, v in sorted(labels.items())) + "}", "")
        for name, sets in grounding.label_sets.items()
        for labels in sets[:3]
    )
    return Input(
        series=series,
        interval=grounding.scrape_seconds or 0.0,
        evaluation=grounding.evaluation_seconds or 0.0,
        outcome="it never fires",
    )
