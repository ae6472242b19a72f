"""Rates with their uncertainty, and distances between many embeddings. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photo_anonymizer.model.measurement import Rate

_BLOCK = 1024
_TIE = 1e-12
"""Squared distances that differ by less than this part of the squared lengths are a tie (float64's limit)."""
_SAME = 1e-6
"""Embeddings at a smaller distance are the same."""

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
        return Rate(hits=0, n=0, rate=None, low=None, high=None, chance=chance)
    low, high = clopper_pearson(hits, n)
    return Rate(hits=hits, n=n, rate=hits / n, low=low, high=high, chance=chance)


def pairwise_distances(a: ArrayLike, b: ArrayLike, block: int = _BLOCK) -> Iterator[tuple[int, Embeddings]]:
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


def rank1(probes: ArrayLike, gallery: ArrayLike, block: int = _BLOCK) -> NDArray[np.bool_]:
    """For each i: is ``gallery[i]`` nearer to ``probes[i]`` than every other row of ``gallery``?

    Every pair is compared. A tie is not a hit, because the attacker could not tell the two entries apart. So
    a recogniser that gives everybody the same embedding has no hits, which is no success of an
    anonymization: ask ``is_degenerate`` first. With one row every probe hits, as does chance.

    :raises ValueError: the shapes differ, or a number is NaN or infinite.
    """
    left, right = _matrix(probes), _matrix(gallery)
    if left.shape != right.shape:
        raise ValueError(f"want one gallery row a probe, got shapes {left.shape} and {right.shape}")
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        raise ValueError("the embeddings contain NaN or infinity: the recogniser is broken")
    hits = np.zeros(len(left), np.bool_)
    for start, squared, lengths in _squared_blocks(left, right, block):
        rows = np.arange(len(squared))
        own = squared[rows, start + rows].copy()
        squared[rows, start + rows] = np.inf
        hits[start : start + len(squared)] = own + _TIE * lengths < squared.min(axis=1)
    return hits


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
