"""What Grafana is told by files: its data sources and the providers of its dashboards, wherever they are kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tocsin.artefacts.embedded import embedded
from tocsin.artefacts.provisioning import DataSource, Provider, data_sources, is_provisioning, providers
from tocsin.part import Part

if TYPE_CHECKING:
    from tocsin.model import Model

_KEYS = ("datasources", "providers")


def provisioning_files(model: Model) -> Iterator[Part]:
    """Yield every provisioning file, those inside of ConfigMaps and Secrets too."""
    for file in model.folder.files.values():
        if any(key in file.text for key in _KEYS):
            yield from (Part.whole(document) for document in file.documents if is_provisioning(document.value))
    for each in model.objects_of("ConfigMap", "Secret"):
        encoded = each.kind == "Secret"
        for section, is_encoded in (("data", encoded), ("stringData", False)):
            for _key, value in each.part.get(section).items():  # noqa: PERF102 a part has no values()
                if is_encoded or any(key in value.text for key in _KEYS):
                    read = embedded(value, model.text(value.file), encoded=is_encoded)
                    yield from (Part.whole(d) for d in read.documents if is_provisioning(d.value))


def read_data_sources(model: Model) -> Iterator[DataSource]:
    """Yield every data source that is provisioned, by a file or by an object of Grafana's operator."""
    yield from data_sources(model.provisioning_files)
    for each in model.objects_of("GrafanaDatasource", "GrafanaDataSource"):
        spec = each.part.get("spec")
        parts = [spec.get("datasource"), *spec.list("datasources")]
        yield from (DataSource(part) for part in parts if isinstance(part.value, dict))


def read_providers(model: Model) -> tuple[Provider, ...]:
    """Return every provider of dashboards."""
    return tuple(providers(model.provisioning_files))
