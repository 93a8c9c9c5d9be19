"""A rule file that Prometheus refuses for its form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.durations import parse_duration
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.sorting import objects
from tocsin.part import Part
from tocsin.source import nearest
from tocsin.system import Kind

_TOP = ("groups",)
_GROUP = ("name", "interval", "query_offset", "limit", "rules", "labels")
_RULE = ("record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations")
_ELSEWHERE = frozenset(
    {"namespace", "partial_response_strategy", "source_tenants", "evaluation_delay", "type", "params", "headers"}
    | {"align_evaluation_time_on_interval", "notifier_headers", "concurrency", "tenant", "debug", "eval_offset"}
    | {"eval_delay", "eval_alignment", "update_entries_limit", "remote_write"}
)
"""Fields of Thanos, Mimir, mimirtool, Loki and vmalert, which read files of the same form."""
_LEGACY_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_LEGACY_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_GOOD = (
    "groups:\n- name: a\n  rules:\n  - alert: Down\n    expr: up == 0\n    for: 5m\n    labels:\n      severity: page\n"
)


@check(
    severity=Severity.ERROR,
    fix="Write it as https://prometheus.io/docs/prometheus/latest/configuration/recording_rules/ shows.",
    bad=Example({"rules.yml": _GOOD.replace("for: 5m", "fors: 5m")}, at="fors: 5m"),
    good=Example({"rules.yml": _GOOD}),
    origin="promtool, pint yaml/parse",
)
def rule_file_invalid(model: Model) -> Iterator[Remark]:
    """Prometheus refuses the whole file and loads none of its rules; after a reload it goes on with the old ones.

    (Prometheus, model/rulefmt/rulefmt.go: strict decoding, and Validate of groups and rules.)
    """
    for document in model.documents(Kind.RULES):
        yield from _File(Part.whole(document), model, operator=False).remarks()
    for document in model.documents(Kind.MANIFESTS):
        for part in objects(document):
            if part.string("kind") == "PrometheusRule" and part.get("spec"):
                yield from _File(part.get("spec"), model, operator=True).remarks()
    yield from _later_documents(model)
    yield from _no_rule_files(model)


def _no_rule_files(model: Model) -> Iterator[Remark]:
    """Yield what a Prometheus loads as a rule file and that is none."""
    of_rules = {id(document) for document in model.documents(Kind.RULES)}
    told: set[str] = set()
    for stack in model.stacks:
        for pattern in stack.prometheus.rule_files:
            found = [content for process in stack.processes for _, content in process.matching(pattern.text)]
            for content in found:
                file = model.folder.files.get(content.file) if content.part is None else None
                if file is None or content.file in told or not file.documents or id(file.documents[0]) in of_rules:
                    continue
                told.add(content.file)
                whole = Part.whole(file.documents[0])
                if whole.value is None or (isinstance(whole.value, dict) and set(whole.value) <= {"groups"}):
                    continue
                said = f"{stack.prometheus.file} loads this as a rule file, and it has no `groups` at the top"
                width = len(file.line(whole.place.line).strip()) or 1
                fix = "Write `groups:` above the list of groups, or name rule files only."
                yield Remark(whole.place, said, width=width, subject="groups", fix=fix, related=(pattern.place,))


def _later_documents(model: Model) -> Iterator[Remark]:
    """Of the YAML documents of one file, Prometheus reads the first."""
    of_rules = {id(document) for document in model.documents(Kind.RULES)}
    for file in model.files():
        if len(file.documents) < 2 or id(file.documents[0]) not in of_rules:
            continue
        for document in file.documents[1:]:
            if id(document) in of_rules:
                part = Part.whole(document)
                said = "these groups stand in a further YAML document, and Prometheus reads only a file's first one"
                yield at(part, said, subject="groups", fix="Put the groups into one list, without `---` between them.")


class _File:
    """The groups of a rule file, or of a PrometheusRule object."""

    def __init__(self, part: Part, model: Model, *, operator: bool) -> None:
        self.part = part
        self.model = model
        self.operator = operator
        """Whether it is an object of the operator, from which the API server prunes fields that it does not know."""

    def remarks(self) -> Iterator[Remark]:
        if not isinstance(self.part.value, dict):
            if self.part.value is not None:
                yield at(self.part, "this is no mapping with `groups`", subject="groups")
            return
        yield from self.unknown(self.part, _TOP, "groups", "at the top of a rule file")
        groups = self.part.get("groups")
        if groups.value is not None and not isinstance(groups.value, list):
            yield at_key(groups, "`groups` must be a list", subject="groups")
        seen: dict[str, Part] = {}
        for group in self.part.list("groups"):
            if group.value is None:
                continue
            yield from self.group(group, seen)

    def unknown(self, part: Part, known: tuple[str, ...], subject: str, where: str) -> Iterator[Remark]:
        for key, value in part.items():
            if key in known or key in _ELSEWHERE:
                continue
            meant = nearest(key, known, most=1)
            cure = f"; did you mean `{meant[0]}`?" if meant else f"; there are {', '.join(known)}"
            if self.operator:
                said = f"the API server drops `{key}`, which is no field {where}{cure}"
                yield at_key(value, said, subject=subject, severity=Severity.WARNING)
            else:
                yield at_key(value, f"`{key}` is no field {where}{cure}", subject=subject)

    def group(self, part: Part, seen: dict[str, Part]) -> Iterator[Remark]:
        if not isinstance(part.value, dict):
            yield at(part, "this is no rule group: it must be a mapping with `name` and `rules`", subject="groups")
            return
        name = part.string("name")
        subject = name or "groups"
        if isinstance(part.get("name").value, (dict, list)):
            yield at_key(part.get("name"), "the name of a group must be a text", subject=subject)
        elif not name:
            yield at(part, "this rule group has no name", subject=subject, width=1)
        elif name in seen:
            first = seen[name].get("name").place
            said = f"the group {name!r} stands twice in this file; the first is in line {first.line}"
            yield at(part.get("name"), said, subject=subject, related=(first,))
        seen.setdefault(name, part)
        yield from self.unknown(part, _GROUP, subject, "of a rule group")
        for key in ("interval", "query_offset"):
            yield from self.duration(part, key, subject)
        yield from self.limit(part, subject)
        yield from self.labels(part, "labels", subject, "label")
        rules = part.get("rules")
        if rules.value is not None and not isinstance(rules.value, list):
            yield at_key(rules, "`rules` must be a list", subject=subject)
        for rule in part.list("rules"):
            if rule.value is not None:
                yield from self.rule(rule, subject)

    def limit(self, part: Part, subject: str) -> Iterator[Remark]:
        limit = part.get("limit")
        if limit.value is not None and (isinstance(limit.value, bool) or not isinstance(limit.value, (int, float))):
            yield at_key(limit, f"`limit` must be a whole number, and this is {limit.text!r}", subject=subject)

    def duration(self, part: Part, key: str, subject: str) -> Iterator[Remark]:
        value = part.get(key)
        if value.value is None:
            return
        if isinstance(value.value, (dict, list)):
            yield at_key(value, f"`{key}` must be a duration", subject=subject)
            return
        try:
            parse_duration(value.text)
        except ValueError as error:
            yield at(value, f"`{key}`: {error}", subject=subject)

    def rule(self, part: Part, group: str) -> Iterator[Remark]:
        if not isinstance(part.value, dict):
            yield at(part, "this is no rule: it must be a mapping with `alert` or `record`, and `expr`", subject=group)
            return
        alert, record = part.get("alert"), part.get("record")
        subject = f"{group}/{alert.text or record.text}"
        yield from self.unknown(part, _RULE, subject, "of a rule")
        for key in ("alert", "record", "expr"):
            if isinstance(part.get(key).value, (dict, list)):
                yield at_key(part.get(key), f"`{key}` must be a text", subject=subject)
                return
        if alert.text and record.text:
            said = f"one rule cannot both raise the alert {alert.text!r} and record {record.text!r}"
            yield at_key(record, said, subject=subject, fix="Make two rules of it.")
        if not alert.text and not record.text:
            yield at(part, "this rule has neither `alert` nor `record`", subject=subject, width=1)
        if not part.string("expr"):
            yield at(part, f"the rule {alert.text or record.text!r} has no `expr`", subject=subject, width=1)
        for key in ("for", "keep_firing_for"):
            yield from self.duration(part, key, subject)
        if record.text:
            yield from self.recording(part, record, subject)
        yield from self.labels(part, "labels", subject, "label")
        yield from self.labels(part, "annotations", subject, "annotation")

    def recording(self, part: Part, record: Part, subject: str) -> Iterator[Remark]:
        for key in ("for", "keep_firing_for"):
            if _long(part.string(key)):
                yield at_key(part.get(key), f"a recording rule cannot have `{key}`; only alerts wait", subject=subject)
        if part.get("annotations").value and isinstance(part.get("annotations").value, dict):
            yield at_key(part.get("annotations"), "a recording rule cannot have `annotations`", subject=subject)
        name = record.text
        if "{" in name or "}" in name:
            said = f"{name!r} is no name of a metric: braces belong into `expr`"
            yield at(record, said, subject=subject, fix="Set labels with `labels`, and select with `expr`.")
        elif not _LEGACY_METRIC.fullmatch(name):
            yield from self.later(record, at, f"{name!r} is a metric's name for Prometheus 3 only", subject)

    def labels(self, part: Part, key: str, subject: str, what: str) -> Iterator[Remark]:
        labels = part.get(key)
        if labels.value is None:
            return
        if not isinstance(labels.value, dict):
            yield at_key(labels, f"`{key}` must be a mapping of names to texts", subject=subject)
            return
        for name, value in labels.items():
            if isinstance(value.value, (dict, list)):
                yield at_key(value, f"the {what} {name!r} must be a text", subject=subject)
            elif self.operator and value.value is not None and not isinstance(value.value, str):
                said = f"the {what} {name!r} must be a text; of {value.text} the API server refuses the object"
                yield at(value, said, subject=subject, fix=f'Quote it: "{value.text}".')
            if name == "" or (name == "__name__" and what == "label"):
                yield at_key(value, f"{name!r} cannot be set by a rule", subject=subject)
            elif not _LEGACY_LABEL.fullmatch(name):
                said = f"{name!r} is a name of {what}s for Prometheus 3 only"
                yield from self.later(value, at_key, said, subject)

    def later(self, part: Part, remark: Callable[..., Remark], said: str, subject: str) -> Iterator[Remark]:
        """Yield that a name has characters which Prometheus 2 refuses: an error where one of these reads it."""
        generations = self.model.prometheus_majors
        if not generations or min(generations) < 3:
            severity = Severity.ERROR if generations else Severity.WARNING
            yield remark(part, f"{said}; an older one refuses the whole file", subject=subject, severity=severity,
                         fix="Use letters, digits and underscores only.")  # fmt: skip


def _long(text: str) -> bool:
    try:
        return bool(text) and parse_duration(text) > 0
    except ValueError:
        return False
