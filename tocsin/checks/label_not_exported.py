"""Labels, or values of labels, that no series of a metric has."""

from collections.abc import Iterator

from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.lineage import Use
from tocsin.model.metric_labels import Labels, cannot_match
from tocsin.model.metrics import Metric
from tocsin.promql import Aggregation, Call, Expr, Matcher, MatrixSelector, Paren, Subquery, VectorSelector, walk
from tocsin.promql.regex import matches_empty
from tocsin.source import nearest

_APPLICATION = 'from prometheus_client import Counter\nCounter("shop_orders", "Orders.", ["outcome"])\n'
_RULES = (
    "groups:\n- name: shop\n  rules:\n  - alert: OrdersFail\n"
    '    expr: rate(shop_orders_total{job="shop", result="failed"}[5m]) > 1\n'
)
_JOBS = "scrape_configs:\n- job_name: shop\n  static_configs:\n  - targets: ['shop:8000']\n"


@check(
    severity=Severity.ERROR,
    fix="Use a label, and a value, that the metric has.",
    bad=Example({"shop/metrics.py": _APPLICATION, "rules.yml": _RULES, "prometheus.yml": _JOBS}, at='result="failed"'),
    good=Example(
        {"shop/metrics.py": _APPLICATION, "rules.yml": _RULES.replace("result", "outcome"), "prometheus.yml": _JOBS}
    ),
    origin="pint promql/series",
)
def label_not_exported(model: Model) -> Iterator[Remark]:
    """Nothing is found by a matcher on a label that the metric has not, and a sum by it is one sum for all.

    (prometheus.io/docs/concepts/data_model: a label that a series lacks is the same as an empty one.)
    """
    told: set[tuple[str, str, str]] = set()
    for use in model.lineage.uses:
        for remark in (*_of_matchers(use, model), *_of_groupings(use, model), *_of_variable(use, model)):
            key = (use.file, remark.message, "" if use.where == "test" else use.subject)
            if key not in told:  # the series of a test are many, and one of them is enough
                told.add(key)
                yield remark


def _of_matchers(use: Use, model: Model) -> Iterator[Remark]:
    labels = model.metric_labels.of(use)
    for matcher in use.selector.matchers:
        if labels is not None and labels.lacks(matcher.name) and _demands(matcher):
            yield _unmatched(use, matcher, labels)
        else:
            yield from _of_values(use, matcher, model)


def _demands(matcher: Matcher) -> bool:
    """Tell whether a matcher lets no series through that lacks its label."""
    if matcher.op == "=":
        return bool(matcher.value)
    return matcher.op == "=~" and not matches_empty(matcher.value) if matcher.op != "!=" else matcher.value == ""


def _unmatched(use: Use, matcher: Matcher, labels: Labels) -> Remark:
    place, width = use.piece(matcher.span)
    follows = "so no series is like this one" if use.where == "test" else "so this selects nothing"
    said = f"{use.name} has no label {matcher.name}, {follows}; {_has(labels, matcher.name)}"
    sure = labels.sure and use.deciding
    return Remark(
        place,
        said,
        width=width,
        subject=f"{use.subject}/{use.name}/{matcher.name}",
        severity=Severity.ERROR if sure else Severity.WARNING,
        related=tuple(metric.place for metric in labels.metrics if metric.origin != "exporter")[:1],
    )


def _has(labels: Labels, label: str) -> str:
    """Say which labels there are, and who says so."""
    metric = labels.metrics[0]
    own = sorted(set().union(*(each.labels for each in labels.metrics)))
    meant = nearest(label, own, most=1)
    what = f"it has {', '.join(own)}" if own else "it has none but those of its target"
    return f"{what} ({_teller(metric)})" + (f"; did you mean {meant[0]}?" if meant and len(own) > 1 else "")


def _teller(metric: Metric) -> str:
    if metric.origin == "exporter":
        return f"{metric.by}, documented"
    return f"{metric.place.file}:{metric.place.line}"


def _of_values(use: Use, matcher: Matcher, model: Model) -> Iterator[Remark]:
    known = model.metric_labels.values(use, matcher.name)
    wrong = cannot_match(matcher.op, matcher.value, known[0]) if known else ()
    if not known or not wrong:
        return
    place, width = use.piece(matcher.span)
    values, metric = known
    none = matcher.op == "=" or (matcher.op == "=~" and len(wrong) == len(matcher.value.split("|")))
    said = f"{matcher.name} of {use.name} is never {' or '.join(wrong)}: it is {', '.join(sorted(values))}"
    yield Remark(
        place,
        f"{said} ({_teller(metric)})",
        width=width,
        subject=f"{use.subject}/{use.name}/{matcher.name}",
        severity=Severity.ERROR if none and use.deciding and metric.origin != "exporter" else Severity.WARNING,
    )


def _of_groupings(use: Use, model: Model) -> Iterator[Remark]:
    labels = model.metric_labels.of(use) if use.deciding else None
    if labels is None:
        return
    for node in walk(use.tree):
        if not isinstance(node, Aggregation) or node.without or _only(node.expr) is not use.selector:
            continue
        for name in node.grouping or ():
            if labels.lacks(name) and (labels.sure or name in _relied_on(use, model)):
                yield _lost(use, node, name, labels, model)


def _of_variable(use: Use, model: Model) -> Iterator[Remark]:
    labels = model.metric_labels.of(use) if use.label else None
    if labels is not None and labels.lacks(use.label):
        place, width = use.at
        said = f"{use.name} has no label {use.label}, so the variable has no values; {_has(labels, use.label)}"
        subject = f"{use.subject}/{use.label}"
        yield Remark(place, said, width=width, subject=subject, severity=Severity.WARNING)


def _only(expr: Expr) -> VectorSelector | None:
    """Return the one selector of an expression that does nothing to labels but pass them on."""
    while True:
        match expr:
            case VectorSelector():
                return expr
            case MatrixSelector(vector=vector):
                return vector
            case Paren(expr=inner) | Subquery(expr=inner):
                expr = inner
            case Call(function=function, args=args) if function.endswith("_over_time") or function in _PASSING:
                vectors = [arg for arg in args if isinstance(arg, _VECTORS)]
                if len(vectors) != 1:
                    return None
                expr = vectors[0]
            case _:
                return None


_VECTORS = (MatrixSelector, Subquery, VectorSelector, Paren, Call)
_PASSING = frozenset(
    {"rate", "irate", "increase", "delta", "idelta", "deriv", "changes", "resets", "abs", "ceil", "floor", "round"}
    | {"clamp", "clamp_min", "clamp_max", "sqrt", "exp", "ln", "log2", "log10", "predict_linear", "timestamp"}
)
"""Functions whose results have the labels of their argument."""


def _lost(use: Use, node: Aggregation, name: str, labels: Labels, model: Model) -> Remark:
    place, width = use.piece(node.span)
    users = _relied_on(use, model).get(name, ())
    said = f"{use.name} has no label {name} to {node.op} by; {_has(labels, name)}"
    if users:
        said += f". {_listed(users)} {'needs' if len(users) == 1 else 'need'} it"
    return Remark(
        place,
        said,
        width=width,
        subject=f"{use.subject}/{use.name}/{name}",
        severity=Severity.ERROR if users and labels.sure else Severity.WARNING,
        related=tuple(metric.place for metric in labels.metrics)[:1],
    )


def _relied_on(use: Use, model: Model) -> dict[str, tuple[str, ...]]:
    """Return the labels of a recorded series without whose value rules select nothing, and the names of these rules."""
    found: dict[str, list[str]] = {}
    if use.rule is None or use.rule.alerting:
        return {}
    for other in model.lineage.users_of(use.rule.name):
        for matcher in other.selector.matchers:
            if other.rule is not None and _demands(matcher) and matcher.name not in use.rule.labels:
                found.setdefault(matcher.name, []).append(other.rule.name)
    return {name: tuple(dict.fromkeys(rules)) for name, rules in found.items()}


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
