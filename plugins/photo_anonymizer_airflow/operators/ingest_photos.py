"""Ingest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photo_anonymizer_airflow.operators.base import RunOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class IngestPhotosOperator(RunOperator):
    """Gives every picture of the source an id and a row in the ledger; tells what an earlier run has done already.

    Returns counts.
    """

    reads_source = True

    def work(self, context: Context) -> dict[str, int]:  # noqa: ARG002
        """See :class:`PhotoAnonymizerOperator`."""
        from photo_anonymizer.ingest.stage import ingest

        counts = ingest(self.run)
        self.log.info(
            "%d photos, %d to work on, %d skipped (known already), %d deleted at the source since",
            counts.photos,
            counts.going_on,
            counts.taken_over,
            counts.deleted_at_source,
        )
        return dict(counts.model_dump())
