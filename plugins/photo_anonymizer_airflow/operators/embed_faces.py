"""Stage ``embed_faces``."""

from __future__ import annotations

from photo_anonymizer_airflow.operators.shard_stage import ShardStageOperator


class EmbedFacesOperator(ShardStageOperator):
    """Embeds every face before and after, for the attack on the result."""

    stage = "embed_faces"
