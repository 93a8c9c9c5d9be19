"""Every PromQL expression of a system that parses, with what it is for: those of rules, of dashboards, of runbooks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tocsin.artefacts.rules import Rule
from tocsin.finding import Severity
from tocsin.promql import Expr, Node, Span
from tocsin.promql.labels import LabelReader
from tocsin.source import Place

if TYPE_CHECKING:
    from tocsin.model import Model
    from tocsin.model.dashboards import DashboardQuery


@dataclass(frozen=True, slots=True, eq=False)
class PlacedExpression:
    """An expression and where it stands."""

    tree: Expr = field(repr=False)
    text: str
    """The text that the spans of the tree are of."""
    subject: str
    file: str
    severity: Severity
    """How bad it is if it yields nothing: error where an alert may hang on it, warning where somebody looks at it."""
    model: Model = field(repr=False)
    rule: Rule | None = field(default=None, repr=False)
    query: DashboardQuery | None = field(default=None, repr=False)

    def piece(self, span: Span) -> tuple[Place, int]:
        """Return the place of a piece of the tree, and how many characters of its line belong to it."""
        if self.query is not None:
            return self.query.piece(span)
        assert self.rule is not None  # noqa: S101 it is one or the other
        return self.model.piece(self.rule.part.get("expr"), span)

    def varies(self, node: Node) -> bool:
        """Tell whether a piece of the tree depends on what a dashboard's variable holds."""
        return self.query is not None and self.query.varies(node.span)

    def said(self, node: Node, most: int = 80) -> str:
        """Return a piece as a message shows it: on one line, and not too long."""
        text = " ".join(node.span.text(self.text).split())
        return text if len(text) <= most else f"{text[: most - 1]}…"

    @property
    def reader(self) -> LabelReader:
        """What reads the labels of its pieces."""
        return self.model.rule_labels.reader(self.file)


def rule_expressions(model: Model) -> Iterator[PlacedExpression]:
    """Yield the expressions of rules."""
    for rule in model.rules:
        tree = model.tree(rule)
        if tree is not None:
            yield PlacedExpression(tree, rule.expression, rule.subject, rule.file, Severity.ERROR, model, rule=rule)


def expressions(model: Model) -> Iterator[PlacedExpression]:
    """Yield every expression: first those of rules, then those that people look at."""
    yield from rule_expressions(model)
    for query in model.queries:
        tree = query.tree
        if tree is not None and query.certain:
            yield PlacedExpression(
                tree, query.expression, query.subject, query.part.file, Severity.WARNING, model, query=query
            )
