"""What an Alertmanager's notifications are made of: template files, and the templates that stand in its receivers."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from tocsin.artefacts.alertmanager import AlertmanagerConfig, IntegrationPart
from tocsin.model.processes import Content, Process, content_of, glob
from tocsin.part import Part
from tocsin.promql import Span
from tocsin.source import Place, place_within
from tocsin.templates import ALERTMANAGER_FUNCTIONS, Node, Template, TemplateError, parse_template
from tocsin.templates.typing import Reading, read_rendering

if TYPE_CHECKING:
    from tocsin.model import Model

_DEFAULTS = {
    "__": "subject description alertmanager alertmanagerURL text_alert_list text_alert_list_markdown single_line_text",
    "slack.default.": (
        "title username fallback callbackid pretext titlelink iconemoji iconurl text footer color message"
    ),
    "hipchat.default.": "from message",
    "pagerduty.default.": "description client clientURL instances",
    "opsgenie.default.": "message description source tags teams",
    "wechat.default.": "message to_user to_party to_tag agent_id",
    "victorops.default.": "state_message entity_display_name monitoring_tool",
    "pushover.default.": "title message url",
    "email.default.": "subject html",
}
DEFAULT_TEMPLATES = frozenset(f"{start}{name}" for start, names in _DEFAULTS.items() for name in names.split())
"""Templates that Alertmanager brings (template/default.tmpl, email.tmpl); of newer integrations, see `brought`."""
_SECRET = re.compile(r"(?:_file|_key|_token|password|secret)$")
_NOT_TEMPLATES = frozenset({"http_config", "tls_config", "sigv4", "send_resolved", "max_alerts", "auth_identity"})


def brought(name: str) -> bool:
    """Whether Alertmanager brings a template, or may: those of integrations that come and go with its versions."""
    integration = name.split(".default.", maxsplit=1)[0]
    known = f"{integration}.default." in _DEFAULTS
    return name in DEFAULT_TEMPLATES or (".default." in name and not known)


@dataclass(frozen=True)
class TemplateFile:
    """A file of templates, as a file of the folder or in a ConfigMap."""

    content: Content
    text: str = field(repr=False)
    outer: str = field(repr=False)
    """The text of the file around it; of a file of its own, its text."""

    @property
    def name(self) -> str:
        """The name by which findings know it."""
        return f"{self.content.file}:{self.content.part.key}" if self.content.part is not None else self.content.file

    def place(self, span: Span) -> tuple[Place, int]:
        """Return where a piece of it stands, and how many characters of its line belong to it."""
        width = max(1, len(self.text[span.start : span.end].split("\n")[0]))
        part = self.content.part
        if part is not None:
            return place_within(self.outer, part.place, self.text, span.start), width
        line = self.text.count("\n", 0, span.start) + 1
        return Place(self.content.file, line, span.start - self.text.rfind("\n", 0, span.start)), width

    @cached_property
    def template(self) -> Template | TemplateError:
        """Its tree, or what is wrong with it."""
        return parse_template(self.text, functions=ALERTMANAGER_FUNCTIONS)


@dataclass(frozen=True)
class Inline:
    """A template that stands in a receiver, or among the labels of a route."""

    part: Part
    integration: IntegrationPart | None

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        if self.integration is None:
            return "/".join(map(str, self.part.route))
        inside = self.part.route[len(self.integration.part.route) :]
        return "/".join([self.integration.subject, *map(str, inside)])

    @cached_property
    def template(self) -> Template | TemplateError:
        """Its tree, or what is wrong with it."""
        return parse_template(self.part.text, functions=ALERTMANAGER_FUNCTIONS)


class Notifications:
    """The templates of one Alertmanager configuration."""

    def __init__(self, model: Model, config: AlertmanagerConfig) -> None:
        self._model = model
        self.config = config

    @cached_property
    def inline(self) -> tuple[Inline, ...]:
        """The templates that stand in the configuration itself."""
        found = [
            Inline(part, integration)
            for receiver in self.config.receivers
            for integration in receiver.integrations
            for part in _templated(integration.part)
        ]
        labels = [part for route in self.config.routes for _, part in route.part.get("labels").items()]
        return (*found, *(Inline(part, None) for part in labels if "{{" in part.text))

    @cached_property
    def processes(self) -> tuple[Process, ...]:
        """The containers that run this configuration."""
        return tuple(
            process
            for process in self._model.processes
            if process.program == "alertmanager"
            and process.config is not None
            and content_of(self.config.part.document, [process.config])
        )

    @cached_property
    def globs(self) -> tuple[tuple[Part, tuple[TemplateFile, ...], bool], ...]:
        """Each item of `templates`, the files that it means, and whether there surely are no others."""
        return tuple(
            (part, tuple(files), sure)
            for part in self.config.part.list("templates")
            if part.text
            for files, sure in [self._files(part.text)]
        )

    @cached_property
    def files(self) -> tuple[TemplateFile, ...]:
        """The template files, each once."""
        return tuple({file.name: file for _, files, _ in self.globs for file in files}.values())

    @cached_property
    def complete(self) -> bool:
        """Whether every template that a notification may call is known."""
        found = all(files or sure for _, files, sure in self.globs)
        return found and not any(isinstance(file.template, TemplateError) for file in self.files)

    @cached_property
    def defined(self) -> Mapping[str, tuple[Node, ...]]:
        """What the template files define, by name."""
        found: dict[str, tuple[Node, ...]] = {}
        for file in self.files:
            if isinstance(file.template, Template):
                found |= file.template.defined
        return found

    @cached_property
    def definers(self) -> Mapping[str, TemplateFile]:
        """The file that defines each template."""
        return {
            name: file for file in self.files if isinstance(file.template, Template) for name in file.template.defined
        }

    def reading(self, inline: Inline) -> Reading | None:
        """Return what rendering a template of the configuration comes upon; None if it cannot be read."""
        if isinstance(inline.template, TemplateError):
            return None
        return read_rendering(inline.template, "notification", self.defined, ALERTMANAGER_FUNCTIONS)

    def place(self, inline: Inline, inside: str, span: Span) -> tuple[Place, int]:
        """Return where a piece of a template stands: in what is inline, or in the file that defines it."""
        if not inside or inside not in self.definers:
            return self._model.piece(inline.part, span)
        return self.definers[inside].place(span)

    def _files(self, pattern: str) -> tuple[list[TemplateFile], bool]:
        for process in self.processes:
            found = [content for _, content in process.matching(pattern)]
            if found:
                return list(self._read(found)), True
        beside = posixpath.normpath(posixpath.join(posixpath.dirname(self.config.file), pattern))
        names = [name for name in self._model.folder.names if glob(beside).fullmatch(name)]
        held = [] if names or self.processes else self._beside_in_map(pattern)
        if held:
            return list(self._read(held)), False
        if not names:
            names = self._alike(pattern)
        known = bool(self.processes) and all(
            process.known(posixpath.join(posixpath.dirname(process.config_path), pattern)) for process in self.processes
        )
        return list(self._read(Content(name) for name in names)), known

    def _beside_in_map(self, pattern: str) -> list[Content]:
        """Return the other keys of the ConfigMap that holds the configuration, whose names a pattern ends in."""
        place = self.config.part.document.place()
        last = glob(posixpath.basename(pattern))
        for one in self._model.objects_of("ConfigMap"):
            if one.part.file != place.file:
                continue
            values = [value for _, value in one.part.get("data").items()]
            if any(Content(value.file, value).holds(place) for value in values):
                return [Content(value.file, value, value) for value in values if last.fullmatch(value.key)]
        return []

    def _alike(self, pattern: str) -> list[str]:
        """Return the files whose paths end as an absolute path of a container does, the longer end first."""
        steps = [step for step in pattern.split("/") if step not in ("", ".", "..")]
        here = posixpath.dirname(self.config.file)
        for i in range(len(steps)):
            rest = glob("/".join(steps[i:]))
            length = len(steps) - i
            found = [
                name
                for name in self._model.folder.names
                if name.startswith(here) and rest.fullmatch("/".join(name.split("/")[-length:]))
            ]
            if found and (length > 1 or name_is_telling(steps[-1])):
                return found
        return []

    def _read(self, contents: Iterator[Content] | list[Content]) -> Iterator[TemplateFile]:
        for content in contents:
            if not content.file:
                continue
            outer = self._model.text(content.file)
            yield TemplateFile(content, outer if content.part is None else content.part.text, outer)


def name_is_telling(pattern: str) -> bool:
    """Whether the last step of a glob is enough to know a template file by: it names a suffix of its own."""
    return pattern.endswith((".tmpl", ".tpl", ".gotmpl", ".template"))


def _templated(part: Part) -> Iterator[Part]:
    """Yield the scalars of an integration that are templates and have an action in them."""
    for key, inside in part.items():
        if key in _NOT_TEMPLATES or _SECRET.search(key):
            continue
        yield from (each for each in inside.walk() if isinstance(each.value, str) and "{{" in each.value)
