"""Go's text/template, as Prometheus uses it in alerts and Alertmanager in notifications: read, with places.

    parse_template(text, functions=PROMETHEUS_FUNCTIONS, variables=PROMETHEUS_VARIABLES)

gives a tree whose every node knows its span in the text, or the first thing that Go would refuse. `typing` says what of
a tree fails when it is rendered.
"""

from tocsin.templates.functions import (
    ALERTMANAGER_FUNCTIONS,
    BUILTINS,
    PROMETHEUS_FUNCTIONS,
    PROMETHEUS_VARIABLES,
)
from tocsin.templates.nodes import (
    Action,
    Branch,
    Call,
    Chain,
    Command,
    Field,
    Function,
    Jump,
    Literal,
    Node,
    Operand,
    Pipeline,
    Template,
    TemplateError,
    Text,
    Variable,
)
from tocsin.templates.parser import parse_template

__all__ = [
    "ALERTMANAGER_FUNCTIONS",
    "BUILTINS",
    "PROMETHEUS_FUNCTIONS",
    "PROMETHEUS_VARIABLES",
    "Action",
    "Branch",
    "Call",
    "Chain",
    "Command",
    "Field",
    "Function",
    "Jump",
    "Literal",
    "Node",
    "Operand",
    "Pipeline",
    "Template",
    "TemplateError",
    "Text",
    "Variable",
    "parse_template",
]
