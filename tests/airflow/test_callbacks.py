"""What people are told about a failure: what happened, what to do next."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag

from photo_anonymizer import outcome
from photo_anonymizer.config import RunConfig
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer_airflow.callbacks import ADVICE, explain_failure
from photo_anonymizer_airflow.environment import ROOT
from photo_anonymizer_airflow.params import param_values

ERROR = OSError(28, "No space left on device")


def failed(task_id: str, error: Exception = ERROR, **about: Any) -> dict[str, Any]:
    """The context of a task that has failed for good."""
    task = SimpleNamespace(**{"run_folder": about.pop("run_folder")} if "run_folder" in about else {})
    return {"task_instance": SimpleNamespace(task_id=task_id, task=task), "exception": error, **about}


@pytest.fixture
def run(config_of: Callable[..., RunConfig]) -> RunFolder:
    config = config_of()
    folder = RunFolder.of(config, "run-1")
    folder.start(config, "run-1")
    return folder


def test_the_log_says_what_happened_and_what_to_do(run: RunFolder, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        explain_failure(failed("render_photos", run_folder=str(run.path)))  # type: ignore[arg-type]
    assert "render_photos failed ([Errno 28] No space left on device)" in caplog.text
    assert "clear this task" in caplog.text


@pytest.mark.parametrize("task_id", sorted(ADVICE))
def test_tasks_that_need_other_advice_have_their_own(
    run: RunFolder, caplog: pytest.LogCaptureFixture, task_id: str
) -> None:
    with caplog.at_level(logging.ERROR):
        explain_failure(failed(task_id, run_folder=str(run.path)))  # type: ignore[arg-type]
    assert ADVICE[task_id] in caplog.text


def test_advice_is_only_given_for_tasks_that_exist() -> None:
    dags = DagBag(dag_folder=str(ROOT / "dags")).dags.values()
    assert set(ADVICE) <= {task_id for dag in dags for task_id in dag.task_ids}


def test_whoever_waits_for_the_run_finds_the_failure_in_the_vault(run: RunFolder) -> None:
    explain_failure(failed("render_photos", run_folder=str(run.path)))  # type: ignore[arg-type]
    noted = outcome.of(run.config, run)
    assert noted is not None
    assert noted["ending"] == "failed"
    assert "render_photos failed" in noted["message"]


def test_a_refusal_stays_a_refusal(run: RunFolder) -> None:
    outcome.note(run.config, run, "refused", "too many linked faces")
    explain_failure(failed("reid_gate", run_folder=str(run.path)))  # type: ignore[arg-type]
    noted = outcome.of(run.config, run)
    assert noted is not None
    assert (noted["ending"], noted["message"]) == ("refused", "too many linked faces")


def test_a_run_that_could_not_be_prepared_is_noted_too(config_of: Callable[..., RunConfig]) -> None:
    config = config_of()
    explain_failure(
        failed("prepare_run", params=param_values(config), run_id="run-1")  # type: ignore[arg-type]
    )
    noted = outcome.of(config, RunFolder.of(config, "run-1"))
    assert noted is not None
    assert "prepare_run failed" in noted["message"]


def test_a_run_without_a_usable_configuration_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        explain_failure(failed("prepare_run", params={"workers": 0}, run_id="run-1"))  # type: ignore[arg-type]
    assert "correct the parameters" in caplog.text


def test_a_run_folder_that_is_gone_is_no_second_failure(config_of: Callable[..., RunConfig]) -> None:
    config = config_of()
    folder = RunFolder.of(config, "run-1")
    explain_failure(failed("close_run", run_folder=str(folder.path)))  # type: ignore[arg-type]
    assert outcome.of(config, folder) is None
