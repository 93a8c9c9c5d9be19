"""Each sick endpoint, a small real server, gets its diagnosis and no other; its healthy twin gets none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sick_endpoints import of_http, of_ingest, of_many, of_sense
from tests.sick_endpoints.diagnosis import diagnosed
from tests.sick_endpoints.disease import Disease
from tests.sick_endpoints.server import served

DISEASES = {**of_ingest.DISEASES, **of_http.DISEASES, **of_sense.DISEASES, **of_many.DISEASES}


@pytest.mark.parametrize("disease", DISEASES.values(), ids=DISEASES)
def test_a_sick_endpoint_gets_its_diagnosis_and_no_other(disease: Disease, tmp_path: Path) -> None:
    """By the check that is meant for it; what follows from it is a note."""
    application = disease.sick()
    with served(application) as url:
        found = diagnosed(url, tmp_path, disease.questions, application)

    assert {one.check for one in found} == {disease.check}, "\n".join(f"{one.check}: {one.message}" for one in found)


@pytest.mark.parametrize("disease", DISEASES.values(), ids=DISEASES)
def test_its_healthy_twin_gets_none(disease: Disease, tmp_path: Path) -> None:
    """No error and no warning."""
    application = disease.healthy()
    with served(application) as url:
        found = diagnosed(url, tmp_path, disease.questions, application)

    assert [f"{one.check}: {one.message}" for one in found] == []
