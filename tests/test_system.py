"""system.yaml is read with places: whatever is wrong in it is told at its line, and nothing in it is a traceback."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tocsin.source import Place, Unreadable, read_document, read_documents
from tocsin.system import BadSystem, load_system

HEAD = "schema: 1\nname: shop\n"
RUNS = "environments:\n  local:\n    processes:\n      api: {command: [serve]}\n"

BACKGROUND = "    background: {profile: browse, target: apy}\n"
DECIDED = "compression:\n  rules:\n    A:\n"
WAIVER = "  - {finding: a@b#c, owner: me, reason: so, until: 2027-01-31}\n"
SILENT = "{alert: A, receivers: [pager], resolution_not_sent: [chat]}"
SERIES = "      series: {interval: 15s, input: [{series: e, values: 0x9}]}\n"

BAD = {
    "empty": ("", "1:1", "holds 0 YAML documents; exactly one is expected"),
    "two documents": (f"{HEAD}---\n{HEAD}", "1:1", "holds 2 YAML documents"),
    "a list": ("- schema: 1\n", "1:1", "is not a mapping; it starts with `schema: 1`"),
    "a tab": ("schema: 1\n\tname: shop\n", "2:1", "is not YAML: "),
    "a quote left open": ("schema: 1\nname: 'shop\n", "3:1", "is not YAML: "),
    "a duplicate key": ("schema: 1\nname: shop\nname: shop\n", "3:1", "names the key 'name' twice in one mapping"),
    "a key that is a list": ("schema: 1\n[a, b]: shop\n", "2:1", "has a mapping key that is not a plain name"),
    "an alias to nothing": ("schema: 1\nname: *shop\n", "2:7", "is not YAML: "),
    "an alias to itself": ("schema: 1\nname: &a [*a]\n", "2:7", "contains itself through an alias"),
    "a merge of a scalar": ("schema: 1\nname: &a shop\nx: {<<: *a}\n", "2:7", "merges something that is not a mapping"),
    "no schema": ("name: shop\n", "1:1", "schema: is missing"),
    "a schema to come": ("schema: 2\nname: shop\n", "1:1", "schema: input should be 1 (it is 2)"),
    "an empty name": ("schema: 1\nname: ''\n", "2:1", "name: string should have at least 1 character (it is '')"),
    "an unknown field": (
        f"{HEAD}enviroments: {{}}\n",
        "3:1",
        "is not a field that Tocsin knows here; did you mean endpoints, environments?",
    ),
    "an unknown kind of artefact": (f"{HEAD}artefacts:\n  rule: []\n", "4:3", "artefacts.rule: input should be 'prom"),
    "a glob that is no list": (f"{HEAD}artefacts:\n  rules: rules.yml\n", "4:3", "artefacts.rules: input should be"),
    "a misspelt field of a process": (
        f"{HEAD}environments:\n  local:\n    processes:\n      api: {{command: [serve], memry_bytes: 1}}\n",
        "6:31",
        "processes.api.memry_bytes: is not a field that Tocsin knows here; did you mean memory_bytes?",
    ),
    "a field of another place": (
        f"{HEAD}environments:\n  local:\n    processes:\n      api: {{command: [serve], receiver: x}}\n",
        "6:31",
        "receiver: is not a field that Tocsin knows here; there are command, cores, directory,",
    ),
    "a field of an expectation": (
        f"{HEAD}drills:\n  d: {{stimulus: {{kill: api}}, expect: [{{alert: A, reciver: [x]}}]}}\n",
        "4:50",
        "drills.d.expect.0.reciver: is not a field that Tocsin knows here; did you mean receivers?",
    ),
    "a process that nobody has is taken away": (
        (
            f"{HEAD}environments: {{local: {{processes: {{api: {{command: [serve]}}}}}}}}\n"
            f"endpoints:\n  targets:\n    api: {{outages: {{database: {{}}}}}}\n"
        ),
        "6:21",
        "api is to be scraped without 'database', which is no other process of an environment; declared: none",
    ),
    "a field like none": (
        f"{HEAD}waivers:\n{WAIVER.replace('}', ', xyzzy: 1}')}",
        "4:64",
        "is not a field that Tocsin knows here; there are finding, owner, reason, until",
    ),
    "an empty command": (
        f"{HEAD}environments:\n  local:\n    processes:\n      api:\n        command: []\n",
        "7:9",
        "environments.local.processes.api.command: tuple should have at least 1 item",
    ),
    "a factor below one": (f"{HEAD}{RUNS}    factor: 0.5\n", "7:5", "greater than or equal to 1 (it is 0.5)"),
    "traffic of another kind": (
        f"{HEAD}{RUNS}    traffic: more\n",
        "7:5",
        "should be 'same' or 'scaled' (it is 'more')",
    ),
    "nothing to run": (
        f"{HEAD}environments:\n  local: {{}}\n",
        "4:3",
        "names neither processes to start, nor the addr",
    ),
    "both to run and running": (
        f"{HEAD}{RUNS}    prometheus: {{url: 'http://localhost:9090'}}\n",
        "4:3",
        "names both processes to start and a Prometheus that already runs",
    ),
    "a factor where nothing is rewritten": (
        f"{HEAD}environments:\n  far:\n    factor: 60\n    prometheus: {{url: 'http://p:9090'}}\n",
        "4:3",
        "its factor must be 1",
    ),
    "an address without a scheme": (
        f"{HEAD}environments:\n  far:\n    prometheus: {{url: 'p:9090'}}\n",
        "5:18",
        "environments.far.prometheus.url: string should match pattern",
    ),
    "no ceiling of time": (
        f"{HEAD}{RUNS}    ceilings: {{users: 5, requests_per_second: 9}}\n",
        "7:15",
        "environments.local.ceilings.seconds: is missing",
    ),
    "a duration without a unit": (
        f"{HEAD}drills:\n  d:\n    stimulus: {{kill: api}}\n    hold: 30\n",
        "6:5",
        "drills.d.hold: needs a unit, as Prometheus writes durations: 30s, 5m, 1h30m",
    ),
    "a duration with decimals": (
        f"{HEAD}drills:\n  d:\n    stimulus: {{kill: api}}\n    warm_up: 1.5m\n",
        "6:5",
        "no decimals: half a second is 500ms",
    ),
    "two stimuli": (f"{HEAD}drills:\n  d:\n    stimulus: {{kill: a, remove_target: a}}\n", "5:5", "at most 1 item"),
    "a drill that expects nothing": (
        f"{HEAD}drills:\n  d: {{stimulus: {{kill: api}}}}\n",
        "4:3",
        "drill d expects no alert, so it needs `hold`",
    ),
    "an allowed alert without a reason": (
        f"{HEAD}drills:\n  d:\n    stimulus: {{kill: api}}\n    hold: 1m\n    allow: [{{alert: A}}]\n",
        "7:13",
        "drills.d.allow.0.reason: is missing",
    ),
    "load to nobody": (
        f"{HEAD}{RUNS}drills:\n  d:\n    stimulus: {{kill: api}}\n    hold: 1m\n{BACKGROUND}",
        "11:35",
        "drill d sends load to 'apy', which no environment declares; declared: api",
    ),
    "two decisions": (
        f"{HEAD}compression:\n  rules:\n    A: {{scale_constant: true, not_drillable: no}}\n",
        "5:5",
        "must be exactly one of scale_constant: true, threshold: N, not_drillable: REASON",
    ),
    "no decision": (f"{HEAD}compression:\n  rules:\n    A: {{}}\n", "5:5", "must be exactly one of"),
    "a threshold without because": (
        f"{HEAD}compression:\n  rules:\n    A: {{threshold: 2}}\n",
        "5:5",
        "changes a threshold without saying why: add `because`",
    ),
    "series of what is not drilled": (
        f"{HEAD}{DECIDED}{SERIES}      not_drillable: no\n",
        "5:5",
        "its `series` would prove nothing",
    ),
    "no series": (
        f"{HEAD}compression:\n  rules:\n    A:\n      series: {{interval: 15s, input: []}}\n",
        "6:31",
        "compression.rules.A.series.input: tuple should have at least 1 item",
    ),
    "values that are not promtool's": (
        f"{HEAD}{DECIDED}{SERIES.replace('0x9', '0x9 no')}",
        "6:51",
        "compression.rules.A.series.input.0.values: 'no' is no piece of a promtool series; write 5, 5x9, 0+1x60",
    ),
    "no time between samples": (
        f"{HEAD}{DECIDED}{SERIES.replace('15s', '0s')}",
        "6:16",
        "greater than 0",
    ),
    "a waiver of nothing": (
        f"{HEAD}waivers:\n  - {{finding: A, owner: me, reason: so, until: 2027-01-31}}\n",
        "4:6",
        "waivers.0.finding: is not a finding key: CHECK@FILE#SUBJECT",
    ),
    "two waivers of one finding": (
        f"{HEAD}waivers:\n{WAIVER}{WAIVER}",
        "5:6",
        "a@b#c is waived twice: it is at system.yaml:4:6 too; keep one of them",
    ),
    "an end that nobody is told of who is told of nothing": (
        f"{HEAD}drills:\n  d:\n    stimulus: {{kill: api}}\n    expect: [{SILENT}]\n",
        "6:14",
        "names chat under `resolution_not_sent` and not under `receivers`",
    ),
    "a waiver until no day": (
        f"{HEAD}waivers:\n  - {{finding: a@b#c, owner: me, reason: so, until: 2027-02-30}}\n",
        "4:45",
        "waivers.0.until: day is out of range for month",
    ),
}


@pytest.mark.parametrize(("text", "position", "said"), BAD.values(), ids=BAD)
def test_an_error_is_told_at_its_place(text: str, position: str, said: str, tmp_path: Path) -> None:
    """Each wrong declaration is one problem at file:line:column that says what is wrong."""
    path = tmp_path / "system.yaml"
    path.write_text(text)
    with pytest.raises(BadSystem) as caught:
        load_system(tmp_path)
    (problem,) = caught.value.problems
    assert str(problem.place) == f"{path}:{position}", problem
    assert said in problem.message, problem


def test_every_error_is_told(tmp_path: Path) -> None:
    """Several wrong fields are several problems, in the order of the file."""
    (tmp_path / "system.yaml").write_text(f"{HEAD}x: 1\n{RUNS}    factor: 0\n    trafic: same\n")
    with pytest.raises(BadSystem) as caught:
        load_system(tmp_path)
    assert sorted(problem.place.line for problem in caught.value.problems) == [3, 8, 9]


def test_a_folder_without_a_declaration_is_named(tmp_path: Path) -> None:
    """Where there is no system.yaml, the message names the file that is looked for."""
    with pytest.raises(BadSystem, match=r"there is no system\.yaml here"):
        load_system(tmp_path)


def test_what_is_not_utf8_is_told(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are one problem, with the byte."""
    (tmp_path / "system.yaml").write_bytes(b"schema: 1\nname: caf\xe9\n")
    with pytest.raises(BadSystem, match=r"is not UTF-8 \(byte 19\); save it as UTF-8"):
        load_system(tmp_path)


@pytest.mark.parametrize("text", [f"\ufeff{HEAD}", HEAD.replace("\n", "\r\n"), '{"schema": 1, "name": "shop"}'])
def test_other_editors_and_json_are_read(text: str, tmp_path: Path) -> None:
    """A byte order mark, Windows line ends and JSON change nothing."""
    (tmp_path / "system.yaml").write_bytes(text.encode())
    assert load_system(tmp_path).name == "shop"


def test_a_merge_is_read_with_its_own_keys_first(tmp_path: Path) -> None:
    """A merged mapping gives what the mapping does not say itself, and its places are those of its source."""
    text = HEAD + "environments:\n  a: &a\n    factor: 30\n    processes: {api: {command: [x]}}\n"
    (tmp_path / "system.yaml").write_text(f"{text}  b:\n    <<: *a\n    factor: 60\n")
    system = load_system(tmp_path)
    assert system.environment("b")[1].factor == 60
    assert system.environment("b")[1].processes.keys() == {"api"}
    assert system.place("environments", "b", "factor").line == 9
    assert system.place("environments", "b", "processes").line == 6


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{chr(ord(c) + 1)}: &{chr(ord(c) + 1)} [{','.join([f'*{c}'] * 9)}]\n" for c in "abcdefgh"
        ), "its aliases multiply"),
        ("[" * 5000 + "]" * 5000, "nested too deeply|maximum nesting depth"),
        ("{a: " * 3000 + "1" + "}" * 3000, "nested too deeply|maximum nesting depth"),
        ("- " * 5000, "nested too deeply|maximum nesting depth"),
    ],
    ids=["bomb", "lists", "mappings", "dashes"],
)  # fmt: skip
def test_a_text_that_would_exhaust_us_is_refused(text: str, said: str) -> None:
    """Aliases that multiply and nesting without end are errors of the file, in bounded time."""
    with pytest.raises(Unreadable, match=said):
        read_document(text, "f.yaml")


YAML_BITS = st.lists(
    st.sampled_from(
        ["a", "b", ": ", "- ", "\n", "  ", "\t", "&a ", "*a", "<<: ", "[", "]", "{", "}", ", ", "'", '"', "|\n"]
    )
    | st.sampled_from([">-\n", "? ", "!!", "!x ", "#", "---\n", "...\n", "%YAML 1.1\n", "1", "0x1", "1e9999", ".inf"])
    | st.sampled_from(["~", "\ufeff", "\x00", "\xe9"]),
    max_size=40,
).map("".join)


def refusal(text: str, *, raw: bool) -> Unreadable | None:
    """Return why a text cannot be read; None if it can."""
    try:
        read_documents(text, "f.yaml", raw=raw)
    except Unreadable as error:
        return error
    return None


@given(text=st.one_of(st.text(max_size=200), YAML_BITS), raw=st.booleans())
@example(text="\ud800", raw=False)
@example(text="a: \x01", raw=False)
@example(text="? a\n: b\n? [c]\n: d\n", raw=True)
@example(text="a: ++1", raw=False)
@example(text="a: +-1", raw=False)
@example(text="a: " + "9" * 5000, raw=False)
@example(text="%YAML 3.0\n---\na", raw=False)
@example(text="!!int x", raw=False)
@settings(deadline=None, max_examples=400)
def test_reading_raises_nothing_but_unreadable(text: str, *, raw: bool) -> None:
    """Any text is read or refused at a place inside it; there is no other exception."""
    error = refusal(text, raw=raw)
    if error is not None:
        assert error.place.file == "f.yaml"
        assert 1 <= error.place.line <= len(text.splitlines()) + 2
        assert error.place.column >= 1
        assert error.message


WORDS = st.text(string.ascii_letters, min_size=1, max_size=6)
SCALARS = st.one_of(WORDS, st.integers(-99, 99).map(str))
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)


def flow(tree: object, indent: str) -> str:
    """Return a tree as YAML flow style, an item a line."""
    if isinstance(tree, dict):
        return "{" + ",".join(f"\n{indent}{k}: {flow(v, indent + ' ')}" for k, v in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ",".join(f"\n{indent}{flow(v, indent + ' ')}" for v in tree) + "]"
    return str(tree)


@given(tree=TREES)
@settings(deadline=None, max_examples=150)
def test_a_place_is_where_the_value_stands(tree: object) -> None:
    """Cut at the place of a scalar, the text goes on with that scalar; at the place of a key, with that key."""
    text = flow(tree, " ")
    document = read_document(text, "f.yaml", raw=True)
    assert document.value == tree

    def rest(place: Place) -> str:
        return "\n".join(text.split("\n")[place.line - 1 :])[place.column - 1 :]

    for route, place in document.places.items():
        value = document.value
        for step in route:
            value = value[step]
        if isinstance(value, str):
            assert rest(place).startswith(value)
        if route and isinstance(route[-1], str):
            assert rest(document.key_place(*route)).startswith(f"{route[-1]}: ")
