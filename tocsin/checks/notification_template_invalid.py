"""Notification templates that Alertmanager refuses, or that fail when they are rendered."""

import re
from collections.abc import Iterator

from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.notifications import Inline, Notifications, brought
from tocsin.source import nearest
from tocsin.templates import TemplateError

_CONFIG = """route: {receiver: team}
templates: [templates/*.tmpl]
receivers:
- name: team
  slack_configs:
  - api_url_file: /secrets/url
    title: '{{ template "title" . }}'
"""


@check(
    severity=Severity.ERROR,
    fix="Mend the template; `amtool template render` shows what it makes of a sample alert.",
    bad=Example(
        {
            "alertmanager.yml": _CONFIG,
            "templates/a.tmpl": '{{ define "title" }}{{ range .Alerts.Active }}!{{ end }}{{ end }}\n',
        },
        at=".Alerts.Active",
    ),
    good=Example(
        {
            "alertmanager.yml": _CONFIG,
            "templates/a.tmpl": '{{ define "title" }}{{ range .Alerts.Firing }}!{{ end }}{{ end }}\n',
        }
    ),
)
def notification_template_invalid(model: Model) -> Iterator[Remark]:
    """Nobody is told, for the notification fails when it is rendered, or Alertmanager does not load its templates.

    A template file that cannot be parsed keeps Alertmanager from starting or reloading. A field, a function's argument
    or a template that is not there is only found when the notification is rendered, which then is dropped.
    (Alertmanager: template/template.go for the data and the functions, docs/notifications.md; text/template of Go.)
    """
    for notifications in model.notifications:
        said: set[tuple[str, int, int]] = set()
        for remark in _remarks(notifications, model):
            key = (remark.place.file, remark.place.line, remark.place.column)
            if key not in said:
                said.add(key)
                yield remark


def _remarks(notifications: Notifications, model: Model) -> Iterator[Remark]:
    for file in notifications.files:
        if isinstance(file.template, TemplateError):
            place, width = file.place(file.template.span)
            yield Remark(
                place,
                f"Alertmanager cannot load this file of templates: {file.template.message}",
                width=width,
                subject=file.name,
            )
    for inline in notifications.inline:
        if isinstance(inline.template, TemplateError):
            if _is_filled_in(inline.part.text):
                continue
            place, width = model.piece(inline.part, inline.template.span)
            yield Remark(
                place,
                f"{_whose(inline)} cannot be rendered: {inline.template.message}",
                width=width,
                subject=inline.subject,
            )
            continue
        yield from _failures(inline, notifications)


_FILLED_IN = re.compile(r"\{\{-?\s*[A-Za-z_]\w*(?:\.\w+)*\s*(?:\||-?\}\})")
_CALLED = re.compile(r"\{\{-?\s*(?:end|else|break|continue|now)\s*-?\}\}")


def _is_filled_in(text: str) -> bool:
    """Whether a text has the variables of another language of templates, `{{ name }}`, that is rendered before."""
    return _FILLED_IN.search(_CALLED.sub("", text)) is not None


def _failures(inline: Inline, notifications: Notifications) -> Iterator[Remark]:
    reading = notifications.reading(inline)
    if reading is None:
        return
    for failure in reading.failures:
        place, width = notifications.place(inline, failure.inside, failure.span)
        where = f" in the template {failure.inside!r}" if failure.inside else ""
        yield Remark(
            place,
            f"{_whose(inline)} fails when it is rendered{where}: {failure.message}",
            width=width,
            subject=f"template/{failure.inside}" if failure.inside else inline.subject,
        )
    for call, inside in reading.unknown:
        if brought(call.name) or not notifications.complete:
            continue
        place, width = notifications.place(inline, inside, call.name_span)
        near = nearest(call.name, notifications.defined, most=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        yield Remark(
            place,
            f"{_whose(inline)} fails when it is rendered: no file of `templates` defines {call.name!r}{meant}",
            width=width,
            subject=f"template/{inside}" if inside else inline.subject,
        )


def _whose(inline: Inline) -> str:
    if inline.integration is None:
        return f"The route's label `{inline.part.key}`"
    return f"What the receiver {inline.integration.receiver.name!r} is told ({inline.integration.kind})"
