"""Export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowSkipException

from photo_anonymizer_airflow.operators.base import RunOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

RELEASES = Asset(name="anonymized_photos", uri="photo-anonymizer://releases")
_TOLD = ("version", "inputs", "released", "carried_over", "held", "rejected", "faces", "deleted_at_source")


class ExportReleaseOperator(RunOperator):
    """Publishes the next version and tells Airflow's asset about it: version and counts, nothing else.

    A run that found nothing new makes no version: the task is then skipped, so that nobody is told of a release.
    """

    def work(self, context: Context) -> dict[str, Any]:
        """Returns what the asset event carries."""
        from photo_anonymizer.release.export import export_release

        exported = export_release(self.run)
        if exported["unchanged"]:
            raise AirflowSkipException(f"nothing is new since {exported['version']}: no version was made")
        told = {"dataset": self.run.config.dataset, **{name: exported[name] for name in _TOLD}}
        context["outlet_events"][RELEASES].extra = told
        return told
