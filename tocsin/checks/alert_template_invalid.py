"""Templates of alerts that Prometheus refuses, or that fail each time they are rendered."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.alert_templates import alert_templates
from tocsin.promql import Span

_RULES = (
    "groups:\n- name: a\n  rules:\n  - alert: Down\n    expr: up == 0\n    annotations:\n"
    "      summary: It is {{ %s }}.\n"
)


@check(
    severity=Severity.ERROR,
    fix="Mend the action; https://prometheus.io/docs/prometheus/latest/configuration/template_reference/ lists what"
    " templates know.",
    bad=Example({"rules.yml": _RULES % "$valu"}, at="$valu"),
    good=Example({"rules.yml": _RULES % "$value | humanize"}),
    origin="promtool, pint alerts/template",
)
def alert_template_invalid(alert: Rule, model: Model) -> Iterator[Remark]:
    """A template that does not parse makes Prometheus refuse the whole rule file, and none of its rules is loaded.

    One that parses and fails when it is rendered shows its error in the place of the text. (Prometheus,
    model/rulefmt/rulefmt.go, testTemplateParsing; rules/alerting.go, Eval.)
    """
    for each in alert_templates(alert):
        subject = f"{alert.subject}/{each.name}"
        if each.read.error is not None:
            span = each.read.error.span
            place, width = model.piece(each.part, Span(span.start, max(span.start + 1, span.end)))
            said = f"the template of the {each.kind} `{each.name}` does not parse: {each.read.error.message}"
            yield Remark(place, said, width=width, subject=subject)
        for failure in each.read.failures:
            place, width = model.piece(each.part, failure.span)
            said = f"the {each.kind} `{each.name}` will only show an error: {failure.message}"
            yield Remark(place, said, width=width, subject=subject, severity=Severity.WARNING)
