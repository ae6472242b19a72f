"""How many people a run shows, and rates that know it: one person's faces resemble each other."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photo_anonymizer.model.measurement import ByPerson
from photo_anonymizer.reid.statistics import rate

MAX_GROUPED = 6_000
"""Faces that can be grouped: the distances of all pairs are in memory (144 MB)."""
_ROUNDS = 2_000
_BLOCK = 100


def grouped(embeddings: ArrayLike, cut: float) -> NDArray[np.int64]:
    """A number for every row, the same for rows that are one person's: average-linkage clustering.

    :param embeddings: (n, D), finite.
    :param cut: mean distance up to which two groups are one person's.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    rows = np.asarray(embeddings)
    if len(rows) < 2:
        return np.zeros(len(rows), np.int64)
    return np.asarray(fcluster(linkage(rows, "average"), cut, "distance"), np.int64)


def sample_of(faces: int, always: Iterable[int], most: int = MAX_GROUPED) -> NDArray[np.int64]:
    """Numbers of the faces that are grouped, ascending: all, or of many those that must be in and others by chance, the
    same ones every time. People who are only on faces left out are not counted, so that no count is too high.

    :param always: numbers of faces that must be in.
    """
    if faces <= most:
        return np.arange(faces)
    must = np.array(sorted(set(always)), np.int64)
    others = np.setdiff1d(np.arange(faces), must)
    drawn = np.random.default_rng(0).choice(others, max(0, most - len(must)), replace=False)
    return np.sort(np.concatenate([must, drawn]))


def by_person(hits: ArrayLike, people: ArrayLike) -> ByPerson:
    """A rate over faces by the people they show.

    :param hits: bool (n,), one for each face.
    :param people: (n,), who each face shows.
    :raises ValueError: the lengths differ.
    """
    found, who = np.asarray(hits, bool), np.asarray(people)
    if found.shape != who.shape or found.ndim != 1:
        raise ValueError(f"want a person for each face, got shapes {found.shape} and {who.shape}")
    _, codes = np.unique(who, return_inverse=True)
    faces = np.bincount(codes)
    own_hits = np.bincount(codes, weights=found).astype(np.int64)
    low, high = people_interval(found, who) if len(found) else (None, None)
    each = [rate(int(hit), int(seen)) for hit, seen in zip(own_hits, faces, strict=True)]
    return ByPerson(
        people=len(faces),
        hit=rate(int((own_hits > 0).sum()), len(faces)),
        low=low,
        high=high,
        worst=max(each, key=lambda own: (own.low or 0, own.n), default=rate(0, 0)),
    )


def people_interval(
    hits: ArrayLike, people: ArrayLike, confidence: float = 0.95, rounds: int = _ROUNDS, seed: int = 0
) -> tuple[float, float]:
    """The percentile interval of a rate or mean over faces when **people** are drawn anew with replacement, each with
    all of their faces (cluster bootstrap; Efron & Tibshirani 1993; Bolle, Ratha & Pankanti 2004, DOI
    10.1016/j.cviu.2003.08.002, for biometric error rates).

    Where nobody is hit, or everybody with all faces, drawing shows no spread and the interval is a point: then only
    the exact interval over people says anything (:func:`~photo_anonymizer.reid.statistics.rate`).

    :param hits: bool (n,), or float where a face is more or less hit; n above 0.
    :param people: (n,), who each face shows.
    :param rounds: how often people are drawn.
    :raises ValueError: there is no face, or ``confidence`` is not between 0 and 1.
    """
    found = np.asarray(hits, np.float64)
    _, codes = np.unique(np.asarray(people), return_inverse=True)
    if not len(found) or not 0 < confidence < 1:
        raise ValueError("there is no interval for a rate of nothing, and none of that confidence")
    faces, own_hits = np.bincount(codes), np.bincount(codes, weights=found)
    rng = np.random.default_rng(seed)
    rates = np.empty(rounds)
    for start in range(0, rounds, _BLOCK):
        drawn = rng.integers(0, len(faces), (min(_BLOCK, rounds - start), len(faces)))
        rates[start : start + len(drawn)] = own_hits[drawn].sum(axis=1) / faces[drawn].sum(axis=1)
    low, high = np.quantile(rates, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
