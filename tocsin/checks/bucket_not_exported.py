"""Buckets of a histogram that its exporter does not count, and quantiles that it does not tell."""

from collections.abc import Iterator

from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.lineage import Use
from tocsin.model.metrics import Metric, client_bound
from tocsin.promql import Matcher
from tocsin.promql.regex import alternatives, matches

_APPLICATION = (
    "from prometheus_client import Histogram\n"
    'Histogram("shop_answer_seconds", "Time to answer.", buckets=(0.1, 0.5, 1.0))\n'
)
_RULES = (
    "groups:\n- name: shop\n  rules:\n  - alert: Slow\n    expr: |\n"
    '      1 - rate(shop_answer_seconds_bucket{job="shop", le="0.3"}[5m])\n'
    '        / ignoring (le) rate(shop_answer_seconds_count{job="shop"}[5m]) > 0.1\n'
)


@check(
    severity=Severity.ERROR,
    fix="Use the bound of a bucket that is there, or add the bucket where the histogram is made.",
    bad=Example({"shop/metrics.py": _APPLICATION, "rules.yml": _RULES}, at='le="0.3"'),
    good=Example({"shop/metrics.py": _APPLICATION, "rules.yml": _RULES.replace("0.3", "0.5")}),
    origin="pint promql/series",
)
def bucket_not_exported(model: Model) -> Iterator[Remark]:
    """Each bucket is a series of its own: one with another bound does not exist, and nothing is interpolated.

    (prometheus.io/docs/concepts/metric_types, Histogram; prometheus_client writes the bound 1 as `1.0`.)
    """
    for use in model.lineage.uses:
        for matcher in use.selector.matchers:
            if matcher.name == "le" and matcher.op in ("=", "=~") and use.name.endswith("_bucket"):
                yield from _bounded(use, matcher, model)
            elif matcher.name == "quantile" and matcher.op == "=" and matcher.value:
                yield from _quantile(use, matcher, model)


def _bounded(use: Use, matcher: Matcher, model: Model) -> Iterator[Remark]:
    told = model.metric_labels.told(use)
    if not told or not all(metric.buckets and metric.origin in ("application", "saved") for metric in told):
        return
    bounds = {bound for metric in told for bound in metric.buckets}
    spelt = {form for bound in (*bounds, float("inf")) for form in _forms(bound, told)}
    wanted = {matcher.value} if matcher.op == "=" else alternatives(matcher.value)
    if not matcher.value or any(matcher.op == "=~" and matches(matcher.value, form) is not False for form in spelt):
        return
    if wanted is None or not wanted or wanted & spelt:
        return
    listed = ", ".join(f"{bound:g}" for bound in sorted(bounds))
    same = [client_bound(bound) for bound in bounds if _number(matcher.value) == bound]
    said = (
        f"the bound is written {same[0]} (le is compared as text), so le={matcher.value} is no bucket of {use.name}"
        if same
        else f"{use.name} has no bucket le={matcher.value}: it has {listed} and +Inf"
    )
    place, width = use.piece(matcher.span)
    yield Remark(
        place,
        f"{said} ({told[0].place.file}:{told[0].place.line})",
        width=width,
        subject=f"{use.subject}/{use.name}/le={matcher.value}",
        severity=Severity.ERROR if use.deciding else Severity.WARNING,
        fix=f'Write le="{same[0]}".' if same else "",
        related=(told[0].place,),
    )


def _forms(bound: float, told: tuple[Metric, ...]) -> set[str]:
    """Return the texts in which a bound may stand: of a saved body, that of each format in which it may be scraped."""
    forms = {client_bound(bound)}
    if bound == float("inf"):
        return {"+Inf"}
    if any(metric.origin == "saved" for metric in told):
        forms |= {f"{bound:g}", repr(bound), repr(int(bound)) if bound == int(bound) else repr(bound)}
    return forms


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _quantile(use: Use, matcher: Matcher, model: Model) -> Iterator[Remark]:
    told = model.metric_labels.told(use)
    if not told or not all(m.type == "summary" and m.origin == "saved" and m.quantiles for m in told):
        return
    known = {quantile for metric in told for quantile in metric.quantiles}
    if _number(matcher.value) in known:
        return
    place, width = use.piece(matcher.span)
    listed = ", ".join(f"{each:g}" for each in sorted(known))
    yield Remark(
        place,
        f"{use.name} has no quantile {matcher.value}: it has {listed} ({told[0].place.file}:{told[0].place.line})",
        width=width,
        subject=f"{use.subject}/{use.name}/quantile={matcher.value}",
        severity=Severity.ERROR if use.deciding else Severity.WARNING,
    )
