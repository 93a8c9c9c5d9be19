"""The subcommands of `tocsin`: each a module that is imported only when it is asked for, for editors wait for it.

A module has `arguments(parser)`, which declares its options, and `run(options) -> int`, which returns the exit code.
"""

from __future__ import annotations

from collections.abc import Iterable

from tocsin.verdict import Outcome, Verdict, worst

FAILED, INCONCLUSIVE = 1, 10


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """Return the exit code that verdicts make: 0 well, 1 something failed, 10 only proof is missing."""
    match worst(verdicts).outcome:
        case Outcome.FAILED:
            return FAILED
        case Outcome.INCONCLUSIVE:
            return INCONCLUSIVE
        case _:
            return 0
