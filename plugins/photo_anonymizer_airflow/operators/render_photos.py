"""Stage ``render``."""

from __future__ import annotations

from photo_anonymizer_airflow.operators.shard_stage import ShardStageOperator


class RenderPhotosOperator(ShardStageOperator):
    """Composes and encodes every photo once, from its stripped original and all patches."""

    stage = "render"
