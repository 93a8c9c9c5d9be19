"""The search for input: proposals from the goal, filtered by evaluation, laid out on a timeline."""

from __future__ import annotations

from tocsin.synthesis.problem import Problem
from tocsin.synthesis.solution import Open, Outcome


def synthesise(problem: Problem) -> Outcome:  # noqa: ARG001 not there yet
    """Return tests for an alert, a proof that it is dead, or what kept both from being found."""
    return Open(reason="not searched")
