"""What became of mutants, as the report has it, and of several parts of a system together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tocsin.engines.rule_engines import RuleEngine
from tocsin.model import Model
from tocsin.simulation.mutation import Fate, MutatedAlert, MutationTrial, Suspect, judge, judge_owner
from tocsin.simulation.problems import Subject
from tocsin.simulation.proofs import AlertProof, Ground
from tocsin.synthesis import Solution

CHUNK = 20
"""Alerts whose mutants are judged together."""


def mutation(
    model: Model,
    pairs: Iterable[tuple[Subject, AlertProof]],
    engine: RuleEngine,
    tell: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Return what becomes of the mutants of proven alerts before our tests, and before the owner's.

    `tell` is told how many alerts more are done. Raises EngineTrouble.
    """
    suspects = [_suspect(subject, proof, engine) for subject, proof in pairs if subject.alert and proof.tests]
    judged: list[MutatedAlert] = []
    for start in range(0, len(suspects), CHUNK):
        trials = [MutationTrial(each) for each in suspects[start : start + CHUNK]]
        judge(engine, trials)
        judged += [trial.result() for trial in trials]
        tell(len(trials))
    chosen = {each.id for each in suspects}
    owners = judge_owner(engine, model, known={each.id: each for each in judged}) if model.promtool_tests else []
    return {**written(judged), "owners": written([each for each in owners if each.id in chosen])}


def _suspect(subject: Subject, proof: AlertProof, engine: RuleEngine) -> Suspect:
    grounded = proof.grounded is Ground.PROVEN
    problem = subject.grounded(engine.generation) if grounded else subject.free(engine.generation)
    return Suspect(id=subject.id, problem=problem, solution=Solution(tests=proof.tests))


def written(alerts: Sequence[MutatedAlert]) -> dict[str, Any]:
    """Return the fates of mutants as the report has them."""
    every = [(alert.id, each) for alert in alerts for each in alert.judged]
    fates = Counter(str(each.fate) for _, each in every)
    operators: dict[str, Counter[str]] = {}
    for _, each in every:
        operators.setdefault(str(each.mutant.operator), Counter())[str(each.fate)] += 1
    return {
        **_scored(fates),
        "by_operator": {name: _scored(counts) for name, counts in sorted(operators.items())},
        "survivors": [
            {
                "id": case,
                "fate": str(each.fate),
                "operator": str(each.mutant.operator),
                "description": each.mutant.description,
                "diff": each.mutant.diff,
                "reason": each.reason,
            }
            for case, each in every
            if each.fate in (Fate.SURVIVED, Fate.PROBABLY)
        ],
        "trouble": {alert.id: alert.trouble for alert in alerts if alert.trouble},
    }


def _scored(fates: Mapping[str, int]) -> dict[str, Any]:
    killed, survived = fates.get(str(Fate.KILLED), 0), fates.get(str(Fate.SURVIVED), 0)
    total = sum(fates.values())
    return {
        "mutants": total,
        **{str(fate): fates.get(str(fate), 0) for fate in Fate},
        "score": round(killed / (killed + survived), 4) if killed + survived else 1.0,
        "score_of_all": round(killed / total, 4) if total else 1.0,
    }


def merged_mutation(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the reports of several parts as one; of none, nothing."""
    given = [each for each in reports if each]
    if not given:
        return {}
    names = {name for each in given for name in each["by_operator"]}
    found = {
        **_added(given),
        "by_operator": {
            name: _added([each["by_operator"][name] for each in given if name in each["by_operator"]])
            for name in sorted(names)
        },
        "survivors": [one for each in given for one in each["survivors"]],
        "trouble": {case: said for each in given for case, said in each["trouble"].items()},
    }
    owners = merged_mutation([each["owners"] for each in given if each.get("owners")])
    return {**found, "owners": owners} if owners else found


def _added(counts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return _scored({str(fate): sum(each.get(str(fate), 0) for each in counts) for fate in Fate})
