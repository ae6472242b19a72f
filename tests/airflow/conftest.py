"""What the tests of the Airflow side share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dag_run import photos  # before anything imports Airflow: it gives Airflow a home of its own
from photo_anonymizer.config import RunConfig, load_config
from photo_anonymizer_airflow.environment import ROOT


@pytest.fixture(scope="session")
def party(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of :func:`photos`, for tests that only read it."""
    return photos(tmp_path_factory.mktemp("party") / "photos")


@pytest.fixture
def config_of(tmp_path: Path, party: Path) -> Callable[..., RunConfig]:
    """A configuration over the party, with an output folder of the test's own."""

    def make(**fields: Any) -> RunConfig:
        return load_config({"source": str(party), "out": str(tmp_path / "out"), "dataset": "party", **fields})

    return make


@pytest.fixture(scope="session")
def dag() -> Any:
    """The DAG as the dag processor finds it."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(ROOT / "dags")).dags["anonymize_photos"]
