"""Sharding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photo_anonymizer_airflow.operators.base import RunOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class PlanShardsOperator(RunOperator):
    """Cuts the photos into shards, over which the following tasks are mapped. Returns the shards' names."""

    def work(self, context: Context) -> list[str]:  # noqa: ARG002
        """See :class:`PhotoAnonymizerOperator`."""
        from photo_anonymizer.ingest.stage import plan_shards

        return plan_shards(self.run)
