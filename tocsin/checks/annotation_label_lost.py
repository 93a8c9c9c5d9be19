"""Annotations that show a label which the alert cannot have."""

from collections.abc import Iterator

from tocsin.artefacts.rules import Rule
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.alert_templates import AlertTemplate, alert_templates
from tocsin.promql import Aggregation, Binary, Call, Expr, VectorSelector
from tocsin.promql.labels import LabelFacts
from tocsin.source import nearest

_RULES = (
    "groups:\n- name: a\n  rules:\n  - alert: Errors\n    expr: sum by ({}) (rate(errors_total[5m])) > 1\n"
    "    annotations:\n      summary: Errors at {{{{ $labels.instance }}}}\n"
)


@check(
    severity=Severity.WARNING,
    fix="Keep the label in the expression (`by (...)`, `group_left(...)`), or do not show it.",
    bad=Example({"rules.yml": _RULES.format("job")}, at="$labels.instance"),
    good=Example({"rules.yml": _RULES.format("job, instance")}),
    origin="pint alerts/template",
)
def annotation_label_lost(alert: Rule, model: Model) -> Iterator[Remark]:
    """The notification has a hole where the name of what is broken should stand.

    (Prometheus, template/template.go: a label that is not there is the empty text; promql/engine.go: which operation
    keeps which labels.)
    """
    tree = model.tree(alert)
    if tree is None:
        return
    facts = model.rule_labels.of_result(alert)
    external = _external(alert, model)
    for each in alert_templates(alert):
        told: set[tuple[str, str]] = set()
        for use in each.read.uses:
            if (use.of, use.name) in told:
                continue
            told.add((use.of, use.name))
            place, width = model.piece(each.part, use.span)
            subject = f"{alert.subject}/{each.name}/{use.name}"
            if use.of == "external" and external is not None and use.name not in external:
                said = f"no external label `{use.name}` is set; there are {', '.join(sorted(external)) or 'none'}"
                yield Remark(place, f"the {each.kind} `{each.name}` shows nothing here: {said}", width=width,
                             subject=subject, fix="Set it in `global.external_labels`, or do not show it.")  # fmt: skip
            if use.of == "labels" and not facts.nothing and facts.surely_absent(use.name):
                said = _lost(each, use.name, tree, facts, model)
                yield Remark(place, said, width=width, subject=subject)


def _lost(each: AlertTemplate, name: str, tree: Expr, facts: LabelFacts, model: Model) -> str:
    reader = model.rule_labels.reader(each.rule.file)
    where = _piece(reader.lost_at(tree, name), each.rule.expression)
    if name in each.rule.labels:
        return (
            f"`$labels.{name}` is empty: templates see the labels of the expression's result, not those that the rule"
            f" sets, and {where}"
        )
    known = {label for label in facts.names if label != "__name__"}
    meant = nearest(name, known, most=1)
    has = f"the result has {', '.join(sorted(known)) or 'no labels'}" if facts.closed else ""
    more = f"; did you mean `{meant[0]}`?" if meant else f"; {has}" if has else ""
    return f"the {each.kind} `{each.name}` shows nothing for `$labels.{name}`: {where}{more}"


def _piece(node: Expr | None, expression: str) -> str:
    """Say what loses a label."""
    match node:
        case Aggregation(grouping=grouping, without=without):
            how = "without" if without else "by"
            listed = f" {how} ({', '.join(grouping)})" if grouping is not None else ""
            return f"`{node.op}{listed}` drops it"
        case Call(function=function):
            return f"{function}() does not give it"
        case Binary(matching=matching) if matching is not None:
            text = " ".join(matching.span.text(expression).split())
            return f"`{text}` does not keep it"
        case VectorSelector():
            return f"`{' '.join(node.text(expression).split())}` has no such label"
        case _:
            return "the expression does not give it"


def _external(alert: Rule, model: Model) -> frozenset[str] | None:
    """Return the external labels of every Prometheus that loads the rule; None if that is not known."""
    stacks = [stack for stack in model.stacks if any(group.file == alert.file for group in stack.groups)]
    if not stacks:
        return None
    names: set[str] = set()
    for stack in stacks:
        names |= stack.prometheus.part.get("global").strings("external_labels").keys()
    return frozenset(names)
