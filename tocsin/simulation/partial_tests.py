"""A form of tests in which an alert need not be written down whole: labels and annotations that are named must match.

    rule_files: [rules.yml]
    evaluation_interval: 30s
    alert_tests:
    - name: a target that is down
      interval: 30s
      input_series:
      - {series: 'up{job="api"}', values: '0x20'}
      expect:
      - at: 5m
        alert: Down
        firing:
        - labels: {severity: page}
          annotations: {summary: /api is (down|gone)/}
      - {at: 1m, alert: Down, firing: []}

Each item of `firing` must be met by one alert of its own; others may fire besides, unless `only: true` is said. An
empty list means that none fires. A text between slashes is a regular expression that must be found; any other is the
whole value, and an empty one means that there is none.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tocsin.case import CaseResult
from tocsin.durations import parse_duration
from tocsin.engines.rule_engines import QUESTION, Rendered, RuleEngine, RuleFiles, run_files
from tocsin.model import Model
from tocsin.model.processes import glob
from tocsin.part import Part
from tocsin.source import Place
from tocsin.verdict import PASSED, Verdict, failed, inconclusive

KEY = "alert_tests"
"""The key by which such a file is known."""


@dataclass(frozen=True)
class _Question:
    """What is expected of an alert at a moment."""

    test: Part
    part: Part

    @property
    def name(self) -> str:
        """What the reader knows it by."""
        test = self.test.string("name") or f"{KEY}/{self.test.key}"
        return f"{self.part.place}: {test}, {self.part.string('alert')} at {self.part.string('at')}"


def partial_test_files(model: Model) -> tuple[str, ...]:
    """Return the names of a system's files of this form."""
    return tuple(name for name, file in model.folder.files.items() for doc in file.documents if _ours(doc.value))


def _ours(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get(KEY), list)


def partial_case(engine: RuleEngine, model: Model, file: str) -> CaseResult:
    """Return what an engine says of such a file, as a case. Raises EngineTrouble."""
    return CaseResult(f"owners-tests@{file}", "simulation", file, Place(file), run_partial_tests(engine, model, file))


def run_partial_tests(engine: RuleEngine, model: Model, file: str) -> Verdict:
    """Return the verdict of a file: failed if an expectation is not met, or the file asks nothing."""
    whole = next(Part.whole(doc) for doc in model.folder.files[file].documents if _ours(doc.value))
    rules = _rules(model, whole)
    if not rules:
        return failed(f"{whole.place}: `rule_files` finds no rule file")
    questions = [_Question(test, part) for test in whole.list(KEY) for part in test.list("expect")]
    if not questions:
        return failed(f"{whole.place}: it expects nothing, and would pass whatever the rules do")
    wrong = [said for each in questions for said in _misread(each)]
    if wrong:
        return failed("\n".join(wrong))
    files = [RuleFiles(rules[0], _text(whole, each), _named(rules)) for each in questions]
    problems = []
    for each, said in zip(questions, run_files(engine, files), strict=True):
        if said.refused:
            return inconclusive(f"{each.name}: the engine refuses the file: {said.refused}")
        problems += [f"{each.name}: {problem}" for problem in _judged(each.part, said.rendered)]
    return failed("\n".join(problems)) if problems else PASSED


def _rules(model: Model, whole: Part) -> list[str]:
    folder = posixpath.dirname(whole.file)
    patterns = [glob(posixpath.normpath(posixpath.join(folder, part.text))) for part in whole.list("rule_files")]
    return [model.text(n) for n in model.folder.names if any(pattern.fullmatch(n) for pattern in patterns)]


def _named(rules: Sequence[str]) -> Mapping[str, str]:
    return {f"rules-{number}.yml": text for number, text in enumerate(rules[1:], 1)}


def _misread(question: _Question) -> Iterator[str]:
    part = question.part
    if not part.string("alert"):
        yield f"{part.place}: `alert` is missing: the name of an alert"
    if not isinstance(part.get("firing").value, list):
        yield f"{part.place}: `firing` is missing: a list of what must fire; [] for nothing"
    try:
        parse_duration(part.string("at"))
    except ValueError as error:
        yield f"{part.place}: at: {error}"


def _text(whole: Part, question: _Question) -> str:
    """Return a test file for promtool that asks which alerts of the name there are."""
    test = question.test
    item = {key: test.get(key).value for key in ("interval", "input_series", "external_labels") if key in test}
    lines = [
        "rule_files: ['rules*.yml']",
        f"evaluation_interval: {whole.string('evaluation_interval') or '1m'}",
        "tests:",
        *_pairs(item or {"interval": "1m"}),
        "  alert_rule_test:",
        f"  - eval_time: {question.part.string('at')}",
        f"    alertname: {json.dumps(question.part.string('alert'), ensure_ascii=False)}",
        "    exp_alerts:",
        f"    - exp_labels: {{{QUESTION}}}",
    ]
    return "\n".join(lines) + "\n"


def _pairs(item: Mapping[str, object]) -> Iterator[str]:
    for number, (key, value) in enumerate(item.items()):
        yield f"{'- ' if number == 0 else '  '}{key}: {json.dumps(value, ensure_ascii=False, default=str)}"


def _judged(part: Part, alerts: Sequence[Rendered]) -> Iterator[str]:
    """Yield what is not as expected; each expectation takes an alert of its own, whichever leaves most for the rest."""
    wanted = part.list("firing")
    if not wanted and alerts:
        yield f"nothing should fire, and this does: {_shown(alerts)}"
        return
    fits = [[n for n, alert in enumerate(alerts) if _meets(each, alert)] for each in wanted]
    taken = _assigned(fits)
    for number, each in enumerate(wanted):
        if number not in taken:
            there = f"there are {_shown(alerts)}" if alerts else "none fires"
            yield f"no alert meets {json.dumps(each.value, ensure_ascii=False, default=str)}; {there}"
    left = [alert for n, alert in enumerate(alerts) if n not in taken.values()]
    if part.get("only").value in (True, "true") and left:
        yield f"no more than these should fire, and this does: {_shown(left)}"


def _assigned(fits: Sequence[Sequence[int]]) -> dict[int, int]:
    """Return an alert for as many expectations as there can be (augmenting paths, as of Kuhn)."""
    owner: dict[int, int] = {}

    def place(wanted: int, seen: set[int]) -> bool:
        for alert in fits[wanted]:
            if alert not in seen:
                seen.add(alert)
                if alert not in owner or place(owner[alert], seen):
                    owner[alert] = wanted
                    return True
        return False

    for wanted in range(len(fits)):
        place(wanted, set())
    return {wanted: alert for alert, wanted in owner.items()}


def _meets(expected: Part, alert: Rendered) -> bool:
    pairs = [(alert.labels, expected.strings("labels")), (alert.annotations, expected.strings("annotations"))]
    return all(_matches(text, given.get(name, "")) for given, named in pairs for name, text in named.items())


def _matches(expected: str, value: str) -> bool:
    if len(expected) > 2 and expected.startswith("/") and expected.endswith("/"):
        try:
            return re.search(expected[1:-1], value) is not None
        except re.error:
            return False
    return expected == value


def _shown(alerts: Sequence[Rendered]) -> str:
    said = ["{" + ", ".join(f'{name}="{value}"' for name, value in each.labels.items()) + "}" for each in alerts[:4]]
    return ", ".join(said) + (f" and {len(alerts) - 4} more" if len(alerts) > 4 else "")
