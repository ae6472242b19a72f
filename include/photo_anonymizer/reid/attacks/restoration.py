"""A3: published faces are restored first, then recognised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from photo_anonymizer.reid.attacks.cross_photo import other_photos
from photo_anonymizer.reid.attacks.matching import folds_of
from photo_anonymizer.reid.attacks.naive import same_photo
from photo_anonymizer.reid.attacks.protocol import AttackResult, Chips, Flags, Probes, Setting
from photo_anonymizer.reid.attacks.restorers import RESTORERS
from photo_anonymizer.reid.attacks.restorers.chips import WORK_PX, to_chips, to_stack
from photo_anonymizer.reid.attacks.restorers.protocol import Lesson, Restorer, Stack


class Restoration:
    """A3: every restorer, then A0 and A1.

    Restorers choose their strength, or learn, on people outside of the test split; the galleries are those of A0 and
    A1. Several restorers are several chances: the best of many rates is above chance by luck alone.
    """

    name = "restoration"

    def __init__(self, restorers: Sequence[str] = tuple(RESTORERS)) -> None:
        """:param restorers: names of those that are tried."""
        self._restorers = tuple(restorers)

    def measure(self, probes: Probes, setting: Setting) -> Sequence[AttackResult]:
        """See :class:`~photo_anonymizer.reid.attacks.protocol.Attack`."""
        folds = folds_of(probes.people, probes.photos, setting.seed, setting.folds)
        results = []
        for name in self._restorers:
            again = probes.with_published(restored(probes, RESTORERS.load(name)(), folds, setting))
            title = f"A3 {name.replace('_', ' ')}"
            results += [
                same_photo(f"{title}, then A0", again, setting),
                other_photos(f"{title}, then A1", again, setting),
            ]
        return results


def restored(probes: Probes, restorer: Restorer, folds: Sequence[Flags], setting: Setting) -> Chips:
    """The published chips after restoration, each by a restorer that knows nobody of its fold: uint8 (n, S, S, 3)."""
    side = min(WORK_PX, probes.size_px)
    original, published = to_stack(probes.original, side), to_stack(probes.published, side)
    draws = [to_stack(chips, side) for chips in probes.enrolled]
    result = np.empty_like(published)
    for test in folds:
        learn = np.flatnonzero(~test)
        lesson = Lesson(
            published=np.concatenate([published[learn], *(stack[learn] for stack in draws)]),
            original=np.tile(original[learn], (len(draws) + 1, 1, 1, 1)),
            people=np.tile(probes.people[learn], len(draws) + 1),
            away=lambda a, b: _away(a, b, setting),
        )
        result[test] = restorer.fit(lesson)(published[test])
    return to_chips(result, probes.size_px)


def _away(one: Stack, other: Stack, setting: Setting) -> float:
    side = setting.recogniser.chip_size_px
    first, second = (setting.recogniser.embed(to_chips(stack, side)) for stack in (one, other))
    return float(np.linalg.norm(first - second, axis=1).mean())
