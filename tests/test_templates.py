"""Templates are refused where Go refuses them, with the place; what is rendered is typed as Go's data are."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.engines.binaries import Engine, MissingEngines, find_engine
from tocsin.supervisor import run_once
from tocsin.templates import (
    ALERTMANAGER_FUNCTIONS,
    PROMETHEUS_FUNCTIONS,
    PROMETHEUS_VARIABLES,
    Template,
    TemplateError,
    parse_template,
)
from tocsin.templates.typing import read_rendering

ACCEPTED = (
    "plain",
    "{{ .Labels.job }}",
    "{{$labels.job}} is {{ $value | humanize }}",
    "{{/* a comment */}}x{{- /* trims */ -}} y",
    '{{ if gt $value 3.0 }}a{{ else if eq $labels.job "x" }}b{{ else }}c{{ end }}',
    '{{ range $i, $v := query "up" }}{{ $i }}{{ $v.Labels.job }}{{ else }}none{{ end }}',
    "{{ with $x := .Labels.job }}{{ $x }}{{ end }}",
    '{{ (query "up" | first).Value }}',
    '{{ define "t" }}{{ . }}{{ end }}{{ template "t" .Labels }}',
    '{{ block "b" . }}x{{ end }}',
    "{{ range .Labels }}{{ if . }}{{ break }}{{ else }}{{ continue }}{{ end }}{{ end }}",
    "{{ $x := 1 }}{{ $x = 2 }}{{ $x }}",
    '{{ printf "%s %d %v" `raw` 0x1F -1.5e3 }}',
    "{{ .Labels\n.job }}",
    '{{ define "t" }}{{ end }}{{ define "t" }}x{{ end }}',
)
REFUSED = {
    "{{ .Labels.job": "{{ .Labels.job",
    "{{ .Labels.job }": "}",
    "{{ $lables.job }}": "$lables",
    "{{ humanise $value }}": "humanise",
    "{{ if .Labels }}x": "if",
    "x{{ end }}": "end",
    "{{ else }}": "else",
    "{{ .Labels | 3 }}": "3",
    "{{ range $i, $v := .Labels }}{{ end }}{{ $v }}": "$v",
    '{{ "open }}': '"open }}',
    "{{ (.Labels }}": "(",
    "{{ .Labels) }}": ")",
    "{{ template t . }}": "t",
    "{{ break }}": "break",
    "{{/* open": "{{/* open",
    '{{ "\\q" }}': '"\\q"',
    "{{ 1x }}": "1x",
    "{{ .Labels & .Labels }}": "&",
    '{{ define "t" }}a{{ end }}{{ define "t" }}b{{ end }}': '"t"',
    '{{ if .Labels }}{{ define "t" }}{{ end }}{{ end }}': "define",
}


def read(text: str) -> Template | TemplateError:
    return parse_template(text, functions=PROMETHEUS_FUNCTIONS, variables=PROMETHEUS_VARIABLES)


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_go_accepts_is_read(text: str) -> None:
    assert isinstance(read(text), Template)


@pytest.mark.parametrize(("text", "piece"), REFUSED.items(), ids=range(len(REFUSED)))
def test_what_go_refuses_is_refused_at_its_place(text: str, piece: str) -> None:
    found = read(text)
    assert isinstance(found, TemplateError)
    assert found.span.text(text) == piece


@cache
def binary(engine: Engine) -> Path | str:
    """Return a program, or why it is not to be had."""
    try:
        return find_engine(engine)
    except MissingEngines as error:
        return str(error)


PIECES = (
    *("{{", "}}", "{{- ", " -}}", "{{ ", " }}", " ", ".", "$", "$labels", "$x", ".Labels", ".Labels.job", "(", ")"),
    *("|", "=", ":=", ",", '"a"', "`b`", "'c'", "1", "-2", "1.5", "nil", "true", "printf", "humanize", "len", "upper"),
    *("if ", "else", "end", "range ", "with ", "template ", "define ", "block ", "break", "/* c */", "text", "\n"),
    *("{{ end }}", "{{ if .Labels }}", "{{ range .Labels }}", "{{ else }}", '{{ define "t" }}', "\\", "@"),
    '{{ template "t" . }}',
)


def cases() -> list[str]:
    """Return every piece put into every gap of some templates, and every gap's token left out."""
    found: list[str] = []
    for number, base in enumerate(ACCEPTED):
        tokens = re.findall(r"\{\{-?|-?\}\}|\$?\w+|\"[^\"]*\"|\s+|.", base)
        for i in range(len(tokens) + 1):
            piece = PIECES[(number * 7 + i * 3) % len(PIECES)]
            found.append("".join((*tokens[:i], piece, *tokens[i:])))
            found.append("".join((*tokens[:i], *tokens[i + 1 :])))
    return found


def test_we_refuse_what_promtool_refuses(tmp_path: Path) -> None:
    """On hundreds of broken templates; promtool reads them as annotations."""
    promtool = binary(Engine.PROMTOOL)
    if isinstance(promtool, str):
        pytest.skip(promtool)
    texts = cases()
    groups = [
        {"name": f"g{i}", "rules": [{"alert": "A", "expr": "up", "annotations": {"t": text}}]}
        for i, text in enumerate(texts)
    ]
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({"groups": groups}))
    said = run_once([promtool, "check", "rules", rules], cwd=tmp_path, env=None, seconds=60)
    refused = {int(found[1]) for found in re.finditer(r'group "g(\d+)"', said.stdout + said.stderr)}
    newer = ("else with", "toDuration", "now", "urlQueryEscape")
    wrong = [
        text
        for i, text in enumerate(texts)
        if isinstance(read(text), TemplateError) != (i in refused) and not any(word in text for word in newer)
    ]

    assert len(refused) > len(texts) / 10
    assert wrong == []


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=40))
@settings(max_examples=300, deadline=None)
def test_no_text_makes_it_stumble(text: str) -> None:
    found = parse_template(text)
    if isinstance(found, TemplateError):
        assert 0 <= found.span.start <= len(text)
        return
    for operand in found.operands():
        assert text[operand.span.start : operand.span.end].strip()
    read_rendering(found, "notification", {}, ALERTMANAGER_FUNCTIONS)


def test_deep_nesting_is_refused_not_followed() -> None:
    assert isinstance(parse_template("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}"), TemplateError)
    assert isinstance(parse_template("{{ if 1 }}" * 5000), TemplateError)


def test_what_a_constant_template_renders() -> None:
    for text, rendered in {"a {{- ` b ` -}} c": "a b c", '{{/* x */}}{{ "y" }}': "y", "{{ .X }}": None}.items():
        found = parse_template(text)
        assert isinstance(found, Template)
        assert found.constant == rendered


RENDERED = {
    "{{ .Status | toUpper }} {{ .Receiver }}": True,
    "{{ range .Alerts.Firing }}{{ .Labels.job }}{{ .StartsAt.UTC.Format `15:04` }}{{ end }}": True,
    "{{ range .Alerts }}{{ (.StartsAt.Add 28800e9).Format `15:04` }}{{ end }}": True,
    "{{ .GroupLabels.SortedPairs.Values | join ` ` }}": True,
    "{{ with .CommonLabels.Remove .GroupLabels.Names }}{{ .Values | join ` ` }}{{ end }}": True,
    "{{ range $k, $v := .CommonLabels }}{{ $k }}{{ $v }}{{ end }}": True,
    "{{ (index .Alerts 0).Annotations.summary }}": True,
    "{{ index .CommonLabels `job` | toLower | title }}": True,
    "{{ if gt (len .Alerts.Firing) 1 }}{{ .Alerts.Firing | len }}{{ end }}": True,
    "{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }}{{ end }}": True,
    "{{ $x := .Alerts }}{{ range $x }}{{ .Fingerprint }}{{ end }}": True,
    "{{ match `a.*` .Status }}{{ reReplaceAll `a` `b` .Status }}": True,
    "{{ .Alerts.Active }}": False,
    "{{ range .Alerts }}{{ .Label.job }}{{ end }}": False,
    "{{ .Labels.job }}": False,
    "{{ .CommonLabels.job.x }}": False,
    "{{ .CommonLabels | join ` ` }}": False,
    "{{ toUpper .Alerts }}": False,
    "{{ toUpper }}": False,
    "{{ join ` ` }}": False,
    "{{ range .Status }}{{ end }}": False,
    "{{ range .Alerts }}{{ .StartsAt.Formt `15:04` }}{{ end }}": False,
    "{{ .CommonLabels.Remove }}": False,
    "{{ .Status `x` }}": False,
    "{{ (index .Alerts 0).Foo }}": False,
    '{{ template "not.there" . }}': False,
}


@pytest.mark.parametrize(("text", "works"), RENDERED.items(), ids=range(len(RENDERED)))
def test_what_amtool_cannot_render_is_said_to_fail(text: str, works: bool, tmp_path: Path) -> None:
    """The real program renders its own sample of a notification."""
    found = parse_template(text, functions=ALERTMANAGER_FUNCTIONS)
    assert isinstance(found, Template)
    reading = read_rendering(found, "notification", {}, ALERTMANAGER_FUNCTIONS)
    unknown = [call for call, _ in reading.unknown if ".default." not in call.name]
    assert (not reading.failures and not unknown) is works

    amtool = binary(Engine.AMTOOL)
    if isinstance(amtool, str):
        pytest.skip(amtool)
    empty = tmp_path / "empty.tmpl"
    empty.write_text("")
    command = [amtool, "template", "render", f"--template.glob={empty}", f"--template.text={text}"]
    done = run_once(command, cwd=tmp_path, env=None, seconds=20)
    assert (done.code == 0) is works, done.stderr
