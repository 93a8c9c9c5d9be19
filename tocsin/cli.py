"""The `tocsin` command. Exit codes: 0 well, 1 something failed, 2 bad input or nothing to do, 10 inconclusive."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import cast

from tocsin import __version__
from tocsin.deadline import Stopped
from tocsin.explained import Explained

BAD_INPUT, INTERRUPTED = 2, 130
SELDOM = 200_000
"""New objects between two looks for garbage, for commands that make many, keep nearly all, and end."""
SHORT = ("check", "explain")
COMMANDS = {
    "check": "examine the files of a folder; starts nothing",
    "explain": "say what a check looks for, why, and how to mend it",
    "judge": "judge what a target exposes: an address, a saved body, or all targets of a system",
    "probe": "tell what a kubelet would do with a manifest's probes, ask them, or exercise them",
    "prove": "prove every alert in virtual time, by tests made from its rule",
    "backtest": "run the alerting rules over recorded history",
    "drill": "perform the drills of a system and judge them",
    "rejudge": "judge the evidence of an old run again",
    "report": "put reports together that were made in parts",
    "up": "start a system on fixed ports of this machine, until Ctrl-C",
}
"""The subcommands: each a module of tocsin.commands."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:1] and given[0] in SHORT:
        gc.set_threshold(SELDOM)
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for some takes longer than a check
    parser, run = _parser(given[0] if given else "")
    options, rest = parser.parse_known_args(given)
    if rest and ("names" not in options or any(word.startswith("-") for word in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:  # argparse takes names of drills only before the options
        options.names += rest
    try:
        return run(options)
    except Explained as error:
        print(f"tocsin: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:  # whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (KeyboardInterrupt, Stopped):
        print("tocsin: stopped; everything that was started has ended", file=sys.stderr)
        return INTERRUPTED


def _parser(asked: str) -> tuple[argparse.ArgumentParser, Callable[[argparse.Namespace], int]]:
    """Return the parser, which knows the options of the command that is asked for, and what runs that command."""
    parser = argparse.ArgumentParser(prog="tocsin", description="Proves that a system's monitoring works.")
    parser.add_argument("--version", action="version", version=f"tocsin {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run: Callable[[argparse.Namespace], int] = _nothing
    for name, said in COMMANDS.items():
        one = commands.add_parser(name, help=said)
        if name == asked:
            module = importlib.import_module(f"tocsin.commands.{name}")
            module.arguments(one)
            run = cast("Callable[[argparse.Namespace], int]", module.run)
    return parser, run


def _nothing(_: argparse.Namespace) -> int:
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
