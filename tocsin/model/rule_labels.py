"""Which labels the series of a rule have: by its expression, the recording rules under it, the metrics, the rule.

Sources: rules/alerting.go and rules/recording.go of Prometheus (which label wins), notifier/manager.go (external
labels), scrape/target.go (`job` and `instance`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from tocsin.artefacts.rules import Rule
from tocsin.model.alert_templates import alert_templates
from tocsin.promql import Aggregation, Binary, Call, Expr, StringLiteral, VectorSelector, unwrapped, walk
from tocsin.promql.label_values import ABSENT, ANY, PRESENT, Values, one_of
from tocsin.promql.labels import NAME, LabelFacts, LabelReader
from tocsin.promql.regex import matches

if TYPE_CHECKING:
    from tocsin.model import Model
    from tocsin.model.stacks import Stack

_UNKNOWN = LabelFacts()
_OF_ALERTS = LabelFacts({"alertname": PRESENT, "alertstate": PRESENT})
_OF_STATES = LabelFacts({"alertname": PRESENT})
_SCRAPED = LabelFacts({"job": PRESENT, "instance": PRESENT})
"""Prometheus gives every series that it scrapes these two."""
_DEEPEST = 20
"""How many recording rules deep an expression is followed."""


def labels_of_alert(rule: Rule, model: Model) -> LabelFacts:
    """Return what is known of the labels with which an alert reaches Alertmanager.

    What Prometheus adds on the way (external_labels) is only known where a Prometheus is known to load the rule.
    """
    return model.rule_labels.of_alert(rule)


def labels_of_result(rule: Rule, model: Model) -> LabelFacts:
    """Return what is known of the labels of the series that a rule's expression yields."""
    return model.rule_labels.of_result(rule)


class RuleLabels:
    """The labels of a system's rules, each read once."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._readers: dict[str, LabelReader] = {}
        self._recorded: dict[tuple[str, str], LabelFacts] = {}
        self._alerts: dict[int, tuple[Rule, LabelFacts]] = {}
        self._depth = 0

    def reader(self, file: str) -> LabelReader:
        """Return the reader of expressions in a file of rules."""
        if file not in self._readers:
            self._readers[file] = LabelReader(lambda selector: self.of_selector(selector, file))
        return self._readers[file]

    def of_expression(self, expr: Expr, file: str) -> LabelFacts:
        """Return what is known of the labels of an expression in a file of rules."""
        return self.reader(file).facts(expr)

    def of_result(self, rule: Rule) -> LabelFacts:
        """Return what is known of the labels of the series that a rule's expression yields."""
        tree = self._model.tree(rule)
        return _UNKNOWN if tree is None else self.of_expression(tree, rule.file)

    def of_recorded(self, rule: Rule) -> LabelFacts:
        """Return what is known of the labels of the series that a recording rule writes."""
        facts = self.of_result(rule).with_label(NAME, one_of([rule.name]))
        return _labelled(facts, rule)

    def of_alert(self, rule: Rule) -> LabelFacts:
        """Return what is known of the labels with which an alert reaches Alertmanager."""
        if id(rule) not in self._alerts:
            facts = _labelled(self.of_result(rule).without([NAME]), rule)
            self._alerts[id(rule)] = rule, self._sent(facts.with_label("alertname", one_of([rule.name])), rule)
        return self._alerts[id(rule)][1]

    def of_alert_told_by(self, rule: Rule, stack: Stack) -> LabelFacts:
        """Return what is known of the labels with which one of several Prometheus sends an alert."""
        facts = _labelled(self.of_result(rule).without([NAME]), rule)
        return _told(facts.with_label("alertname", one_of([rule.name])), stack)

    # What is known of selectors

    @cached_property
    def recorders(self) -> Mapping[str, tuple[Rule, ...]]:
        """The recording rules that write each metric."""
        found: dict[str, list[Rule]] = {}
        for rule in self._model.recording_rules:
            found.setdefault(rule.name, []).append(rule)
        return {name: tuple(rules) for name, rules in found.items()}

    def of_selector(self, selector: VectorSelector, file: str) -> LabelFacts:
        """Return what is known of the series of a selector besides its matchers."""
        name = selector.name
        if name is None:
            return _UNKNOWN
        if name in ("ALERTS", "ALERTS_FOR_STATE"):
            return _OF_ALERTS if name == "ALERTS" else _OF_STATES
        if name in self.recorders:
            return self._of_recorders(name, file)
        if ":" in name:
            return _UNKNOWN
        asked = {matcher.name for matcher in selector.matchers if matcher.value == "" or matcher.op != "="}
        scraped = {label: PRESENT for label in _SCRAPED.named if label not in asked | self._lacking}
        return LabelFacts({**scraped, **dict.fromkeys(self._exported(name), PRESENT)})

    def _exported(self, name: str) -> frozenset[str]:
        """Return the labels that each origin of a metric gives all of its series."""
        known = [metric.labels for metric in self._model.metrics.named(name) if metric.origin != "exporter"]
        return frozenset.intersection(*known) - self._lacking if known else frozenset()

    def _of_recorders(self, name: str, file: str) -> LabelFacts:
        if (name, file) not in self._recorded:
            if self._depth >= _DEEPEST:
                return _UNKNOWN
            self._recorded[name, file] = _UNKNOWN  # of a rule that reads itself nothing is known
            self._depth += 1
            try:
                rules = self.recorders[name]
                found = [self._seen_from(self.of_recorded(rule), rule, file) for rule in rules]
            finally:
                self._depth -= 1
            facts = found[0]
            for other in found[1:]:
                facts = facts.either(other)
            self._recorded[name, file] = facts if ":" in name else facts.either(_UNKNOWN)
        return self._recorded[name, file]

    def _seen_from(self, facts: LabelFacts, rule: Rule, file: str) -> LabelFacts:
        """Return what a rule of another file may count on: a Prometheus between may have added labels of its own."""
        if rule.file == file or any(self._together(rule.file, file)):
            return facts
        return opened(facts)

    def _together(self, one: str, other: str) -> Iterable[bool]:
        for stack in self._model.stacks:
            files = {group.file for group in stack.groups}
            yield one in files and other in files

    @cached_property
    def _lacking(self) -> frozenset[str]:
        """Labels of a scrape that some relabelling drops, so that a series may lack them."""
        found: set[str] = set()
        for config in self._model.prometheus_configs:
            for part in config.part.get("scrape_configs").list():
                for rule in (*part.list("metric_relabel_configs"), *part.list("relabel_configs")):
                    found |= _dropped(rule.string("action"), rule.string("regex"))
        for thing in self._model.objects_of("ServiceMonitor", "PodMonitor"):
            for part in thing.part.get("spec").walk():
                if part.key in ("metricRelabelings", "relabelings"):
                    for rule in part.list():
                        found |= _dropped(rule.string("action"), rule.string("regex"))
        return frozenset(found)

    # Words

    @cached_property
    def label_words(self) -> Mapping[str, Counter[str]]:
        """How often each label is named: by the metric that it is named with, and under "" in all."""
        found: dict[str, Counter[str]] = {"": Counter()}
        for expr, subject in self._trees():
            _count_words(expr, subject, found)
        for rule in self._model.rules:
            found[""].update(rule.labels.keys())
            shown = [use.name for each in alert_templates(rule) for use in each.read.uses]
            found[""].update(shown)
            found.setdefault(f"/{rule.subject}", Counter()).update(shown)
        for config in self._model.prometheus_configs:
            for part in config.part.walk():
                if part.key == "target_label":
                    found[""][part.text] += 1
                elif part.key in ("labels", "external_labels"):
                    found[""].update(key for key, _ in part.items())
        return found

    def _trees(self) -> Iterator[tuple[Expr, str]]:
        for rule in self._model.rules:
            tree = self._model.tree(rule)
            if tree is not None:
                yield tree, rule.subject
        for query in self._model.queries:
            if query.tree is not None:
                yield query.tree, query.subject

    def misspelt(self, label: str, metrics: Iterable[str], subject: str) -> str | None:
        """Return the label that is meant by one that is named nowhere else in the system; None if that is not sure.

        The other must be named with one of the metrics, or shown by the same alert, and be a slip of the hand away.
        """
        words = self.label_words
        if words[""][label] > 1:
            return None
        metrics = list(metrics)
        if any(label in metric.labels for name in metrics for metric in self._model.metrics.named(name)):
            return None
        near = (words.get(key, Counter()) for key in (*metrics, f"/{subject}"))
        meant = {other for counter in near for other in counter if other != label and _slip(label, other)}
        known = {
            other
            for name in metrics
            for metric in self._model.metrics.named(name)
            for other in metric.labels
            if _slip(label, other)
        }
        both = meant | known
        return next(iter(both)) if len(both) == 1 else None

    # What Prometheus adds when it sends

    def _sent(self, facts: LabelFacts, rule: Rule) -> LabelFacts:
        stacks = [stack for stack in self._model.stacks if any(rule.file == group.file for group in stack.groups)]
        if not stacks:
            return opened(facts)
        found: LabelFacts | None = None
        for stack in stacks:
            one = _told(facts, stack)
            found = one if found is None else found.either(one)
        return facts if found is None else found


def _told(facts: LabelFacts, stack: Stack) -> LabelFacts:
    """Return the facts after a Prometheus added its external labels and relabelled the alert."""
    config = stack.prometheus.part
    facts = opened(facts) if stack.open else facts
    facts = _with_external(facts, config.get("global").strings("external_labels"))
    for relabelling in config.get("alerting").list("alert_relabel_configs"):
        facts = _relabelled(
            facts, relabelling.string("action"), relabelling.string("regex"), relabelling.string("target_label")
        )
    return facts


def opened(facts: LabelFacts) -> LabelFacts:
    """Return the facts where labels that a series lacks may have been added to it by somebody not known."""
    named = {name: values.either(ANY) if values.possible("") else values for name, values in facts.named.items()}
    return LabelFacts(named, ANY, facts.nothing)


def _count_words(expr: Expr, subject: str, found: dict[str, Counter[str]]) -> None:
    """Count the labels that an expression names."""
    metrics: set[str] = set()
    words: Counter[str] = Counter()
    for node in walk(expr):
        match node:
            case VectorSelector():
                names = [matcher.name for matcher in node.matchers if matcher.name != NAME]
                words.update(names)
                if node.name:
                    metrics.add(node.name)
            case Aggregation(grouping=grouping) if grouping:
                words.update(grouping)
            case Binary(matching=matching) if matching is not None:
                words.update((*matching.labels, *matching.include))
            case Call(function="label_replace" | "label_join", args=args):
                words.update(text.value for text in map(unwrapped, args) if isinstance(text, StringLiteral))
            case _:
                pass
    found[""].update(words)
    for metric in (*metrics, f"/{subject}"):
        found.setdefault(metric, Counter()).update(words)


def _slip(one: str, other: str) -> bool:
    """Whether two names differ by a letter too many or too few, two letters in the wrong order, or, if long, by one."""
    short, long = sorted((one, other), key=len)
    if len(short) < 3 or len(long) - len(short) > 1 or one == other:
        return False
    if len(long) > len(short):  # a letter before or after makes other words of it (port, sport; mode, model), but for s
        return long == f"{short}s" or any(long[:i] + long[i + 1 :] == short for i in range(1, len(long) - 1))
    differing = [i for i in range(len(short)) if short[i] != long[i]]
    if len(differing) == 2:
        i, j = differing
        return j == i + 1 and short[i] == long[j] and short[j] == long[i]
    return len(differing) == 1 and len(short) >= 6 and not (short[differing[0]] + long[differing[0]]).isdigit()


def _labelled(facts: LabelFacts, rule: Rule) -> LabelFacts:
    """Return the facts after the labels of a rule, and of its group (Prometheus 3), were set."""
    group = rule.part.document.value
    for step in rule.part.route[:-2]:  # rules[i] stands in its group
        try:
            group = group[step]
        except (KeyError, IndexError, TypeError):
            group = None
            break
    of_group = group.get("labels") if isinstance(group, dict) else None
    labels = {str(k): str(v) for k, v in of_group.items()} if isinstance(of_group, dict) else {}
    for name, text in {**labels, **rule.labels}.items():
        facts = facts.with_label(name, _written(text, facts))
    return facts


def _written(text: str, facts: LabelFacts) -> Values:
    """Return what a label's text comes to; it may be a template."""
    if "{{" not in text:
        return one_of([text])
    bare = text.strip().removeprefix("{{").removesuffix("}}").strip("- \t\n")
    for start in ("$labels.", ".Labels."):
        name = bare.removeprefix(start)
        if bare.startswith(start) and name.isidentifier() and text.count("{{") == 1 and text.startswith("{{"):
            return facts.of(name) if text.endswith("}}") else PRESENT
    around = text[: text.find("{{")] + text[text.rfind("}}") + 2 :]
    return PRESENT if around.strip() else ANY


def _with_external(facts: LabelFacts, labels: Mapping[str, str]) -> LabelFacts:
    for name, value in labels.items():
        values = facts.of(name)
        if values.possible(""):
            given = one_of([value]) if "$" not in value else ANY
            facts = facts.with_label(name, given if values == ABSENT else values.both(PRESENT).either(given))
    return facts


def _dropped(action: str, pattern: str) -> frozenset[str]:
    """Return which of the labels that a scrape gives a relabelling takes away."""
    if action in ("labeldrop", "labelkeep"):
        kept = action == "labelkeep"
        return frozenset(label for label in ("job", "instance") if (matches(pattern, label) is not False) is not kept)
    return frozenset()


def _relabelled(facts: LabelFacts, action: str, pattern: str, target: str) -> LabelFacts:
    """Return the facts after one relabelling of alerts, as far as they stand it; values are not computed."""
    if action in ("keep", "drop", "keepequal", "dropequal"):
        return facts
    if action == "labeldrop":
        gone = [name for name in facts.named if matches(pattern, name)]
        unsure = [name for name in facts.named if matches(pattern, name) is None]
        facts = facts.without(gone)
        for name in unsure:
            facts = facts.with_label(name, facts.of(name).either(ABSENT))
        return facts
    if action in ("", "replace", "hashmod", "lowercase", "uppercase") and target and "$" not in target:
        return facts.with_label(target, ANY)
    return LabelFacts(dict.fromkeys(facts.named, ANY), ANY, facts.nothing)
