"""A2: the attacker knows the method, and looks at what it makes of people instead of at people."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.reid.attacks.learning import learned_metric, ridge
from photo_anonymizer.reid.attacks.matching import Matched, Rows, folds_of, nearest_person, nearest_photo
from photo_anonymizer.reid.attacks.protocol import EVERYBODY, AttackResult, Chips, Flags, Labels, Probes, Setting
from photo_anonymizer.reid.statistics import is_degenerate

PIXELS = "pixels"
THUMBNAIL_PX = 12
"""Side to which chips are shrunk for the attack on pixels; finer ones found no more people."""
RIDGE = 1.0
"""Penalty of the translation, see :func:`~photo_anonymizer.reid.attacks.learning.ridge`."""


class Parrot:
    """A2: published faces against faces that the attacker anonymized with the same software.

    Four forms, from none to all of the effort. The attacker has clear photos of the people who are looked for (other
    photos than the published one, always), anonymizes them as often as he likes and enrols the means:

    - *enrolled*: merely that, with the recogniser as it is; the nearest photo counts;
    - *trained on embeddings*, *trained on pixels*: the distance is learned on people outside of the test split, by
      whitening what varies within people (Hermansky & Bacchiani's WCCN; relevant component analysis, Bar-Hillel et al.
      2003) in the principal components; the nearest person counts;
    - *translated*: what embeddings of published faces lack of those of clear ones is guessed by a ridge regression
      learned on people outside of the test split, and the sum is compared with clear photos; the nearest person counts.

    Behind a solid mask the same attack finds what hair, clothes and background alone give away: the floor that a method
    is compared with.
    """

    name = "parrot"

    def measure(self, probes: Probes, setting: Setting) -> Sequence[AttackResult]:
        """See :class:`~photo_anonymizer.reid.attacks.protocol.Attack`."""
        folds = folds_of(probes.people, probes.photos, setting.seed, setting.folds)
        published, original, draws = _seen(probes, setting)
        pixels, pixel_draws = thumbnails(probes.published), [thumbnails(chips) for chips in probes.enrolled]
        split = f"{setting.folds} folds by people, seed {setting.seed}"
        everybody = nearest_photo(published, np.mean(draws, axis=0), probes.people, probes.photos)
        found = {
            ("enrolled", EVERYBODY): everybody,
            ("trained on embeddings", split): _trained(published, draws, probes, folds),
            ("trained on pixels", split): _trained(pixels, pixel_draws, probes, folds),
            ("translated", split): _translated(published, draws, original, probes, folds),
        }
        broken = is_degenerate(original)  # rows of zeros are
        return [_result(form, how, matched, probes, setting, broken) for (form, how), matched in found.items()]


def _seen(probes: Probes, setting: Setting) -> tuple[Rows, Rows, list[Rows]]:
    """What the recogniser makes of the published faces, the originals and the enrolled draws; zeros if it is broken."""
    embed = setting.recogniser.embed
    stacks = [probes.published, probes.original, *probes.enrolled]
    rows: list[Rows] = [embed(chips) for chips in stacks]
    if is_degenerate(rows[1]) or not all(np.isfinite(seen).all() for seen in rows):
        rows = [np.zeros((len(probes), 1)) for _ in stacks]
    return rows[0], rows[1], rows[2:]


def _result(form: str, split: str, found: Matched, probes: Probes, setting: Setting, broken: bool) -> AttackResult:
    on_pixels = form == "trained on pixels"
    useless = broken and not on_pixels
    return AttackResult(
        attack=f"A2 parrot, {form}",
        recogniser=PIXELS if on_pixels else setting.recogniser.name,
        split=split,
        rows=found.rows,
        people=probes.people[found.rows],
        hits=np.zeros(len(found.rows), bool) if useless else found.hits,
        chance=found.chance,
        degenerate=useless,
    )


def _trained(published: Rows, draws: Sequence[Rows], probes: Probes, folds: Sequence[Flags]) -> Matched:
    enrolled, parts = np.mean(draws, axis=0), []
    for test in folds:
        learn = np.tile(~test, len(draws) + 1)
        people = np.tile(probes.people, len(draws) + 1)[learn]
        metric = learned_metric(np.vstack([published, *draws])[learn], people)
        seen = metric(published[test]), metric(enrolled[test])
        parts.append((np.flatnonzero(test), nearest_person(*seen, *_labels(probes, test))))
    return Matched.together(parts)


def _translated(
    published: Rows, draws: Sequence[Rows], original: Rows, probes: Probes, folds: Sequence[Flags]
) -> Matched:
    parts = []
    for test in folds:
        learn = np.tile(~test, len(draws) + 1)
        known, clear = np.vstack([published, *draws])[learn], np.tile(original, (len(draws) + 1, 1))[learn]
        lacking = ridge(known, clear - known, RIDGE)
        translated = published[test] + lacking(published[test])
        parts.append((np.flatnonzero(test), nearest_person(translated, original[test], *_labels(probes, test))))
    return Matched.together(parts)


def _labels(probes: Probes, rows: Flags) -> tuple[Labels, Labels]:
    return probes.people[rows], probes.photos[rows]


def thumbnails(chips: Chips) -> NDArray[np.float64]:
    """Chips as small CIELAB pictures, one a row: float64 (n, 3 * THUMBNAIL_PX²)."""
    size = THUMBNAIL_PX, THUMBNAIL_PX
    small = [cv2.resize(cv2.cvtColor(chip, cv2.COLOR_RGB2LAB), size, interpolation=cv2.INTER_AREA) for chip in chips]
    return np.array(small, np.float64).reshape(len(chips), 3 * THUMBNAIL_PX**2)
