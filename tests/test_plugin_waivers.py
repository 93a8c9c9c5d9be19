"""Waivers of drills: what failed is skipped and seen, and the waiver answers for itself in an item of its own."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.test_plugin import SILENT, SYSTEM, TROUBLED, Bench, waiver

KEY = "drill@system.yaml#down"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Give a folder for a small system."""
    return Bench(tmp_path)


def tags(bench: Bench) -> dict[str, str]:
    """Return what JUnit says of each item; nothing for one that passed."""
    junit = ET.parse(bench.latest / "junit.xml").getroot()  # noqa: S314 what pytest wrote a moment ago
    found = {case.attrib["name"]: [c.tag for c in case if c.tag != "properties"] for case in junit.iter("testcase")}
    return {name: "".join(children) for name, children in found.items()}


@dataclass(frozen=True)
class Ending:
    """How a waived drill ends, and what becomes of the two items."""

    until: str
    world: dict[str, Any]
    code: int
    drill: str
    waiver: str
    said: str


ENDINGS = {
    "needed": Ending("2999-12-31", SILENT, 0, "skipped", "", "waived by ann until 2999-12-31"),
    "not needed": Ending("2999-12-31", {}, 1, "", "failure", "the drill passed, so it covers nothing"),
    "nobody knows": Ending("2999-12-31", TROUBLED, 10, "error", "error", "so nobody knows if it is needed"),
    "over": Ending("2020-01-01", SILENT, 1, "failure", "failure", "that day is over"),
    "over, not needed": Ending("2020-01-01", {}, 1, "", "failure", "have ann renew it"),
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_a_waiver_answers_for_itself(bench: Bench, ending: Ending) -> None:
    """The drill's item is about the drill, and the waiver's about the waiver."""
    bench.system(SYSTEM, waiver(KEY, ending.until)).drill("down", **ending.world)

    done = bench.on_system("-m", "faults")

    assert done.returncode == ending.code, done.stdout
    assert tags(bench) == {"test_drill[down]": ending.drill, "test_waiver_is_needed[down]": ending.waiver}
    assert ending.said in done.stdout
    subjects = {case["id"]: case["subject"] for case in bench.results()["cases"]}
    assert subjects == {"down@system.yaml": "down", f"waiver-is-needed@{KEY}": KEY}


def test_what_is_waived_is_not_shown_as_failed(bench: Bench) -> None:
    """Table and results.json say waived, with owner and reason, and what was found all the same."""
    bench.system(SYSTEM, waiver(KEY)).drill("down", **SILENT)

    done = bench.on_system("-m", "faults")

    drill = bench.results()["drills"][0]
    assert drill["verdict"] == "waived"
    assert drill["reason"].startswith("waived by ann until 2999-12-31: known since May\n")
    assert "heard nothing" in drill["reason"]
    assert drill["reason"].splitlines()[1] in done.stdout
    assert "failed" not in done.stdout


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_the_item_of_a_waiver_has_its_drill_performed(bench: Bench, workers: tuple[str, ...]) -> None:
    """Chosen alone, it still needs the evidence."""
    bench.system(SYSTEM, waiver(KEY)).monitored()

    done = bench.on_system(
        *("--dry-run", "-m", "faults", "suites/faults/test_faults_waivers.py::test_waiver_is_needed[down]"), *workers
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "down [faults]" in done.stdout


@pytest.mark.parametrize(
    ("marker", "waived", "asked"),
    [("faults", KEY, 1), ("load", KEY, 0), ("load", "drill@system.yaml#busy", 1), ("faults", "drill@x.yaml#down", 0)],
)
def test_only_waived_drills_have_an_item_of_a_waiver(bench: Bench, marker: str, waived: str, asked: int) -> None:
    """Where nothing is waived nothing is asked, and nothing is said to be lacking."""
    bench.system(SYSTEM, waiver(waived))

    done = bench.on_system("--collect-only", "-q", "-m", marker)

    assert done.stdout.count("test_waiver_is_needed[") == asked, done.stdout
    assert done.stdout.count("test_drill[") == 1


def test_files_alone_do_not_fail_the_waiver_of_a_drill(bench: Bench) -> None:
    """Whether it is needed is not known until the drill is performed."""
    bench.system(SYSTEM, waiver(KEY))

    done = bench.on_system("-m", "static", "-k", "waiver")

    assert done.returncode == 0, done.stdout


def test_a_run_looks_at_waivers_on_the_day_of_its_start(bench: Bench) -> None:
    """A run that goes past midnight has one day, and it is UTC's."""
    bench.system(SYSTEM, waiver(KEY, datetime.now(UTC).date().isoformat())).drill("down", **SILENT)

    done = bench.on_system("-m", "faults")

    assert done.returncode == 0, done.stdout
