"""The branch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseBranchOperator

from photo_anonymizer_airflow.operators.base import RunOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


FIRST_TASKS = {"synthetic": "gather_donors"}
"""Where a branch does not begin with its faces."""


class ChooseMethodOperator(BaseBranchOperator):
    """Takes the branch of the run's method; taken once a run, because branching inside a mapped group runs the branches
    that were not chosen as well (apache/airflow#67265).

    :param run_folder: path of the run's intermediate files. (templated)
    """

    template_fields: Sequence[str] = RunOperator.template_fields

    def __init__(self, *, run_folder: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run_folder = run_folder

    def choose_branch(self, context: Context) -> str:  # noqa: ARG002
        """Id of the chosen task."""
        from photo_anonymizer.methods.ladder import choose_method
        from photo_anonymizer.runfolder import RunFolder

        method = choose_method(RunFolder(Path(self.run_folder)).config)
        return FIRST_TASKS.get(method, f"anonymize_{method}")
