"""How many processes a Python web server is started with, and whether they keep one count of their metrics.

(gunicorn, docs/settings: `workers`; uvicorn, docs/settings: `--workers`, `WEB_CONCURRENCY`; hypercorn, granian and
uWSGI likewise. prometheus/client_python, docs/multiprocess: without PROMETHEUS_MULTIPROC_DIR each process counts by
itself.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tocsin.artefacts.compose import command_words
from tocsin.model.applications import Applications, Built
from tocsin.part import Part

if TYPE_CHECKING:
    from tocsin.artefacts.compose import ComposeFile, ComposeService
    from tocsin.model import Model
    from tocsin.model.workloads import Container

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
_SERVERS: Mapping[str, tuple[str, ...]] = {
    "gunicorn": ("--workers", "-w"),
    "uvicorn": ("--workers",),
    "hypercorn": ("--workers", "-w"),
    "granian": ("--workers",),
    "fastapi": ("--workers",),
    "uwsgi": ("--processes", "-p", "--workers"),
}
_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "WEB_CONCURRENCY": ("gunicorn", "uvicorn"),
    "UVICORN_WORKERS": ("uvicorn",),
    "GUNICORN_CMD_ARGS": ("gunicorn",),
}
_CLIENT = re.compile(
    r"\bprometheus[_-]client\b|prometheus[_-]fastapi[_-]instrumentator|starlette[_-](?:exporter|prometheus)"
    r"|prometheus[_-]flask[_-]exporter|django[_-]prometheus",
    re.IGNORECASE,
)
"""The client library of Python, and the packages that are made of it."""
_SET = re.compile(
    r"environ\[[\"']prometheus_multiproc_dir[\"']\]\s*=|setdefault\(\s*[\"']prometheus_multiproc_dir"
    r"|putenv\(\s*[\"']prometheus_multiproc_dir|^\s*(?:ENV|export)\s+prometheus_multiproc_dir[ =]",
    re.IGNORECASE | re.MULTILINE,
)
"""A source, a Dockerfile or a script that sets the variable."""


@dataclass(frozen=True)
class Workers:
    """A server that is started with several processes."""

    part: Part
    """What says how many."""
    count: int
    server: str
    subject: str
    variables: frozenset[str]
    """The names of the variables that it is given, as far as the files say."""
    open: bool
    """Whether it may be given others."""
    built: Built | None
    """How its image is built, where the folder says so."""


def workers(model: Model) -> Iterator[Workers]:
    """Yield every server of a folder that is started with more than one process."""
    applications = Applications(model)
    for compose in model.compose_files:
        for service in compose.services.values():
            yield from _of_service(model, applications, compose, service)
    for pod in model.cluster.pods:
        for container in pod.containers:
            if pod.labels_whole:
                yield from _of_container(model, applications, container, pod.namespaces)


def _of_service(
    model: Model, applications: Applications, compose: ComposeFile, service: ComposeService
) -> Iterator[Workers]:
    built = applications.of_service(service, compose)
    values = {name: (value or "", part) for name, (value, part) in service.environment.items()}
    found = counted(service.words, values)
    names = set(values)
    is_open = bool(service.part.get("extends"))
    for path in _env_files(service.part):
        text = model.folder.text(compose.path(path) or "")
        is_open = is_open or text is None
        names |= {line.partition("=")[0].strip() for line in (text or "").splitlines()}
    if found is not None:
        part, count, server = found
        yield Workers(part, count, server, service.subject, frozenset(names), is_open, built)


def _env_files(part: Part) -> Iterator[str]:
    written = part.get("env_file")
    for one in written.list() or ((written,) if written.text else ()):
        yield one.text or one.string("path")


def _of_container(
    model: Model, applications: Applications, container: Container, namespaces: frozenset[str]
) -> Iterator[Workers]:
    words = [
        (word, part)
        for part in (*container.part.list("command"), *container.part.list("args"))
        for word in (command_words(part.text) if " " in part.text else [part.text])
    ]
    values = {part.string("name"): (part.string("value"), part) for part in container.part.list("env")}
    found = counted(words, values)
    if found is None:
        return
    names, is_open = set(values), False
    for source in container.part.list("envFrom"):
        holders = [
            holder
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret"))
            for holder in model.cluster.held(kind, source.string(field, "name"), namespaces)
        ]
        is_open = is_open or not holders or not all(holder.whole for holder in holders)
        names |= {f"{source.string('prefix')}{entry.key}" for holder in holders for entry in holder.entries}
    part, count, server = found
    built = applications.of_image(container.part.string("image"))
    yield Workers(part, count, server, container.subject, frozenset(names), is_open, built)


def counted(words: Sequence[tuple[str, Part]], values: Mapping[str, tuple[str, Part]]) -> tuple[Part, int, str] | None:
    """Return what says with how many processes a server is started, how many, and which; None if it is one."""
    names = [word.rpartition("/")[2] for word, _ in words]
    server = next((name for name in names if name in _SERVERS), None)
    if server is None:
        return None
    flags = _SERVERS[server]
    for i, (word, part) in enumerate(words):
        flag, equals, value = word.partition("=")
        following = value if equals else words[i + 1][0] if i + 1 < len(words) else ""
        if flag in flags and (count := _several(following)):
            return (part if equals else words[i + 1][1]), count, server
        attached = next((f for f in flags if len(f) == len("-w") and word.startswith(f) and word != f), None)
        if attached and not word.startswith("--") and (count := _several(word[len(attached) :])):
            return part, count, server
    for name, servers in _VARIABLES.items():
        text, said = values.get(name, ("", None))
        if said is not None and server in servers:
            count = _several(text) if name != "GUNICORN_CMD_ARGS" else _of_text(text, said)
            if count:
                return said, count, server
    return None


def _of_text(text: str, part: Part) -> int:
    found = counted([("gunicorn", part), *((word, part) for word in command_words(text))], {})
    return found[1] if found else 0


def _several(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 and int(text) > 1 else 0


def uses_client(model: Model, one: Workers) -> bool | None:
    """Tell whether an application counts with the Python client; None if the folder does not hold it."""
    texts = _texts(model, one)
    return any(_CLIENT.search(text) for text in texts) if texts else None


def sets_directory(model: Model, one: Workers) -> bool:
    """Tell whether the variable is set, by who starts the server, by its image or by its sources."""
    given = {DIRECTORY, DIRECTORY.lower()} & one.variables
    return bool(given) or any(_SET.search(text) for text in _texts(model, one, with_dockerfile=True))


def _texts(model: Model, one: Workers, *, with_dockerfile: bool = False) -> list[str]:
    if one.built is None:
        return []
    texts = [model.folder.text(name) or "" for name in Applications(model).sources(one.built)]
    if with_dockerfile:
        folder = one.built.dockerfile.rpartition("/")[0]
        scripts = [n for n in model.folder.names if n.endswith((".sh", ".py")) and n.rpartition("/")[0] == folder]
        texts += [one.built.text, *(model.folder.text(name) or "" for name in scripts)]
    return texts
