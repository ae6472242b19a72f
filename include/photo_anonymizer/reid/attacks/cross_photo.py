"""A1: other photos of the same people against the published faces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from photo_anonymizer.reid.attacks.matching import linked_to_another, nearest_photo, proves_nothing
from photo_anonymizer.reid.attacks.protocol import EVERYBODY, AttackResult, Probes, Setting
from photo_anonymizer.reid.measure import empty_embeddings

NAME = "A1 cross-photo"


class CrossPhoto:
    """A1: is the nearest original in another photo one of the same person?

    What a press archive or a profile picture allows. The probe's own photo is left out of the gallery, so that nothing
    but the person can be found again. Chance is the mean share of the gallery's faces that are the person's.
    """

    name = "cross_photo"

    def measure(self, probes: Probes, setting: Setting) -> Sequence[AttackResult]:
        """See :class:`~photo_anonymizer.reid.attacks.protocol.Attack`."""
        return [other_photos(NAME, probes, setting)] if len(probes) else []


def other_photos(attack: str, probes: Probes, setting: Setting) -> AttackResult:
    """The published faces against the originals of other photos."""
    embed, recogniser = setting.recogniser.embed, setting.recogniser
    original, published, empty = embed(probes.original), embed(probes.published), empty_embeddings(recogniser)
    found = nearest_photo(published, original, probes.people, probes.photos)
    broken = proves_nothing(original, published, empty)
    verified = linked_to_another(published, original, probes.people, probes.photos, recogniser.threshold, empty)
    return AttackResult(
        attack=attack,
        recogniser=recogniser.name,
        split=EVERYBODY,
        rows=found.rows,
        people=probes.people[found.rows],
        hits=np.zeros(len(found.rows), bool) if broken else found.hits,
        chance=found.chance,
        verified=verified[found.rows],
        degenerate=broken,
    )
