"""What the attack found, as numbers without names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from photo_anonymizer.model.measurement import Rate
from photo_anonymizer.reid.recognisers.protocol import Recogniser
from photo_anonymizer.reid.stage import Embeddings, FacePairs
from photo_anonymizer.reid.statistics import is_degenerate, rank1, rate

HISTOGRAM_EDGES = tuple(round(edge * 0.05, 2) for edge in range(41))
"""Euclidean distances 0 to 2 in steps of 0.05; what lies beyond is counted in the last bin."""


class Attack(BaseModel):
    """One recogniser's attack on one run.

    ``verification``: a published face and its own original are called the same person (distance at or below the
    recogniser's threshold). ``linked``: of these, the ones that the recogniser finds nearer to the original than an
    **empty picture** is. A recogniser gives an empty grey square an embedding too, and blurred, tiny and false faces
    lie within its threshold of that; such a hit says that the original has little to recognise, not that anything of
    it is left. ``control``: originals to which their own **mirror image** is linked by the same rule; a recogniser that
    does not know a face in the mirror tests nothing. ``rank1``: of all originals of the run, its own is the nearest;
    chance is 1 / n. ``degenerate``: the recogniser does not tell the originals apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recogniser: str
    threshold: float
    verification: Rate
    linked: Rate
    control: Rate
    rank1: Rate
    degenerate: bool
    histogram_edges: tuple[float, ...] = HISTOGRAM_EDGES
    same_photo: tuple[int, ...]
    """Distances between a published face and its own original, counted by bin."""
    strangers: tuple[int, ...]
    """Distances between originals of different photos, counted by bin: what "not the same" looks like here."""


def own_distances(pairs: FacePairs) -> NDArray[np.float64]:
    """Distance of every published face to its own original: float64 (n,)."""
    return _row_distances(pairs.published, pairs.original)


def _row_distances(a: Embeddings, b: Embeddings) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(a.astype(np.float64) - b, axis=1)) if len(a) else np.zeros(0)


EMPTY_GREYS = (0x00, 0x20, 0xC0, 0xFF)
"""Empty pictures: black, white, and the two greys of the ladder's last rungs."""
EMPTY_TOLERANCE = 0.02
"""A face replaced by an empty box differs from an empty picture by what encoding adds: about a hundredth."""


def empty_embeddings(recogniser: Recogniser) -> Embeddings:
    """What the recogniser makes of pictures that show nothing: float32 (4, D)."""
    side = recogniser.chip_size_px
    return recogniser.embed(np.stack([np.full((side, side, 3), grey, np.uint8) for grey in EMPTY_GREYS]))


def linked(pairs: FacePairs, threshold: float, empty: Embeddings) -> list[tuple[str, str]]:
    """(photo_id, face_id) of the published faces that are verified and nearer to their original than an empty picture.

    :param empty: float32 (k, D), of :func:`empty_embeddings`.
    """
    found = _links(pairs.published, pairs.original, threshold, empty)
    return [key for key, hit in zip(pairs.keys, found, strict=True) if hit]


def _verified(probes: Embeddings, originals: Embeddings, threshold: float) -> NDArray[np.bool_]:
    """Is a probe called the same person as its original? A distance that is no number counts as yes."""
    return np.asarray(~(_row_distances(probes, originals) > threshold))


def _links(probes: Embeddings, originals: Embeddings, threshold: float, empty: Embeddings) -> NDArray[np.bool_]:
    if not len(originals):
        return np.zeros(0, np.bool_)
    to_empty = np.linalg.norm(originals[:, np.newaxis].astype(np.float64) - empty[np.newaxis], axis=2).min(axis=1)
    informative = ~(_row_distances(probes, originals) >= to_empty - EMPTY_TOLERANCE)
    return np.asarray(_verified(probes, originals, threshold) & informative)


def measure(pairs: FacePairs, recogniser: str, threshold: float, empty: Embeddings) -> Attack:
    """The attack's result over all faces of a run."""
    n = len(pairs.keys)
    broken = n > 0 and _proves_nothing(pairs, empty)
    hits = 0 if n == 0 or broken else int(np.count_nonzero(rank1(pairs.published, pairs.original)))
    return Attack(
        recogniser=recogniser,
        threshold=threshold,
        verification=rate(int(_verified(pairs.published, pairs.original, threshold).sum()), n),
        linked=rate(len(linked(pairs, threshold, empty)), n),
        control=rate(int(_controls(pairs, threshold, empty).sum()), n),
        rank1=rate(hits, n, chance=1 / n if n else None),
        degenerate=broken,
        same_photo=_histogram(own_distances(pairs)),
        strangers=_histogram(stranger_distances(pairs)),
    )


def _controls(pairs: FacePairs, threshold: float, empty: Embeddings) -> NDArray[np.bool_]:
    """Which originals are known in the mirror? Here a distance that is no number counts as no."""
    known = _links(pairs.mirrored, pairs.original, threshold, empty)
    return known & np.isfinite(_row_distances(pairs.mirrored, pairs.original))


def _proves_nothing(pairs: FacePairs, empty: Embeddings) -> bool:
    """Does the recogniser give no numbers, everybody the same, or every face what it gives an empty picture?"""
    if not np.isfinite(pairs.published).all():
        return True
    return is_degenerate(pairs.original) or is_degenerate(np.vstack([pairs.original, empty[:1]]))


def stranger_distances(pairs: FacePairs, most: int = 20_000) -> NDArray[np.float64]:
    """Distances between originals of different photos, at most ``most`` pairs, drawn the same way every time."""
    n = len(pairs.keys)
    if n < 2:
        return np.zeros(0)
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, n, most), rng.integers(0, n, most)
    photos = np.array([photo for photo, _ in pairs.keys])
    different = photos[first] != photos[second]
    return np.asarray(
        np.linalg.norm(pairs.original[first[different]].astype(np.float64) - pairs.original[second[different]], axis=1)
    )


def _histogram(distances: NDArray[np.float64] | Sequence[float]) -> tuple[int, ...]:
    inside = np.clip(np.asarray(distances), 0, HISTOGRAM_EDGES[-1] - 1e-9)
    counts, _ = np.histogram(inside[np.isfinite(inside)], bins=HISTOGRAM_EDGES)
    return tuple(int(count) for count in counts)
