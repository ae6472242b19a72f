"""One attack on one method as figures, repeats taken together, and how far above the mask it gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.model.measurement import Rate
from photo_anonymizer.reid.attacks.protocol import AttackResult
from photo_anonymizer.reid.people import people_interval
from photo_anonymizer.reid.statistics import rate

FLOOR = "mask"
"""What is found behind it is what hair, clothes and background alone give away."""


@dataclass(frozen=True)
class Figure:
    """One attack on one method, repeats taken together.

    :param found: float (n,), share of the repeats in which each face was found; -1 for faces that were not attacked.
    :param people: int (n,), whom the faces show.
    :param chance: mean over the repeats, 0 to 1.
    :param verified: share called the same person; None where that means nothing.
    """

    found: NDArray[np.float64]
    people: NDArray[np.int64]
    chance: float
    verified: float | None
    degenerate: bool

    @classmethod
    def of(cls, repeats: Sequence[AttackResult]) -> Figure:
        """The figure of one attack's repeats."""
        size = 1 + max((int(one.rows.max()) for one in repeats if len(one.rows)), default=-1)
        rows = np.concatenate([one.rows for one in repeats])
        hits = np.bincount(rows, weights=np.concatenate([one.hits for one in repeats]), minlength=size)
        times = np.bincount(rows, minlength=size)
        people = np.zeros(size, np.int64)
        people[rows] = np.concatenate([one.people for one in repeats])
        checks = [float(one.verified.mean()) for one in repeats if one.verified is not None and len(one.verified)]
        return cls(
            found=np.where(times > 0, hits / np.maximum(times, 1), -1),
            people=people,
            chance=float(np.mean([one.chance for one in repeats])),
            verified=float(np.mean(checks)) if checks else None,
            degenerate=any(one.degenerate for one in repeats),
        )

    @property
    def attacked(self) -> NDArray[np.bool_]:
        """Which faces were attacked."""
        return self.found >= 0

    @property
    def rate(self) -> Rate:
        """Mean rate, with the exact interval of as many hits on as many faces: repeats are no further faces."""
        hits = self.found[self.attacked]
        return rate(round(float(hits.sum())), len(hits), chance=self.chance if len(hits) else None)


def over_floor(one: Figure, floor: Figure, seed: int = 0) -> tuple[float, float, float]:
    """How much more is found than behind the floor's method, or than by guessing where that finds less: the difference
    of rates, −1 to 1, and its 95 % interval.

    The interval is that of a bootstrap over people, whose photos are not independent.
    """
    both = one.attacked & floor.attacked
    behind = floor.found[both]
    gain = one.found[both] - (behind if behind.mean() >= one.chance else one.chance)
    low, high = people_interval(gain, one.people[both], seed=seed)
    return float(gain.mean()), low, high
