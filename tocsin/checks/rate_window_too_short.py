"""A window that does not hold the samples that its function needs."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.durations import format_duration
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.promql import Call, MatrixSelector, Subquery, unwrapped, walk

_RULES = "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: rate(errors_total[{}]) > 1\n"
_PROMETHEUS = """global: {scrape_interval: 1m}
rule_files: [rules.yml]
scrape_configs:
- job_name: api
  static_configs: [{targets: ['api:80']}]
"""
_TWO = frozenset(
    [
        *("rate", "irate", "increase", "delta", "idelta", "deriv", "predict_linear", "changes", "resets"),
        *("holt_winters", "double_exponential_smoothing"),
    ]
)
"""Functions that say nothing, or nothing but 0, of a single sample."""


@check(
    severity=Severity.ERROR,
    fix="Make the window at least four times as long as the time between two samples.",
    bad=Example({"rules.yml": _RULES.format("1m"), "prometheus.yml": _PROMETHEUS}, at="[1m]"),
    good=Example({"rules.yml": _RULES.format("5m"), "prometheus.yml": _PROMETHEUS}),
    origin="pint promql/rate",
)
def rate_window_too_short(rule: Rule, model: Model) -> Iterator[Remark]:
    """With fewer than two samples in its window a rate is nothing, and no alert on it can ring.

    (prometheus.io/docs/prometheus/latest/querying/functions, rate; Prometheus, promql/functions.go, extrapolatedRate:
    fewer than two samples give no result; pint, docs/checks/promql/rate.md asks for twice the scrape interval.)
    """
    tree = model.tree(rule)
    for call in walk(tree) if tree is not None else ():
        if isinstance(call, Call):
            for arg in call.args:
                yield from _window(call, unwrapped(arg), rule, model)


def _window(call: Call, matrix: object, rule: Rule, model: Model) -> Iterator[Remark]:
    if isinstance(matrix, MatrixSelector) and matrix.boundary is None:
        pace = model.timing.pace(matrix.vector, model.timing.stacks_of(rule))
        if pace is None:
            return
        apart, source = pace.seconds, pace.source
    elif isinstance(matrix, Subquery):
        step = matrix.step.seconds if matrix.step is not None else model.timing.evaluation(rule)
        if not step:
            return
        apart, source = step, "the step of the subquery"
    else:
        return
    said = _said(call.function, matrix.range.seconds, apart)
    if said is not None:
        text, sure = said
        place, width = model.piece(rule.part.get("expr"), matrix.span)
        severity = Severity.ERROR if sure and rule.alerting else Severity.WARNING
        samples = f"samples are {format_duration(apart)} apart ({source})"
        yield Remark(place, f"{samples}, and the window is {format_duration(matrix.range.seconds)}: {text}",
                     width=width, subject=rule.subject, severity=severity)  # fmt: skip


def _said(function: str, window: float, apart: float) -> tuple[str, bool] | None:
    """Return what follows for a function, and whether it follows always; None if its window is long enough."""
    if function in _TWO and window <= apart:
        return f"it never holds the two samples that {function}() needs", True
    if function in _TWO and window < 2 * apart:
        return f"it holds the two samples that {function}() needs only now and then", False
    if function == "absent_over_time" and window < apart:
        return "between two samples all is absent", True
    if function.endswith("_over_time") and window < apart:
        return "it holds no sample most of the time", False
    return None
