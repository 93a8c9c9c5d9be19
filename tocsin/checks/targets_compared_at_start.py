"""Alerts on a ratio between jobs that ring when Prometheus has just started."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import Aggregation, Binary, Expr, comparisons, selectors, walk

_RULES = (
    'groups:\n- name: a\n  rules:\n  - alert: Many\n    expr: sum(open{{job="a"}}) / sum(workers{{job="b"}}) > 9\n{}'
)
_ARITHMETIC = frozenset({"+", "-", "*", "/"})
_SUMS = frozenset({"sum", "count"})


@check(
    severity=Severity.INFO,
    fix="Set `for` to a scrape interval or more.",
    bad=Example({"rules.yml": _RULES.format("")}, at="sum(open"),
    good=Example({"rules.yml": _RULES.format("    for: 2m\n")}),
    origin="pint promql/fragile",
)
def targets_compared_at_start(alert: Rule, model: Model) -> Iterator[Remark]:
    """When Prometheus starts, one job's targets are scraped before the other's, and the ratio is of half of them.

    (Prometheus, scrape/scrape.go: scrapes are spread over the interval.)
    """
    tree = model.tree(alert)
    if tree is None or alert.hold_seconds or not comparisons(tree):
        return
    for node in walk(tree):
        if isinstance(node, Binary) and node.op in _ARITHMETIC:
            left, right = _jobs(node.left), _jobs(node.right)
            if left and right and not left & right:
                place, width = model.piece(alert.part.get("expr"), node.span)
                said = (
                    f"{alert.name} sets the jobs {', '.join(sorted(left | right))} against each other and has no `for`"
                )
                yield Remark(place, said, width=width)
                return


def _jobs(side: Expr) -> frozenset[str]:
    """Return the jobs over whose targets a side sums; nothing if it does not, or if they are not named."""
    if not any(isinstance(node, Aggregation) and node.op in _SUMS for node in walk(side)):
        return frozenset()
    jobs = [{m.value for m in s.matchers if m.name == "job" and m.op == "="} for s in selectors(side)]
    return frozenset[str]().union(*jobs) if all(jobs) else frozenset()
