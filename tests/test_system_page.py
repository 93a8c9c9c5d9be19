"""docs/system-yaml.md tells every field of system.yaml, with its default, and its examples are read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tocsin import system
from tocsin.durations import format_duration
from tocsin.system import Declared, Kind, load_system

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "system-yaml.md").read_text()
SECTIONS: dict[str, type[Declared]] = {
    "The file": system.Declaration,
    "Environments": system.Environment,
    "Processes": system.Process,
    "Endpoints": system.Endpoint,
    "Credentials": system.CredentialsFile,
    "Ceilings": system.Ceilings,
    "Clusters": system.InCluster,
    "Drills": system.Drill,
    "Load": system.Load,
    "Proof": system.Proof,
    "Expectations": system.Expectation,
    "Replicas": system.Replicas,
    "Disturbances": system.Disturbance,
    "Allowed alerts": system.Allowed,
    "Compression": system.Compression,
    "Decisions": system.Decision,
    "Series": system.ProofSeries,
    "One series": system.PromtoolSeries,
    "Static checks": system.Static,
    "Metrics endpoints": system.Endpoints,
    "Budgets": system.Budget,
    "Requests to a target": system.AskedOf,
    "Outages": system.Outage,
    "Known requests": system.KnownRequests,
    "Unlike requests": system.Growth,
    "Probes": system.Probes,
    "Probed containers": system.Probed,
    "Load on probed containers": system.ProbedLoad,
    "Dependencies": system.Dependency,
    "Waivers": system.Waiver,
}


def section(title: str) -> str:
    """Return the text under a heading, up to the next one."""
    found = re.search(rf"^##+ {re.escape(title)}\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found, f"the page has no heading {title!r}"
    return found[1]


def rows(title: str) -> dict[str, str]:
    """Return what a section's table says: the default by the field's name."""
    cells = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \| [^|]+ \|$", section(title), re.MULTILINE)
    assert len({name for name, _ in cells}) == len(cells), f"{title} tells a field twice"
    return dict(cells)


def shown(name: str, field: FieldInfo) -> str:
    """Return a default as the page writes it."""
    if field.is_required():
        return "required"
    match field.default:
        case None:
            return "none"
        case bool(value):
            return f"`{str(value).lower()}`"
        case float(value) if name == "hold":
            return f"`{format_duration(value)}`"
        case () | []:
            return "`[]`"
        case BaseModel() | {}:
            return "`{}`"
        case value:
            return f"`{value}`"


@pytest.mark.parametrize(("title", "model"), SECTIONS.items(), ids=SECTIONS)
def test_every_field_is_told_with_its_default(title: str, model: type[Declared]) -> None:
    """A section's table has the fields that are read, no other, and the defaults that they have."""
    fields = {field.alias or name: shown(name, field) for name, field in model.model_fields.items()}
    assert rows(title) == fields


def test_every_part_of_the_file_has_a_section() -> None:
    """No model of system.yaml is left out of the page, and each kind of artefact is named."""
    models = {m for m in vars(system).values() if isinstance(m, type) and issubclass(m, Declared)} - {Declared}
    assert models == set(SECTIONS.values())
    for kind in Kind:
        assert f"`{kind}`" in section("Artefacts")


def examples(page: str) -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)


EXAMPLES = [
    pytest.param(text, id=f"{page}-{i}")
    for page in ("system-yaml.md", "your-own-system.md", "staging.md")
    for i, text in enumerate(examples(page))
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_is_read(text: str, tmp_path: Path) -> None:
    """Each YAML example of the pages is right: alone, or under the head that every file has."""
    parts = [text]
    if not text.startswith("schema:"):
        parts = ["schema: 1\nname: shop\n", text]
        if "\n    background:" in text:
            parts.append("environments: {local: {processes: {backend: {command: [serve]}}}}\n")
    (tmp_path / "system.yaml").write_text("".join(parts))
    assert load_system(tmp_path).name == "shop"
