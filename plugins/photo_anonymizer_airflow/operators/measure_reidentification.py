"""Attack and escalation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photo_anonymizer_airflow.operators.base import RunOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class MeasureReidentificationOperator(RunOperator):
    """Attacks the rendered photos, escalates the faces that are still linked and attacks again. Returns counts."""

    def work(self, context: Context) -> dict[str, int]:  # noqa: ARG002
        """See :class:`PhotoAnonymizerOperator`."""
        from photo_anonymizer.stages import measure

        measured = measure(self.run)
        return {
            "faces": measured.after.linked.n,
            "escalated": measured.faces_escalated,
            "photos_held": measured.photos_held,
        }
