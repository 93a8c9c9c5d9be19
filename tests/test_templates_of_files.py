"""Which texts that are not YAML are templates that somebody has to render first, and which are broken."""

from __future__ import annotations

import pytest

from tocsin.artefacts.folder import is_template

RULE = "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: up == 0\n    annotations:\n      summary: "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("replicas: {{ .Values.replicas }}\n", True),
        ("{% if a %}\na: 1\n{% endif %}\n", True),
        (RULE + "{{ $value }} are left\n", False),
        (RULE + "{{ $labels.instance }} is down\n", False),
        (RULE + "{{- $value | humanize -}}\n", False),
        (RULE + "{{ $value }} of {{ .Values.name }}\n", True),
        (RULE + "{{`{{ $labels.instance }}`}} is down\n", True),
        (RULE + 'It is {{ "{{" }} $value {{ "}}" }}\n', True),
        (RULE + '"{{ $value }}"\n     for: 5m\n', False),
        ("# {{ .Values.a }}\na: b: c\n", False),
    ],
)
def test_a_broken_rule_file_is_no_template(text: str, expected: bool) -> None:
    """What Prometheus renders itself, in the texts of alerts, makes no template of a file."""
    assert is_template(text) is expected
