"""Who is nearest? Galleries without the probe's own photo, chance, and the split into attacker and test people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photo_anonymizer.errors import ConfigError
from photo_anonymizer.reid.attacks.protocol import Flags, Labels
from photo_anonymizer.reid.measure import EMPTY_TOLERANCE, to_empty
from photo_anonymizer.reid.statistics import is_degenerate, pairwise_distances

TIE = 1e-6
"""Distances that differ by less are a tie, which is no hit: the attacker could not tell the two apart."""

Rows = NDArray[np.floating]
"""Embeddings or other features: (n, D)."""


@dataclass(frozen=True)
class Matched:
    """Who was found.

    :param rows: int (k,), the probes that have a right and a wrong answer in the gallery; the others are not counted.
    :param hits: bool (k,).
    :param shares: float (k,), share of the gallery's entries that are the right answer.
    """

    rows: Labels
    hits: Flags
    shares: NDArray[np.float64]

    @property
    def chance(self) -> float:
        """Rate of hits when an entry of each probe's gallery is drawn; 0 without probes."""
        return float(self.shares.mean()) if len(self.shares) else 0.0

    @classmethod
    def together(cls, parts: Sequence[tuple[Labels, Matched]]) -> Matched:
        """Results of several splits, each with the rows that its probes have in all of them."""
        return cls(
            np.concatenate([rows[part.rows] for rows, part in parts]),
            np.concatenate([part.hits for _, part in parts]),
            np.concatenate([part.shares for _, part in parts]),
        )


def nearest_photo(probes: Rows, gallery: Rows, people: Labels, photos: Labels) -> Matched:
    """Is the nearest face in *another* photo one of the same person?

    Row i of both is the same face; every probe is compared with all rows of the gallery that are in other photos.

    :param probes: (n, D); a row that is no number is no hit.
    :param gallery: (n, D).
    """
    rows: list[int] = []
    hits: list[bool] = []
    shares: list[float] = []
    for start, block in pairwise_distances(probes, gallery):
        for probe, away in enumerate(block, start):
            usable = photos != photos[probe]
            own, others = usable & (people == people[probe]), usable & (people != people[probe])
            if own.any() and others.any():
                rows.append(probe)
                hits.append(bool(away[own].min() + TIE < away[others].min()))
                shares.append(float(own.sum() / usable.sum()))
    return Matched(np.array(rows, np.int64), np.array(hits, bool), np.array(shares, np.float64))


def nearest_person(probes: Rows, gallery: Rows, people: Labels, photos: Labels) -> Matched:
    """Is the nearest *person*, the mean of the faces that somebody has in other photos, the right one?

    Means even out what chance did to single photos: where photos are noisy, this finds more than the nearest photo.
    Parameters as for :func:`nearest_photo`; chance is 1 / people in the gallery.
    """
    found: list[int] = []
    hits: list[bool] = []
    shares: list[float] = []
    for probe, row in enumerate(np.asarray(probes, np.float64)):
        usable = photos != photos[probe]
        known = np.unique(people[usable])
        if people[probe] in known and len(known) > 1:
            means = np.stack([gallery[usable & (people == person)].mean(axis=0) for person in known])
            away = np.linalg.norm(means - row, axis=1)
            own = known == people[probe]
            found.append(probe)
            hits.append(bool(away[own][0] + TIE < away[~own].min()))
            shares.append(1 / len(known))
    return Matched(np.array(found, np.int64), np.array(hits, bool), np.array(shares, np.float64))


def linked(probes: Rows, originals: Rows, threshold: float, empty: Rows) -> Flags:
    """Which probes are called the same person as the original in their row, and are nearer to it than empty pictures?

    :mod:`photo_anonymizer.reid.measure` says why the second. A distance that is no number counts as yes.
    """
    away = np.linalg.norm(probes.astype(np.float64) - originals, axis=1)
    return np.asarray(~(away > threshold) & ~(away >= to_empty(originals, empty) - EMPTY_TOLERANCE))


def linked_to_another(
    probes: Rows, originals: Rows, people: Labels, photos: Labels, threshold: float, empty: Rows
) -> Flags:
    """Which probes are linked, as :func:`linked` says, to an original of the same person in another photo?"""
    limit = np.minimum(threshold, to_empty(originals, empty) - EMPTY_TOLERANCE)
    found = np.zeros(len(probes), bool)
    for start, block in pairwise_distances(probes, originals):
        rows = slice(start, start + len(block))
        own = (people[rows, np.newaxis] == people) & (photos[rows, np.newaxis] != photos)
        found[rows] = (own & ~(block > limit)).any(axis=1)
    return found


def proves_nothing(originals: Rows, published: Rows, empty: Rows) -> bool:
    """Does the recogniser give no numbers, everybody the same, or every face what it gives an empty picture?"""
    if not np.isfinite(published).all():
        return True
    return is_degenerate(originals) or is_degenerate(np.vstack([originals, empty[:1]]))


def folds_of(people: ArrayLike, photos: ArrayLike, seed: int, folds: int) -> list[Flags]:
    """Which faces are tested in which fold: bool (n,) each, every face in exactly one.

    People, not photos, are split: in the order that the seed draws, every ``folds``-th goes into the same fold, those
    with several photos first, so that every fold has people who can be found.

    :raises ConfigError: fewer than two people with two photos each for every fold.
    """
    who, where = np.asarray(people), np.asarray(photos)
    drawn = np.random.default_rng(seed).permutation(np.unique(who))
    photos_of = {int(person): len(np.unique(where[who == person])) for person in drawn}
    several = [person for person in drawn if photos_of[int(person)] > 1]
    single = [person for person in drawn if photos_of[int(person)] == 1]
    if len(several) < 2 * folds:
        raise ConfigError(
            f"an attacker who learns needs {2 * folds} people with at least two photos each, and there are "
            f"{len(several)}; take a larger sample, or photos in which people appear again"
        )
    order = np.array([*several, *single])
    return [np.isin(who, order[fold::folds]) for fold in range(folds)]
