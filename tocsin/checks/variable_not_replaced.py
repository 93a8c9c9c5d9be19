"""A variable of the environment in a configuration whose program does not replace variables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.processes import Process, content_of
from tocsin.part import Part

_COMPOSE = """\
services:
  alertmanager:
    image: prom/alertmanager
    environment: [HOOK]
    volumes: ["./alertmanager.yml:/etc/alertmanager/alertmanager.yml"]
"""
_CONFIG = """\
route: {{receiver: chat}}
receivers:
- name: chat
  webhook_configs:
  - {field}
"""
_VARIABLE = re.compile(r"\$\{([A-Z_][A-Z0-9_]{2,})(?::?[-?+][^}]*)?\}")
_REPLACED = frozenset({"external_labels"})
"""What Prometheus does replace variables in (feature expand-external-labels; always since 3.0)."""
_RELABELLING = frozenset({"regex", "replacement", "target_label", "source_labels"})
_SHELL = re.compile(r"\b(?:sh|bash|ash|envsubst|sed|gomplate|envtpl|confd)\b")
_FETCHES = re.compile(
    r"(?:^|_)(?:url|api_url|token|password|key|secret|host|smarthost|to|targets?|channel|chat_id|credentials)(?:$|_)"
)
"""Fields without whose value nothing arrives."""

_OF_FILES = frozenset(
    [
        *("url", "api_url", "webhook_url", "routing_key", "service_key", "api_key", "bot_token", "token", "user_key"),
        *("password", "credentials", "auth_password", "smtp_auth_password"),
        *("slack_api_url", "opsgenie_api_key", "victorops_api_key"),
    ]
)
"""Fields beside which there is one of the same name and `_file` (prometheus/alertmanager, config/notifiers.go)."""
_BEFORE = "replace the variable before the program reads its configuration."


@check(
    severity=Severity.ERROR,
    fix=f"Name a file that holds the value (`url_file`, `bot_token_file`, `credentials_file`), or {_BEFORE}",
    bad=Example({"compose.yml": _COMPOSE, "alertmanager.yml": _CONFIG.format(field='url: "${HOOK}"')}, at="${HOOK}"),
    good=Example({"compose.yml": _COMPOSE, "alertmanager.yml": _CONFIG.format(field="url_file: /run/secrets/hook")}),
)
def variable_not_replaced(model: Model) -> Iterator[Remark]:
    """The program takes `${NAME}` as it is written: it refuses an address that begins so, and sends the rest literally.

    (prometheus/alertmanager, config/config.go and prometheus/prometheus, config/config.go: the file is parsed as it is;
    only external_labels of Prometheus are expanded.)
    """
    wholes = [one.part for one in model.prometheus_configs] + [one.part for one in model.alertmanager_configs]
    for process in model.processes:
        config = process.config
        if config is None or process.program not in ("prometheus", "alertmanager") or _prepared(process):
            continue
        if config.part is not None and process.workload is None:
            continue  # docker-compose replaces the variables of what stands in its own file
        given = set(_environment(process))
        for whole in wholes:
            if content_of(whole.document, [config]):
                yield from _left(process, whole, given)


def _prepared(process: Process) -> bool:
    """Whether something may write the configuration anew before the program reads it."""
    words = [part.text for part in process.arguments]
    build = process.part.get("build")
    return any(_SHELL.search(word) for word in words) or bool(build)


def _environment(process: Process) -> Iterator[str]:
    """Yield the names of the variables that a container is given."""
    for key in ("environment", "env"):
        part = process.part.get(key)
        yield from (name for name, _ in part.items())
        for item in part.list():
            yield item.string("name") or item.text.partition("=")[0]


def _left(process: Process, whole: Part, given: set[str]) -> Iterator[Remark]:
    for part in whole.walk():
        if not part.text or "$" not in part.text:
            continue
        steps = [str(step) for step in part.route]
        if not _REPLACED.isdisjoint(steps) or not _RELABELLING.isdisjoint(steps):
            continue
        names = [name for name in _VARIABLE.findall(part.text) if name in given]
        if names:
            field = next((step for step in reversed(steps) if not step.isdecimal()), "")
            message = (
                f"{process.subject} is given {names[0]} and does not read it: `{field}` is `{part.text[:80]}` as it is"
            )
            severity = Severity.ERROR if _FETCHES.search(field) else Severity.WARNING
            cure = f"Write `{field}_file`, the path of a file that holds the value, or {_BEFORE}"
            fix = cure if field in _OF_FILES and not (field == "routing_key" and "victorops_configs" in steps) else ""
            yield at(part, message, subject=".".join(steps), severity=severity, fix=fix)
