"""Rates with their uncertainty, and distances between many embeddings. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photo_anonymizer.model.measurement import AtFar, Rate
from photo_anonymizer.reid.ranking import BLOCK, ranks

_SAME = 1e-6
"""Embeddings at a smaller distance are the same."""
_SMALL = 1e-9

Embeddings = NDArray[np.float64]


def clopper_pearson(hits: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact two-sided interval of Clopper & Pearson (Biometrika 26, 1934) for ``hits`` of ``n``.

    Half of the doubt lies on each side: 0 of 20 gives (0, 0.1684) at 0.95. A bound that is meant for one
    side alone at 0.95 is asked for with ``confidence`` 0.90 (0.1391).

    :raises ValueError: ``n`` is 0, ``hits`` not between 0 and ``n``, or ``confidence`` not between 0 and 1.
    """
    from scipy.stats import beta

    if n < 1:
        raise ValueError("there is no interval for a rate of nothing: n is 0")
    if not 0 <= hits <= n or not 0 < confidence < 1:
        raise ValueError(f"want 0 <= hits <= n and 0 < confidence < 1, got {hits} of {n}, {confidence}")
    side = (1 - confidence) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(side, hits, n - hits + 1))
    high = 1.0 if hits == n else float(beta.ppf(1 - side, hits + 1, n - hits))
    return low, high


def rate(hits: int, n: int, chance: float | None = None) -> Rate:
    """``hits`` of ``n`` with the 95 % interval of Clopper & Pearson; both are None when ``n`` is 0.

    :param chance: the rate that guessing would reach, if known.
    :raises ValueError: ``hits`` is not between 0 and ``n``.
    """
    if n == 0 and hits == 0:
        return Rate.unknown(0, chance)
    low, high = clopper_pearson(hits, n)
    return Rate(hits=hits, n=n, rate=hits / n, low=low, high=high, chance=chance)


def pairwise_distances(a: ArrayLike, b: ArrayLike, block: int = BLOCK) -> Iterator[tuple[int, Embeddings]]:
    """Euclidean distances of every row of ``a`` (N, D) to every row of ``b`` (M, D).

    :param block: rows of ``a`` at a time; the memory needed is about 16 * block * M bytes.
    :yields: the first row, and the distances (at most ``block``, M) of it and those that follow.
    :raises ValueError: the shapes do not fit, or ``block`` is not positive.
    """
    probes, gallery = _matrix(a), _matrix(b)
    if probes.shape[1] != gallery.shape[1]:
        raise ValueError(f"embeddings of {probes.shape[1]} and of {gallery.shape[1]} numbers cannot be compared")
    if block < 1:
        raise ValueError(f"a block has at least one row, got {block}")
    return _distance_blocks(probes, gallery, block)


def rank1(probes: ArrayLike, gallery: ArrayLike, block: int = BLOCK) -> NDArray[np.bool_]:
    """For each i: is ``gallery[i]`` nearer to ``probes[i]`` than every other row of ``gallery``? See :func:`ranks`.

    :raises ValueError: the shapes differ, or a number is NaN or infinite.
    """
    left, right = np.asarray(probes), np.asarray(gallery)
    if left.shape != right.shape:
        raise ValueError(f"want one gallery row a probe, got shapes {left.shape} and {right.shape}")
    everybody = np.arange(len(left))
    return np.asarray(ranks(left, right, everybody, everybody, block) == 1)


def tar_at_far(own: ArrayLike, strangers: ArrayLike, far: float) -> AtFar:
    """The share of ``own`` that is accepted where at most the share ``far`` of ``strangers`` is.

    Accepted is what is nearer than the threshold. A distance between a person and themselves that is no number counts
    as accepted, one between strangers is left out. Strangers who are one person after all make the threshold too
    strict, and the rate too low.

    :param own: distances (n,) between two pictures of one person.
    :param strangers: distances (m,) between pictures of two people; fewer than 1 / ``far`` tell nothing.
    :param far: false accept rate, above 0 and below 1.
    :raises ValueError: ``far`` is something else.
    """
    if not 0 < far < 1:
        raise ValueError(f"a false accept rate lies between 0 and 1, got {far}")
    mine, others = np.asarray(own, np.float64), np.asarray(strangers, np.float64)
    others = others[np.isfinite(others)]
    allowed = math.floor(far * len(others) + _SMALL)
    if allowed < 1:
        return AtFar(far=far, strangers=len(others), threshold=None, accepted=Rate.unknown(len(mine)))
    threshold = float(np.partition(others, allowed)[allowed])
    accepted = int((~(mine >= threshold)).sum())
    return AtFar(far=far, strangers=len(others), threshold=threshold, accepted=rate(accepted, len(mine)))


def chance_normalised(rate: float, chance: float) -> float:
    """How much of the way from guessing (0) to always right (1) a rate goes; below 0 it is worse than guessing.

    :param rate: 0 to 1.
    :param chance: the rate that guessing would reach, 0 to 1, not 1.
    :raises ValueError: one of them is something else.
    """
    if not (0 <= rate <= 1 and 0 <= chance < 1):
        raise ValueError(f"want a rate from 0 to 1 and a chance below 1, got {rate} and {chance}")
    return (rate - chance) / (1 - chance)


def is_degenerate(embeddings: ArrayLike) -> bool:
    """Is the recogniser broken: does it give NaN, infinity, or one embedding for all these different faces?

    Fewer than two finite embeddings cannot be told: False.
    """
    rows = _matrix(embeddings)
    if not np.isfinite(rows).all():
        return True
    if len(rows) < 2:
        return False
    return all(bool((distances < _SAME).all()) for _, distances in pairwise_distances(rows, rows))


def _matrix(embeddings: ArrayLike) -> Embeddings:
    rows = np.asarray(embeddings, np.float64)
    if rows.ndim != 2:
        raise ValueError(f"want embeddings of shape (N, D), got {rows.shape}")
    return rows


def _distance_blocks(a: Embeddings, b: Embeddings, block: int) -> Iterator[tuple[int, Embeddings]]:
    for start, squared, _ in _squared_blocks(a, b, block):
        np.maximum(squared, 0, out=squared)
        yield start, np.sqrt(squared, out=squared)


def _squared_blocks(a: Embeddings, b: Embeddings, block: int) -> Iterator[tuple[int, Embeddings, Embeddings]]:
    """First row, squared distances, and for each row the largest sum of squared lengths behind them.

    |a|² + |b|² - 2ab needs one matrix product; distances from the common centre keep its rounding small.
    """
    if len(b) == 0:
        yield from (
            (start, np.empty((min(block, len(a) - start), 0)), np.zeros(0)) for start in range(0, len(a), block)
        )
        return
    centre = b.mean(axis=0)
    b = b - centre
    b_squared = np.einsum("ij,ij->i", b, b)
    for start in range(0, len(a), block):
        rows = a[start : start + block] - centre
        rows_squared = np.einsum("ij,ij->i", rows, rows)
        squared = rows @ b.T
        squared *= -2
        squared += rows_squared[:, None]
        squared += b_squared
        yield start, squared, rows_squared + b_squared.max()
