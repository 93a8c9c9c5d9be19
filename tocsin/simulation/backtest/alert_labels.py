"""The labels of an alert: those of its sample, and those of its rule, rendered (rules/alerting.go, Eval)."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.simulation.backtest.history import Labels
from tocsin.templates import (
    PROMETHEUS_FUNCTIONS,
    PROMETHEUS_VARIABLES,
    Action,
    Field,
    Literal,
    Node,
    Template,
    Text,
    Variable,
    parse_template,
)


class AlertLabels:
    """What a rule makes of a sample's labels; `alertname`, which every alert has, is left out."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._parts = {name: _parts(text) for name, text in labels.items()}
        self._written = dict(labels)
        self.not_rendered = tuple(name for name, parts in self._parts.items() if parts is None)
        """The labels whose templates hang on more than labels; they are left as they are written."""

    def of(self, sample: Labels) -> Labels:
        """Return the labels of the alert."""
        own = dict(sample)
        found = {name: value for name, value in own.items() if name not in ("__name__", "alertname")}
        for name, parts in self._parts.items():
            found[name] = self._written[name] if parts is None else "".join(_part(part, own) for part in parts)
        return tuple(sorted((name, value) for name, value in found.items() if value))


def _part(part: str | tuple[str], labels: Mapping[str, str]) -> str:
    return part if isinstance(part, str) else labels.get(part[0], "")


def _parts(text: str) -> list[str | tuple[str]] | None:
    """Return a template's texts, and its references to labels as tuples; None if it holds anything else."""
    if "{{" not in text:
        return [text]
    tree = parse_template(text, functions=PROMETHEUS_FUNCTIONS, variables=PROMETHEUS_VARIABLES)
    found = [_node(node) for node in tree.body] if isinstance(tree, Template) else [None]
    return None if None in found else [part for part in found if part is not None]


def _node(node: Node) -> str | tuple[str] | None:
    match node:
        case Text(value=value):
            return value
        case Action(pipeline=pipeline) if not pipeline.sets and len(pipeline.commands) == 1:
            match pipeline.commands[0].operands:
                case (Variable(name="$labels", names=(label,)) | Field(names=("Labels", label)),):
                    return (label,)
                case (Literal(kind="string", value=value),):
                    return value
    return None
