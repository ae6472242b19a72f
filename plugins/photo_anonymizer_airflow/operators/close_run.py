"""Last task, whatever happened before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photo_anonymizer_airflow.operators.base import RunOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class CloseRunOperator(RunOperator):
    """Frees the dataset; removes the intermediate files if the run published its release, keeps them otherwise."""

    def work(self, context: Context) -> None:  # noqa: ARG002
        """See :class:`PhotoAnonymizerOperator`."""
        from photo_anonymizer.stages import close_run

        close_run(self.run)
