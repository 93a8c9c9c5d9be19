"""Two rule sets compared, and what is told of it in each format; the command, with its exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from tests.recorded_history import BEGIN, every, fingerprint, history_of, make_blocks, run_over
from tests.test_backtest import pulses, rules_file
from tocsin.report.backtest import FORMATS, render
from tocsin.report.backtest.picture import draw
from tocsin.simulation.backtest import Backtest, Change, History, Kind, compare

END = 7200 - 15
SERIES = {
    "up": pulses((0, 7200)),
    'fault{instance="x"}': pulses((600, 690), (1800, 2400), (5000, 5400)),
    'level{instance="x"}': every(15, [float(n % 240) for n in range(480)]),
}


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a storage with known series."""
    return make_blocks(tmp_path_factory.mktemp("storage") / "tsdb", SERIES)


@pytest.fixture(scope="module")
def history(storage: Path) -> Iterator[History]:
    """Give what a Prometheus of ours reads of it."""
    with history_of(storage) as found:
        yield found


def alert(expr: str = "fault == 1", name: str = "A", **more: Any) -> dict[str, Any]:
    """Return a rule."""
    return {"alert": name, "expr": expr, **more}


FAULT = alert()
CHANGES: dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None, tuple[Kind, int, int]]] = {
    "nothing": (FAULT, FAULT, (Kind.SAME, 0, 0)),
    "written otherwise": (FAULT, alert("(fault) == 1.0"), (Kind.SAME, 0, 0)),
    "a longer for": (FAULT, alert(**{"for": "5m"}), (Kind.QUIETER, 1, 0)),
    "no for any more": (alert(**{"for": "5m"}), FAULT, (Kind.NOISIER, 0, 1)),
    "kept longer": (FAULT, alert(keep_firing_for="5m"), (Kind.NOISIER, 0, 0)),
    "another threshold": (alert("level > 200"), alert("level > 100"), (Kind.NOISIER, 0, 0)),
    "at other times": (alert("level < 40"), alert("level >= 200"), (Kind.OTHER, 2, 2)),
    "a label more": (FAULT, alert(labels={"severity": "page"}), (Kind.OTHER, 0, 0)),
    "new": (None, FAULT, (Kind.NEW, 0, 3)),
    "gone": (FAULT, None, (Kind.GONE, 3, 0)),
    "renamed": (FAULT, alert(name="Fault"), (Kind.SAME, 0, 0)),
    "merged": (alert("level % 120 > 10"), alert("level >= 0"), (Kind.OTHER, 0, 0)),
    "cannot be read": (FAULT, alert("fault =="), (Kind.UNKNOWN, 3, 0)),
}


@pytest.mark.parametrize(("before", "now", "expected"), CHANGES.values(), ids=CHANGES)
def test_what_became_of_an_alert(
    tmp_path: Path,
    history: History,
    before: dict[str, Any] | None,
    now: dict[str, Any] | None,
    expected: tuple[Kind, int, int],
) -> None:
    """By its episodes, side by side."""
    watchdog = alert("vector(1)", "Watchdog")
    files = [
        rules_file(tmp_path / name / "r.yml", [watchdog, *([rule] if rule else [])])
        for name, rule in (("old", before), ("new", now))
    ]

    found = changes(run_over(history, files[1], (0, END), files[0]))

    assert found["Watchdog"].kind is Kind.SAME
    one = next(change for name, change in found.items() if name != "Watchdog")
    assert (one.kind, len(one.lost), len(one.gained)) == expected


def changes(done: Backtest) -> dict[str, Change]:
    """Return what became of each alert, by name."""
    assert done.before is not None
    return {change.name: change for change in compare(done.before, done.outcomes)}


def test_an_alert_is_known_where_it_was_moved(tmp_path: Path, history: History) -> None:
    """Two of one name are told apart by their labels, whichever file and group they stand in."""
    both = [alert(labels={"severity": "page"}), alert("level > 100", labels={"severity": "mail"})]
    old = rules_file(tmp_path / "old" / "r.yml", both)
    new = rules_file(tmp_path / "new" / "s.yml", [both[1], both[0]], name="other")

    done = run_over(history, new, (0, END), old)

    assert done.before is not None
    assert [change.kind for change in compare(done.before, done.outcomes)] == [Kind.SAME, Kind.SAME]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, history: History) -> Backtest:
    """Give two rule sets over history, with something of everything."""
    place = tmp_path_factory.mktemp("rules")
    same = alert("level > 200", "Same|one", labels={"q": "`<b>`"})
    old = rules_file(place / "old.yml", [same, FAULT, alert("up == 1", "Gone"), alert("no_such > 1", "Blind")])
    new = rules_file(
        place / "new.yml",
        [same, alert(**{"for": "5m"}), alert("fault == 1", "New", keep_firing_for="1m"), alert("no_such > 2", "Blind")],
    )
    return run_over(history, new, (0, END), old)


def test_json_holds_everything(compared: Backtest) -> None:
    """Every episode of both sides, with times that can be read back."""
    told = json.loads(render(compared, "json"))

    assert (told["from"], told["to"]) == ("2023-11-15T00:00:00Z", "2023-11-15T01:59:45Z")
    new = next(each for each in told["alerts"] if each["name"] == "New")
    assert (new["state"], new["episodes"], new["interval"], new["keep_firing_for"]) == ("fired", 3, 15, 60)
    assert [(each["from"][11:], each["to"][11:], each["seconds"]) for each in new["firing"]] == [
        ("00:10:00Z", "00:12:30Z", 150),
        ("00:30:00Z", "00:41:00Z", 660),
        ("01:23:30Z", "01:31:00Z", 450),
    ]
    assert {each["name"]: each["kind"] for each in told["changes"]} == {
        "A": "quieter", "New": "new", "Gone": "gone", "Blind": "same", "Same|one": "same",
    }  # fmt: skip
    assert next(each for each in told["alerts"] if each["name"] == "Blind")["missing"] == ["no_such"]


def test_a_comment_is_good_markdown(compared: Backtest) -> None:
    """Tables have as many cells in each row, and what rules hold is no markup."""
    text = render(compared, "markdown")

    tables = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    assert len(tables) >= 3
    for table in tables:
        assert len({len(re.split(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1, table
    assert "**1 new, 1 quieter, 1 gone, 2 same**" in text
    assert "| quieter | `A` | 3 times, 18m | twice, 6m30s, pending once |" in text
    assert text.count("<details>") == text.count("</details>") == 3
    assert "Same" not in text


def test_a_terminal_shows_what_differs(compared: Backtest) -> None:
    """With a sign for what is lost, gained and moved."""
    text = render(compared, "text")

    assert "compared: 1 new, 1 quieter, 1 gone, 2 same" in text
    assert len(re.findall(r"^ +- ", text, re.MULTILINE)) == 2
    assert len(re.findall(r"^ +\+ ", text, re.MULTILINE)) == 3
    assert "history has no series of no_such" in text


NUMBERS = {
    "text": "fired 3 times (36.1 a day), for 18m in all (15.03% of the time), longest 10m, median 6m30s",
    "json": '"seconds": 1080.0',
    "markdown": "| `A` | 3 | 36.1 | 0 | 15.03% | 10m | 0 |",
}


@pytest.mark.parametrize("name", FORMATS)
def test_without_a_comparison_every_alert_is_told(tmp_path: Path, history: History, name: str) -> None:
    """With how often, how long and how noisy."""
    rules = rules_file(tmp_path / "r.yml", [FAULT, alert("up == 5", "Quiet"), alert("fault ==", "Bad")])

    text = render(run_over(history, rules, (0, END)), name)

    assert all(word in text for word in ("A", "Quiet", "Bad"))
    assert NUMBERS[name] in text


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_picture_is_drawn(tmp_path: Path, compared: Backtest, suffix: str) -> None:
    """The same one each time; it has colours, and names."""
    files = [tmp_path / f"{name}{suffix}" for name in ("one", "two")]

    for file in files:
        draw(compared, file)

    assert files[0].read_bytes() == files[1].read_bytes()
    if suffix == ".png":
        pixels = imread(files[0])
        assert len({tuple(pixel) for row in pixels for pixel in row.round(1).tolist()}) > 3
    if suffix == ".svg":
        assert all(name in files[0].read_text() for name in ("New (new)", "A (quieter)", "firing before"))


def test_an_empty_picture_is_drawn(tmp_path: Path, history: History) -> None:
    """Nothing fired, and the picture says so."""
    rules = rules_file(tmp_path / "r.yml", [alert("up == 5", "Quiet")])

    draw(run_over(history, rules, (0, END)), tmp_path / "p.svg")

    assert "none of 1 alerts fired" in (tmp_path / "p.svg").read_text()


# The command


def tocsin(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, "-m", "tocsin.cli", "backtest", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_command_reads_a_storage(tmp_path: Path, storage: Path) -> None:
    """With the pace of the system's Prometheus, a comparison and a picture; the storage is as it was."""
    rules_file(tmp_path / "old.yml", [alert(**{"for": "5m"})])
    system = tmp_path / "system"
    rules_file(system / "rules.yml", [FAULT], interval="")
    (system / "prometheus.yml").write_text(
        "global: {evaluation_interval: 20s}\nrule_files: [rules.yml]\nscrape_configs: []\n"
    )
    before = fingerprint(storage)

    where = ("--tsdb", storage, "--from", str(BEGIN + 300), "--to", str(BEGIN + 3600))
    done = tocsin("system", *where, "--format", "json", "--against", "old.yml", "--picture", "p.png", cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert [each["interval"] for each in (*told["alerts"], *told["before"])] == [20, 15]
    assert [each["from"][11:] for each in told["alerts"][0]["firing"]] == ["00:10:00Z", "00:30:00Z"]
    assert [each["kind"] for each in told["changes"]] == ["noisier"]
    assert (tmp_path / "p.png").stat().st_size > 1000
    assert fingerprint(storage) == before


def test_the_command_asks_a_server(tmp_path: Path, history: History) -> None:
    """By its URL, or as an environment of the system names it."""
    rules_file(tmp_path / "rules.yml", [FAULT])
    where = ("--from", str(BEGIN), "--to", str(BEGIN + END), "--format", "json", "--requests-per-second", "50")
    (tmp_path / "system.yaml").write_text(
        f"schema: 1\nname: small\nenvironments: {{live: {{prometheus: {{url: '{history.where}'}}}}}}\n"
    )

    done = [tocsin("--prometheus", asked, *where, cwd=tmp_path) for asked in (history.where, "live")]

    assert [each.returncode for each in done] == [0, 0], done[0].stderr + done[1].stderr
    assert json.loads(done[0].stdout) == json.loads(done[1].stdout)
    assert json.loads(done[0].stdout)["alerts"][0]["episodes"] == 3


BAD = {
    "no source": ((".",), "one of the arguments --prometheus --tsdb is required"),
    "no such folder": (("nowhere", "--tsdb", "TSDB"), "there is no such folder or file"),
    "no rules": (("empty", "--tsdb", "TSDB"), "holds no alerting rules"),
    "no storage": ((".", "--tsdb", "empty"), "no storage of a Prometheus"),
    "no moment": ((".", "--tsdb", "TSDB", "--from", "then"), "is no moment"),
    "backwards": ((".", "--tsdb", "TSDB", "--from", "1d", "--to", "2d"), "is not before"),
    "another time": ((".", "--tsdb", "TSDB", "--from", "2d", "--to", "1d"), "holds nothing of that time"),
    "no step": ((".", "--tsdb", "TSDB", "--step", "0s"), "longer than 0"),
    "no picture": ((".", "--tsdb", "TSDB", "--picture", "p.txt"), "must end in .png"),
    "nobody there": ((".", "--prometheus", "http://127.0.0.1:9"), "nothing listens there"),
    "nobody there, and a secret": ((".", "--prometheus", "http://me:hushhush@127.0.0.1:9"), "nothing listens there"),
    "no environment": ((".", "--prometheus", "staging"), "neither a URL nor"),
    "no data": (("blind.yml", "--tsdb", "TSDB"), "nothing is known of them"),
}


@pytest.mark.parametrize(("arguments", "words"), BAD.values(), ids=BAD)
def test_bad_input_is_exit_code_2(tmp_path: Path, storage: Path, arguments: tuple[str, ...], words: str) -> None:
    """With what is wrong."""
    rules_file(tmp_path / "blind.yml", [alert("no_such > 1")])
    (tmp_path / "empty").mkdir()

    done = tocsin(*(str(storage) if word == "TSDB" else word for word in arguments), cwd=tmp_path)

    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "hushhush" not in done.stderr


def test_named_files_alone_are_read(tmp_path: Path, storage: Path) -> None:
    """A file beside the named one has no part in it, unless both belong to a system."""
    rules_file(tmp_path / "one.yml", [alert("a:fault == 1")])
    rules_file(tmp_path / "two.yml", [{"record": "a:fault", "expr": "fault"}, alert(name="B")])

    alone = tocsin("one.yml", "--tsdb", storage, "--format", "json", cwd=tmp_path)
    both = tocsin("one.yml", "two.yml", "--tsdb", storage, "--format", "json", cwd=tmp_path)
    (tmp_path / "system.yaml").write_text("schema: 1\nname: small\n")
    system = tocsin("one.yml", "--tsdb", storage, "--format", "json", cwd=tmp_path)

    assert [done.returncode for done in (alone, both, system)] == [2, 0, 0]
    told = [[(each["name"], each["episodes"]) for each in json.loads(done.stdout)["alerts"]] for done in (both, system)]
    assert told == [[("A", 3), ("B", 3)], [("A", 3)]]


def test_the_formats_are_documented() -> None:
    """In the page for users, as are the options."""
    page = (Path(__file__).parents[1] / "docs" / "backtesting.md").read_text()

    assert all(f"`{name}`" in page for name in FORMATS)
    for option in ("--tsdb", "--prometheus", "--from", "--to", "--step", "--against", "--format", "--picture",
                   "--requests-per-second"):  # fmt: skip
        assert option in page
