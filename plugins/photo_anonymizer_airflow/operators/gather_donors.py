"""Who may lend features to synthetic faces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photo_anonymizer_airflow.operators.base import RunOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class GatherDonorsOperator(RunOperator):
    """Looks through the whole batch for people whose features may be averaged into new faces. Returns counts."""

    def work(self, context: Context) -> dict[str, int]:  # noqa: ARG002
        """See :class:`PhotoAnonymizerOperator`."""
        from photo_anonymizer.donors import gather

        return gather(self.run)
