"""A number that stands in two places and differs."""

import re
from collections.abc import Iterator

from tocsin.artefacts.provisioning import DataSource
from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.durations import format_duration, parse_duration
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.alert_numbers import Alert
from tocsin.model.statements import Witness
from tocsin.promql import PromQLError, Span
from tocsin.promql.intervals import LOOKBACK
from tocsin.promql.thresholds import Threshold

_RULES = """\
groups:
- name: a
  rules:
  - alert: HighErrorRate
    expr: sum(rate(errors_total[5m])) / sum(rate(requests_total[5m])) > 0.05
    for: 5m
    annotations:
      runbook_url: https://runbooks.example/HighErrorRate.md
"""
_DEFAULT_INTERVAL = 15.0
"""Seconds that Grafana takes for the scrape interval of a data source without `timeInterval` (grafana.com/docs)."""
_RATE_INTERVAL = 4
"""`$__rate_interval` is so many scrapes long."""


def _example(share: str) -> Example:
    page = f"# HighErrorRate\n\n## Meaning\n\nMore than {share} of the requests have failed for five minutes.\n"
    return Example({"rules.yml": _RULES, "docs/HighErrorRate.md": page}, at=share)


@check(
    severity=Severity.WARNING,
    fix="Write the same number in both places.",
    bad=_example("15 %"),
    good=_example("5 %"),
)
def number_differs(model: Model) -> Iterator[Remark]:
    """Who believes the one takes what follows from the other for a false alarm, or waits for an alarm that never comes.

    (Both are meant to be one number: an alert's threshold or duration and what its annotations, its runbook, its panels
    and the application say of it; a scrape interval and the `timeInterval` of the data source.)
    """
    for alert in model.numbers.alerts.values():
        yield from _of_alert(alert, model)
    yield from _of_intervals(model)


def _of_alert(alert: Alert, model: Model) -> Iterator[Remark]:
    witnesses = list(model.numbers.witnesses(alert))
    for quantity in ("threshold", "duration"):
        said = [witness for witness in witnesses if witness.quantity == quantity]
        against = [witness for witness in said if not witness.agrees]
        if not against:
            continue
        if len({w.source for w in against}) > 1 and not any(w.agrees for w in said) and _one(against):
            yield _at_rule(alert, against, model)
        else:
            yield from (_at_witness(alert, witness, said) for witness in against)


def _one(witnesses: list[Witness]) -> bool:
    """Tell whether others say the same among themselves."""
    values = [witness.value for witness in witnesses]
    return max(values) - min(values) <= 0.01 * max(abs(value) for value in values)


def _at_rule(alert: Alert, against: list[Witness], model: Model) -> Remark:
    """Return the remark about the rule, which is alone against all who speak of it."""
    said = " and ".join(dict.fromkeys(f"{w.source} ({w.text})" for w in against))
    rule = against[0].rule or alert.rules[0]
    threshold = against[0].against
    related = tuple(w.place for w in against)
    if threshold is None:
        part = rule.part.get("for")
        return at_key(
            part, f"{alert.name} waits {part.text}; {said} say otherwise", subject=rule.subject, related=related
        )
    rule = next(
        (r for r in alert.rules if model.tree(r) is not None and _holds(r.expression, model, threshold.number.span)),
        rule,
    )
    place, width = model.piece(rule.part.get("expr"), threshold.number.span)
    message = f"{alert.name} compares with {threshold.value:.10g}; {said} say otherwise"
    return Remark(place, message, width=width, subject=rule.subject, related=related)


def _holds(expression: str, model: Model, span: Span) -> bool:
    return not isinstance(model.parsed(expression), PromQLError) and span.end <= len(expression)


def _at_witness(alert: Alert, witness: Witness, said: list[Witness]) -> Remark:
    rule = witness.rule or alert.rules[0]
    others = dict.fromkeys(f"{w.source}" for w in said if w.agrees and w.source != witness.source)
    so = f", and so {'say' if len(others) > 1 else 'says'} {' and '.join(list(others)[:3])}" if others else ""
    if witness.quantity == "duration":
        holds = " or ".join(sorted({r.part.string("for") or "0s" for r in alert.rules}))
        message = f'{witness.source} says "{witness.text}" of {alert.name}, whose `for` is {holds}{so}'
    else:
        value = _written(witness.against, witness) if witness.against else "another number"
        message = f'{witness.source} says "{witness.text}" of {alert.name}, which compares with {value}{so}'
    subject = f"{rule.subject}/{witness.source}"
    return Remark(witness.place, message, width=witness.width, subject=subject, related=(rule.expression_place,))


def _written(threshold: Threshold, witness: Witness) -> str:
    """Return a threshold as people write it: 1209600 beside days is 14d."""
    number = f"{threshold.value:.10g}"
    days = 3600 <= threshold.value < 1e10 and re.search(r"hour|day|week|minute|\d\s?[dhm]\b", witness.text) is not None
    return f"{number} ({format_duration(threshold.value)})" if days else number


def _of_intervals(model: Model) -> Iterator[Remark]:
    """Yield data sources whose `timeInterval` is not how often their Prometheus scrapes."""
    configs = [config for config in model.prometheus_configs if not config.foreign and config.jobs]
    if not configs or model.objects_of("ServiceMonitor", "PodMonitor", "Prometheus"):
        return
    for source in model.data_sources:
        readers = sum(
            1 for grafana in model.grafanas if any(s.part.place == source.part.place for s in grafana.data_sources)
        )
        if source.type != "prometheus" or (len(configs) > 1 and readers < len(configs)):
            continue  # it is not certain which Prometheus it asks
        remarks = (_of_source(source, {job.interval_seconds for job in config.jobs}, model) for config in configs)
        yield from [remark for remark in remarks if remark is not None][:1]


def _of_source(source: DataSource, intervals: set[float], model: Model) -> Remark | None:
    said = source.part.get("jsonData", "timeInterval")
    shortest, longest = min(intervals), max(intervals)
    if shortest > LOOKBACK:
        return None  # then it is the scrapes that are too seldom
    scraped = f"every {shortest:g} s" if shortest == longest else f"every {shortest:g} to {longest:g} s"
    try:
        interval = parse_duration(said.text) if said.text else _DEFAULT_INTERVAL
    except ValueError:
        return None
    if said.text and interval > longest:
        message = f"Grafana asks for one point in {said.text} and Prometheus scrapes {scraped}: most are on no panel"
        return at(said, message, subject=source.subject)
    if _RATE_INTERVAL * interval < 2 * shortest and (said.text or _uses_rate_interval(model)):
        window = _RATE_INTERVAL * interval
        given = f"`timeInterval` is {said.text}" if said.text else "without `timeInterval` Grafana assumes 15 s"
        message = (
            f"{given}, and Prometheus scrapes {scraped}: a `$__rate_interval` of {window:g} s has less than two samples"
        )
        return at(said if said.text else source.part.get("name"), message, subject=source.subject)
    return None


def _uses_rate_interval(model: Model) -> bool:
    return any(s.name == "__rate_interval" for query in model.queries for s in query.interpolation.substitutions)
