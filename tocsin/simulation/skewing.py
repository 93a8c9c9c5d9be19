"""Why an engine does otherwise than another on the same input, where that can be told."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from tocsin.promql import PromQLError
from tocsin.promql.evaluation import EvaluationError, Generation
from tocsin.synthesis import Problem, Solution, Test
from tocsin.synthesis.replaying import Replay, holds, scene_of


def at_edges(problem: Problem, solution: Solution, claims: Collection[str], other: Generation) -> frozenset[str]:
    """Return those of some claims that fall with the rule of ranges alone.

    A range holds a sample at its very beginning up to 2.x, and leaves it out since 3.0 (docs/migration.md, Range
    selectors and lookback exclude samples coinciding with the left boundary). A claim is among them if it falls in an
    evaluation that differs from that of the problem's own generation in this rule, and in nothing else.
    """
    if problem.generation.left_open is other.left_open or not claims:
        return frozenset()
    changed = Replay(replace(problem, generation=replace(problem.generation, left_open=other.left_open)))
    return frozenset(claim for test in solution.tests for claim in _fallen(changed, test, claims))


def _fallen(replay: Replay, test: Test, claims: Collection[str]) -> Collection[str]:
    asked = [each for each in test.assertions if each.claim in claims]
    if not asked:
        return ()
    try:
        scene = scene_of(test)
        moments = replay.moments(scene, replay.store(scene))
    except (EvaluationError, PromQLError, ValueError):
        return ()
    return {each.claim for each in asked if not holds(each, moments, scene.evaluation)}
