"""What is said when something goes wrong: what happened and what to do next, and nothing about any photo."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import Context

    from photo_anonymizer.config import RunConfig
    from photo_anonymizer.runfolder import RunFolder

log = logging.getLogger(__name__)

ADVICE = {
    "prepare_run": "correct the parameters or the source named above and trigger a new run",
    "reid_gate": "nothing was published; read the reasons above and docs/operations.md, 'The gate refused'",
    "attack_method": "correct the parameters or the source named above and trigger the DAG anew",
    "export_release": "clear this task to try again: a version is published whole or not at all, and never twice",
}
DEFAULT_ADVICE = "clear this task to try again: finished photos are kept; see docs/operations.md, 'A task failed'"


def explain_failure(context: Context) -> None:
    """Logs the advice for the task that failed and notes the failure in the vault for whoever waits for the run."""
    task_id = context["task_instance"].task_id
    error = context.get("exception")
    message = f"{task_id} failed ({error}): {ADVICE.get(task_id, DEFAULT_ADVICE)}"
    log.error(message)
    _note(context, message)


def _note(context: Context, message: str) -> None:
    from photo_anonymizer import outcome

    found = _run_of(context)
    if found is None:
        return
    config, run = found
    ending = outcome.of(config, run)
    if not ending or ending["ending"] == "failed":
        outcome.note(config, run, "failed", message)


def _run_of(context: Context) -> tuple[RunConfig, RunFolder] | None:
    """The run of the task that failed; that of ``prepare_run`` may have no folder yet, or no usable configuration."""
    from photo_anonymizer.config import load_config
    from photo_anonymizer.errors import ConfigError
    from photo_anonymizer.runfolder import RunFolder
    from photo_anonymizer_airflow.params import config_values

    folder = getattr(context["task_instance"].task, "run_folder", None)
    if isinstance(folder, str):
        run = RunFolder(Path(folder))
        return (run.config, run) if (run.path / "run.json").is_file() else None
    try:
        config = load_config(config_values(context["params"]))
    except ConfigError:
        return None
    return config, RunFolder.of(config, str(context["run_id"]))
