"""An alert without a runbook, where nearly all others have one."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model

_LEAST = 5
"""So many alerts of one file with a runbook make a custom."""
_RULE = "  - alert: {0}\n    expr: up == 0\n    annotations:\n      {1}: https://pages.example/{0}.md\n"


def _example(key: str) -> Example:
    rules = "".join(_RULE.format(f"A{number}", "runbook_url") for number in range(_LEAST)) + _RULE.format("Last", key)
    return Example({"rules.yml": f"groups:\n- name: a\n  rules:\n{rules}"}, at="alert: Last")


@check(
    severity=Severity.INFO,
    fix="Write the page, and link to it as the others do.",
    bad=_example("dashboard"),
    good=_example("runbook_url"),
    origin="pint alerts/annotation",
)
def alert_without_runbook(model: Model) -> Iterator[Remark]:
    """Who is woken by this one alert has nothing to read.

    (All others of its file, or nearly all, have a runbook: that is the owners' own rule.)
    """
    files: dict[str, list[Rule]] = {}
    for rule in model.alerts:
        files.setdefault(rule.file, []).append(rule)
    for rules in files.values():
        without = [rule for rule in rules if not _has(rule)]
        if len(rules) - len(without) >= _LEAST and 10 * len(without) <= 2 * len(rules):
            for rule in without:
                said = f"{rule.name} has no runbook; {len(rules) - len(without)} of {len(rules)} alerts here have one"
                yield at_key(rule.part.get("alert"), said, subject=rule.subject)


def _has(rule: Rule) -> bool:
    return any("runbook" in f"{name} {value}".lower() for name, value in rule.annotations.items())
