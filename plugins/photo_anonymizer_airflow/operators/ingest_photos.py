"""Ingest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photo_anonymizer_airflow.operators.base import RunOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class IngestPhotosOperator(RunOperator):
    """Gives every file of the source an id and a row in the ledger. Returns counts."""

    def work(self, context: Context) -> dict[str, int]:  # noqa: ARG002
        """See :class:`PhotoAnonymizerOperator`."""
        from photo_anonymizer.ingest.stage import ingest

        records = ingest(self.run)
        return {"files": len(records), "photos": sum(record.pending for record in records)}
