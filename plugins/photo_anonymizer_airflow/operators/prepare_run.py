"""First task: everything that can be refused is refused before a photo is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photo_anonymizer.config import load_config
from photo_anonymizer_airflow.operators.base import PhotoAnonymizerOperator
from photo_anonymizer_airflow.params import config_values

if TYPE_CHECKING:
    from airflow.sdk import Context


class PrepareRunOperator(PhotoAnonymizerOperator):
    """Validates the run's parameters, checks source and models, claims the dataset and makes the run's folder.

    Airflow accepts parameters that no form shows, so everything is validated again here. Returns the folder's path.
    """

    reads_source = True

    def work(self, context: Context) -> str:
        """See :class:`PhotoAnonymizerOperator`."""
        from photo_anonymizer.stages import start_run

        config = load_config(config_values(context["params"]))
        run = start_run(config, str(context["run_id"]))
        return str(run.path)
