"""Rules over recorded history: a real Prometheus evaluates them, and promtool's ALERTS are what counts."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.recorded_history import (
    BEGIN,
    after,
    every,
    fingerprint,
    fired,
    history_of,
    make_blocks,
    run_over,
    window_of,
)
from tocsin.deadline import wait_until
from tocsin.engines.prometheus import Prometheus, PrometheusSettings
from tocsin.engines.promtool import run_rule_tests
from tocsin.engines.trouble import EngineTrouble
from tocsin.simulation.backtest import Backtest, History, Outcome, covered, opened, read_storage
from tocsin.supervisor import Supervisor

HOURS = 2
SCRAPE = 15


def pulses(*held: tuple[int, int], of: int = HOURS * 3600) -> list[tuple[int, float]]:
    """Return samples of 0, and of 1 within [begin, end)."""
    return every(SCRAPE, [float(any(a <= t < b for a, b in held)) for t in range(0, of, SCRAPE)])


SERIES = {
    'up{job="a"}': pulses((0, HOURS * 3600)),
    'fault{instance="x"}': pulses((600, 690), (1800, 2400), (2460, 3000)),
    'fault{instance="y"}': pulses((4000, 4001 + SCRAPE)),
    'twice{instance="x",side="l"}': every(SCRAPE, [1.0] * 40),
    'twice{instance="x",side="r"}': every(SCRAPE, [1.0] * 40, first=300),
    'one{instance="x"}': pulses((0, HOURS * 3600)),
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


def rules_file(place: Path, rules: list[Mapping[str, Any]], interval: str = "15s", **group: Any) -> Path:
    """Write a rule file with one group."""
    place.parent.mkdir(exist_ok=True, parents=True)
    group = {"name": "g", "interval": interval, **group, "rules": rules}
    place.write_text(yaml.safe_dump({"groups": [group]}, sort_keys=False))
    return place


def one(done: Backtest, name: str = "A") -> Outcome:
    """Return what came of one alert."""
    return next(each for each in done.outcomes if each.alert.rule.name == name)


END = HOURS * 3600 - SCRAPE
EDGES: dict[str, tuple[Mapping[str, Any], str, list[tuple[float, float]]]] = {
    "at once": ({}, "15s", [(600, 690), (1800, 2400), (2460, 3000), (4005, 4020)]),
    "at the pace of its group": ({}, "60s", [(600, 720), (1800, 2400), (2460, 3000)]),
    "for: as long as it lasts": ({"for": "75s"}, "15s", [(675, 690), (1875, 2400), (2535, 3000)]),
    "for: a tick longer": ({"for": "76s"}, "15s", [(1890, 2400), (2550, 3000)]),
    "for: not whole ticks": ({"for": "4m50s"}, "60s", [(2100, 2400), (2760, 3000)]),
    "kept over a gap": ({"keep_firing_for": "60s"}, "15s", [(600, 750), (1800, 3060), (4005, 4080)]),
    "kept, a tick less": ({"keep_firing_for": "45s"}, "15s", [(600, 735), (1800, 2445), (2460, 3045), (4005, 4065)]),
    "for and kept": ({"for": "2m", "keep_firing_for": "2m"}, "15s", [(1920, 3120)]),
}


@pytest.mark.parametrize(("more", "interval", "expected"), EDGES.values(), ids=EDGES)
def test_edges_are_at_the_tick(
    tmp_path: Path, history: History, more: Mapping[str, Any], interval: str, expected: list[tuple[float, float]]
) -> None:
    """Each begins at the first evaluation that fires, and ends at the first that does not."""
    rules = rules_file(tmp_path / "r.yml", [{"alert": "A", "expr": "fault == 1", **more}], interval)

    assert fired(run_over(history, rules, (0, END)), "A") == expected


def test_what_was_pending_alone_is_told(tmp_path: Path, history: History) -> None:
    """With its length, beside what fired, and by label set."""
    rules = rules_file(tmp_path / "r.yml", [{"alert": "A", "expr": "fault == 1", "for": "5m"}])

    done = one(run_over(history, rules, (0, END)))

    told = [(dict(each.labels)["instance"], after(each.begin), after(each.end)) for each in done.pending]
    assert told == [("x", 600, 690), ("y", 4005, 4020)]
    assert (done.noise.episodes, done.noise.pending, done.noise.flaps) == (2, 2, 1)
    assert done.noise.seconds == 300 + 240
    assert done.noise.per_day == pytest.approx(2 * 86400 / END)
    assert [(dict(labels), noise.episodes) for labels, noise in done.by_labels.items()] == [
        ({"instance": "x"}, 2),
        ({"instance": "y"}, 0),
    ]


@pytest.mark.parametrize(("begin", "hold", "expected"), [
    (2115, "5m", (0, 285, True)),
    (2100, "5m", (0, 300, False)),
    (2085, "5m", (15, 315, False)),
    (2100, "0s", (0, 300, True)),
])  # fmt: skip
def test_what_began_before_the_window_is_known(
    tmp_path: Path, history: History, begin: int, hold: str, expected: tuple[float, float, bool]
) -> None:
    """A rule is evaluated from so long before it as its `for` takes."""
    rules = rules_file(tmp_path / "r.yml", [{"alert": "A", "expr": "fault == 1", "for": hold}])

    first = one(run_over(history, rules, (begin, begin + 400))).firing[0]

    assert (after(first.begin) - begin, after(first.end) - begin, first.began_before) == expected


def test_what_still_fires_at_the_end_says_so(tmp_path: Path, history: History) -> None:
    """Nobody knows for how long."""
    rules = rules_file(tmp_path / "r.yml", [{"alert": "A", "expr": "fault == 1"}])

    last = one(run_over(history, rules, (0, 2000))).firing[-1]

    assert (after(last.begin), after(last.end), last.lasting) == (1800, 2000, True)


def test_labels_are_those_of_the_alert(tmp_path: Path, history: History) -> None:
    """The rule's own replace those of the sample, templates of labels are rendered, empty ones are none."""
    labels = {"severity": "page", "who": "{{ $labels.instance }}/{{ .Labels.nobody }}", "instance": ""}
    rules = rules_file(tmp_path / "r.yml", [{"alert": "A", "expr": 'fault{instance="x"} == 1', "labels": labels}])

    done = one(run_over(history, rules, (0, 700)))

    assert [dict(episode.labels) for episode in done.firing] == [{"severity": "page", "who": "x/"}]


def test_a_label_of_the_value_is_told(tmp_path: Path, history: History) -> None:
    """It cannot be rendered without the value, and the reader is told."""
    labels = {"value": "{{ $value }}"}
    rules = rules_file(tmp_path / "r.yml", [{"alert": "A", "expr": "fault == 1", "labels": labels}])

    assert "the label value" in one(run_over(history, rules, (0, 700))).notes[0]


def test_alerts_of_the_same_labels_fail(tmp_path: Path, history: History) -> None:
    """Prometheus refuses the evaluation, and leaves every alert as it is."""
    rules = rules_file(tmp_path / "r.yml", [{"alert": "A", "expr": "twice", "labels": {"side": "both"}}], "60s")

    done = one(run_over(history, rules, (0, END)))

    assert [(after(a), after(b)) for a, b, _ in done.refused] == [(300, 840)]
    assert "same labels" in done.refused[0][2]
    assert [(after(each.begin), after(each.end)) for each in done.firing] == [(0, 1200)]


def test_a_failing_evaluation_is_found_at_its_ticks(tmp_path: Path, history: History) -> None:
    """The range query is refused as a whole; smaller pieces tell which evaluations fail."""
    rules = rules_file(tmp_path / "r.yml", [{"alert": "A", "expr": "one * on (instance) twice == 1"}], "60s")

    done = one(run_over(history, rules, (0, END)))

    assert [(after(a), after(b)) for a, b, _ in done.refused] == [(300, 840)]
    assert "duplicate series" in done.refused[0][2]
    assert [(after(each.begin), after(each.end)) for each in done.firing] == [(0, 1200)]


def test_an_expression_that_always_fails_is_not_evaluated(tmp_path: Path, history: History) -> None:
    """It is told of, and the other rules are evaluated."""
    rules = rules_file(
        tmp_path / "r.yml",
        [{"alert": "A", "expr": "scalar(one) > bool 0 and no_such_function(1)"},
         {"alert": "B", "expr": "one == 1"},
         {"alert": "C", "expr": "max_over_time(one[5m] @ end()) == 1"}],
    )  # fmt: skip

    done = run_over(history, rules, (0, 1500))

    assert [one(done, name).state for name in "ABC"] == ["not evaluated", "fired", "not evaluated"]
    assert "cannot be read" in one(done, "A").not_evaluated


def test_no_series_is_no_quiet(tmp_path: Path, history: History) -> None:
    """An alert whose metric was never recorded tells nothing, and neither does one about its absence."""
    rules = rules_file(
        tmp_path / "r.yml",
        [{"alert": "A", "expr": "no_such > 0"}, {"alert": "B", "expr": "absent(no_such)"},
         {"alert": "C", "expr": "one > 5"}],
    )  # fmt: skip

    done = run_over(history, rules, (0, 1500))

    assert [(one(done, name).state, one(done, name).missing) for name in "ABC"] == [
        ("no data", ("no_such",)),
        ("fired", ("no_such",)),
        ("quiet", ()),
    ]


RECORDED: dict[str, tuple[str, list[tuple[float, float]]]] = {
    "read at once": ("a:fault", [(600, 720), (1800, 2400), (2460, 3000)]),
    "with a matcher": ('a:fault{instance=~"y|z"}', []),
    "over a range": ("max_over_time(a:fault[1m59s])", [(600, 780), (1800, 3060)]),
    "earlier": ("a:fault offset 10m", [(1200, 1320), (2400, 3000), (3060, 3600)]),
}


@pytest.mark.parametrize(("read", "expected"), RECORDED.values(), ids=RECORDED)
def test_what_is_recorded_seldom_is_read_as_it_is_recorded(
    tmp_path: Path, history: History, read: str, expected: list[tuple[float, float]]
) -> None:
    """History has no a:fault: its rule is written out, and its evaluations stay a minute apart."""
    folder = tmp_path / "system"
    rules_file(folder / "r.yml", [{"record": "a:fault", "expr": "fault == 1"}], "60s")
    rules_file(folder / "s.yml", [{"alert": "A", "expr": read}], "15s", name="alerts")

    done = run_over(history, folder, (0, END))

    assert done.inlined == ("a:fault",)
    assert fired(done, "A") == expected


def test_recorded_history_is_believed_where_nothing_differs(tmp_path: Path) -> None:
    """It is there throughout, and neither side of a comparison has another rule for it."""
    place = make_blocks(tmp_path / "tsdb", {**SERIES, "a:recorded": every(60, [7.0] * (HOURS * 60))})
    record = {"record": "a:recorded", "expr": "sum(fault)"}
    alert = {"alert": "A", "expr": "a:recorded == 7"}
    same = rules_file(tmp_path / "same.yml", [record, alert])
    other = rules_file(tmp_path / "other.yml", [{**record, "expr": "sum(fault) * 7"}, alert])

    with history_of(place) as history:
        alone = run_over(history, same, (0, END))
        compared = run_over(history, same, (0, END), other)

    assert (alone.from_history, alone.inlined, one(alone).noise.share) == (("a:recorded",), (), pytest.approx(1))
    assert (compared.from_history, compared.inlined, one(compared).state) == ((), ("a:recorded",), "quiet")
    assert compared.before is not None
    assert compared.before[0].state == "fired"


def test_where_nothing_ran_nothing_is_evaluated(tmp_path: Path) -> None:
    """A gap in the history ends what fires and makes nothing fire; absent() would ring all through it."""
    heartbeat = [*every(SCRAPE, [1.0] * 120), *every(SCRAPE, [1.0] * 120, first=5400)]
    place = make_blocks(tmp_path / "tsdb", {"up": heartbeat})
    rules = rules_file(
        tmp_path / "r.yml", [{"alert": "A", "expr": "up == 1"}, {"alert": "B", "expr": "absent(up)"}], "60s"
    )

    with history_of(place) as history:
        done = run_over(history, rules, (0, 7140))

    # the last sample before the gap, at 1785, counts for 5 minutes more
    assert [(after(a), after(b)) for a, b in done.gaps] == [(2100, 5400)]
    assert fired(done, "A") == [(0, 2100), (5400, 7140)]
    assert [each.lasting for each in one(done).firing] == [True, True]
    assert fired(done, "B") == []


def test_before_the_first_sample_nothing_is_evaluated(tmp_path: Path, history: History) -> None:
    """What a rule would have waited for before there was any history has not been so."""
    rules = rules_file(tmp_path / "r.yml", [{"alert": "A", "expr": "absent(no_such)", "for": "2m"}], "60s")

    assert fired(run_over(history, rules, (0, 600)), "A") == [(120, 600)]
    assert fired(run_over(history, rules, (60, 600)), "A") == [(120, 600)]


def test_the_owners_directory_is_not_changed(tmp_path: Path) -> None:
    """Not a byte, not a date, not a link, while an engine of ours starts, answers, compacts and ends."""
    place = make_blocks(tmp_path / "tsdb", SERIES)
    rules = rules_file(tmp_path / "r.yml", [{"alert": "A", "expr": "fault == 1"}])
    before = fingerprint(place)

    with history_of(place) as history:
        assert fired(run_over(history, rules, (0, END)), "A")

    assert len(before) > 4
    assert fingerprint(place) == before


def test_what_is_not_in_a_block_yet_is_read_too(tmp_path: Path) -> None:
    """The storage of a Prometheus that runs has its last hours in the write-ahead log alone."""
    config = tmp_path / "prometheus.yml"
    jobs = [{"job_name": "nobody", "static_configs": [{"targets": ["127.0.0.1:1"]}]}]
    pace = {"scrape_interval": "250ms", "scrape_timeout": "250ms"}
    config.write_text(yaml.safe_dump({"global": pace, "scrape_configs": jobs}))
    with Supervisor("live", tmp_path / "logs") as supervisor:
        owner = Prometheus.start(supervisor, PrometheusSettings(config=config, data=tmp_path / "tsdb"))
        scraped = wait_until(lambda: owner.api.query("up"), seconds=20, what="a scrape")
        wait_until(lambda: owner.api.query("up")[0].samples[0].time > scraped[0].samples[0].time + 1, seconds=20,
                   what="another scrape")  # fmt: skip
        storage = read_storage(tmp_path / "tsdb")
        with opened(storage, evaluation=60, lookback=300) as ours:
            whole = covered(ours, storage)
            assert whole is not None
            assert whole.end / 1000 >= scraped[0].samples[0].time
            assert ours.api.query("up", at=whole.end / 1000)[0].labels["job"] == "nobody"
        assert owner.service.process.exited is None


@pytest.mark.parametrize("made", ["missing", "empty", "file"])
def test_no_storage_is_trouble(tmp_path: Path, made: str) -> None:
    """It says what a storage looks like."""
    place = tmp_path / "tsdb"
    if made == "empty":
        place.mkdir()
    if made == "file":
        place.write_text("")

    with pytest.raises(EngineTrouble, match="no storage of a Prometheus"):
        read_storage(place)


# The engine's own states

TICKS = 160
EVERY = 30


def random_world(dice: random.Random) -> tuple[dict[str, list[float | None]], list[dict[str, Any]]]:
    """Return series of 0 and 1 with gaps, and rules of all shapes over them."""
    series: dict[str, list[float | None]] = {}
    for name in ("m", "n"):
        for instance in ("x", "y", "z"):
            stay = dice.choice([0.6, 0.85, 0.95])
            now, values = 0.0, []
            for _ in range(TICKS):
                if dice.random() > stay:
                    now = 1 - now
                values.append(None if dice.random() < 0.03 else now)
            series[f'{name}{{instance="{instance}",job="{dice.choice("ab")}"}}'] = values
    rules: list[dict[str, Any]] = [
        {"record": "job:m:max", "expr": "max by (job) (m) # the worst"},
        {"record": "inst:m", "expr": "m * 2", "labels": {"team": "t$1"}},
        {"record": "inst:m", "expr": "n * 2", "labels": {"team": "u"}},
        {"record": "job:both", "expr": "job:m:max + max by (job) (n)"},
    ]
    expressions = (
        "m == 1", "m == 1 and on (instance) n == 0", "sum by (job) (m) > 1", "max_over_time(m[90s]) - n > 0",
        "changes(m[3m]) > 2", "absent(m{instance='x'} == 1)", "job:m:max == 1", 'inst:m{team="u"} > 1',
        'inst:m{team!="u",instance=~"x|y"} > 1', 'inst:m{team!~"t.*"} == 0', "avg_over_time(inst:m[2m]) > 1",
        "job:both offset 1m > 1", 'absent(job:both{job="a"} > 0)', 'absent(inst:m{team="v",instance="q"})',
        "sum_over_time(job:both[2m] offset 30s) > 5", "max_over_time((job:m:max > 0)[2m:30s]) == 1",
        "topk(2, sum by (job) (n)) > 0", "m != 0 unless on (instance) n", "job:m:max == on (job) group_right () n",
    )  # fmt: skip
    rules += [
        {
            "alert": f"A{number}",
            "expr": expression,
            "for": dice.choice(["0s", "30s", "45s", "1m", "2m"]),
            "keep_firing_for": dice.choice(["0s", "0s", "40s", "90s"]),
            "labels": dice.choice([{}, {"severity": "page"}, {"on": "{{ $labels.job }}"}]),
        }
        for number, expression in enumerate(expressions)
    ]
    return series, rules


def states_of(outcome: Outcome) -> dict[tuple[int, str], list[dict[str, str]]]:
    """Return the label sets in each state at each tick: firing as we say, pending before and without it."""
    found: dict[tuple[int, str], list[dict[str, str]]] = {}
    for episode in outcome.firing:
        begin, end = int(after(episode.begin)), int(after(episode.end)) + (EVERY if episode.lasting else 0)
        for tick in range(begin, end, EVERY):
            found.setdefault((tick, "firing"), []).append(dict(episode.labels))
    for episode in outcome.pending:
        begin, end = int(after(episode.begin)), int(after(episode.end)) + (EVERY if episode.lasting else 0)
        for tick in range(begin, end, EVERY):
            found.setdefault((tick, "pending"), []).append(dict(episode.labels))
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_states_are_those_of_the_engine(tmp_path: Path, seed: int) -> None:
    """ALERTS that promtool records of the same rules and series fire at exactly the ticks that we tell."""
    series, rules = random_world(random.Random(seed))
    file = rules_file(tmp_path / "rules.yml", rules, f"{EVERY}s")
    place = make_blocks(tmp_path / "tsdb", {name: every(EVERY, values) for name, values in series.items()})
    end = (TICKS - 1) * EVERY

    with history_of(place) as history:
        done = run_over(history, file, (0, end))

    asked = []
    episodes = 0
    for outcome in done.outcomes:
        assert not outcome.not_evaluated, outcome
        episodes += len(outcome.firing)
        told = states_of(outcome)
        own = outcome.alert.rule.labels  # in ALERTS they stand unrendered where they render to nothing (sample())
        for tick in range(0, end + 1, EVERY):
            name = outcome.alert.rule.name
            expected = [
                {"labels": _selector({"alertname": name, "alertstate": "firing", **own, **labels}), "value": 1}
                for labels in told.get((tick, "firing"), ())
            ]
            asked.append({"expr": f'ALERTS{{alertname="{name}",alertstate="firing"}}', "eval_time": f"{tick}s",
                          "exp_samples": expected})  # fmt: skip
            pending = " or ".join(
                "ALERTS" + _selector({"alertname": name, "alertstate": "pending", **own, **labels})[6:]
                for labels in told.get((tick, "pending"), ())
            )
            if pending:
                count = len(told[tick, "pending"])
                asked.append({"expr": f"count({pending})", "eval_time": f"{tick}s",
                              "exp_samples": [{"labels": "{}", "value": count}]})  # fmt: skip
    inputs = [
        {"series": name, "values": " ".join("_" if value is None else f"{value:g}" for value in values)}
        for name, values in series.items()
    ]
    test = {"interval": f"{EVERY}s", "input_series": inputs, "promql_expr_test": asked}
    text = {"rule_files": [str(file)], "evaluation_interval": f"{EVERY}s", "tests": [test]}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(text, width=100_000))
    judged = run_rule_tests([tmp_path / "test.yml"], cwd=tmp_path)
    assert judged.code == 0, f"{judged.stdout}{judged.stderr}"[:3000]
    assert episodes > 100
    assert done.inlined == ("inst:m", "job:both", "job:m:max")


def _selector(labels: Mapping[str, str]) -> str:
    return "ALERTS{" + ",".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}"


def test_the_begin_is_a_tick_of_every_pace() -> None:
    """So the tests above count from it."""
    assert BEGIN % 86400 == 0
    assert window_of(0, 1).begin == BEGIN * 1000
