"""A leak besides the face: a published photo has a near-duplicate in the release whose face was treated differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from photo_anonymizer.reid.attacks.prints import Prints
from photo_anonymizer.reid.attacks.protocol import EVERYBODY, AttackResult, Labels, Probes, Setting

MAX_DIFFERENCE = 0.1
"""Share of compared bits up to which two pictures are near-duplicates; of unrelated ones half of the bits differ."""
MIN_BITS = 64
"""Bits that must be comparable: below, chance makes duplicates."""


@dataclass(frozen=True)
class Pair:
    """Two near-duplicates with faces that were treated differently.

    :param first: number of the photo; so is ``second``.
    :param difference: share of the compared bits that differ, 0 to :data:`MAX_DIFFERENCE`.
    :param treatments: what was done to the faces of the first, and to those of the second.
    """

    first: int
    second: int
    difference: float
    treatments: tuple[frozenset[str], frozenset[str]]


class NearDuplicates:
    """Burst shots and crops-free copies: if one of them keeps a face (consent, another method, a face that was missed)
    the other's is known too. A hit is a face whose photo has such a twin; chance is 0.
    """

    name = "near_duplicates"

    def measure(self, probes: Probes, setting: Setting) -> Sequence[AttackResult]:  # noqa: ARG002
        """See :class:`~photo_anonymizer.reid.attacks.protocol.Attack`."""
        if not len(probes):
            return []
        leaking = [number for pair in pairs(probes.prints, probes.photos, probes.treatments) for number in _both(pair)]
        return [
            AttackResult(
                attack="near-duplicate treated differently",
                recogniser="picture",
                split=EVERYBODY,
                rows=np.arange(len(probes)),
                people=probes.people,
                hits=np.isin(probes.photos, leaking),
                chance=0.0,
            )
        ]


def _both(pair: Pair) -> tuple[int, int]:
    return pair.first, pair.second


def pairs(prints: Prints, photos: Labels, treatments: Sequence[str]) -> list[Pair]:
    """Near-duplicates whose faces were not treated the same, the most alike first.

    :param prints: one a face, or one a photo without faces.
    :param photos: int (n,), number of the photo of each print.
    :param treatments: (n,), what was done to the face, such as ``methods.blur``, ``kept`` or ``held``.
    """
    done = {
        int(photo): frozenset(treatments[row] for row in np.flatnonzero(photos == photo).tolist())
        for photo in np.unique(photos)
    }
    numbers, first_rows = np.unique(photos, return_index=True)
    own = prints.take(first_rows)
    found = []
    for place, photo in enumerate(numbers.tolist()):
        differences, compared = own.difference(place)
        near = (differences <= MAX_DIFFERENCE) & (compared >= MIN_BITS)
        for other in np.flatnonzero(near[place + 1 :]) + place + 1:
            twin = int(numbers[other])
            if done[photo] != done[twin]:
                found.append(Pair(photo, twin, float(differences[other]), (done[photo], done[twin])))
    return sorted(found, key=lambda pair: (pair.difference, pair.first, pair.second))
