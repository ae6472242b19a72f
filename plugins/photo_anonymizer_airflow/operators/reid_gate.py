"""The gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photo_anonymizer_airflow.operators.base import RunOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReidentificationGateOperator(RunOperator):
    """Lets Great Expectations judge the run's counts and rates; a refusal publishes nothing and is never retried.

    Great Expectations' own provider cannot be installed beside Airflow 3.3.2, so the product brings this operator.
    """

    def work(self, context: Context) -> dict[str, int]:  # noqa: ARG002
        """Returns how many expectations were met."""
        from photo_anonymizer.gate.stage import pass_gate

        return {"expectations_met": len(pass_gate(self.run).findings)}
