"""Results of heavy attacks for tests."""

from __future__ import annotations

from datetime import datetime

from photo_anonymizer.config import RunConfig
from photo_anonymizer.heavy.result import HeavyAttack, HeavyResult, OverFloor, now, settings_digest
from photo_anonymizer.reid.statistics import rate


def result_of(
    config: RunConfig,
    low: float | None = 0.0,
    high: float = 0.2,
    linkage_low: float = 0.0,
    made_at: datetime | None = None,
) -> HeavyResult:
    """A result for this method and its settings.

    :param low: lower end of how far the parrot gets above the mask; None: its recogniser sees nothing.
    :param linkage_low: the same for linkage, which is not judged.
    """

    def attack(name: str, low: float | None, *, bounded: bool) -> HeavyAttack:
        return HeavyAttack(
            attack=name,
            recogniser="dlib_resnet",
            found=rate(12, 60, chance=0.1),
            floor=rate(9, 60, chance=0.1),
            over_floor=None if low is None else OverFloor(middle=(low + max(low, high)) / 2, low=low, high=high),
            bounded=bounded,
        )

    return HeavyResult(
        method=config.chosen_method,
        settings_sha256=settings_digest(config, config.chosen_method),
        made_at=made_at or now(),
        photos=60,
        people=6,
        identities="folders",
        attacks=(
            attack("A2 parrot, enrolled", low, bounded=True),
            attack("A4 linkage by clothes", linkage_low, bounded=False),
        ),
    )
