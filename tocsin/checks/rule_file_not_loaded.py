"""A rule file that no Prometheus of the folder loads."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from tocsin.artefacts.rules import Group
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.processes import glob
from tocsin.model.stacks import Stack
from tocsin.source import Place

_RULES = "groups:\n- name: a\n  rules:\n  - {alert: A, expr: up == 0}\n"
_CONFIG = "global: {{}}\nrule_files: [{files}]\nscrape_configs: []\n"
_FILES = {"prometheus/up.yml": _RULES, "prometheus/shop.yml": _RULES.replace("name: a", "name: shop")}
_ELSEWHERE = re.compile(
    r"(?:^|/)(?:tests?|testdata|examples?|samples?|fixtures|templates|charts|vendor|docs?|documentation)(?:/|$)|loki|mimir|cortex|thanos",
    re.IGNORECASE,
)
"""Folders whose rules are for something else than the Prometheus beside them."""


@check(
    severity=Severity.WARNING,
    fix="Name the file under rule_files, and mount it where Prometheus looks.",
    bad=Example({**_FILES, "prometheus/prometheus.yml": _CONFIG.format(files="up.yml")}, at="name: shop"),
    good=Example({**_FILES, "prometheus/prometheus.yml": _CONFIG.format(files="up.yml, shop.yml")}),
)
def rule_file_not_loaded(model: Model) -> Iterator[Remark]:
    """None of its alerts can ring, though the file is right.

    (prometheus.io/docs/prometheus/latest/configuration/recording_rules: rules are loaded from the files that
    `rule_files` names, and from no other.)
    """
    stacks = [stack for stack in model.stacks if not stack.prometheus.fragment]
    if not stacks or model.cluster.of("Prometheus", "ThanosRuler", "VMAlert"):
        return
    loaded = {id(group) for stack in stacks for group in stack.groups}
    files: dict[str, list[Group]] = {}
    for group in model.rule_groups:
        if group.part.route[:1] == ("groups",):
            files.setdefault(group.file, []).append(group)
    for file, groups in files.items():
        if any(id(group) in loaded for group in groups) or _ELSEWHERE.search(posixpath.dirname(file)):
            continue
        near = [stack for stack in stacks if _beside(stack, file)]
        if len(near) != 1 or not any(rule.alerting for group in groups for rule in group.rules):
            continue
        stack = near[0]
        named = ", ".join(f"`{part.text}`" for part in stack.prometheus.rule_files[:4]) or "no file at all"
        if any("$" in part.text or "{{" in part.text for part in stack.prometheus.rule_files):
            continue
        if not stack.processes and _may_be_mounted(model, stack, groups[0]):
            continue
        alerts = sum(rule.alerting for group in groups for rule in group.rules)
        what = f"none of the {alerts} alerts" if alerts > 1 else "not the one alert"
        message = f"{stack.prometheus.file} loads {named}, and so {what} of this file"
        first = groups[0]
        place = first.part.get("name").place
        width = max(1, len(first.name))
        yield Remark(place, message, width=width, subject=file, related=(_where(stack),))


def _may_be_mounted(model: Model, stack: Stack, group: Group) -> bool:
    """Whether a file in a ConfigMap has a name that is loaded, if it is mounted where Prometheus looks."""
    names = [posixpath.basename(part.text) for part in stack.prometheus.rule_files]
    for one in model.objects_of("ConfigMap"):
        for key, part in one.part.get("data").items() if one.part.file == group.file else ():
            first = part.place.line
            inside = first <= group.part.place.line <= first + part.text.count("\n") + 1
            if inside and any(glob(name).fullmatch(key) for name in names):
                return True
    return False


def _beside(stack: Stack, file: str) -> bool:
    """Whether a file stands where a configuration does, or below it."""
    folder = posixpath.dirname(stack.prometheus.file)
    return bool(folder) and (posixpath.dirname(file) == folder or file.startswith(f"{folder}/"))


def _where(stack: Stack) -> Place:
    return stack.prometheus.part.get("rule_files").key_place
