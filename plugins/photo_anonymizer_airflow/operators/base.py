"""What all operators of the project share."""

from __future__ import annotations

import os
import traceback
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from photo_anonymizer.errors import DatasetBusyError, PhotoAnonymizerError
from photo_anonymizer_airflow.params import CONNECTION

if TYPE_CHECKING:
    from airflow.sdk import Context

    from photo_anonymizer.runfolder import RunFolder


class PhotoAnonymizerOperator(BaseOperator):
    """Runs :meth:`work` and decides what is worth another try.

    Bad input, bad configuration, an altered model and a refused release fail at once: trying again would end the same.
    Input and output that failed, and a dataset that another run works on, are tried again with back-off.

    An error that is not the project's own may quote a file's name or what a photo contains. Airflow logs messages, so
    only the error's class, the system's word for it and the place in the code are passed on.
    """

    reads_source = False
    """Does the task read the source, and need the credentials of the run's connection?"""

    def execute(self, context: Context) -> Any:
        """Called by Airflow.

        :raises AirflowFailException: the project's own errors, never retried.
        """
        try:
            with self._source_access(context):
                return self.work(context)
        except (AirflowException, DatasetBusyError):
            raise
        except PhotoAnonymizerError as error:
            raise AirflowFailException(str(error)) from None
        except Exception as error:  # noqa: BLE001 - raised again, without its message
            self.log.error("unforeseen error, at:\n%s", "".join(traceback.format_tb(error.__traceback__)))
            raise _discreet(error) from None

    def _source_access(self, context: Context) -> AbstractContextManager[None]:
        connection = context.get("params", {}).get(CONNECTION) if self.reads_source else None
        if not connection:
            return nullcontext()
        from photo_anonymizer.sources import using
        from photo_anonymizer_airflow.connections import options_of

        return using(options_of(connection))

    @abstractmethod
    def work(self, context: Context) -> Any:
        """The task itself."""


def _discreet(error: Exception) -> Exception:
    from photo_anonymizer.photostage import where

    if isinstance(error, OSError) and error.errno is not None:
        return OSError(error.errno, f"{os.strerror(error.errno)}, {where(error)}")
    return (OSError if isinstance(error, OSError) else RuntimeError)(where(error))


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
