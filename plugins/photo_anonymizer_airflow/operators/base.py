"""What all operators of the project share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from photo_anonymizer.errors import DatasetBusyError, PhotoAnonymizerError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from photo_anonymizer.runfolder import RunFolder


class PhotoAnonymizerOperator(BaseOperator):
    """Runs :meth:`work` and decides what is worth another try.

    Bad input, bad configuration, an altered model and a refused release fail at once: trying again would end the same.
    Input and output that failed, and a dataset that another run works on, are tried again with back-off.
    """

    def execute(self, context: Context) -> Any:
        """Called by Airflow.

        :raises AirflowFailException: the project's own errors, never retried.
        """
        try:
            return self.work(context)
        except DatasetBusyError:
            raise
        except PhotoAnonymizerError as error:
            raise AirflowFailException(str(error)) from error

    @abstractmethod
    def work(self, context: Context) -> Any:
        """The task itself."""


class RunOperator(PhotoAnonymizerOperator):
    """An operator that works on the run which ``prepare_run`` has made.

    :param run_folder: path of the run's intermediate files. (templated)
    """

    template_fields: Sequence[str] = ("run_folder",)

    def __init__(self, *, run_folder: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run_folder = run_folder

    @property
    def run(self) -> RunFolder:
        """The run this task belongs to."""
        from photo_anonymizer.runfolder import RunFolder

        return RunFolder(Path(self.run_folder))
