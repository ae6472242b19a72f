"""What a run's attacks besides the naive one find, as numbers without names: other photos, and restored faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.reid.groups import Key
from photo_anonymizer.reid.measure import EMPTY_TOLERANCE, Further, is_blind, linked, proves_nothing, stranger_distances
from photo_anonymizer.reid.ranking import ranks
from photo_anonymizer.reid.recognisers.protocol import Embeddings
from photo_anonymizer.reid.stage import FacePairs
from photo_anonymizer.reid.statistics import pairwise_distances, rate, tar_at_far

TIE = 1e-6
"""Distances that differ by less are a tie, which is no hit: the attacker could not tell the two apart."""
FAR = 0.01
"""Share of pairs of strangers that are called the same person at most, where that many are known."""


@dataclass(frozen=True)
class Outcome:
    """One attack on faces.

    :param keys: the faces that could be attacked.
    :param links: those of them that are linked.
    :param firsts: how many are found at rank 1.
    :param link_chance: see :class:`Further`; None where there is none.
    :param rank_chance: see :class:`Further`.
    """

    keys: tuple[Key, ...]
    links: frozenset[Key]
    firsts: int
    link_chance: float | None
    rank_chance: float | None
    degenerate: bool = False

    def told(self, attack: str, form: str, recogniser: str) -> Further:
        """As numbers."""
        n = len(self.keys)
        return Further(
            attack=attack,
            form=form,
            recogniser=recogniser,
            linked=rate(len(self.links), n, chance=self.link_chance if n else None),
            rank1=rate(0 if self.degenerate else self.firsts, n, chance=self.rank_chance if n else None),
            degenerate=self.degenerate,
        )


def same_photo(pairs: FacePairs, threshold: float, empty: Embeddings) -> Outcome:
    """A0: each face against the original of its own photo."""
    n = len(pairs.keys)
    broken = n > 0 and proves_nothing(pairs, empty)
    everybody = np.arange(n)
    firsts = 0 if broken or not n else int((ranks(pairs.published, pairs.original, everybody, everybody) == 1).sum())
    links = frozenset(linked(pairs, threshold, empty))
    return Outcome(pairs.keys, links, firsts, None, 1 / n if n else None, broken)


def other_photos(pairs: FacePairs, threshold: float, empty: Embeddings, people: Mapping[Key, int]) -> Outcome:
    """A1: each face against the originals of other photos. A face without another photo of its person, or without a
    stranger, cannot be attacked so.

    Links are those within the recogniser's threshold or, if that is lower, the one that accepts 1 % of this run's pairs
    of strangers: a recogniser that calls many of these people the same would link by chance.
    """
    known = set(
        np.flatnonzero(np.isfinite(pairs.original).all(axis=1)).tolist()
    )  # what is no number is linked by the naive attack already
    places = np.array([place for place, key in enumerate(pairs.keys) if key in people and place in known], np.int64)
    if not len(places):
        return Outcome((), frozenset(), 0, None, None)
    pairs = _take(pairs, places)
    who = np.unique([people[key] for key in pairs.keys], return_inverse=True)[1]
    where = np.unique([photo for photo, _ in pairs.keys], return_inverse=True)[1]
    broken = proves_nothing(pairs, empty)
    seen = _Gallery(pairs, who, where, limits(pairs, threshold, empty, people))
    found = [seen.look(start, away) for start, away in pairwise_distances(pairs.published, pairs.original)]
    usable, hits, links, answers, shares, strangers = (np.concatenate(column) for column in zip(*found, strict=True))
    keys = tuple(key for key, use in zip(pairs.keys, usable, strict=True) if use)
    counted = zip(pairs.keys, usable & links, strict=True)
    n = int(usable.sum())
    return Outcome(
        keys=keys,
        links=frozenset() if is_blind(pairs, empty) else frozenset(key for key, link in counted if link),
        firsts=int((usable & hits).sum()),
        link_chance=float(strangers[usable].mean()) if n else None,
        rank_chance=max(float(shares[usable].mean()), _dealt_anew(who[usable], answers[usable])) if n else None,
        degenerate=broken,
    )


def _dealt_anew(truth: NDArray[np.int64], answers: NDArray[np.int64]) -> float:
    """How often the answers would be right if they were dealt out anew: the sum over people of both shares."""
    most = int(max(truth.max(), answers.max())) + 1
    shares = (np.bincount(column, minlength=most) / len(column) for column in (truth, answers))
    return float(np.prod(list(shares), axis=0).sum())


def limits(pairs: FacePairs, threshold: float, empty: Embeddings, people: Mapping[Key, int]) -> NDArray[np.float64]:
    """How near a published face must lie to each original to be linked to it: float64 (n,)."""
    own = tar_at_far([], stranger_distances(pairs, people), FAR).threshold
    to_empty = np.linalg.norm(pairs.original[:, np.newaxis].astype(np.float64) - empty[np.newaxis], axis=2).min(axis=1)
    return np.asarray(np.minimum(threshold if own is None else min(threshold, own), to_empty - EMPTY_TOLERANCE))


@dataclass(frozen=True)
class _Gallery:
    """Faces, whom they show (codes from 0), the photos they are in, and how near counts as linked."""

    pairs: FacePairs
    who: NDArray[np.int64]
    where: NDArray[np.int64]
    limits: NDArray[np.float64]

    def look(self, start: int, away: NDArray[np.float64]) -> tuple[NDArray[np.generic], ...]:
        """A block of probes (b, n): usable, hit, linked (bool), whose face is nearest (int), share of the gallery that
        is right, share of the other people who are linked as well (float), each (b,)."""
        rows = slice(start, start + len(away))
        other_photo = self.where[rows, np.newaxis] != self.where
        own = other_photo & (self.who[rows, np.newaxis] == self.who)
        stranger = other_photo & ~own
        usable = own.any(axis=1) & stranger.any(axis=1)
        own_away, stranger_away = (np.where(side, away, np.inf).min(axis=1) for side in (own, stranger))
        nearest = self.who[np.where(other_photo, away, np.inf).argmin(axis=1)]
        near = other_photo & ~(away > self._limits(rows))
        order = np.argsort(self.who, kind="stable")
        starts = np.searchsorted(self.who[order], np.arange(self.who.max() + 1))
        touched = np.logical_or.reduceat(near[:, order], starts, axis=1)
        present = np.logical_or.reduceat(other_photo[:, order], starts, axis=1)
        linked_to_own = touched[np.arange(len(away)), self.who[rows]]
        others = np.maximum(present.sum(axis=1) - 1, 1)
        return (
            usable,
            own_away + TIE < stranger_away,
            linked_to_own,
            nearest,
            own.sum(axis=1) / np.maximum(other_photo.sum(axis=1), 1),
            (touched.sum(axis=1) - linked_to_own) / others,
        )

    def _limits(self, rows: slice) -> NDArray[np.float64]:
        """(b, n), or (n,) for all probes alike: what the photo's edge alone tells is no likeness."""
        blank = None if self.pairs.blank is None else self.pairs.blank[rows]
        if blank is None or not np.isfinite(blank).all(axis=1).any():
            return self.limits
        each = np.tile(self.limits, (len(blank), 1))
        at_edge = np.isfinite(blank).all(axis=1)
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
