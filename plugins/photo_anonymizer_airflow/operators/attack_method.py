"""Heavy attacks on a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from photo_anonymizer.config import load_config
from photo_anonymizer_airflow.operators.base import PhotoAnonymizerOperator
from photo_anonymizer_airflow.params import SAMPLE, config_values

if TYPE_CHECKING:
    from airflow.sdk import Context


class AttackMethodOperator(PhotoAnonymizerOperator):
    """Anonymizes a sample of the source as configured, lets attackers learn from one half of the people and attack the
    other, and keeps the result in the vault, where the next run's gate finds it. Returns counts.

    A result above the bounds is no failure of this task: it is what the task is for.
    """

    def work(self, context: Context) -> dict[str, Any]:
        """See :class:`PhotoAnonymizerOperator`."""
        from photo_anonymizer.gate.aggregates import HeavyLook
        from photo_anonymizer.heavy.attack import attack_method
        from photo_anonymizer.heavy.result import keep
        from photo_anonymizer.vault import Vault

        values = {name: value for name, value in context["params"].items() if name != SAMPLE}
        config = load_config(config_values(values))
        result = attack_method(config, int(context["params"][SAMPLE]))
        vault = Vault.of(config)
        keep(result, vault)
        look = HeavyLook.of(config, vault)
        within = look.excess is None or look.excess <= config.reid.max_rank1_excess
        self.log.info("%s attacked on %d photos: %s", result.method, result.photos, "within" if within else "too much")
        return {"photos": result.photos, "people": result.people, "attacks": len(result.attacks), "within": within}
