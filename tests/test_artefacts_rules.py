"""Rule files: every alert has an id of its own, and an error stands where the expression has it."""

from __future__ import annotations

from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from tocsin.artefacts.files import read_artefacts
from tocsin.artefacts.rules import case_ids, read_groups
from tocsin.compression.written import yaml_text
from tocsin.source import Place, place_within, read_document
from tocsin.system import load_system

NAMES = st.sampled_from(("A", "B", 'A@rules.yml::g{x="1"}', "A#2"))
LABELS = st.dictionaries(st.sampled_from(("severity", "team", "x")), st.sampled_from(("1", "2", '"', "")), max_size=2)
RULES = st.lists(
    st.builds(lambda name, labels, kind: {kind: name, "expr": "up", "labels": labels}, NAMES, LABELS, st.just("alert"))
    | st.builds(lambda name: {"record": name, "expr": "up"}, NAMES),
    max_size=6,
)
GROUPS = st.lists(RULES, max_size=3)


@given(groups=GROUPS)
@example(groups=[[{"alert": "A", "expr": "up"}] * 3])
@example(groups=[[{"alert": "A", "expr": "up", "labels": {"x": "1"}}, {"alert": "A", "expr": "up"}]])
def test_every_alert_has_an_id_of_its_own(groups: list[list[dict[str, object]]]) -> None:
    """Ids name every alert once, and recording rules not at all, whatever names and labels repeat."""
    value = {"groups": [{"name": f"g{i}", "rules": rules} for i, rules in enumerate(groups)]}
    read = read_groups(read_document(yaml_text(value), "rules.yml", raw=True))
    rules = [rule for group in read for rule in group.rules]
    found = case_ids(rules)
    alerts = [rule for rule in rules if rule.alerting]
    assert len(found) == len(alerts)
    assert {id(rule) for rule in found.values()} == {id(rule) for rule in alerts}
    assert all(case.startswith(f"{rule.name}@rules.yml::{rule.group}") for case, rule in found.items())


@given(groups=GROUPS, at=st.integers(0, 20))
def test_an_id_does_not_depend_on_other_names(groups: list[list[dict[str, object]]], at: int) -> None:
    """A rule of another name, put anywhere, leaves every id as it was."""
    value = {"groups": [{"name": f"g{i}", "rules": rules} for i, rules in enumerate(groups)]}
    before = case_ids(r for g in read_groups(read_document(yaml_text(value), "f", raw=True)) for r in g.rules)
    for group in value["groups"]:
        rules = group["rules"]
        assert isinstance(rules, list)
        rules.insert(at % (len(rules) + 1), {"alert": "Other", "expr": "up"})
    after = case_ids(r for g in read_groups(read_document(yaml_text(value), "f", raw=True)) for r in g.rules)
    assert [case for case, rule in after.items() if rule.name != "Other"] == list(before)


EXPRESSIONS = st.lists(st.text("abz>= 0123(){}", min_size=1, max_size=12).filter(str.strip), min_size=1, max_size=4)


@example(lines=["00", "00000", "0"], at=8, style=">")
@given(lines=EXPRESSIONS, at=st.integers(0, 60), style=st.sampled_from(("plain", "single", "double", "|", ">")))
def test_a_place_within_an_expression_is_that_character(lines: list[str], at: int, style: str) -> None:
    """Where a place is given for a character, that character stands there; else it is the expression's own place."""
    lines = [line.strip() for line in lines]
    quotes = {"single": "'{}'", "double": '"{}"'}
    if style in ("|", ">"):
        text = f"expr: {style}\n" + "".join(f"  {line}\n" for line in lines)
    else:
        text = "expr: " + quotes.get(style, "x{}").format(lines[0]) + "\n"
    document = read_document(text, "f.yml", raw=True) if style in ("|", ">") or style in quotes else None
    value = document.value["expr"] if document else f"x{lines[0]}"
    place = document.place("expr") if document else Place("f.yml", 1, 7)
    offset = min(at, len(value.rstrip("\n")) - 1)
    found = place_within(text, place, value, offset)
    if style == ">" and found == place:
        return
    if value[offset] != "\n":
        there = text.splitlines(keepends=True)[found.line - 1][found.column - 1]
        assert there == value[offset] or (style, there, value[offset]) == (">", "\n", " "), "a fold is a blank"


def test_a_rule_file_that_is_no_yaml_is_a_problem_not_a_gap(tmp_path: Path) -> None:
    """Found by content, it is known by its lines; to pass over it would lose its alerts without a word."""
    (tmp_path / "system.yaml").write_text("schema: 1\nname: x\n")
    (tmp_path / "slo.yaml").write_text("groups:\n  - name: a\n    rules:\n\t- alert: Down\n")
    (tmp_path / "chart.yaml").write_text("apiVersion: v1\nkind: {{ .Kind }}: x\n")

    artefacts = read_artefacts(load_system(tmp_path))

    assert [(p.place.file, p.place.line) for p in artefacts.unreadable] == [("slo.yaml", 4)]
