"""What engines write, and where their programs are: nothing is started but the programs themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.engines import promtool
from tocsin.engines.alertmanager_log import AlertmanagerEventKind, LoggedAlert, events, fingerprint
from tocsin.engines.binaries import Engine, MissingEngines, find_engine, find_engines, version
from tocsin.engines.service import GO_LISTENS, PRINTED_URL
from tocsin.engines.trouble import EngineTrouble

CRITICAL = {"alertname": "foo [x]", "severity": "critical"}
WARNING = {"alertname": "foo [x]", "severity": "warning"}
NAMED = {
    "critical": LoggedAlert("foo [x]", "88b9938", "active"),
    "warning": LoggedAlert("foo [x]", "366a3e6", "active"),
}
RESOLVED = LoggedAlert("foo [x]", "88b9938", "resolved")
GROUP = '{}:{alertname="foo [x]"}'
TIME_25, TIME_28 = "2026-11-25T18:24:39.604Z", "2026-11-25T18:24:39.604274278Z"
KIND = AlertmanagerEventKind


def program(place: Path, name: str, says: str = "") -> Path:
    """Write a program that says something."""
    place.mkdir(parents=True, exist_ok=True)
    file = place / name
    file.write_text(f"#!/bin/sh\necho '{says}'\n")
    file.chmod(0o755)
    return file


def test_programs_are_found_by_environment_then_path_then_checkout(tmp_path: Path) -> None:
    """What is named comes first, then PATH by either name, then what is unpacked in the checkout."""
    unpacked, on_path = tmp_path / "unpacked", tmp_path / "path"
    last = program(unpacked, "prometheus-alertmanager")
    find = lambda **environ: find_engines([Engine.ALERTMANAGER], environ=environ, unpacked=unpacked)  # noqa: E731
    assert find(PATH=str(on_path)) == {Engine.ALERTMANAGER: last}
    second = program(on_path, "alertmanager")
    assert find(PATH=str(on_path)) == {Engine.ALERTMANAGER: second}
    first = program(tmp_path / "named", "am")
    assert find(PATH=str(on_path), TOCSIN_ALERTMANAGER=str(first)) == {Engine.ALERTMANAGER: first}


def test_all_that_is_missing_is_in_one_message(tmp_path: Path) -> None:
    """Every missing program is named once with the ways to get it; a wrong name in the environment is told as such."""
    program(tmp_path, "promtool")
    with pytest.raises(MissingEngines) as caught:
        find_engines(
            environ={"PATH": str(tmp_path), "TOCSIN_AMTOOL": "/nonexistent/amtool"}, unpacked=tmp_path / "none"
        )
    assert caught.value.engines == (Engine.PROMETHEUS, Engine.ALERTMANAGER, Engine.AMTOOL, Engine.NODE_EXPORTER)
    message = str(caught.value)
    for expected in (
        "TOCSIN_AMTOOL names /nonexistent/amtool", "not on PATH as prometheus,", "TOCSIN_PROMETHEUS=/path/to/prom",
        "unpacks prometheus prometheus-alertmanager prometheus-node-exporter into",
    ):  # fmt: skip
        assert expected in message
    assert "promtool" not in message


def test_a_version_is_read(tmp_path: Path) -> None:
    """Real programs tell theirs; one that tells none is trouble."""
    assert {version(find_engine(engine))[0] for engine in Engine} <= set("0123")
    with pytest.raises(EngineTrouble, match="hello"):
        version(program(tmp_path, "prometheus", "hello"))


@pytest.mark.parametrize(
    ("line", "kind", "expected"),
    [
        (
            {"alert": "foo [x][88b9938][active]", "msg": "Received alert", "ts": TIME_25},
            KIND.RECEIVED, {"alerts": (NAMED["critical"],)},
        ),
        (
            {"alert": "foo [x][88b9938][resolved]", "msg": "Received alert", "ts": TIME_25},
            KIND.RECEIVED, {"alerts": (RESOLVED,)},
        ),
        (
            {"alerts": "[foo [x][88b9938][resolved] foo [x][366a3e6][active]]", "msg": "flushing", "ts": TIME_25,
             "aggrGroup": GROUP},
            KIND.FLUSHED, {"alerts": (RESOLVED, NAMED["warning"]), "group": GROUP},
        ),
        (
            {"attempts": 2, "integration": "webhook[0]", "msg": "Notify success", "receiver": "hook", "ts": TIME_25},
            KIND.NOTIFIED, {"receiver": "hook", "integration": "webhook[0]", "attempts": 2, "alerts": ()},
        ),
        (
            {"attempts": 1, "err": "unexpected status code 500", "integration": "webhook[0]", "receiver": "hook",
             "msg": "Notify attempt failed, will retry later", "ts": TIME_25},
            KIND.NOTIFY_FAILED, {"error": "unexpected status code 500", "attempts": 1},
        ),
        (
            {"time": TIME_28, "msg": "Received alert",
             "alert": {"labels": CRITICAL, "endsAt": "2026-11-25T18:39:27.588493031Z"}},
            KIND.RECEIVED, {"alerts": (NAMED["critical"],)},
        ),
        (
            {"time": TIME_28, "msg": "Received alert", "alert": {"labels": CRITICAL, "endsAt": "2026-11-25T18:24:39Z"}},
            KIND.RECEIVED, {"alerts": (RESOLVED,)},
        ),
        (
            {"time": TIME_28, "msg": "Received alert", "alert": {"labels": WARNING, "endsAt": "0001-01-01T00:00:00Z"}},
            KIND.RECEIVED, {"alerts": (NAMED["warning"],)},
        ),
        (
            {"time": TIME_28, "msg": "flushing", "aggrGroup": {}, "alerts": "[foo [x][88b9938][active]]"},
            KIND.FLUSHED, {"alerts": (NAMED["critical"],), "group": ""},
        ),
        (
            {"time": TIME_28, "msg": "Notify success", "receiver": "hook", "integration": "webhook[0]", "attempts": 1,
             "aggrGroup": GROUP, "alerts": "[foo [x][88b9938][resolved] foo [x][366a3e6][active]]"},
            KIND.NOTIFIED, {"alerts": (RESOLVED, NAMED["warning"]), "group": GROUP, "receiver": "hook"},
        ),
        (
            {"time": TIME_28, "msg": "Notify success", "receiver": "hook", "integration": "webhook[0]", "attempts": 1,
             "aggrGroup": GROUP, "numAlerts": 2, "alerts": "foo [x]: 2"},
            KIND.NOTIFIED, {"alerts": (), "group": GROUP, "receiver": "hook"},
        ),
    ],
)  # fmt: skip
def test_the_log_of_every_generation_of_alertmanager_is_read(
    line: dict, kind: AlertmanagerEventKind, expected: dict
) -> None:
    """Lines as 0.25, 0.28 and 0.33 write them give the same events, to the millisecond."""
    (event,) = events([json.dumps(line)])
    assert event.kind is kind
    assert event.time == pytest.approx(1795631079.604, abs=0.001)
    for name, value in expected.items():
        assert getattr(event, name) == value


def test_other_lines_of_the_log_are_passed_over() -> None:
    """A panic's text, other messages and JSON of other forms give no event."""
    lines = ["panic: runtime error", '{"msg": "Listening on", "ts": "x"}', "[1]", "7", "", "null"]
    assert list(events(lines)) == []


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_a_fingerprint_does_not_depend_on_order(labels: dict[str, str]) -> None:
    """The order in which labels come changes nothing, and a label more does."""
    turned = dict(reversed(labels.items()))
    assert fingerprint(labels) == fingerprint(turned)
    assert len(fingerprint(labels)) == 16
    assert fingerprint(labels | {"another label": "x"}) != fingerprint(labels) or "another label" in labels


def go_quote(text: str) -> str:
    """Quote as Go's strconv.Quote does, for text that JSON's quoting leaves alone or treats alike."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\x7f")


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True), st.text(st.characters(codec="utf-8"))))
def test_labels_of_a_dump_are_read_back(labels: dict[str, str]) -> None:
    """Whatever stands in a label comes out of promtool's form as it went in."""
    text = "{" + ", ".join(f"{name}={go_quote(value)}" for name, value in labels.items()) + "}"
    assert promtool._labels(text) == labels


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r'{__name__="up", path="C:\\temp\n\"x\""}', {"__name__": "up", "path": 'C:\\temp\n"x"'}),
        (r'{"dotted.name"="a", b="\u00e9\x07\a"}', {"dotted.name": "a", "b": "\u00e9\x07\x07"}),
        ("{}", {}),
    ],
)
def test_labels_in_gos_quoting(text: str, expected: dict[str, str]) -> None:
    """Escapes are undone, and the quoted names of Prometheus 3 are read."""
    assert promtool._labels(text) == expected


@pytest.mark.parametrize(
    ("line", "port"),
    [
        ('{"address":"127.0.0.1:40373","component":"web","msg":"Listening on","ts":"x"}', "40373"),
        ('{"time":"x","level":"INFO","msg":"Listening on","component":"web","address":"127.0.0.1:34397"}', "34397"),
        ('{"address":"127.0.0.1:0","msg":"Start listening for connections"}', None),
        ('{"msg":"Listening on","address":"127.0.0.1:0"}', None),
    ],
)
def test_the_port_in_an_engines_log(line: str, port: str | None) -> None:
    """Both forms of log tell the real port; the port that was asked for, 0, is never taken."""
    match = GO_LISTENS.search(line)
    assert (match and match["port"]) == port


@pytest.mark.parametrize(
    ("line", "port"),
    [
        ("INFO:     Uvicorn running on http://127.0.0.1:40011 (Press CTRL+C to quit)", "40011"),
        (" * Running on http://127.0.0.1:5000", "5000"),
        ("Serving HTTP on 127.0.0.1 port 8000 (http://127.0.0.1:8000/) ...", "8000"),
        ("pushing to http://127.0.0.1:9091", None),
        ("running on http://127.0.0.1:0", None),
    ],
)
def test_the_port_in_a_services_log(line: str, port: str | None) -> None:
    """What common servers print is understood; an address that is merely mentioned is not."""
    match = PRINTED_URL.search(line)
    assert (match and match["port"]) == port
