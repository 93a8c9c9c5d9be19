"""docker-compose files: services with what they run, mount, listen on and wait for.

(compose-spec, spec.md and 05-services.md; interpolation: 12-interpolation.md.)
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Literal

from tocsin.part import Part
from tocsin.source import Document

MountKind = Literal["bind", "volume", "tmpfs", "config", "secret", "unknown"]
MOST_PORTS = 1000
"""A range of ports is told port by port up to here; nobody publishes more by hand."""


@dataclass(frozen=True)
class ComposeMount:
    """Something mounted into a service's container."""

    part: Part
    kind: MountKind
    source: str
    """For a bind the path as it is written, for a volume, a config or a secret its name; empty if there is none."""
    target: str
    """The path in the container."""


@dataclass(frozen=True)
class ComposePort:
    """One port of a service that its host can reach."""

    part: Part
    target: int
    """The port inside of the container."""
    published: int | None
    """The port of the host; None if it is chosen when the service starts, or not said."""
    protocol: str = "tcp"


@dataclass(frozen=True)
class ComposeService:
    """One service of a docker-compose file."""

    name: str
    part: Part

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return f"compose/{self.name}"

    @property
    def image(self) -> str:
        """The image, variables with a default resolved; empty if it is only built."""
        return interpolated(self.part.string("image"))

    @property
    def image_name(self) -> str:
        """The last part of the image's name, without registry, tag and digest: `prometheus` of `prom/prometheus:v3`."""
        return image_name(self.image)

    @property
    def arguments(self) -> tuple[Part, ...]:
        """The words of the command as they stand; one part for each item of a list, one for a whole text."""
        command = self.part.get("command")
        return command.list() or ((command,) if command.text else ())

    @cached_property
    def words(self) -> tuple[tuple[str, Part], ...]:
        """Each word of entrypoint and command with the part that it stands in."""
        return tuple(_words(self.part.get("entrypoint"))) + tuple(_words(self.part.get("command")))

    @cached_property
    def environment(self) -> Mapping[str, tuple[str | None, Part]]:
        """The variables: name, value (None: taken from who starts it), and where it stands."""
        found: dict[str, tuple[str | None, Part]] = {}
        environment = self.part.get("environment")
        for name, part in environment.items():
            found[name] = (None if part.value is None else interpolated(part.text), part)
        for part in environment.list():
            name, equals, value = part.text.partition("=")
            found[name] = (interpolated(value) if equals else None, part)
        return found

    @cached_property
    def mounts(self) -> tuple[ComposeMount, ...]:
        """What is mounted into its container."""
        found = [_mount(part) for part in self.part.list("volumes")]
        tmpfs = self.part.get("tmpfs")
        for part in tmpfs.list() or ((tmpfs,) if tmpfs.text else ()):
            found.append(ComposeMount(part, "tmpfs", "", interpolated(part.text).split(":")[0]))
        found += [_granted(part, "config", "/") for part in self.part.list("configs")]
        found += [_granted(part, "secret", "/run/secrets/") for part in self.part.list("secrets")]
        return tuple(mount for mount in found if mount.target)

    @cached_property
    def ports(self) -> tuple[ComposePort, ...]:
        """The ports that are published on the host."""
        return tuple(port for part in self.part.list("ports") for port in _ports(part))

    @cached_property
    def exposed(self) -> tuple[int, ...]:
        """The ports that `expose` names."""
        numbers = (port_number(part.text.partition("/")[0]) for part in self.part.list("expose"))
        return tuple(number for number in numbers if number is not None)

    @cached_property
    def networks(self) -> tuple[str, ...]:
        """The networks that it is in: `default` if it names none; none at all with a mode of its own."""
        if self.network_mode:
            return ()
        networks = self.part.get("networks")
        named = [key for key, _ in networks.items()] or [part.text for part in networks.list()]
        return tuple(named) or ("default",)

    @property
    def network_mode(self) -> str:
        """`host`, `none`, `service:NAME`; empty if it is in networks like any other."""
        return interpolated(self.part.string("network_mode"))

    @cached_property
    def names(self) -> frozenset[str]:
        """The names by which others of its networks reach it: its own, its container's, its aliases."""
        said = [self.part.get("container_name"), self.part.get("hostname")]
        for network in dict(self.part.get("networks").items()).values():
            said.extend(network.list("aliases"))
        return frozenset({self.name, *(interpolated(part.text) for part in said if part.text)})

    @cached_property
    def depends_on(self) -> Mapping[str, tuple[str, Part]]:
        """The services that it waits for, each with the condition and where that is said."""
        waits = self.part.get("depends_on")
        found = {name: (part.string("condition") or "service_started", part) for name, part in waits.items()}
        return found or {part.text: ("service_started", part) for part in waits.list()}

    @property
    def healthcheck(self) -> Part:
        """Its health check; a part of nothing if it has none of its own."""
        return self.part.get("healthcheck")

    @property
    def memory_limit(self) -> Part:
        """The most memory that it is granted."""
        limit = self.part.get("deploy", "resources", "limits", "memory")
        return limit or self.part.get("mem_limit")

    @property
    def cpu_limit(self) -> Part:
        """The most cores that it is granted."""
        limit = self.part.get("deploy", "resources", "limits", "cpus")
        return limit or self.part.get("cpus")


@dataclass(frozen=True)
class ComposeFile:
    """A docker-compose file."""

    part: Part

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return "compose"

    @property
    def name(self) -> str:
        """The file's name."""
        return self.part.file

    @property
    def directory(self) -> str:
        """The folder that its paths are relative to; empty for the outermost."""
        return str(PurePosixPath(self.name).parent).removeprefix(".")

    @cached_property
    def services(self) -> Mapping[str, ComposeService]:
        """Its services by name."""
        found = self.part.get("services").items()
        return {name: ComposeService(name, part) for name, part in found if isinstance(part.value, dict)}

    def path(self, written: str) -> str | None:
        """Return the name that a path of this file has in the folder; None if it leads out of it or is not known."""
        return within(self.directory, written)

    @classmethod
    def of(cls, document: Document) -> ComposeFile:
        """Return the compose file that a document is."""
        return cls(Part.whole(document))


def within(directory: str, written: str) -> str | None:
    """Return what a relative path, written in a file of `directory`, is called from the root; None if it leaves it."""
    if not written or written.startswith(("/", "~")) or "$" in written:
        return None
    found: list[str] = [step for step in directory.split("/") if step]
    for step in written.split("/"):
        if step == ".." and not found:
            return None
        if step == "..":
            found.pop()
        elif step not in ("", "."):
            found.append(step)
    return "/".join(found)


def image_name(image: str) -> str:
    """Return the last part of an image's name, without registry, tag and digest."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def image_tag(image: str) -> str:
    """Return the tag of an image; empty if it has none, or one that a variable decides."""
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    return "" if "$" in tag else tag


_VARIABLE = re.compile(
    r"\$(?:\$|(?P<bare>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<rest>[^{}]*)\})"
)


def interpolated(text: str) -> str:
    """Return a text with its variables resolved as far as the file says: defaults taken, `$$` one dollar.

    A variable without a default stays as `${NAME}`: whoever sees a `$` knows that the value is not known.
    """

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        rest = match["rest"] or ""
        default = rest.removeprefix(":")
        if default.startswith("-"):
            return default[1:]
        return f"${{{match['bare'] or match['name']}}}"

    return _VARIABLE.sub(value, text) if "$" in text else text


def port_number(text: str) -> int | None:
    """Return the port that a text is; None if it is none."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len("65535") else 0
    return number if 1 <= number <= 65535 else None


def command_words(text: str) -> list[str]:
    """Return the words of a command line as a shell would part them; those between blanks if its quotes are odd."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _words(part: Part) -> Iterator[tuple[str, Part]]:
    for item in part.list():
        yield interpolated(item.text), item
    if part.text:
        yield from ((word, part) for word in command_words(interpolated(part.text)))


_KINDS: Mapping[str, MountKind] = {"bind": "bind", "volume": "volume", "tmpfs": "tmpfs"}


def _mount(part: Part) -> ComposeMount:
    if isinstance(part.value, dict):
        kind = part.string("type")
        source, target = interpolated(part.string("source")), interpolated(part.string("target"))
        return ComposeMount(part, _KINDS.get(kind, "unknown"), source, target)
    pieces = _pieces(interpolated(part.text))
    if len(pieces) == 1:
        return ComposeMount(part, "volume", "", pieces[0])
    source, target = pieces[0], pieces[1]
    path = source.startswith((".", "/", "~")) or (source.startswith("$") and "/" in source) or ":" in source
    if path:
        return ComposeMount(part, "bind", source, target)
    return ComposeMount(part, "unknown" if "$" in source else "volume", source, target)


def _pieces(text: str) -> list[str]:
    """Split `SOURCE:TARGET:MODE` at its colons, a drive letter kept together with its path."""
    pieces = text.split(":")
    if len(pieces) > 1 and len(pieces[0]) == 1 and pieces[0].isalpha() and pieces[1].startswith(("\\", "/")):
        pieces[:2] = [":".join(pieces[:2])]
    return pieces


def _granted(part: Part, kind: Literal["config", "secret"], folder: str) -> ComposeMount:
    if isinstance(part.value, dict):
        source = part.string("source")
        target = interpolated(part.string("target")) or source
    else:
        source = target = part.text
    return ComposeMount(part, kind, source, target if target.startswith("/") else folder + target)


_PORT = re.compile(
    r"(?:(?P<published>\d{1,5}(?:-\d{1,5})?)?:)?(?P<target>\d{1,5}(?:-\d{1,5})?)(?:/(?P<protocol>\w+))?$"
)


def _ports(part: Part) -> Iterator[ComposePort]:
    """Yield the ports that an entry publishes; none if a variable decides or it cannot be read."""
    if isinstance(part.value, dict):
        inside, outside = port_number(part.string("target")), port_number(interpolated(part.string("published")))
        if inside is not None:
            yield ComposePort(part, inside, outside, part.string("protocol") or "tcp")
        return
    text = interpolated(part.text)
    match = _PORT.search(text)
    if match is None or (match.start() > 0 and not text[: match.start()].endswith((":", "}"))):
        return
    targets, published_ones = _range(match["target"]), _range(match["published"] or "")
    for i, target in enumerate(targets):
        known = published_ones[i] if len(published_ones) == len(targets) else None
        yield ComposePort(part, target, known, (match["protocol"] or "tcp").lower())


def _range(text: str) -> list[int]:
    first, dash, last = text.partition("-")
    if not first:
        return []
    return list(range(int(first), min(int(last) if dash else int(first), int(first) + MOST_PORTS) + 1))
