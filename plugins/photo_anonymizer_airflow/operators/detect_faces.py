"""Stage ``detect_faces``."""

from __future__ import annotations

from photo_anonymizer_airflow.operators.shard_stage import ShardStageOperator


class DetectFacesOperator(ShardStageOperator):
    """Finds faces; doubtful ones go to the review queue too."""

    stage = "detect_faces"
