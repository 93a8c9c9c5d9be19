"""Tests made from a rule: input series and timelines that fire an alert, keep it silent, and end it.

`synthesise` turns a `Problem` into a `Solution`, a proof that the alert is `Dead`, or leaves it `Open`; `emit` writes a
solution as promtool's files. Nothing here starts a process: an engine has the last word, and whoever runs it asks
`failed` which assertions it refused.
"""

from tocsin.synthesis.emitting import Emitted, emit, failed
from tocsin.synthesis.problem import FREE, Alert, Grounding, Problem, Recorded, problem_of
from tocsin.synthesis.solution import (
    Assertion,
    Dead,
    Edge,
    InputSeries,
    Open,
    Outcome,
    Property,
    Solution,
    State,
    Stretch,
    Test,
)
from tocsin.synthesis.solving import synthesise

__all__ = [
    "FREE",
    "Alert",
    "Assertion",
    "Dead",
    "Edge",
    "Emitted",
    "Grounding",
    "InputSeries",
    "Open",
    "Outcome",
    "Problem",
    "Property",
    "Recorded",
    "Solution",
    "State",
    "Stretch",
    "Test",
    "emit",
    "failed",
    "problem_of",
    "synthesise",
]
