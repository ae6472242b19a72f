"""Stage ``remove_residual_cues``."""

from __future__ import annotations

from photo_anonymizer_airflow.operators.shard_stage import ShardStageOperator


class RemoveResidualCuesOperator(ShardStageOperator):
    """Flattens patterns and texts around faces that may identify."""

    stage = "remove_residual_cues"
