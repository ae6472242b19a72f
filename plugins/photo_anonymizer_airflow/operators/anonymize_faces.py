"""Stage ``anonymize``: one task a method, of which the branch chooses one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from photo_anonymizer_airflow.operators.shard_stage import ShardStageOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class AnonymizeFacesOperator(ShardStageOperator):
    """Makes a patch for every face of a shard.

    :param method: the method of this branch. A task whose method is not the run's fails: branching that went wrong must
        not go unnoticed.
    """

    stage = "anonymize"

    def __init__(self, *, method: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.method = method

    def work(self, context: Context) -> dict[str, int]:
        """Returns counts."""
        chosen = self.run.config.chosen_method
        if chosen != self.method:
            raise AirflowFailException(f"this task is for {self.method!r}, but the run's method is {chosen!r}")
        return super().work(context)
