"""Proofs as files that an owner commits: one an alert and property, for plain promtool.

Each file holds one test, with as much of the timeline as its property needs. It tests the owner's own rule file where
that has what the alert reads and the test passes so; else an extract of the rules is written beside it.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tocsin.artefacts.promtool_tests import Gap, Piece, Samples, parse_values, values_text
from tocsin.artefacts.rules import read_groups
from tocsin.engines.rule_engines import RuleEngine, RuleFiles, run_files
from tocsin.model import Model
from tocsin.simulation.problems import Subject
from tocsin.simulation.proofs import AlertProof, Page
from tocsin.source import Unreadable
from tocsin.synthesis import Assertion, InputSeries, Problem, Property, State, Test
from tocsin.synthesis.emitting import expression_of, rules_text, seconds_text

MOST_WORK = 10_000
"""Evaluations of rules in a test of the owner's whole file; one that needs more gets an extract of the rules."""
_MEANING = {
    Property.FIRES: "It fires when its condition has held for as long as `for` asks.",
    Property.INACTIVE: "It stays silent on the other side of {edge}.",
    Property.AT_THRESHOLD: "What it does exactly at the threshold.",
    Property.BLIP: "A condition that holds for less than `for` makes it pending, and fires nothing.",
    Property.FOR_EDGE: "It does not fire one evaluation before `for` has passed, and does on it.",
    Property.RESOLVES: "It ends when its condition does.",
    Property.RESET: "A reset of its counters fires nothing.",
    Property.ABSENCE: "What it does when its series are gone.",
}
Rules = Callable[["Exported"], Mapping[str, str]]
"""The texts of the rule files of a test, by name; the first is `rules.yml`."""
_STRANGE = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A test file, and the rules that it loads."""

    name: str
    """Without folder and suffix: `HighErrorRate.fires`."""
    tests: str
    rules: str
    """The rules alone that the alert needs."""
    extract: str
    """The name of the file for these rules, where it is needed."""
    own: tuple[str, ...] = ()
    """The owner's rule files that hold all of the rules, relative to the system; none where an extract is needed."""
    evaluations: int = 0


@dataclass(kw_only=True)
class Writing:
    """What was written, and what could not be."""

    files: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """What did not pass under plain promtool as it would have stood there, a sentence each."""


def export(
    model: Model,
    pairs: Iterable[tuple[Subject, AlertProof]],
    folder: Path,
    engine: RuleEngine,
    names: Mapping[str, str],
) -> Writing:
    """Write the tests of proven alerts into a folder; every file passes under the engine as it stands there.

    `names` are those of `file_names`. Files of the same names are written over; others are left alone. Raises
    EngineTrouble and OSError.
    """
    made = list(_made(model, pairs, names))
    folder.mkdir(parents=True, exist_ok=True)
    rules_in = Counter(rule.file for rule in model.rules)
    on_own = [
        each for each in made if each.own and each.evaluations * sum(rules_in[name] for name in each.own) <= MOST_WORK
    ]
    passed = _passing(engine, on_own, lambda each: _own_rules(model, each))
    extracts = [each for each in made if id(each) not in passed]
    extracted = _passing(engine, extracts, lambda each: {"rules.yml": each.rules})
    writing = Writing()
    for each in made:
        path = folder / f"{each.name}.test.yml"
        if id(each) in passed:
            rules = [os.path.relpath(model.folder.directory / name, folder) for name in each.own]
        elif id(each) in extracted:
            rules = [each.extract]
            (folder / each.extract).write_text(each.rules, encoding="utf-8")
        else:
            writing.left_out.append(f"{each.name} does not pass under {engine.name} alone")
            continue
        path.write_text(_file(each, rules), encoding="utf-8")
        writing.files.append(path)
    return writing


def _passing(engine: RuleEngine, exported: Sequence[Exported], rules: Rules) -> set[int]:
    """Return the files that pass with the rules that they are given."""
    files = []
    for each in exported:
        given = rules(each)
        files.append(RuleFiles(next(iter(given.values())), _file(each, ["*rules*.yml"]), given))
    said = run_files(engine, files)
    return {id(each) for each, one in zip(exported, said, strict=True) if one.passed}


def _own_rules(model: Model, each: Exported) -> Mapping[str, str]:
    texts = [model.text(name) for name in each.own]
    return {"rules.yml": texts[0], **{f"rules-{n}.yml": text for n, text in enumerate(texts[1:], 1)}}


def _file(each: Exported, rules: Sequence[str]) -> str:
    return f"rule_files: [{', '.join(map(_quoted, rules))}]\n{each.tests}"


def _made(model: Model, pairs: Iterable[tuple[Subject, AlertProof]], names: Mapping[str, str]) -> Iterator[Exported]:
    for subject, proof in pairs:
        if subject.alert is None or not proof.tests:
            continue
        base = names[subject.id]
        rules = rules_text(Problem(alert=subject.alert, recorded=subject.recorded))
        for claim, test in _by_claim(proof.tests):
            name = f"{base}.{_STRANGE.sub('-', claim)}"
            yield Exported(
                name=name,
                tests=_text(name, claim, test, proof),
                rules=rules,
                extract=f"{base}.rules.yml",
                own=_own(model, subject),
                evaluations=round(max(each.at for each in test.assertions) / test.evaluation),
            )


def file_names(subjects: Iterable[Subject]) -> Mapping[str, str]:
    """Return a name for the files of each alert, by case id: with its group and its file where it needs them.

    The names are those of the whole system, so that several parts of it can be written into one folder.
    """
    ids = {each.id: each.rule.name for each in subjects}
    found: dict[str, str] = {}
    waiting = list(ids)
    for form in (_by_name, _by_group, _by_file):
        names = {case: _STRANGE.sub("-", form(case, ids[case])).strip("-.") for case in waiting}
        counts = Counter(name.lower() for name in (*names.values(), *found.values()))
        found |= {case: name for case, name in names.items() if counts[name.lower()] == 1}
        waiting = [case for case in waiting if case not in found]
    return found | {case: f"alert-{number}" for number, case in enumerate(waiting)}


def _by_name(_: str, name: str) -> str:
    return name


def _by_group(case: str, name: str) -> str:
    return f"{name}.{case.rpartition('::')[2]}"


def _by_file(case: str, name: str) -> str:
    return f"{name}.{case.partition('@')[2]}"


def _own(model: Model, subject: Subject) -> tuple[str, ...]:
    """Return the owner's rule files that hold an alert and what it reads; none if they are no files for promtool."""
    files = [subject.rule.file]
    for each in subject.recorded:
        rules = [rule for rule in model.timing.recorders(each.name) if rule.expression == each.expression]
        near = next((rule for rule in rules if rule.file == subject.rule.file), rules[0] if rules else None)
        if near is not None and near.file not in files:
            files.append(near.file)
    return tuple(files) if all(_plain(model, name) for name in files) else ()


def _plain(model: Model, name: str) -> bool:
    """Whether a file of the folder is a rule file for promtool, and not an object that holds one."""
    file = model.folder.files.get(name)
    if file is None or len(file.documents) != 1:
        return False
    try:
        return bool(read_groups(file.documents[0]))
    except Unreadable:
        return False


def _by_claim(tests: Sequence[Test]) -> Iterator[tuple[str, Test]]:
    """Yield for each claim a test with what the claim needs of the timeline, and no more."""
    seen: set[str] = set()
    for test in tests:
        for claim in test.claims:
            if claim not in seen:
                seen.add(claim)
                yield claim, _cut(replace(test, assertions=tuple(a for a in test.assertions if a.claim == claim)))


def _cut(test: Test) -> Test:
    """Return a test without what comes after the last moment that is asked about."""
    end = max(each.at for each in test.assertions)
    samples = int(end // test.interval) + 1
    return replace(
        test,
        series=tuple(replace(each, values=_shortened(each.values, samples)) for each in test.series),
        stretches=tuple(each for each in test.stretches if each.start <= end),
    )


def _shortened(values: str, samples: int) -> str:
    """Return so many samples of a series, in as few pieces as promtool's notation allows."""
    try:
        pieces = parse_values(values)
    except ValueError:
        return values
    kept: list[Piece] = []
    for piece in pieces:
        if samples <= 0:
            break
        if isinstance(piece, (Samples, Gap)) and piece.count > samples:
            piece = replace(piece, count=samples)  # noqa: PLW2901 the rest of it is not asked about
        kept.append(piece)
        samples -= piece.count
    return values_text(tuple(kept))


def _text(name: str, claim: str, test: Test, proof: AlertProof) -> str:
    """Return a test file without its first line, which names the rules."""
    lines = [
        f"# {_said(claim, proof)}",
        *(f"# {' '.join(line.split())}" for line in proof.expression.strip().splitlines() if line.strip()),
        f"evaluation_interval: {seconds_text(test.evaluation)}",
        "tests:",
        f"- name: {_quoted(name)}",
        f"  interval: {seconds_text(test.interval)}",
    ]
    lines += ["  input_series:"] if test.series else []
    for series in test.series:
        lines += _series(series)
    lines += _assertions(test, proof)
    return "\n".join(lines) + "\n"


def _said(claim: str, proof: AlertProof) -> str:
    word, _, edge = claim.partition(":")
    at = f"`{proof.edges[edge]}`" if edge in proof.edges else "its condition"
    return _MEANING[Property(word)].replace("{edge}", at)


def _series(series: InputSeries) -> Iterator[str]:
    if series.comment:
        yield f"  # {series.comment}"
    yield f"  - series: {_quoted(series.selector)}"
    yield f"    values: {_quoted(series.values)}"


def _assertions(test: Test, proof: AlertProof) -> Iterator[str]:
    """Yield what is asked: of alerts at moments, and of the history of ALERTS over stretches."""
    moments = [each for each in test.assertions if each.state is State.SILENT or _has_page(each, proof)]
    if moments:
        yield "  alert_rule_test:"
    for each in moments:
        yield f"  # {each.comment or each.state}"
        yield f"  - eval_time: {seconds_text(each.at)}"
        yield f"    alertname: {_quoted(proof.name)}"
        yield from _expected(proof.pages) if each.state is State.FIRING else ("    exp_alerts: []",)
    others = [each for each in test.assertions if each not in moments]
    if others:
        yield "  promql_expr_test:"
    for each in others:
        yield f"  # {each.comment or each.state}"
        yield f"  - expr: {_quoted(expression_of(proof.name, each))}"
        yield f"    eval_time: {seconds_text(each.at)}"
        firing = each.state in (State.FIRING, State.PENDING)
        yield "    exp_samples: [{labels: '{}', value: 1}]" if firing else "    exp_samples: []"


def _has_page(assertion: Assertion, proof: AlertProof) -> bool:
    """Whether the engine told what the alert looks like at that moment: the first at which it is said to fire."""
    if assertion.state is not State.FIRING or assertion.proves is not Property.FIRES or not proof.pages_whole:
        return False
    firing = (each for test in proof.tests for each in test.assertions if each.proves is Property.FIRES)
    return next(firing, None) == assertion


def _expected(pages: Sequence[Page]) -> Iterator[str]:
    yield "    exp_alerts:"
    for page in pages:
        labels = {name: value for name, value in page.labels.items() if name != "alertname"}
        yield "    - exp_labels:" if labels else "    - exp_labels: {}"
        yield from (f"        {name}: {_quoted(value)}" for name, value in labels.items())
        if page.annotations:
            yield "      exp_annotations:"
            yield from (f"        {name}: {_quoted(value)}" for name, value in page.annotations.items())


def _quoted(text: str) -> str:
    """Return a text as a YAML scalar: in single quotes where that reads better than escapes."""
    plain = text.isprintable() and "'" not in text and ('"' in text or "\\" in text)
    return f"'{text}'" if plain else json.dumps(text, ensure_ascii=False)
