"""Every check finds its disease in its bad example, at the line that it names, and nothing in its good one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.checks import Check, Example, checks
from tocsin.model import Model
from tocsin.system import FILE, load_system

CHECKS = checks()


def model(example: Example, directory: Path) -> Model:
    """Return the model of an example, written to a folder."""
    for name, text in example.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Model.of(directory, load_system(directory) if FILE in example.files else None)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_the_bad_example_is_found(check: Check, tmp_path: Path) -> None:
    """At least one finding, and one of them at the line that the example names."""
    sick = model(check.bad, tmp_path)
    lines = {f"{f.place.file}:{f.place.line}": sick.text(f.place.file).split("\n") for f in check.findings(sick)}
    shown = [text[int(place.rpartition(":")[2]) - 1] for place, text in lines.items()]

    assert shown, "the bad example was not found"
    assert any(check.bad.at in line for line in shown), shown


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_the_good_example_is_clean(check: Check, tmp_path: Path) -> None:
    """Not one finding of the check itself."""
    assert list(check.findings(model(check.good, tmp_path))) == []


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_check_is_documented(check: Check) -> None:
    """It says why, and how to mend it, in sentences."""
    assert check.why.endswith((".", ")"))
    assert check.fix.endswith(".")
    assert check.bad.at
