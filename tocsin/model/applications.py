"""Which sources of a folder are in which container: by the image's name, its Dockerfile and what that copies."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tocsin.artefacts.compose import ComposeFile, ComposeService, image_name, within
from tocsin.artefacts.http_routes import Routes, plainly_served, python_below, routes_of

if TYPE_CHECKING:
    from tocsin.model import Model

_COPY = re.compile(r"^\s*(?:COPY|ADD)\s+((?:--\S+\s+)*)(.+)$", re.IGNORECASE)
_STAGE = re.compile(r"^\s*FROM\s", re.IGNORECASE)
_MOST_FILES = 2000
"""An application of more sources than these is not read."""


@dataclass(frozen=True)
class Built:
    """An image that is built from the folder."""

    dockerfile: str
    context: str
    text: str


_WHOLE = Built("", "", "COPY . .")
"""All sources of the folder, taken for one application."""


class Applications:
    """The applications of a system that its folder holds the sources of."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._sources: dict[Built, Mapping[str, str]] = {}
        self._routes: dict[tuple[str, ...], Routes | None] = {}

    def of_image(self, image: str) -> Built | None:
        """Return how an image is built, where the folder says so; None if it does not, or in two ways."""
        return self._by_image.get(_bare(image))

    def only(self, paths: Iterable[str]) -> Built | None:
        """Return the one application of the folder, if it surely answers some of the paths that a container is asked.

        It has no Dockerfile then: how it comes into the container is not said.
        """
        built = _WHOLE
        routes = self.routes(built)
        answered = [path for path in paths if routes is not None and not routes.open and routes.serves(path)]
        plain = any(plainly_served(self.sources(built), path) for path in answered)
        return built if plain else None

    def serve(self, path: str) -> bool:
        """Whether a source of the folder plainly serves a path."""
        return bool(path) and plainly_served(self.sources(_WHOLE), path)

    def of_service(self, service: ComposeService, compose: ComposeFile) -> Built | None:
        """Return how a compose service's image is built; None if it is not built here."""
        build = service.part.get("build")
        context = compose.path(build.text or build.string("context")) if build else None
        name = within(context, build.string("dockerfile") or "Dockerfile") if context is not None else None
        text = self._model.folder.text(name) if name else None
        return Built(name, context or "", text) if name and text else None

    @cached_property
    def _by_image(self) -> Mapping[str, Built]:
        found: dict[str, set[Built]] = {}
        for compose in self._model.compose_files:
            for service in compose.services.values():
                built = self.of_service(service, compose)
                if built is not None and service.image:
                    found.setdefault(_bare(service.image), set()).add(built)
        return {image: next(iter(built)) for image, built in found.items() if len(built) == 1}

    def sources(self, built: Built) -> Mapping[str, str]:
        """Return the Python files that an image holds, by name; none if there are too many."""
        if built not in self._sources:
            files = sorted(python_below(self._model.folder.names, _copied(built)))
            few = files if len(files) <= _MOST_FILES else []
            self._sources[built] = {name: self._model.folder.text(name) or "" for name in few}
        return self._sources[built]

    def routes(self, built: Built) -> Routes | None:
        """Return the paths that an image's application serves; None if they cannot be known."""
        texts = self.sources(built)
        files = tuple(texts)
        if files not in self._routes:
            self._routes[files] = routes_of(texts) if files else None
        return self._routes[files]


def _copied(built: Built) -> Iterator[str]:
    """Yield the folders and files that the last stage of a Dockerfile copies from its context."""
    stage: list[str] = []
    for line in built.text.replace("\\\n", " ").split("\n"):
        if _STAGE.match(line):
            stage = []
        found = _COPY.match(line)
        if found and "--from" not in found[1]:
            stage.extend(found[2].split()[:-1])
    for source in stage:
        if "*" not in source and "$" not in source and not source.startswith(("[", "http")):
            path = posixpath.normpath(posixpath.join(built.context, source.lstrip("/")))
            yield "" if path == "." else path


def _bare(image: str) -> str:
    """Return an image's name without its tag and digest."""
    name = image_name(image)
    registry = image.partition("@")[0].rpartition("/")[0]
    return f"{registry}/{name}" if registry else name
