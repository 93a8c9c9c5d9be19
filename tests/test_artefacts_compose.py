"""docker-compose files as they are read: variables, mounts, ports, words of a command, networks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.artefacts.compose import (
    ComposeFile,
    ComposeService,
    command_words,
    image_name,
    image_tag,
    interpolated,
    port_number,
    within,
)
from tocsin.source import read_documents


def service(text: str, name: str = "a") -> ComposeService:
    """Return a service of a file that has it as `a`, its fields indented by four."""
    (document,) = read_documents(f"services:\n  {name}:\n{text}", "deploy/compose.yml", repeats=True)
    return ComposeFile.of(document).services[name]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("${A:-8000}:8000", "8000:8000"),
        ("${A-x}", "x"),
        ("${A}", "${A}"),
        ("$A/b", "${A}/b"),
        ("${A:?not: set}/b", "${A}/b"),
        ("$$HOME", "$HOME"),
        ("plain", "plain"),
    ],
)
def test_a_variable_has_its_default_or_stays(written: str, read: str) -> None:
    """What nobody knows keeps its dollar."""
    assert interpolated(written) == read


@pytest.mark.parametrize(
    ("volume", "kind", "source", "target"),
    [
        ("./a.yml:/etc/a.yml:ro", "bind", "./a.yml", "/etc/a.yml"),
        ('"/:/host:ro,rslave"', "bind", "/", "/host"),
        ("data:/data", "volume", "data", "/data"),
        ("/data", "volume", "", "/data"),
        ('"${SECRETS:?a: folder}/x:/run/x"', "bind", "${SECRETS}/x", "/run/x"),
        ('"${NAME}:/run/x"', "unknown", "${NAME}", "/run/x"),
        ("{type: bind, source: ./a, target: /b}", "bind", "./a", "/b"),
        ("{type: tmpfs, target: /b}", "tmpfs", "", "/b"),
        ("'C:\\x:/b'", "bind", "C:\\x", "/b"),
    ],
)
def test_a_volume_is_read_in_both_forms(volume: str, kind: str, source: str, target: str) -> None:
    """The short form is parted at its colons, those inside of a variable or of a drive left alone."""
    (mount,) = service(f"    image: x\n    volumes: [{volume}]\n").mounts

    assert (mount.kind, mount.source, mount.target) == (kind, source, target)


@pytest.mark.parametrize(
    ("port", "found"),
    [
        ('"8080"', [(8080, None)]),
        ('"80:8080"', [(8080, 80)]),
        ('"127.0.0.1:80:8080/tcp"', [(8080, 80)]),
        ('"${P:-80}:8080"', [(8080, 80)]),
        ('"${P}:8080"', [(8080, None)]),
        ('"80-81:8080-8081"', [(8080, 80), (8081, 81)]),
        ("{target: 8080, published: '80'}", [(8080, 80)]),
        ('"[::1]:80:8080"', [(8080, 80)]),
        ('"x"', []),
        ("[1]", []),
    ],
)
def test_ports_are_read_in_every_form(port: str, found: list[tuple[int, int | None]]) -> None:
    """What a variable decides is not known."""
    read = service(f"    image: x\n    ports: [{port}]\n").ports

    assert [(each.target, each.published) for each in read] == found


def test_a_service_is_known_by_all_its_names() -> None:
    """Its own, its container's, its host's and the aliases of its networks."""
    one = service("    image: x\n    container_name: b\n    networks: {n: {aliases: [c]}, m: }\n    hostname: d\n")

    assert one.names == {"a", "b", "c", "d"}
    assert one.networks == ("n", "m")
    assert service("    image: x\n").networks == ("default",)
    assert service("    image: x\n    network_mode: host\n").networks == ()


def test_words_environment_and_conditions() -> None:
    """A command is a list or a text, the environment a mapping or a list, and so is what is waited for."""
    text = "    image: x\n    entrypoint: [sh]\n    command: run --a 'b c'\n"
    one = service(text + "    environment: [A=1, B]\n    depends_on: [z]\n")
    other = service("    image: x\n    environment: {A: 1, B: }\n    depends_on: {z: {condition: service_healthy}}\n")

    assert [word for word, _ in one.words] == ["sh", "run", "--a", "b c"]
    assert {name: value for name, (value, _) in one.environment.items()} == {"A": "1", "B": None}
    assert {name: value for name, (value, _) in other.environment.items()} == {"A": "1", "B": None}
    assert one.depends_on["z"][0] == "service_started"
    assert other.depends_on["z"][0] == "service_healthy"


@pytest.mark.parametrize(
    ("image", "name", "tag"),
    [
        ("prom/prometheus:v3.5.0", "prometheus", "v3.5.0"),
        ("localhost:5000/a/b@sha256:00", "b", ""),
        ("b", "b", ""),
        ("a/b:${TAG}", "b", ""),
    ],
)
def test_an_image_has_a_name_and_a_tag(image: str, name: str, tag: str) -> None:
    """The port of a registry is no tag, and a variable is none either."""
    assert (image_name(image), image_tag(image)) == (name, tag)


@pytest.mark.parametrize(
    ("directory", "written", "name"),
    [
        ("deploy", "./a", "deploy/a"),
        ("deploy", "../a/b", "a/b"),
        ("", "../a", None),
        ("deploy", "/a", None),
        ("deploy", "${A}/b", None),
        ("deploy", ".", "deploy"),
    ],
)
def test_a_path_is_told_from_the_root(directory: str, written: str, name: str | None) -> None:
    """What leads out of the folder is nowhere."""
    assert within(directory, written) == name


@given(st.text(max_size=80))
def test_no_text_is_too_much(text: str) -> None:
    """Whatever stands in a file is read, or is nothing."""
    interpolated(text)
    command_words(text)
    image_name(text)
    image_tag(text)
    number = port_number(text)
    assert number is None or 1 <= number <= 65535
