"""The join after the branch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photo_anonymizer_airflow.operators.base import RunOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class CollectShardsOperator(RunOperator):
    """Checks that the chosen branch has worked on every shard that was planned. Returns the shards' names."""

    def work(self, context: Context) -> list[str]:  # noqa: ARG002
        """See :class:`PhotoAnonymizerOperator`."""
        from photo_anonymizer.ingest.stage import SHARDS
        from photo_anonymizer.stages import collect

        return collect(self.run, self.run.shards(SHARDS))
