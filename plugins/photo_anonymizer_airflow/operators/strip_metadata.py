"""Stage ``strip_metadata``."""

from __future__ import annotations

from photo_anonymizer_airflow.operators.shard_stage import ShardStageOperator


class StripMetadataOperator(ShardStageOperator):
    """Removes metadata, turns photos upright and brings their colours to sRGB."""

    stage = "strip_metadata"
    reads_source = True
