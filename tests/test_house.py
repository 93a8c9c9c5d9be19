"""The checkout is whole: its papers, its packaging and its commands agree with each other."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tocsin.source import read_documents
from tocsin.system import Declaration

ROOT = Path(__file__).resolve().parent.parent
PLUGIN = "tocsin_pytest"
MARKERS = (
    "static",
    "endpoints",
    "probes",
    "simulation",
    "routing",
    "pipeline",
    "dashboards",
    "logs",
    "load",
    "faults",
    "security",
)
PROGRAMS = ("prometheus", "promtool", "alertmanager", "amtool", "node_exporter")


def project() -> dict[str, object]:
    """Return pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def settings() -> configparser.SectionProxy:
    """Return the section of pytest.ini."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "pytest.ini")
    return parser["pytest"]


def pins() -> dict[str, Requirement]:
    """Return the lines of requirements.txt, by canonical name."""
    lines = [line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    found = [Requirement(line) for line in lines if line]
    names = [canonicalize_name(requirement.name) for requirement in found]
    assert len(set(names)) == len(names), "requirements.txt names something twice"
    return dict(zip(names, found, strict=True))


@pytest.mark.parametrize(
    ("paper", "words"),
    [
        ("README.md", "script/drill"),
        ("ARCHITECTURE.md", "## Layers"),
        ("CHANGELOG.md", "## "),
        ("LICENSE", "Apache License"),
        ("reports/README.md", "latest"),
    ],
)
def test_paper_is_there(paper: str, words: str) -> None:
    """Every paper that a reader looks for is there and speaks of its subject."""
    assert words in (ROOT / paper).read_text()


def test_architecture_names_every_layer() -> None:
    """ARCHITECTURE.md draws every part of the library that exists."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    parts = {path.stem for path in (ROOT / "tocsin").iterdir() if not path.name.startswith(("_", "py.typed"))}
    assert sorted(part for part in parts if part not in text) == []


def test_plugin_has_one_name() -> None:
    """The entry point, the module and conftest.py name the plugin alike; pytest refuses one plugin under two names."""
    entries = project()["project"]["entry-points"]["pytest11"]  # type: ignore[index]
    assert entries == {PLUGIN: PLUGIN}
    assert (ROOT / PLUGIN / "__init__.py").is_file()
    assert re.search(rf"""^pytest_plugins = \[?\(?["']{PLUGIN}["']""", (ROOT / "conftest.py").read_text(), re.MULTILINE)


def test_every_requirement_is_pinned() -> None:
    """Each line of requirements.txt fixes exactly one version."""
    loose = [str(pin) for pin in pins().values() if not re.fullmatch(r"==[\w.!+]+", str(pin.specifier))]
    assert loose == []


def test_pins_satisfy_the_package() -> None:
    """What pyproject.toml asks for, to run and to build, is pinned within its bounds."""
    found = project()
    wanted = [*found["project"]["dependencies"], *found["build-system"]["requires"]]  # type: ignore[index]
    assert wanted
    for requirement in map(Requirement, wanted):
        pin = pins().get(canonicalize_name(requirement.name))
        assert pin is not None, f"requirements.txt does not pin {requirement.name}"
        assert requirement.specifier.contains(next(iter(pin.specifier)).version), f"{pin} is not {requirement}"


def test_markers_are_complete() -> None:
    """pytest.ini declares each marker once, with a sentence."""
    lines = [line.partition(": ") for line in settings()["markers"].strip().splitlines()]
    assert [name for name, _, _ in lines] == list(MARKERS)
    assert [name for name, _, text in lines if not text.endswith(".")] == []


def test_pytest_is_strict() -> None:
    """Unknown names, passing xfails, warnings and empty tables are errors, and Locust's plugin is off."""
    found = settings()
    options = found["addopts"].split()
    assert {"--strict-markers", "--strict-config", "--import-mode=importlib"} <= set(options)
    assert options[options.index("-p") + 1] == "no:locust"
    assert found["xfail_strict"] == "true"
    assert found["empty_parameter_set_mark"] == "fail_at_collect"
    assert found["testpaths"] == "suites"
    assert found["filterwarnings"].strip().splitlines()[0] == "error"


def examples() -> list[tuple[str, dict[str, object]]]:
    """Return each YAML example of the user's pages, as page and value."""
    found = []
    for page in sorted((ROOT / "docs").glob("*.md")):
        blocks = re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
        found += [(page.name, document.value) for block in blocks for document in read_documents(block, page.name)]
    # A test file and what stands beside a saved body are files of their own, as the pages say.
    return [(page, value) for page, value in found if not {"alert_tests", "lazily_born"} & value.keys()]


def test_examples_are_valid() -> None:
    """Every piece of system.yaml that a page shows is accepted as it stands."""
    found = examples()
    assert {"your-own-system.md", "staging.md"} <= {page for page, _ in found}
    for page, value in found:
        whole = {"schema": 1, "name": page} | value
        assert Declaration.model_validate(whole).schema_ == 1


@pytest.mark.parametrize("name", ["nightly", "pre-release", "staging"])
def test_workflow_is_whole(name: str) -> None:
    """Each ready workflow has a trigger and bounded jobs, keeps the report whatever happens, and is spoken of."""
    text = (ROOT / f"docs/ci/{name}.yml").read_text()
    workflow = read_documents(text, name)[0].value
    assert workflow["on"]
    job = next(iter(workflow["jobs"].values()))
    assert job["timeout-minutes"]
    commands = " ".join(step.get("run", "") for step in job["steps"])
    assert "script/bootstrap" in commands
    assert "--system" in commands
    assert job["steps"][-1]["if"] == "always()"
    assert f"ci/{name}.yml" in (ROOT / "docs/nightly-and-pre-release.md").read_text()


def scripts() -> list[Path]:
    """Return the commands of the checkout."""
    return [*sorted((ROOT / "script").iterdir()), ROOT / ".ci/run"]


@pytest.mark.parametrize("script", scripts(), ids=lambda path: path.name)
def test_script_is_safe(script: Path) -> None:
    """Each command can be run, stops at the first error, and says what it is for."""
    lines = script.read_text().splitlines()
    assert os.access(script, os.X_OK)
    assert lines[0] == "#!/usr/bin/env bash"
    assert lines[1].startswith("# ")
    assert "set -euo pipefail" in lines


@pytest.mark.parametrize("script", scripts(), ids=lambda path: path.name)
def test_script_passes_shellcheck(script: Path) -> None:
    """ShellCheck finds nothing in any command."""
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is not on PATH")
    done = subprocess.run([shellcheck, str(script)], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Make a machine's PATH without Python, engines or apt, and a checkout with nothing made yet."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "env", "dirname", "cat", "sha256sum", "mktemp", "rm", "mkdir", "mv", "tail", "sed"):
        program = shutil.which(name)
        assert program, f"{name} is not on PATH"
        (tools / name).symlink_to(program)
    (tmp_path / "checkout/script").mkdir(parents=True)
    for name in ("script/bootstrap", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / "checkout" / name)
    return tmp_path


def bootstrap(machine: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run script/bootstrap on a bare machine, from a directory that is not the checkout."""
    return subprocess.run(
        [str(machine / "checkout/script/bootstrap")],
        env={"PATH": str(machine / "bin"), "TMPDIR": str(machine), **environment},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def program(path: Path, text: str = "exit 1") -> Path:
    """Write an executable that stands for a program of the machine."""
    path.write_text(f"#!/usr/bin/env bash\n{text}\n")
    path.chmod(0o755)
    return path


def test_without_apt_all_that_is_missing_is_told_at_once(bare: Path) -> None:
    """Where there is no apt, one message names every missing program and how to get it, and nothing is left behind."""
    done = bootstrap(bare)
    assert done.returncode == 2
    assert done.stdout == ""
    for name in PROGRAMS:
        assert f"- {name}, on PATH or named by TOCSIN_{name.upper()}" in done.stderr
    assert not (bare / "checkout/.venv").exists()
    assert not (bare / "checkout/.engines").exists()
    assert list(bare.glob("tocsin-bootstrap.*")) == []


def test_what_is_there_is_not_asked_for(bare: Path) -> None:
    """A program on PATH, under either of its names, or named by the environment is not called missing."""
    program(bare / "bin/prometheus-alertmanager")
    program(bare / "bin/amtool")
    elsewhere = program(bare / "elsewhere")
    done = bootstrap(bare, TOCSIN_PROMETHEUS=str(elsewhere))
    assert done.returncode == 2
    missing = [name for name in PROGRAMS if f"- {name}," in done.stderr]
    assert missing == ["promtool", "node_exporter"]


def test_a_wrong_name_in_the_environment_is_told(bare: Path) -> None:
    """A variable that names no program is refused by its name, before anything is made."""
    done = bootstrap(bare, TOCSIN_AMTOOL="/nonesuch")
    assert done.returncode == 2
    assert "TOCSIN_AMTOOL names /nonesuch" in done.stderr
    assert not (bare / "checkout/.venv").exists()
