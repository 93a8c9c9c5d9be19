"""Asking promtool whether ambiguous rules do the same in a drill's time, several at once."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tocsin.compression.invariance import Proof, Trial
from tocsin.compression.proofs import Prover, Question
from tocsin.engines.promtool import run_rule_tests

AT_ONCE = 4
"""promtool runs at the same time; each takes some 50 ms, half of it to start."""


def proofs(prover: Prover, asked: Sequence[Question]) -> dict[str, Proof]:
    """Return what was found of each rule, by case id; of rules that nothing was asked of, nothing.

    Raises EngineTrouble where promtool is not to be had or does not end.
    """
    if not asked:
        return {}
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="proof") as pool:
        trials = list(pool.map(lambda question: prover.answer(question, run_promtool), asked))
    found: dict[str, list[Trial]] = {}
    for question, trial in zip(asked, trials, strict=True):
        found.setdefault(question.rule.case, []).append(trial)
    return {case: Proof(tuple(each)) for case, each in found.items()}


def run_promtool(files: Mapping[str, str], tests: Sequence[str]) -> tuple[int, str, str]:
    """Run promtool on some of these files, in a folder of their own; return exit code, stdout and stderr."""
    with tempfile.TemporaryDirectory(prefix="tocsin-proof-") as name:
        folder = Path(name)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        done = run_rule_tests([Path(test) for test in tests], cwd=folder)
    return done.code, done.stdout, done.stderr
