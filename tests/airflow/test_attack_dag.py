"""The DAG of heavy attacks: one task, a form of its own, and a schedule that is off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowFailException

from dag_run import python
from heavycases import result_of
from photo_anonymizer.config import MethodName, load_config
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.heavy import attack as heavy
from photo_anonymizer.heavy.result import known, settings_digest
from photo_anonymizer.vault import Vault
from photo_anonymizer_airflow.environment import POOLS, ROOT
from photo_anonymizer_airflow.operators.attack_method import AttackMethodOperator
from photo_anonymizer_airflow.params import CONNECTION, SAMPLE, config_values, param_values

HEAVY = ("cv2", "onnxruntime", "pandas", "great_expectations", "tensorflow", "pyarrow", "numpy")
PARSE = f"import sys; sys.path.insert(0, {str(ROOT / 'dags')!r}); import attack_methods; dag = attack_methods.dag\n"


@pytest.fixture(scope="module")
def attack_dag() -> Any:
    return DagBag(dag_folder=str(ROOT / "dags")).dags["attack_methods"]


def test_there_is_one_task_and_the_manual_names_it(attack_dag: Any) -> None:
    assert set(attack_dag.task_ids) == {"attack_method"}
    assert "attack_method" in attack_dag.doc_md
    assert attack_dag.doc_md.lstrip().startswith("# Attack methods")


def test_it_is_operated_like_the_other_dag(attack_dag: Any, dag: Any) -> None:
    task = attack_dag.get_task("attack_method")
    assert task.owner == "photo-anonymizer"
    assert task.on_failure_callback
    assert task.pool in json.loads(POOLS.read_text(encoding="utf-8"))
    assert task.execution_timeout is not None
    assert attack_dag.max_active_runs == 1
    assert not attack_dag.catchup
    assert attack_dag.schedule is None
    assert attack_dag.tags == dag.tags


def test_its_form_begins_with_the_source_and_the_sample(attack_dag: Any) -> None:
    assert list(attack_dag.params)[:4] == ["source", SAMPLE, "out", "dataset"]
    assert attack_dag.params.get_param("source").description.startswith("Folder on the worker's machine")
    assert attack_dag.params.get_param(SAMPLE).schema["minimum"] == 8
    assert "at most 10 of each" in attack_dag.params.get_param(SAMPLE).description


def test_its_form_has_what_decides_the_result_and_nothing_else(attack_dag: Any, dag: Any) -> None:
    assert set(attack_dag.params) - {SAMPLE} < set(dag.params)
    sections = {name.partition("__")[0] for name in attack_dag.params if "__" in name}
    assert sections == {"detection", "region", *get_args(MethodName), "reid"}
    assert CONNECTION not in attack_dag.params  # nothing but a folder can be sampled


def test_what_its_form_says_is_attacked_and_a_run_s_other_values_may_stand_beside_it(attack_dag: Any) -> None:
    """The digest by which a run's gate finds the result is that of the run's own configuration."""
    values = {name: item for name, item in attack_dag.params.dump().items() if name != SAMPLE} | {"source": "/photos"}
    shown = load_config(config_values(values))
    pasted = load_config(config_values({**param_values(shown), **values, "release__keep_workspace": True}))
    assert settings_digest(pasted, "mask") == settings_digest(shown, "mask")


def test_the_schedule_comes_from_the_environment_and_needs_photos() -> None:
    shown = python(
        PARSE + "dag.validate(); print(dag.schedule, dag.params['source'])",
        PHOTO_ANONYMIZER_ATTACK_SCHEDULE="0 4 1 * *",
        PHOTO_ANONYMIZER_SOURCE="/photos",
    )
    assert shown.stdout.split()[-6:] == ["0", "4", "1", "*", "*", "/photos"], shown.stderr
    refused = python(PARSE, PHOTO_ANONYMIZER_ATTACK_SCHEDULE="@daily")
    assert "name the photos of the scheduled runs in PHOTO_ANONYMIZER_SOURCE" in refused.stderr


def test_parsing_imports_nothing_heavy() -> None:
    shown = python(PARSE + f"print('heavy', [name for name in {HEAVY!r} if name in sys.modules])")
    assert shown.stdout.strip().endswith("heavy []"), shown.stdout + shown.stderr


# the operator


def context(out: Path, **values: Any) -> Any:
    config = load_config({"source": "/photos", "out": str(out), "method": "blur", **values})
    return {"params": {**param_values(config), SAMPLE: 40}, "run_id": "manual"}


@pytest.mark.parametrize(("low", "within"), [(0.01, True), (0.3, False)])
def test_the_result_goes_to_the_vault_whatever_it_is_and_counts_are_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, low: float, within: bool
) -> None:
    asked: list[int] = []

    def fake(config: Any, photos: int) -> Any:
        asked.append(photos)
        return result_of(config, low=low, high=0.4)

    monkeypatch.setattr(heavy, "attack_method", fake)
    returned = AttackMethodOperator(task_id="t").execute(context(tmp_path))
    assert returned == {"photos": 60, "people": 6, "attacks": 2, "within": within}
    assert asked == [40]
    config = load_config({"source": "/photos", "out": str(tmp_path), "method": "blur"})
    assert known(config, Vault.of(config)) is not None


def test_a_source_that_cannot_be_attacked_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise ConfigError("too few people")

    monkeypatch.setattr(heavy, "attack_method", refuse)
    with pytest.raises(AirflowFailException, match="too few people"):
        AttackMethodOperator(task_id="t").execute(context(tmp_path))
