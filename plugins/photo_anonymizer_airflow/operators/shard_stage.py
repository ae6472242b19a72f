"""A stage that works photo by photo, for one shard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from photo_anonymizer_airflow.operators.base import RunOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class ShardStageOperator(RunOperator):
    """Runs one stage of the library for one shard; a task that is tried again redoes only what was not published.

    :param stage: name of the stage, one of ``photo_anonymizer.stages.PHOTO_STAGES``.
    :param shard: name of the shard. (templated)
    """

    template_fields: Sequence[str] = (*RunOperator.template_fields, "shard")
    stage: str

    def __init__(self, *, shard: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shard = shard

    def work(self, context: Context) -> dict[str, int]:  # noqa: ARG002
        """Returns counts."""
        from photo_anonymizer.stages import run_shard_stage

        run_shard_stage(self.run, self.stage, self.shard)
        records = self.run.records(self.stage, self.shard)
        return {"photos": len(records), "going_on": sum(record.pending for record in records)}
