"""The attacks of a run besides the naive one: other photos of the same people, and faces that were restored first.

When is a face linked? Restored blanks look like somebody, and other photos are many chances. So a link is what
open-set identification calls a hit at rank 1 (ISO/IEC 19795-1:2021): no other person is nearer **and** the own one
lies within the threshold. Besides, the published face must be nearer to the original than an empty picture is, and than
the published faces of **other people** are, which cannot know anything of this one (a cohort, as speaker verification
normalises scores: Auckenthaler et al. 2000, DOI 10.1006/dspr.1999.0360): of them at most 1 % may be as near.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.reid.groups import Key
from photo_anonymizer.reid.measure import EMPTY_TOLERANCE, Further, is_blind, proves_nothing, to_empty
from photo_anonymizer.reid.recognisers.protocol import Embeddings
from photo_anonymizer.reid.stage import FacePairs
from photo_anonymizer.reid.statistics import pairwise_distances, rate

TIE = 1e-6
"""Distances that differ by less are a tie, which is no hit: the attacker could not tell the two apart."""
FAR = 0.01
"""Share of other people's published faces that may be as near to an original as one that is linked to it."""

People = Mapping[Key, int]


@dataclass(frozen=True)
class Outcome:
    """One attack on faces.

    :param keys: the faces that could be attacked.
    :param links: those of them that are linked.
    :param firsts: how many are found at rank 1.
    :param chance: how many that would be by guessing, 0 to 1.
    :param degenerate: see :class:`~photo_anonymizer.reid.measure.Further`.
    """

    keys: tuple[Key, ...] = ()
    links: frozenset[Key] = frozenset()
    firsts: int = 0
    chance: float | None = None
    degenerate: bool = False

    def told(self, attack: str, form: str, recogniser: str) -> Further:
        """As numbers."""
        n = len(self.keys)
        return Further(
            attack=attack,
            form=form,
            recogniser=recogniser,
            linked=rate(len(self.links), n),
            rank1=rate(0 if self.degenerate else self.firsts, n, chance=self.chance),
            degenerate=self.degenerate,
        )


def same_photo(pairs: FacePairs, threshold: float, empty: Embeddings, people: People) -> Outcome:
    """A0: each face against the originals of all photos, its own among them.

    :param people: who is the same person, as far as that is known.
    """
    unknown = 1 + max(people.values(), default=0)
    who = np.array([people.get(key, unknown + place) for place, key in enumerate(pairs.keys)], np.int64)
    return _attacked(pairs, who, np.arange(len(who)), threshold, empty, own_photo=True)


def other_photos(pairs: FacePairs, threshold: float, empty: Embeddings, people: People) -> Outcome:
    """A1: each face against the originals of other photos. A face without another photo of its person, or without a
    stranger, cannot be attacked so; nor can one of whom it is not known who it is.
    """
    places = np.array([place for place, key in enumerate(pairs.keys) if key in people], np.int64)
    chosen = _take(pairs, places)
    who = np.array([people[key] for key in chosen.keys], np.int64)
    photos = np.unique([photo for photo, _ in chosen.keys], return_inverse=True)[1]
    return _attacked(chosen, who, photos, threshold, empty, own_photo=False)


def _attacked(
    pairs: FacePairs,
    who: NDArray[np.int64],
    photos: NDArray[np.int64],
    threshold: float,
    empty: Embeddings,
    *,
    own_photo: bool,
) -> Outcome:
    """:param own_photo: is the right answer in the face's own photo, or in another one?"""
    seen = np.isfinite(pairs.original).all(axis=1)
    if not seen.all():  # an original without numbers is no answer; the naive attack calls its face linked
        pairs, who, photos = _take(pairs, np.flatnonzero(seen)), who[seen], photos[seen]
    if not len(who):
        return Outcome()
    gallery = _Gallery(pairs, who, photos, own_photo, _limits(pairs, who, threshold, empty))
    found = [gallery.look(start, away) for start, away in pairwise_distances(pairs.published, pairs.original)]
    usable, first, right, near, answers, shares = (np.concatenate(column) for column in zip(*found, strict=True))
    links = usable & right & near & (not is_blind(pairs, empty))
    if not usable.any():
        return Outcome()
    guessed = float(shares[usable].mean())
    return Outcome(
        keys=tuple(key for key, use in zip(pairs.keys, usable, strict=True) if use),
        links=frozenset(key for key, link in zip(pairs.keys, links, strict=True) if link),
        firsts=int((usable & first).sum()),
        chance=guessed if own_photo else max(guessed, _dealt_anew(who[usable], who[answers[usable]])),
        degenerate=proves_nothing(pairs, empty),
    )


def _dealt_anew(truth: NDArray[np.int64], answers: NDArray[np.int64]) -> float:
    """How often the answers would be right if they were dealt out anew: the sum over people of both shares."""
    _, codes = np.unique(np.concatenate([truth, answers]), return_inverse=True)
    shares = [np.bincount(part, minlength=codes.max() + 1) / len(part) for part in np.split(codes, 2)]
    return float(shares[0] @ shares[1])


def _limits(pairs: FacePairs, who: NDArray[np.int64], threshold: float, empty: Embeddings) -> NDArray[np.float64]:
    """How near a published face must lie to each original to be linked to it: float64 (n,)."""
    cohort = np.full(len(who), np.inf)
    for start, away in pairwise_distances(pairs.original, pairs.published):
        rows = slice(start, start + len(away))
        stranger = who[rows, np.newaxis] != who
        others = np.where(stranger, away, np.inf)
        allowed = (FAR * stranger.sum(axis=1)).astype(np.int64)
        ordered = np.partition(others, np.unique(allowed), axis=1)
        cohort[rows] = ordered[np.arange(len(away)), allowed]
    return np.asarray(np.minimum(threshold, np.minimum(to_empty(pairs.original, empty), cohort) - EMPTY_TOLERANCE))


@dataclass(frozen=True)
class _Gallery:
    """Faces, whom they show, the photos they are in, and how near to each original counts as linked."""

    pairs: FacePairs
    who: NDArray[np.int64]
    photos: NDArray[np.int64]
    own_photo: bool
    limits: NDArray[np.float64]

    def look(self, start: int, away: NDArray[np.float64]) -> tuple[NDArray[np.generic], ...]:
        """A block of probes: can it be attacked, is the right answer the nearest of all, is no other person nearer, is
        it within the limits (bool), which row is the nearest (int), what share of the gallery is right (float), each
        (b,). A distance that is no number counts as near.
        """
        rows = slice(start, start + len(away))
        same = self.who[rows, np.newaxis] == self.who
        elsewhere = self.photos[rows, np.newaxis] != self.photos
        own = same & ~elsewhere if self.own_photo else same & elsewhere
        gallery = np.ones_like(same) if self.own_photo else elsewhere
        sides = own, gallery & ~own, gallery & ~same
        own_away, others_away, strangers_away = (np.where(side, away, np.inf).min(axis=1) for side in sides)
        return (
            own.any(axis=1) & ((gallery & ~same).any(axis=1) | self.own_photo),
            own_away + TIE < others_away,
            ~(own_away + TIE >= strangers_away),
            (own & ~(away > self._limits(rows))).any(axis=1),
            np.where(gallery, away, np.inf).argmin(axis=1),
            own.sum(axis=1) / np.maximum(gallery.sum(axis=1), 1),
        )

    def _limits(self, rows: slice) -> NDArray[np.float64]:
        """(b, n), or (n,) for all probes alike: what the photo's edge alone tells is no likeness."""
        blank = self.pairs.blank[rows] if self.pairs.blank is not None else np.zeros((0, 1))
        at_edge = np.isfinite(blank).all(axis=1)
        if not at_edge.any():
            return self.limits
        each = np.tile(self.limits, (len(blank), 1))
        (_, to_blank), *_ = pairwise_distances(blank[at_edge], self.pairs.original, block=len(blank))
        each[at_edge] = np.minimum(each[at_edge], to_blank - EMPTY_TOLERANCE)
        return each


def _take(pairs: FacePairs, places: NDArray[np.int64]) -> FacePairs:
    return FacePairs(
        keys=tuple(pairs.keys[place] for place in places),
        original=pairs.original[places],
        mirrored=pairs.mirrored[places],
        published=pairs.published[places],
        blank=None if pairs.blank is None else pairs.blank[places],
    )
