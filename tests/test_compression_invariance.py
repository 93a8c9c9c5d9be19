"""The rows of the measured table again: which rules stay the same rules in compressed time, by promtool itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tocsin.compression.invariance import Evaluations, Invariance, NotJudged, RunPromtool, Samples, prove
from tocsin.compression.rules import compress_rules
from tocsin.compression.scaling import Traffic
from tocsin.compression.written import yaml_text
from tocsin.source import read_document
from tocsin.system import Decision


def samples(*series: tuple[str, str], drill: tuple[tuple[str, str], ...] | None = None) -> Samples:
    """Return 45 minutes of samples at a production's usual intervals."""
    return Samples(series=series, scrape_seconds=15, evaluation_seconds=15, seconds=2700, compressed_series=drill)


@pytest.fixture
def run_promtool(tmp_path: Path) -> RunPromtool:
    checkout = Path(__file__).resolve().parent.parent
    found = os.environ.get("TOCSIN_PROMTOOL") or shutil.which("promtool") or checkout / ".engines/usr/bin/promtool"
    if not Path(found).exists():
        pytest.skip("promtool is neither on PATH nor in .engines nor named by TOCSIN_PROMTOOL")

    def run(files: Mapping[str, str], tests: Sequence[str]) -> tuple[int, str, str]:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        done = subprocess.run(
            [found, "test", "rules", *tests], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        return done.returncode, done.stdout, done.stderr

    return run


def rule(expression: str, **more: str) -> str:
    return yaml_text({"groups": [{"name": "g", "rules": [{"alert": "A", "expr": expression, **more}]}]})


def compressed(text: str, factor: float, decision: Decision | None = None, traffic: Traffic = "scaled") -> str:
    document = read_document(text, "rules.yml", raw=True)
    done = compress_rules(document, factor, {"A": decision} if decision else {}, traffic=traffic)
    assert done.rules[0].compressed is not None, done.rules[0].reason
    return yaml_text(done.value)


def blind(text: str, factor: float) -> str:
    """Return the rule with its windows divided, whatever it means then."""
    document = read_document(text, "rules.yml", raw=True)
    return yaml_text(compress_rules(document, factor, {}, traffic="scaled").value)


RATIO = (("err", "0+0x20 0+1x60 60+0x100"), ("req", "0+10x180"))
DROP = (("req", "0+100x90 9000+10x90"),)
STABLE = [
    ("ratio", rule("rate(err[5m])/rate(req[5m])>0.05", **{"for": "5m"}), RATIO),
    ("count", rule("increase(err[5m])>10", **{"for": "1m"}), (("err", "0+0x20 0+1x160"),)),
    ("offset", rule("rate(req[5m]) < 0.5 * rate(req[5m] offset 10m)", **{"for": "1m"}), DROP),
    ("average", rule("avg_over_time(g[5m]) > 50", **{"for": "1m"}), (("g", "0x20 90x30 0x130"),)),
    ("kept", rule("g>90", **{"for": "1m", "keep_firing_for": "5m"}), (("g", "0x20 99x19 0x141"),)),
    ("gauge", rule("g>90", **{"for": "1m"}), (("g", "0x20 99x19 0x141"),)),
]


@pytest.mark.parametrize(("name", "text", "series"), STABLE, ids=[name for name, *_ in STABLE])
@pytest.mark.parametrize("factor", [60, 120])
def test_stable_rules_are_proven(
    name: str, text: str, series: tuple[tuple[str, str], ...], factor: float, run_promtool: RunPromtool
) -> None:
    """Ratios, counts of scaled traffic, offsets, averages and holds fire as often in compressed time."""
    found = prove(
        text,
        compressed(text, factor),
        "A",
        samples=samples(*series),
        factor=factor,
        run_promtool=run_promtool,
    )
    assert found.proven, f"{name}: {found}"
    assert found.production.pending >= 4
    assert "proven invariant: production" in str(found)


def test_a_count_of_unscaled_traffic_is_not_proven(run_promtool: RunPromtool) -> None:
    """With the same traffic a drill's window holds a sixtieth of the events: the blind rewriting never fires."""
    shown = samples(("err", "0+0x20 0+60x160"), drill=(("err", "0+0x20 0+1x160"),))
    text = rule("increase(err[5m])>100", **{"for": "1m"})
    found = prove(text, blind(text, 60), "A", samples=shown, factor=60, run_promtool=run_promtool)
    assert not found.proven
    assert found.production.firing > 100
    assert found.compressed == Evaluations(0, 0)
    mended = compressed(text, 60, Decision(threshold=100 / 60, because="a sixtieth of the events"), "same")
    again = prove(text, mended, "A", samples=shown, factor=60, run_promtool=run_promtool)
    assert again.proven, again


def test_an_elapsed_time_needs_its_constant_scaled(run_promtool: RunPromtool) -> None:
    """The age of a last success fires alike only if the seconds it is compared with shrink too."""
    text = rule("time() - last_success > 300", **{"for": "1m"})
    shown = samples(("last_success", "0x180"))
    untouched = text.replace("for: 1m", "for: 1s")
    before = prove(text, untouched, "A", samples=shown, factor=60, run_promtool=run_promtool)
    assert not before.proven
    assert before.production.firing > 100
    assert before.compressed == Evaluations(0, 0)
    scaled = compressed(text, 60, Decision(scale_constant=True))
    after = prove(text, scaled, "A", samples=shown, factor=60, run_promtool=run_promtool)
    assert after.proven, after


def test_a_prediction_needs_its_horizon_scaled(run_promtool: RunPromtool) -> None:
    """predict_linear fires too early in a drill unless it looks ahead by a drill's time."""
    text = rule("predict_linear(disk[10m], 3600) < 0", **{"for": "1m"})
    shown = samples(("disk", "10000-1x30 9970-40x150"))
    untouched = text.replace("[10m]", "[10s]").replace("for: 1m", "for: 1s")
    before = prove(text, untouched, "A", samples=shown, factor=60, run_promtool=run_promtool)
    assert not before.proven
    scaled = compressed(text, 60, Decision(scale_constant=True))
    after = prove(text, scaled, "A", samples=shown, factor=60, run_promtool=run_promtool)
    assert after.proven, after


@pytest.mark.parametrize("expression", ["rate(err[5m]) > 0.033", "deriv(disk[10m]) < -5"])
def test_rates_break_under_scaled_traffic(expression: str, run_promtool: RunPromtool) -> None:
    """A number per second means something else where traffic is multiplied by the factor."""
    text = rule(expression, **{"for": "1m"})
    series = (("err", "0+0x20 0+1x40 40+0x120"), ("disk", "90000+0x20 90000-100x40 86000+0x120"))
    windows = text.replace("[5m]", "[5s]").replace("[10m]", "[10s]").replace("for: 1m", "for: 1s")
    shown = samples(*series)
    found = prove(text, windows, "A", samples=shown, factor=60, run_promtool=run_promtool)
    assert found.production.firing > 0
    assert not found.proven, found


def test_alerts_of_one_name_are_told_apart(run_promtool: RunPromtool) -> None:
    """Labels choose among a warning and a critical alert of one name."""
    rules = [
        {"alert": "A", "expr": f"g > {limit}", "for": "1m", "labels": {"severity": severity}}
        for limit, severity in ((50, "warning"), (90, "critical"))
    ]
    text = yaml_text({"groups": [{"name": "g", "rules": rules}]})
    shown = samples(("g", "0x20 60x20 99x20 0x120"))
    counts = [
        prove(
            text,
            compressed(text, 60),
            "A",
            samples=shown,
            factor=60,
            run_promtool=run_promtool,
            labels={"severity": severity},
        )
        for severity in ("warning", "critical")
    ]
    assert all(one.proven for one in counts)
    assert counts[0].production.firing > counts[1].production.firing


def test_nothing_is_proven_by_silence(run_promtool: RunPromtool) -> None:
    """A rule that never fires in either time is not proven, and says so."""
    text = rule("g > 90", **{"for": "1m"})
    shown = samples(("g", "0x180"))
    found = prove(text, compressed(text, 60), "A", samples=shown, factor=60, run_promtool=run_promtool)
    assert found == Invariance(Evaluations(0, 0), Evaluations(0, 0))
    assert not found.proven
    assert "nothing proven" in str(found)


def test_a_refused_file_is_not_judged(run_promtool: RunPromtool) -> None:
    """Where promtool refuses the rules, there is no verdict but what promtool said."""
    shown = samples(("g", "0x10"))
    with pytest.raises(NotJudged, match="range vector"):
        prove(rule("rate(bad)"), rule("g > 1"), "A", samples=shown, factor=60, run_promtool=run_promtool)


def test_too_large_a_factor_is_refused(run_promtool: RunPromtool) -> None:
    """An interval below a millisecond cannot be kept by Prometheus, and is refused."""
    shown = replace(samples(("g", "0x10")), scrape_seconds=0.5)
    with pytest.raises(ValueError, match="millisecond"):
        prove(rule("g > 1"), rule("g > 1"), "A", samples=shown, factor=1000, run_promtool=run_promtool)
