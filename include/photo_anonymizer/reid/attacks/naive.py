"""A0: the originals against the published faces, without any thought about how those were made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from photo_anonymizer.reid.attacks.matching import linked, proves_nothing
from photo_anonymizer.reid.attacks.protocol import EVERYBODY, AttackResult, Probes, Setting
from photo_anonymizer.reid.measure import empty_embeddings
from photo_anonymizer.reid.statistics import rank1

NAME = "A0 naive"


class Naive:
    """A0: of all originals, is a published face's own the nearest? Chance is 1 / n.

    The gallery holds the very photo that was anonymized, so that hair, pose and background help as well.
    """

    name = "naive"

    def measure(self, probes: Probes, setting: Setting) -> Sequence[AttackResult]:
        """See :class:`~photo_anonymizer.reid.attacks.protocol.Attack`."""
        return [same_photo(NAME, probes, setting)] if len(probes) else []


def same_photo(attack: str, probes: Probes, setting: Setting) -> AttackResult:
    """The published faces against the originals of the same photos."""
    embed = setting.recogniser.embed
    original, published, empty = embed(probes.original), embed(probes.published), empty_embeddings(setting.recogniser)
    broken, n = proves_nothing(original, published, empty), len(probes)
    return AttackResult(
        attack=attack,
        recogniser=setting.recogniser.name,
        split=EVERYBODY,
        rows=np.arange(n),
        people=probes.people,
        hits=np.zeros(n, bool) if broken else rank1(published, original),
        chance=1 / n,
        verified=linked(published, original, setting.recogniser.threshold, empty),
        degenerate=broken,
    )
