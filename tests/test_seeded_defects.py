"""The list of seeded defects fits the reference system: each can be applied, and says where it must be found."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

SYSTEMS = Path(__file__).parents[1] / "fixtures" / "systems"
REFERENCE = SYSTEMS / "dharmamind"
LIST = SYSTEMS / "defects.yaml"
DEFECTS: dict[str, dict[str, Any]] = yaml.safe_load(LIST.read_text())

NEEDED = {"kind", "row", "severity", "check", "break", "at", "silences"}
KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
ROW = re.compile(
    r"peers [ABDGH]\d{1,3}|peers 3\.(?:[1-9]|1[0-5]|next)|probes A(?:0[1-9]|[1-6]\d|7[0-2])"
    r"|pint [a-z]+/[a-z_]+|promtool [a-z]+(?:-[a-z]+)+"
)
GROUPS = {"A": (1, 19), "B": (20, 47), "D": (65, 78), "G": (96, 106), "H": (107, 112)}
"""The rows of each group in the survey of peers, first and last."""

ABOUT_PARSING = {"unreadable-file"}
"""The checks whose defects leave a file that cannot be parsed."""

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML has it: ten times as fast
PARSERS: dict[str, Callable[[str], object]] = {
    ".yml": lambda text: list(yaml.load_all(text, LOADER)),
    ".yaml": lambda text: list(yaml.load_all(text, LOADER)),
    ".json": json.loads,
    ".py": ast.parse,
}


def broken(defect: dict[str, Any]) -> str:
    """Return the text of the file that the defect breaks, broken."""
    change: dict[str, Any] = defect["break"]
    text = (REFERENCE / str(change["file"])).read_text()
    assert text.count(change["replace"]) == change.get("times", 1), "the defect does not fit the reference system"
    return text.replace(str(change["replace"]), str(change["by"]))


def parses(name: str, text: str) -> bool:
    """Tell whether a file is what its suffix promises; of a suffix without parser nothing is promised."""
    parser = PARSERS.get(Path(name).suffix, str)
    try:
        parser(text)
    except (yaml.YAMLError, ValueError, SyntaxError):
        return False
    return True


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=DEFECTS)
def test_a_defect_changes_the_reference_system_and_nothing_but_its_meaning(defect: dict[str, Any]) -> None:
    """It fits, the file changes, and still parses unless the defect is that it does not."""
    change = defect["break"]
    text = broken(defect)

    assert text != (REFERENCE / change["file"]).read_text()
    assert parses(change["file"], text) is (defect["check"] not in ABOUT_PARSING)


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=DEFECTS)
def test_a_defect_names_one_line_of_the_broken_system(defect: dict[str, Any]) -> None:
    """The piece of a line where the finding must be occurs once in its file, as that is when the defect is in."""
    at = defect["at"]
    text = broken(defect) if at["file"] == defect["break"]["file"] else (REFERENCE / at["file"]).read_text()

    assert at.keys() == {"file", "text"}
    assert at["text"].strip()
    assert "\n" not in at["text"]
    assert text.count(at["text"]) == 1


@pytest.mark.parametrize(("name", "defect"), DEFECTS.items(), ids=DEFECTS)
def test_a_defect_is_described_in_full(name: str, defect: dict[str, Any]) -> None:
    """Every field is there and of its form, and a second file is one of the system's, and another one."""
    assert NEEDED <= defect.keys() <= NEEDED | {"against"}
    assert {"file", "replace", "by"} <= defect["break"].keys() <= {"file", "replace", "by", "times"}
    assert all(KEBAB.fullmatch(word) for word in (name, defect["kind"], defect["check"]))
    assert defect["severity"] in {"error", "warning"}
    assert re.fullmatch(r"\S.*\.", defect["silences"])
    if "against" in defect:
        assert defect["against"] != defect["break"]["file"]
        assert (REFERENCE / defect["against"]).is_file()


@pytest.mark.parametrize("row", sorted({defect["row"] for defect in DEFECTS.values()}))
def test_a_row_is_a_reference(row: str) -> None:
    """A citation has one of the four forms, and a row of a group lies in that group."""
    assert ROW.fullmatch(row)
    if found := re.fullmatch(r"peers ([A-Z])(\d+)", row):
        first, last = GROUPS[found[1]]
        assert first <= int(found[2]) <= last


def test_the_list_is_whole() -> None:
    """There are 150 defects, at least six of each kind and fifty between files, and none is there twice."""
    kinds = Counter(defect["kind"] for defect in DEFECTS.values())
    breaks = Counter(tuple(defect["break"][part] for part in ("file", "replace", "by")) for defect in DEFECTS.values())

    assert len(DEFECTS) == 150
    assert min(kinds.values()) >= 6, kinds
    assert sum("against" in defect for defect in DEFECTS.values()) >= 50
    assert max(breaks.values()) == 1, breaks.most_common(1)


def test_the_names_are_unique_and_sorted_by_kind() -> None:
    """No name is given twice, which YAML would forget, and the list is in the order of kind and name."""
    document = yaml.compose(LIST.read_text(), LOADER)
    assert isinstance(document, yaml.MappingNode)
    names = [key.value for key, _ in document.value]

    assert names == sorted(set(names), key=lambda name: (DEFECTS[name]["kind"], name))


def test_a_defect_that_does_not_fit_is_refused() -> None:
    """A text that the reference system does not have, or has too often, is not passed over."""
    never = {"break": {"file": "monitoring/prometheus.yml", "replace": "scrape_intervall", "by": ""}}
    often = {"break": {"file": "monitoring/prometheus.yml", "replace": "job_name", "by": "", "times": 1}}

    for unfit in (never, often):
        with pytest.raises(AssertionError, match="does not fit"):
            broken(unfit)
