"""At which place somebody's own person stands among all people, exactly and for many faces. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

BLOCK = 1024
"""Rows that are compared with all others at a time."""
TIE = 1e-12
"""Squared distances that differ by less than this part of the squared lengths are a tie (float64's limit)."""
_ROUNDING = float(np.finfo(np.float32).eps)
_EXACT_NUMBERS = 2_000_000
"""Numbers of exact differences in memory at once."""

Rows = NDArray[Any]
"""Float32 or float64."""


def ranks(
    probes: ArrayLike, gallery: ArrayLike, probe_people: ArrayLike, gallery_people: ArrayLike, block: int = BLOCK
) -> NDArray[np.int64]:
    """The place of each probe's own person among all people of the gallery, the nearest first: int64 (N,), from 1.

    A person is as near as the nearest of their rows. Every pair is compared. A tie is lost, because the attacker could
    not tell the two people apart: a recogniser that gives everybody the same embedding puts everybody last, which is no
    success of an anonymization; ask :func:`~photo_anonymizer.reid.statistics.is_degenerate` first.

    Distances are taken in float32; whoever is too near to the own person for that is compared again in float64, so that
    the ranks are exact.

    :param probes: (N, D).
    :param gallery: (M, D).
    :param probe_people: (N,), who each probe shows.
    :param gallery_people: (M,), who each row of the gallery shows.
    :param block: probes at a time; the memory needed is about 8 * block * M bytes, and the embeddings twice.
    :raises ValueError: shapes do not fit, a number is NaN or infinite, or a probe's person is not in the gallery.
    """
    left, right = _rows(probes), _rows(gallery)
    people, codes = np.unique(np.asarray(gallery_people), return_inverse=True)
    own = _places(people, np.asarray(probe_people))
    if left.shape[1] != right.shape[1] or len(codes) != len(right) or len(own) != len(left):
        raise ValueError(f"want a person for each row and rows of one length, got {left.shape} and {right.shape}")
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        raise ValueError("the embeddings contain NaN or infinity: the recogniser is broken")
    order = np.argsort(codes, kind="stable")
    sorted_gallery = _Gallery(right[order], np.searchsorted(codes[order], np.arange(len(people))))
    found = [
        _ranks_of(left[start : start + block], own[start : start + block], sorted_gallery)
        for start in range(0, len(left), block)
    ]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


@dataclass(frozen=True)
class _Gallery:
    """Rows (M, D) sorted by person, and where each person's begin (P,)."""

    rows: Rows
    starts: NDArray[np.int64]

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        return np.diff(self.starts, append=len(self.rows))

    @cached_property
    def centre(self) -> Rows:
        """Distances from here keep the rounding small."""
        return np.asarray(self.rows.mean(axis=0, dtype=np.float64))

    @cached_property
    def centred(self) -> NDArray[np.float32]:
        return np.asarray(self.rows - self.centre, np.float32)

    @cached_property
    def squared_lengths(self) -> NDArray[np.float32]:
        return np.asarray(np.einsum("ij,ij->i", self.centred, self.centred))

    def nearest(self, probes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Squared distances (n, P) of centred probes to each person, less the probes' own squared lengths."""
        squared = probes @ self.centred.T
        squared *= -2
        squared += self.squared_lengths
        return squared if len(self.starts) == len(self.rows) else np.minimum.reduceat(squared, self.starts, axis=1)

    def exact(self, probes: Rows, probe_at: NDArray[np.int64], person_at: NDArray[np.int64]) -> Rows:
        """Squared distances (k,) of some probes to some people, in float64."""
        found = np.empty(len(probe_at))
        most = max(1, _EXACT_NUMBERS // (self.rows.shape[1] * int(self.sizes.max(initial=1))))
        for start in range(0, len(probe_at), most):
            who, whom = probe_at[start : start + most], person_at[start : start + most]
            sizes = self.sizes[whom]
            ends = np.cumsum(sizes)
            rows_at = np.arange(ends[-1]) + np.repeat(self.starts[whom] - (ends - sizes), sizes)
            apart = probes[np.repeat(who, sizes)].astype(np.float64) - self.rows[rows_at]
            found[start : start + most] = np.minimum.reduceat(np.einsum("ij,ij->i", apart, apart), ends - sizes)
        return found


def _ranks_of(probes: Rows, own: NDArray[np.int64], gallery: _Gallery) -> NDArray[np.int64]:
    """Ranks (n,) of one block.

    :param own: (n,), place of each probe's person in the gallery.
    """
    at = np.arange(len(probes))
    own_squared = gallery.exact(probes, at, own)
    centred = np.asarray(probes - gallery.centre, np.float32)
    lengths = np.einsum("ij,ij->i", centred, centred)
    scale = lengths + gallery.squared_lengths.max()
    # What float32 may be wrong by: a product of D numbers by D roundings of the lengths' product (Higham 2002, § 3.1).
    error = (centred.shape[1] + 8) * _ROUNDING * scale
    nearest, limit = gallery.nearest(centred), own_squared - lengths
    surely = nearest < (limit - error)[:, np.newaxis].astype(np.float32)
    perhaps = nearest <= (limit + error)[:, np.newaxis].astype(np.float32)
    perhaps &= ~surely
    perhaps[at, own] = False
    probe_at, person_at = np.nonzero(perhaps)
    limits = (own_squared + TIE * scale)[probe_at]
    nearer = probe_at[gallery.exact(probes, probe_at, person_at) <= limits]
    return np.asarray(1 + surely.sum(axis=1) + np.bincount(nearer, minlength=len(probes)), np.int64)


def _places(people: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.int64]:
    """Where each wanted person is in the sorted list of people."""
    places = np.searchsorted(people, wanted)
    if len(wanted) and (not len(people) or (people[np.minimum(places, len(people) - 1)] != wanted).any()):
        raise ValueError("the gallery shows nobody of whom a probe is: each probe's person must be in it")
    return np.asarray(places, np.int64)


def _rows(embeddings: ArrayLike) -> Rows:
    """As they are, float32 or float64."""
    rows = np.asarray(embeddings)
    rows = rows if rows.dtype == np.float32 else rows.astype(np.float64)
    if rows.ndim != 2:
        raise ValueError(f"want embeddings of shape (N, D), got {rows.shape}")
    return rows
