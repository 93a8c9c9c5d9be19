"""The templates in the labels and annotations of alerts: what Prometheus refuses of them, and which labels they show.

Source: rules/alerting.go (Eval) and template/template.go of Prometheus.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal as OneOf

from tocsin.artefacts.rules import Rule
from tocsin.part import Part
from tocsin.promql import Span
from tocsin.templates import (
    PROMETHEUS_FUNCTIONS,
    PROMETHEUS_VARIABLES,
    Branch,
    Chain,
    Command,
    Field,
    Function,
    Literal,
    Operand,
    Pipeline,
    Template,
    TemplateError,
    Text,
    Variable,
    parse_template,
)
from tocsin.templates.typing import ALERT_VARIABLES, Failure, read_rendering

_UNRENDERED = re.compile(r"\{\{-?\s*(?:'\{\{'|\$?\.(?:Values|Release|Chart|Capabilities)\b|(?:include|tpl)\s)|\{%-?\s")
"""What only a template of the rule file itself has, as those of Helm and of Ansible are: it has yet to be rendered."""
_SETS = {"$labels": "labels", "$externalLabels": "external"}
_FIELDS = {"Labels": "labels", "ExternalLabels": "external"}


@dataclass(frozen=True, slots=True)
class LabelUse:
    """A label that a template shows."""

    of: str
    """`labels` (of the result) or `external`."""
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class ReadTemplate:
    """What is known of a template before it is ever rendered."""

    error: TemplateError | None = None
    """Why Prometheus refuses the rule file."""
    failures: tuple[Failure, ...] = ()
    """What fails each time it is rendered: the text is then an error message."""
    uses: tuple[LabelUse, ...] = ()
    """Labels that are shown, those left out after which the template asks before."""
    values: tuple[Span, ...] = ()
    """Where the alert's value is shown."""
    template: Template | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AlertTemplate:
    """A label or an annotation of an alert that holds a template."""

    rule: Rule = field(repr=False)
    kind: OneOf["label", "annotation"]
    name: str
    part: Part = field(repr=False)
    read: ReadTemplate = field(repr=False)


def alert_templates(rule: Rule) -> Iterator[AlertTemplate]:
    """Yield the templates of an alert's labels and annotations."""
    kinds: tuple[tuple[OneOf["label", "annotation"], str], ...] = (("label", "labels"), ("annotation", "annotations"))
    for kind, key in kinds if rule.alerting else ():
        for name, part in rule.part.get(key).items():
            if "{{" in part.text:
                yield AlertTemplate(rule, kind, name, part, read_alert_template(part.text))


@lru_cache(maxsize=20_000)
def read_alert_template(text: str) -> ReadTemplate:
    """Return what is known of the template of a label or an annotation."""
    if _UNRENDERED.search(text):
        return ReadTemplate()
    parsed = parse_template(text, functions=PROMETHEUS_FUNCTIONS, variables=PROMETHEUS_VARIABLES)
    if isinstance(parsed, TemplateError):
        return ReadTemplate(error=parsed)
    reading = read_rendering(parsed, "firing", {}, PROMETHEUS_FUNCTIONS, ALERT_VARIABLES)
    read = _Uses(parsed)
    return ReadTemplate(
        failures=tuple(reading.failures),
        uses=tuple(use for use in read.shown if (use.of, use.name) not in read.asked),
        values=tuple(read.values),
        template=parsed,
    )


class _Uses:
    """Collects what a template shows of the alert."""

    def __init__(self, template: Template) -> None:
        self.shown: list[LabelUse] = []
        self.asked: set[tuple[str, str]] = set()
        self.values: list[Span] = []
        self.replaced = {name for pipeline in template.pipelines() for name in pipeline.sets}
        self.walk(template)

    def walk(self, template: Template) -> None:
        """Go through the nodes; inside of `with` and `range` the dot is something else."""
        waiting = [(node, True) for node in reversed(template.body)]
        while waiting:
            node, dot_is_alert = waiting.pop()
            if isinstance(node, Text):
                continue
            pipeline = getattr(node, "pipeline", None)
            if isinstance(pipeline, Pipeline):
                self.pipeline(pipeline, dot_is_alert, asks=isinstance(node, Branch) or bool(pipeline.sets))
            if isinstance(node, Branch):
                inside = dot_is_alert and node.kind == "if"
                waiting += [(each, inside) for each in reversed(node.body)]
                waiting += [(each, dot_is_alert) for each in reversed(node.otherwise)]

    def pipeline(self, pipeline: Pipeline, dot_is_alert: bool, *, asks: bool) -> None:
        waiting: list[Pipeline] = [pipeline]
        while waiting:
            for command in waiting.pop().commands:
                self.index(command, asks)
                for operand in command.operands:
                    inner = operand.of if isinstance(operand, Chain) else operand
                    if isinstance(inner, Pipeline):
                        waiting.append(inner)
                    self.operand(inner, dot_is_alert, asks)

    def operand(self, operand: Operand, dot_is_alert: bool, asks: bool) -> None:
        if isinstance(operand, Variable) and operand.name not in self.replaced:
            if operand.name in _SETS and operand.names:
                self.use(_SETS[operand.name], operand.names[0], operand.span, asks)
            elif operand.name == "$value":
                self.value(operand.span, asks)
            elif operand.name == "$":
                self.of_alert(operand.names, operand.span, asks)
        elif isinstance(operand, Field) and dot_is_alert:
            self.of_alert(operand.names, operand.span, asks)

    def of_alert(self, names: tuple[str, ...], span: Span, asks: bool) -> None:
        if len(names) > 1 and names[0] in _FIELDS:
            self.use(_FIELDS[names[0]], names[1], span, asks)
        elif names == ("Value",):
            self.value(span, asks)

    def index(self, command: Command, asks: bool) -> None:
        """Read `index $labels "name"`."""
        if len(command.operands) != 3:
            return
        function, of, key = command.operands
        called = isinstance(function, Function) and function.name == "index"
        if called and isinstance(of, Variable) and of.name in _SETS and not of.names and isinstance(key, Literal):
            self.use(_SETS[of.name], key.value, command.span, asks)

    def use(self, of: str, name: str, span: Span, asks: bool) -> None:
        if asks:
            self.asked.add((of, name))
        else:
            self.shown.append(LabelUse(of, name, span))

    def value(self, span: Span, asks: bool) -> None:
        if not asks:
            self.values.append(span)
