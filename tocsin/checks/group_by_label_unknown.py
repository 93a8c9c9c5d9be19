"""Labels to group by that no alert has, and that are misspelt."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.alertmanager import RoutePart
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.source import nearest

_RULES = "groups:\n- name: a\n  rules:\n  - {alert: Down, expr: up == 0, labels: {severity: critical}}\n"
_ROUTES = """route: {receiver: chat, group_by: [%s]}
receivers:
- {name: chat, webhook_configs: [{url: "http://chat/"}]}
"""


@check(
    severity=Severity.WARNING,
    fix="Group by a label that the alerts have.",
    bad=Example({"rules.yml": _RULES, "alertmanager.yml": _ROUTES % "alert_name"}, at="alert_name"),
    good=Example({"rules.yml": _RULES, "alertmanager.yml": _ROUTES % "alertname"}),
)
def group_by_label_unknown(route: RoutePart, model: Model) -> Iterator[Remark]:
    """Alerts of all kinds come in one notification, for the label that should part them is on none of them.

    Said only of a name that nothing of the system uses and that is nearly one that it does.
    (Alertmanager: docs/configuration.md, group_by: alerts that lack the label are one group.)
    """
    routed = model.routing.of(route.config)
    names = {"alertname", "job", "instance", "severity"}
    if routed is not None:
        names |= routed.label_names
    for label in route.part.list("group_by"):
        name = label.text
        if not name or name == "..." or name in names:
            continue
        plain = _plain(name)
        like = [known for known in sorted(names) if _plain(known) == plain] or _misspelt(name, names, model)
        if like:
            yield at(
                label,
                f"Nothing of this system has a label `{name}`; is `{like[0]}` meant?",
                subject=f"{route.subject}/group_by/{name}",
            )


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _misspelt(name: str, names: set[str], model: Model) -> list[str]:
    """Return the label that a name is one letter away from, if no expression and no file of Prometheus says it."""
    near = [known for known in nearest(name, names, most=3) if len(name) > 4 and _one_letter(name, known)]
    if not near or any(name in rule.expression for rule in model.rules):
        return []
    said = any(name in model.text(config.file) for config in model.prometheus_configs)
    return [] if said else near


def _one_letter(one: str, other: str) -> bool:
    """Whether two names differ by one letter that is missing, too many, another or swapped with its neighbour."""
    if abs(len(one) - len(other)) > 1:
        return False
    short, long = sorted((one, other), key=len)
    start = next((i for i, letter in enumerate(short) if letter != long[i]), len(short))
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    swapped = one[:start] + one[start : start + 2][::-1] + one[start + 2 :]
    return one[start + 1 :] == other[start + 1 :] or swapped == other
