"""report.html: it says all that was found, needs nothing but itself, and trusts no text that it shows."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.case import CaseResult
from tocsin.drill.judge import DrillResult, judge
from tocsin.evidence import (
    ALERTMANAGER,
    EXPRESSIONS,
    LOAD,
    MANIFEST,
    NOTIFICATIONS,
    SAMPLES,
    ExpectedAlert,
    LeftOut,
    Manifest,
    Moments,
    Recording,
    RuleFacts,
    Selected,
    Trouble,
    read_evidence,
)
from tocsin.report.html import render, write_report
from tocsin.report.picture import PAINTS, draw
from tocsin.report.results import AlertFacts, Results
from tocsin.report.scene import said_of_stimulus, scenes, thin
from tocsin.source import Place
from tocsin.verdict import PASSED, Outcome, failed, inconclusive

ARMED, INJECTED, RECOVERED, ENDED = 10.0, 20.0, 28.0, 40.0
HOLD, TICK = 1.0, 0.25
VOID = ("meta", "br")
"""Elements without content that the page uses; it closes them, as XML wants."""
ROUTING = """
route: {receiver: pager, group_by: [alertname], group_wait: 500ms, group_interval: 5s, repeat_interval: 4m}
receivers: [{name: pager, webhook_configs: [{url: 'http://x/', send_resolved: true}]}]
"""


@dataclass
class Rung:
    """An alert in the making, over a value that steps up at 20.1 and back at 28.1."""

    severity: str
    threshold: float = 0.05
    rings: bool = True
    outcome: str = "notified"
    annotations: dict[str, str] = field(default_factory=lambda: {"summary": "too many errors", "description": "half"})

    @property
    def labels(self) -> dict[str, str]:
        """Return the labels of the alert."""
        return {"alertname": "Errors", "severity": self.severity, "job": "backend"}

    @property
    def rule(self) -> str:
        """Return the id of its rule."""
        return f'Errors@rules.yml::g{{severity="{self.severity}"}}'


@dataclass
class Drill:
    """A drill's evidence in the making."""

    name: str
    rungs: tuple[Rung, ...] = (Rung("critical"),)
    left: str = 'rate(errors_total{job="backend", id="/"}[5s])'
    value: float = 0.4
    compared: bool = True
    gap: tuple[float, float] | None = None
    """When the value gave nothing."""
    load: bool = True
    late: float = 0.0
    manifest: dict[str, Any] = field(default_factory=dict)

    def write(self, evidence: Path) -> DrillResult:
        """Write the evidence and judge it."""
        recording = Recording(evidence / self.name)
        recording.config("alertmanager.rewritten.yml", ROUTING)
        recording.config("rules/rules.yml", "groups: []\n")
        recording.append(SAMPLES, *self.series())
        recording.append(EXPRESSIONS, *self.expressions())
        recording.append(NOTIFICATIONS, *self.notifications())
        recording.append(ALERTMANAGER, *self.alertmanager())
        recording.append(LOAD, *(self.loads() if self.load else ()))
        recording.conclude(self.facts())
        return judge(read_evidence(recording.folder))

    def rule(self, rung: Rung) -> RuleFacts:
        return RuleFacts(
            id=rung.rule,
            name="Errors",
            group="g",
            file="monitoring/rules.yml",
            line=3,
            expression_line=4,
            hold_line=5,
            expression=f"{self.left} > {rung.threshold}" if self.compared else self.left,
            production_expression=f"{self.left} > {rung.threshold}".replace("5s", "5m") if self.compared else self.left,
            labels={"severity": rung.severity},
            hold_seconds=HOLD,
            production_hold="1m",
            interval_seconds=TICK,
            scrape_seconds=TICK,
            window_seconds=5.0,
            selectors=(Selected(text="errors_total", metric="errors_total"),),
        )

    def facts(self) -> Manifest:
        known: dict[str, Any] = {
            "complete": True,
            "drill": self.name,
            "marker": "load",
            "stimulus": {"load": {"profile": "errors", "target": "backend", "users": 10}},
            "clock_origin": 1000.0,
            "factor": 60,
            "engines": {"prometheus": "2.42.0", "alertmanager": "0.25.0"},
            "moments": Moments(started=0, armed=ARMED, steady=15, injected=INJECTED, recovered=RECOVERED, ended=ENDED),
            "scrape_seconds": TICK,
            "evaluation_seconds": TICK,
            "rules": tuple(map(self.rule, self.rungs)),
            "left_out": (LeftOut(id="Disk@rules.yml::g", name="Disk", file="rules.yml", line=9, reason="too slow"),),
            "expect": tuple(
                ExpectedAlert(
                    alert="Errors",
                    labels={"severity": r.severity},
                    receivers=("pager",) if r.outcome == "notified" else (),
                    outcome=r.outcome,
                )
                for r in self.rungs
            ),
            "metric_names": ("errors_total",),
        }
        return Manifest(**{**known, **self.manifest})

    def series(self) -> Iterator[dict[str, Any]]:
        ticks = [ARMED + i * TICK for i in range(121)]
        yield {"labels": {"__name__": "tocsin:evaluation", "group": "g"}, "samples": [[t, t] for t in ticks]}
        errors = [[round(t - 0.15, 3), t if INJECTED < t < RECOVERED else 0.0] for t in ticks]
        yield {"labels": {"__name__": "errors_total", "job": "backend"}, "samples": errors}
        for rung in self.rungs:
            if not rung.rings:
                continue
            for state, begin, end in (("pending", 20.25, 21.0), ("firing", 21.25, 28.0)):
                labels = {"__name__": "ALERTS", **rung.labels, "alertstate": state}
                times = [t for t in ticks if begin <= t <= end]
                yield {"labels": labels, "samples": [[t, 1] for t in times], "stale": [end + TICK]}

    def expressions(self) -> Iterator[dict[str, Any]]:
        steps = [round(ARMED + i * 0.01, 2) for i in range(3001)]
        known = [t for t in steps if not self.gap or not self.gap[0] <= t <= self.gap[1]]
        value = {t: self.value if 20.1 <= t < 28.1 else 0.0 for t in known}
        for rung in self.rungs:
            common = {"rule": rung.rule, "comparison": 0, "operator": ">", "text": self.left, "labels": {}}
            if self.compared:
                yield {**common, "side": "left", "samples": list(value.items())}
                yield {**common, "side": "right", "samples": [[t, rung.threshold] for t in steps]}
            if rung.rings:
                true = [[t, v] for t, v in value.items() if 20.1 <= t < 28.1]
                yield {**common, "side": "whole", "labels": {"job": "backend"}, "samples": true}

    def notifications(self) -> Iterator[dict[str, Any]]:
        for rung in self.rungs:
            for status, time in (("firing", 21.77 + self.late), ("resolved", 31.8)):
                alert = {"status": status, "labels": rung.labels, "annotations": rung.annotations, "fingerprint": "ab"}
                if rung.rings and rung.outcome == "notified":
                    payload = {"alerts": [alert]}
                    yield {"time": time, "receiver": "pager", "integration": "slack", "index": 0, "payload": payload}

    def alertmanager(self) -> Iterator[dict[str, Any]]:
        for rung in self.rungs:
            if rung.rings:
                held = {"state": "suppressed", "inhibitedBy": ["ab"]} if rung.outcome == "inhibited" else {}
                alert = {"labels": rung.labels, "fingerprint": "ab", "receivers": [{"name": "pager"}], "status": held}
                yield {"time": 21.26, "event": "received", "alert": "Errors", "fingerprint": "ab", "state": "active"}
                yield {"time": 22.0, "event": "alerts", "alerts": [alert]}

    def loads(self) -> Iterator[dict[str, Any]]:
        yield {"time": INJECTED, "event": "first_request", "part": "stimulus"}
        for i in range(1, 17):
            at = INJECTED + i / 2
            counts = {"users": 10, "requests": 20, "failures": 8, "status": {"200": 12, "500": 8}}
            yield {
                "time": at,
                "event": "interval",
                "part": "stimulus",
                "seconds": 0.5,
                "p50": 0.1,
                "p95": 0.2,
                **counts,
            }
        yield {"time": RECOVERED, "event": "stopped", "part": "stimulus"}


LADDER = (Rung("critical", 0.3), Rung("error", 0.2, outcome="inhibited"), Rung("warning", 0.1, outcome="inhibited"))
DRILLS = (
    Drill("passing"),
    Drill("never-crossed", (Rung("critical", 0.5, rings=False),), value=0.04),
    Drill("late", late=1.5),
    Drill("ladder", LADDER),
    Drill("control", (), manifest={"expect": ()}),
    Drill("undeclared", manifest={"expect": ()}),
    Drill(
        "absent",
        left='absent(up{job="backend"})',
        compared=False,
        load=False,
        manifest={"stimulus": {"kill": "backend"}},
    ),
    Drill("stale", (Rung("critical", rings=False),), value=0.04, gap=(22.0, 26.0)),
    Drill("troubled", manifest={"trouble": (Trouble(time=22.0, what="Prometheus did not answer"),)}),
    Drill("unstarted", manifest={"complete": False, "moments": Moments(started=0, armed=ARMED)}),
)
CUT_OFF = "cut-off"
"""The name of a drill that left no manifest."""


@dataclass(frozen=True)
class Run:
    """A run with a drill of each kind, and its page."""

    folder: Path
    results: Results

    @property
    def page(self) -> str:
        """Return the page."""
        return render(self.folder, self.results)

    def drill(self, name: str) -> DrillResult:
        """Return the judgement of one drill."""
        return next(d for d in self.results.drills if d.evidence.folder.name == name)


def results_of(drills: Iterable[DrillResult]) -> Results:
    """Return the results of a run of these drills and a few cases more."""
    return Results(
        system="shop & co",
        path="/srv/shop",
        environment="local",
        engines={"prometheus": "2.42.0", "alertmanager": "0.25.0"},
        started=1_795_631_210.0,
        seconds=123.4,
        cases=[
            CaseResult("every-file@rules", "static", "rules", Place("rules.yml", 7), failed("it is <not> YAML")),
            CaseResult("every-file@manifests", "static", "manifests", Place("k8s.yml"), PASSED),
            CaseResult("probe@backend", "probes", "backend", Place("k8s.yml", 3), inconclusive("nobody answered")),
        ],
        alerts=[
            AlertFacts(f'Errors@rules.yml::g{{severity="{s}"}}', "Errors", "g", "rules.yml", 10 + i)
            for i, s in enumerate(("critical", "error", "warning"))
        ]
        + [AlertFacts("Disk@rules.yml::g", "Disk", "g", "rules.yml", 99)],
        drills=list(drills),
        resources={"peak_pss_bytes": 436682752},
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give a run with a drill of each kind."""
    folder = tmp_path_factory.mktemp("run")
    drills = [drill.write(folder / "evidence") for drill in DRILLS]
    Drill(CUT_OFF).write(folder / "evidence")
    (folder / "evidence" / CUT_OFF / MANIFEST).unlink()
    drills.append(judge(read_evidence(folder / "evidence" / CUT_OFF)))
    return Run(folder, results_of(drills))


@pytest.fixture(scope="module")
def page(run: Run) -> str:
    """Give the page of that run."""
    return run.page


def document(page: str) -> ET.Element:
    """Return the page as a tree; it is HTML that is XML as well, so that nothing in it can be out of balance."""
    return ET.fromstring(page.removeprefix("<!DOCTYPE html>"))  # noqa: S314 our own page


def text_of(page: str) -> str:
    """Return what a reader sees, its white space evened out."""
    return " ".join(" ".join(document(page).itertext()).split())


def test_the_drills_are_what_they_should_be(run: Run) -> None:
    """The evidence written here is judged as its name says, so that the page has every kind of drill to show."""
    outcomes = {d.evidence.folder.name: str(d.verdict.outcome) for d in run.results.drills}

    assert outcomes == {
        **dict.fromkeys(("passing", "ladder", "control", "absent"), "passed"),
        **dict.fromkeys(("never-crossed", "late", "undeclared", "stale"), "failed"),
        **dict.fromkeys(("troubled", "unstarted", CUT_OFF), "inconclusive"),
    }


def test_every_verdict_and_reason_is_told(run: Run, page: str) -> None:
    """No drill, verdict, reason, case, unproven alert or rule left out is missing from the page."""
    text = text_of(page)
    wanted = [d.name for d in run.results.drills]
    wanted += [line for d in run.results.drills for line in d.verdict.reason.splitlines()]
    wanted += [e.verdict.reason for d in run.results.drills for e in d.expected]
    wanted += [c.verdict.reason for c in run.results.cases] + [c.id for c in run.results.cases]
    wanted += ["shop & co", "2026-11-25 18:26:50 UTC", "2 min 3 s", "prometheus 2.42.0", "60 times faster"]
    wanted += ["rules.yml:99", "left out of drills: too slow", "only ever expected to be inhibited", "Disk"]
    wanted += ["too many errors", "half", "pager (slack)", "Of 11 drills: 4 failed, 3 inconclusive, 4 passed"]

    missing = [said for said in wanted if " ".join(said.split()) not in text]

    assert not missing
    verdicts = Counter(re.findall(r"[✓✕?~] (passed|waived|inconclusive|failed)", text))
    assert all(verdicts[str(o)] for o in (Outcome.PASSED, Outcome.INCONCLUSIVE, Outcome.FAILED))


def test_the_worst_drills_come_first_and_open(page: str) -> None:
    """Failed, then inconclusive drills stand first and are open; those that passed are closed beside them."""
    drills = [d for d in document(page).iter("details") if d.get("class") == "drill"]
    shown = [(verdict_of(d), d.get("open") is not None) for d in drills]

    ranks = ["failed", "inconclusive", "waived", "passed"]
    assert [v for v, _ in shown] == sorted((v for v, _ in shown), key=ranks.index)
    assert all(is_open == (verdict != "passed") for verdict, is_open in shown)


def verdict_of(details: ET.Element) -> str:
    """Return the verdict in a section's summary."""
    return next((s.get("class") or "").split()[-1] for s in details.iter("span") if "verdict" in (s.get("class") or ""))


def test_a_run_without_fault_is_open(run: Run) -> None:
    """If nothing wants attention before the others, every picture is in sight."""
    page = render(run.folder, results_of([run.drill("passing"), run.drill("control")]))

    assert all(d.get("open") for d in document(page).iter("details") if d.get("class") == "drill")
    assert "All 2 drills passed" in text_of(page)


def test_the_page_needs_nothing_else(page: str) -> None:
    """Nothing is loaded: no script, and no address but of the evidence beside it and of the page's own parts."""
    tree = document(page)
    addresses = [v for e in tree.iter() for k, v in e.attrib.items() if k.rpartition("}")[2] in ("src", "href")]
    outside = [a for a in addresses if not a.startswith(("./evidence/", "#"))]

    assert addresses
    assert not outside
    assert not {"script", "link", "iframe", "img", "object"} & {local(e) for e in tree.iter()}
    assert not re.search(r"url\((?!#)|@import", page)


def local(element: ET.Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def test_ids_are_unique_and_every_reference_finds_one(page: str) -> None:
    """No id stands twice, and whatever points into the page hits something."""
    ids = [e.attrib["id"] for e in document(page).iter() if "id" in e.attrib]
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', page))

    assert [i for i, n in Counter(ids).items() if n > 1] == []
    assert used <= set(ids)


def test_every_link_to_evidence_leads_to_a_file(run: Run, page: str) -> None:
    """Links are relative to the page, and all of a drill's files are linked."""
    links = [unescape(m) for m in re.findall(r'href="(\./evidence/[^"]+)"', page)]

    assert all((run.folder / link).is_file() for link in links)
    assert len(links) == sum(1 for p in (run.folder / "evidence").rglob("*") if p.is_file())


def test_every_drill_with_a_stimulus_has_a_picture(run: Run) -> None:
    """A drill is drawn, whatever its alerts did; one without a stimulus says why it is not."""
    drawn = {d.evidence.folder.name: draw(d, "p") for d in run.results.drills}

    assert {name for name, pictures in drawn.items() if not pictures} == {"unstarted", CUT_OFF}
    assert all(len(pictures) == 1 for name, pictures in drawn.items() if pictures)
    assert run.page.count("There is no picture") == 2
    assert run.page.count("<svg") == len(DRILLS) - 1


PICTURED = {
    "passing": [
        *("injected 0", "crossed 0.10", "notified 1.77", "recovered 8.00", "resolved 8.25"),
        *("resolution notified 11.80", "firing", "threshold > 0.05", "requests, stimulus", "failures, stimulus"),
        *("load errors on backend", "seconds since the stimulus (1 s here is 60 s in production)"),
    ],
    "never-crossed": ["not crossed", "closest 0.04: 0.46 away from > 0.5"],
    "ladder": ["critical > 0.3", "error > 0.2", "warning > 0.1", "error (inhibited)", "warning (inhibited)"],
    "control": ["injected 0", "recovered 8.00", "requests, stimulus"],
    "undeclared": ["Errors (unexpected)", "firing", "threshold > 0.05"],
    "absent": ['absent(up{job="backend"})', "true", "not true", "firing", "kill backend"],
    "stale": ["no value", "not crossed"],
    "troubled": ["notified 1.77"],
}


@pytest.mark.parametrize(("name", "said"), PICTURED.items(), ids=PICTURED)
def test_a_picture_shows_its_drill(run: Run, name: str, said: list[str]) -> None:
    """Moments, stages, thresholds, load and distances stand in the picture, with their figures."""
    tree = ET.fromstring(draw(run.drill(name), "p")[0].svg)  # noqa: S314 our own picture
    texts = [" ".join("".join(e.itertext()).split()) for e in tree.iter() if local(e) == "text"]

    assert [s for s in said if not any(s in text for text in texts)] == []
    assert tree.get("role") == "img"
    assert "Seconds since the stimulus" in (tree.get("aria-label") or "")


def test_a_picture_is_told_to_those_who_cannot_see_it(run: Run) -> None:
    """The label of a picture has its moments and the stretches of its stages."""
    label = ET.fromstring(draw(run.drill("passing"), "p")[0].svg).get("aria-label") or ""  # noqa: S314 our own picture

    assert "notified at 1.77 s" in label
    assert "reaching 0.00 to 0.10 s, pending 0.25 to 1.25 s, firing 1.25 to 8.00 s, resolving 8.00 to 8.25 s" in label


def test_an_expression_is_shown_as_it_is(run: Run) -> None:
    """What reads like an attribute of the picture's own, and is part of an expression, stays."""
    svg = draw(run.drill("passing"), "p")[0].svg

    assert 'rate(errors_total{job="backend", id="/"}[5s])' in unescape(svg)


def test_colours_are_left_to_the_page(page: str) -> None:
    """Pictures name colours that the page declares, for light and for dark; none is fixed in them."""
    named = set(re.findall(r"var\(--paint-([a-z]+)\)", page))
    declared = Counter(re.findall(r"--paint-([a-z]+):", page))

    assert named <= set(PAINTS)
    assert declared == dict.fromkeys(PAINTS, 2)
    assert "#fe0a" not in page


def test_a_late_stage_is_marked_with_the_judges_own_budget(run: Run, page: str) -> None:
    """The budgets in the table of stages are those by which the judge called a drill late."""
    reason = run.drill("late").verdict.reason
    took, budget, terms = re.findall(r"took (\S+ s); its budget is (\S+ s) \((.+)\)", reason)[0]
    rows = [" ".join("".join(r.itertext()).split()) for r in document(page).iter("tr")]

    assert any(f"{took} since crossed, late{budget}{terms}" in row for row in rows), reason


@pytest.mark.parametrize("stage", ["crossed", "resolved"])
def test_budgets_before_and_after_the_notice_are_the_judges_too(tmp_path: Path, stage: str) -> None:
    """What the table says of crossing and of resolving is what the judge says when they are late."""
    drill = Drill("slow")
    rule = drill.rule(drill.rungs[0]).model_copy(update={"window_seconds": 0.0, "scrape_seconds": 0.01})
    moments = Moments(started=0, armed=ARMED, steady=15, injected=INJECTED, recovered=26.0, ended=ENDED)
    result = replace(drill, manifest={"rules": (rule,), "moments": moments}).write(tmp_path / "evidence")
    before = {"crossed": "injected to crossed", "resolved": "recovered to resolved"}[stage]
    said = re.findall(rf"from {before} took (\S+ s); its budget is (\S+ s) \((.+)\)", result.verdict.reason)
    page = render(tmp_path, results_of([result]))
    rows = [" ".join("".join(r.itertext()).split()) for r in document(page).iter("tr")]

    assert said, result.verdict.reason
    assert any(row.startswith(stage) and f", late{said[0][1]}{said[0][2]}" in row for row in rows), rows


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"when": "before", "kill": "prometheus-2"}, "; before, kill prometheus-2"),
        ({"when": "firing", "partition": ["a-1", "a-2"], "kill": None}, "; once firing, partition a-1 and a-2"),
        (None, "10 users"),
    ],
)
def test_what_the_monitoring_suffered_besides_is_in_the_table(
    tmp_path: Path, declared: dict[str, Any] | None, said: str
) -> None:
    """The table of verdicts says all that was done, not the stimulus alone."""
    result = Drill("lost", manifest={"disturbance": declared}).write(tmp_path / "evidence")
    rows = [
        ["".join(cell.itertext()) for cell in row]
        for row in document(render(tmp_path, results_of([result]))).iter("tr")
    ]
    (told,) = (row[1] for row in rows if row[0].strip() == "lost")
    assert told.strip().endswith(said)


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src="x" onerror="alert(1)">',
    "</text></svg></pre><script>1</script>",
    "$\\frac{1}$ ]]> &amp; {{ 7 * 7 }} {% raw %}",
    "' onload='x",
    "a\x00b\x08c\uffff",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_taken_for_markup(tmp_path: Path, text: str) -> None:
    """Whatever an annotation, an expression, a reason or a stimulus holds is shown, and nothing comes of it."""
    rung = Rung("critical", annotations={"summary": text, "description": text})
    manifest = {
        "stimulus": {"load": {"profile": text, "target": text}},
        "trouble": (Trouble(time=1.0, what=text),),
        "left_out": (LeftOut(id=text, name=text, file=text, line=1, reason=text),),
    }
    result = Drill("hostile", (rung,), left=text, manifest=manifest).write(tmp_path / "evidence")
    results = replace(results_of([result]), system=text + "\ud800", environment=text)
    tree = document(write_report(tmp_path, results).read_text(encoding="utf-8"))
    shown = "".join(tree.itertext())

    assert result.verdict.outcome is Outcome.INCONCLUSIVE
    assert not {"script", "img"} & {local(e) for e in tree.iter()}
    assert not [a for e in tree.iter() for a in e.attrib if a.startswith("on")]
    assert shown.count(re.sub("[\x00\x08\uffff]", "\ufffd", text)) > 8


def test_the_same_results_give_the_same_page(run: Run, page: str) -> None:
    """Neither the time of day nor chance leaves a trace."""
    assert run.page == page


def test_the_page_is_written_in_one_rename(run: Run, page: str) -> None:
    """The file has the page's text, and no draft is left beside it."""
    path = write_report(run.folder, run.results)

    assert path == run.folder / "report.html"
    assert path.read_text(encoding="utf-8") == page
    assert not list(run.folder.glob("*.part"))


def test_a_run_without_drills_has_a_page(tmp_path: Path) -> None:
    """It says so, and shows the other cases."""
    page = render(tmp_path, results_of([]))

    assert "No drill was performed" in text_of(page)
    assert "it is <not> YAML" in text_of(page)


def test_every_void_element_is_closed(page: str) -> None:
    """The page is HTML too: an element that HTML leaves empty has no end tag, and no other is closed by its start."""
    selfclosed = set(re.findall(r"<([a-z]+)[^>]*/>", re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)))

    assert selfclosed == set(VOID)


def test_a_page_of_ten_drills_is_small(page: str) -> None:
    """Curves in steps of 10 ms are thinned, so that the page stays well under 3 MB."""
    assert len(page.encode()) < 1_000_000


VALUES = st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0, 7.0]) | st.floats(-1e9, 1e9), min_size=1, max_size=400)


@given(values=VALUES, most=st.integers(8, 200))
def test_thinning_loses_no_peak_and_invents_nothing(values: list[float], most: int) -> None:
    """What is kept was there, in order, from the first to the last, with the lowest and the highest."""
    samples = [(i / 100, v) for i, v in enumerate(values)]
    kept = thin(samples, most)

    assert kept == sorted(set(kept))
    assert set(kept) <= set(samples)
    assert (kept[0], kept[-1]) == (samples[0], samples[-1])
    assert {min(v for _, v in kept), max(v for _, v in kept)} == {min(values), max(values)}
    assert len(kept) <= most + 4 or len(kept) <= len(samples) < most


@given(values=st.lists(st.sampled_from([0.0, 1.0]), min_size=2, max_size=400))
def test_thinning_keeps_every_edge(values: list[float]) -> None:
    """A curve of steps, drawn as a line through what is kept, is the same curve."""
    samples = [(float(i), v) for i, v in enumerate(values)]
    edges = {s for a, b in itertools.pairwise(samples) if a[1] != b[1] for s in (a, b)}

    assert edges <= set(thin(samples, 1000))


STIMULI = [
    ({"kill": "backend"}, "kill backend"),
    ({"remove_target": "backend"}, "remove target backend"),
    ({"load": {"profile": "browse", "target": "shop", "users": 1}}, "load browse on shop, 1 user"),
    (
        {"load": {"profile": "seats", "target": "shop", "users": 3, "options": {"SEATS": "97"}}},
        "load seats on shop, 3 users, SEATS 97",
    ),
    ({}, "nothing"),
]


@pytest.mark.parametrize(("stimulus", "said"), STIMULI, ids=[s for _, s in STIMULI])
def test_a_stimulus_is_said_in_words(stimulus: dict[str, Any], said: str) -> None:
    """A stimulus reads as it was declared."""
    assert said_of_stimulus(stimulus) == said


def test_alerts_that_watch_different_values_have_pictures_of_their_own(run: Run) -> None:
    """The rungs of a ladder share one; their thresholds all stand in it."""
    ladder = scenes(run.drill("ladder"))

    assert len(ladder) == 1
    assert [name for name, _ in ladder[0].comparisons[0].thresholds] == ["critical >", "error >", "warning >"]
    assert next(t.name for t in ladder[0].tracks) == "Errors critical"
