"""Faces averaged from donors: the skin, brows and lips of k people at once, and where their features are.

The rule is that of k-Same (Newton, Sweeney & Malin, IEEE TKDE 17(2), 2005; for shape and texture k-Same-M, Gross et
al., CVPR 2006): what is published is a mean of k different people with nearly equal weights (none above 1.25/k), so
nobody who attributes it to one of them is right more often than 1.25/k. The person who is replaced is never one of the
k. What the rule does not cover: the collection's own statistics, and what lies around the face.

Averaging blurs. The mean's fine bands are raised again to the strength that the donors' have on the average (at most
:data:`MAX_GAIN` times), place by place: that adds contrast to the common features and no features of anybody.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.errors import ConfigError
from photo_anonymizer.mesh.texture import Texture, in_colour, unrolling
from photo_anonymizer.mesh.topology import (
    LEFT_BROW,
    LEFT_EYE,
    OUTER_LIPS,
    OVAL,
    POINTS,
    RIGHT_BROW,
    RIGHT_EYE,
    Vertices,
    texture_points,
)
from photo_anonymizer.methods.subject import TEXTURE_PX
from photo_anonymizer.methods.surrogate.albedo import plain_skin_is_one

MAX_GAIN = 2.6
_BANDS_PX = (1.0, 2.0, 4.0)
_SLOW = 0.045
"""Changes over more than this share of the texture's side are slow, and those of light."""
_OUTLINE = 0.13
"""Over this share of the texture's side from the outline, donors give way to plain skin."""
_NOSE_BASE = (98, 97, 2, 326, 327, 278, 48)
_STORED = 150.0
"""What 1, plain skin, is stored as."""
_NEAREST_SHARE = 2
"""Donors are drawn from the k times this many that fit best, so that neighbours do not all get the same face."""
TRAITS = ("ita_deg", "jaw", "lips", "brows", "lines")
_SCALES = np.array([12.0, 0.12, 0.2, 0.12, 0.008])
"""Differences in the traits (:func:`.looks.traits_of`) that weigh alike."""
FITTING = 2.2
"""Mean of those differences up to which a donor suits a face."""


@dataclass(frozen=True)
class DonorPool:
    """People whose features may be averaged; one row a person.

    :param source: ``batch`` or ``bank``, for the records.
    :param albedos: uint8 (n, 256, 256, 3), unrolled, without light; 150 is plain skin.
    :param shapes: float32 (n, 468, 3), in the mean face's frame, cm.
    :param traits: float32 (n, 5), see :data:`TRAITS`.
    """

    source: str
    albedos: NDArray[np.uint8]
    shapes: NDArray[np.float32]
    traits: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.albedos)

    def to_bytes(self) -> bytes:
        """As a file's content, the same for the same pool."""
        stream = io.BytesIO()
        np.savez(stream, albedos=self.albedos, shapes=self.shapes, traits=self.traits)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, source: str) -> DonorPool:
        """The inverse of :meth:`to_bytes`.

        :raises ConfigError: this is no bank of donors.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as stored:
                pool = cls(source, stored["albedos"], stored["shapes"], stored["traits"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            raise ConfigError("synthetic.bank: the file is no bank of donors; make one with prepare_donors") from None
        rows = len(pool.albedos)
        wanted = [(rows, TEXTURE_PX, TEXTURE_PX, 3), (rows, POINTS, 3), (rows, len(TRAITS))]
        if [pool.albedos.shape, pool.shapes.shape, pool.traits.shape] != wanted or pool.albedos.dtype != np.uint8:
            raise ConfigError("synthetic.bank: the bank was made by another version; prepare it again")
        return pool

    def suiting(self, traits: NDArray[np.floating], excluded: frozenset[int]) -> list[int]:
        """Rows that are not excluded, those that suit the traits best first."""
        rows = [row for row in range(len(self)) if row not in excluded]
        return sorted(rows, key=lambda row: self.misfit(row, traits))

    def misfit(self, row: int, traits: NDArray[np.floating]) -> float:
        """How ill a donor suits a face; 1 is a usual difference between two people of one group."""
        return float((np.abs(self.traits[row] - traits) / _SCALES).mean())


@dataclass(frozen=True)
class Mean:
    """:param albedo: float32 (256, 256, 3), 1 is plain skin.
    :param shape: float64 (468, 3), in the mean face's frame.
    :param k: how many people it is made of.
    """

    albedo: Texture
    shape: Vertices
    k: int


def mean_of(
    pool: DonorPool, traits: NDArray[np.floating], excluded: frozenset[int], k: int, rng: np.random.Generator
) -> Mean:
    """A mean of k people who suit the traits.

    :raises ValueError: there are fewer than k besides those excluded.
    """
    rows = pool.suiting(traits, excluded)[: _NEAREST_SHARE * k]
    if len(rows) < k:
        raise ValueError(f"{len(rows)} donors, {k} wanted")
    chosen = rng.choice(np.array(rows), k, replace=False)
    weights = rng.uniform(0.9, 1.1, k)
    weights /= weights.sum()
    albedos = [pool.albedos[row].astype(np.float32) / np.float32(_STORED) for row in chosen]
    mean = np.tensordot(weights.astype(np.float32), np.stack(albedos), axes=1)
    shape = np.tensordot(weights, pool.shapes[chosen].astype(np.float64), axes=1)
    return Mean(plain_skin_is_one(as_detailed_as(mean, albedos)), shape, k)


def as_detailed_as(mean: Texture, albedos: Sequence[Texture]) -> Texture:
    """The mean with its fine bands as strong as the single textures' are on the average, at most :data:`MAX_GAIN`."""
    bands, rest, rests = [], mean, list(albedos)
    for sigma in _BANDS_PX:
        lower = cv2.GaussianBlur(rest, (0, 0), sigma)
        lowers = [cv2.GaussianBlur(one, (0, 0), sigma) for one in rests]
        wanted = np.mean([_strength(one - low) for one, low in zip(rests, lowers, strict=True)], axis=0)
        gain = np.clip(wanted / np.maximum(_strength(rest - lower), 1e-4), 1, MAX_GAIN)
        bands.append((rest - lower) * gain[..., np.newaxis].astype(np.float32))
        rest, rests = lower, lowers
    return np.asarray(rest + np.sum(bands, axis=0), np.float32)


def stored(albedo: Texture) -> NDArray[np.uint8]:
    """An albedo as a pool keeps it: the mean of itself and its mirror image, as what light is left in it comes from one
    side; plain skin along the outline and beside the face, where hair, ears and background lie."""
    even = evenly_lit(albedo)
    own = plain_skin_is_one(np.float32(0.5) * (even + even[:, ::-1]))
    inner = _away_from_outline(albedo.shape[0])[..., np.newaxis]
    return np.asarray(np.clip(np.round((own * inner + (1 - inner)) * _STORED), 0, 255), np.uint8)


def unevenness(albedo: NDArray[np.uint8]) -> float:
    """How blotched a stored albedo's skin is: contrast, relative to it, of what is neither fine nor slow. Wrinkles,
    highlights and hard shadows have it; 0.05 is little, 0.1 much."""
    side_px = albedo.shape[0]
    grey = albedo.mean(axis=2, dtype=np.float32) / np.float32(_STORED)
    skin = _skin_between(side_px) * (_away_from_outline(side_px) > 0.5)
    band = cv2.GaussianBlur(grey, (0, 0), 0.012 * side_px) - cv2.GaussianBlur(grey, (0, 0), _SLOW * side_px)
    return float(np.sqrt((band**2 * skin).sum() / skin.sum()))


@lru_cache(maxsize=2)
def _away_from_outline(side_px: int) -> NDArray[np.float32]:
    """0 on the face's outline and beyond, 1 well inside."""
    mask = np.zeros((side_px, side_px), np.uint8)
    cv2.fillPoly(mask, [np.round(texture_points()[list(OVAL)] * side_px).astype(np.int32)], 255)
    share = np.clip(cv2.distanceTransform(mask, cv2.DIST_L2, 5) / (_OUTLINE * side_px) - 0.25, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def evenly_lit(albedo: Texture) -> Texture:
    """An albedo without what is left in it of its photo's light: slow changes of the skin's colour, most of which are
    highlights, shadows and coloured lamps. Features do not count as skin here, and keep their contrast to it."""
    skin = _skin_between(albedo.shape[0])
    sigma = albedo.shape[0] * _SLOW
    slow = cv2.GaussianBlur(albedo * in_colour(skin), (0, 0), sigma)
    share = cv2.GaussianBlur(skin, (0, 0), sigma)
    return np.asarray(albedo / np.maximum(slow / in_colour(np.maximum(share, np.float32(1e-3))), 0.2), np.float32)


@lru_cache(maxsize=2)
def _skin_between(side_px: int) -> NDArray[np.float32]:
    """1 on the skin between the features, 0 elsewhere."""
    skin = unrolling(side_px).inside.astype(np.uint8)
    for loop in (LEFT_EYE, RIGHT_EYE, LEFT_BROW, RIGHT_BROW, OUTER_LIPS, _NOSE_BASE):
        hull = cv2.convexHull((texture_points()[list(loop)] * side_px).astype(np.int32))
        cv2.fillConvexPoly(skin, hull, 0)
        cv2.polylines(skin, [hull], isClosed=True, color=0, thickness=max(1, side_px // 24))
    return skin.astype(np.float32)


def _strength(band: Texture) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(np.abs(band).mean(axis=2), (0, 0), 6.0))


@lru_cache(maxsize=2)
def load_pool(path: Path, sha256: str, source: str) -> DonorPool:
    """A pool from a file, once a process.

    :raises ConfigError: it is missing, altered or no pool.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"the bank of donors cannot be read ({error.strerror})") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ConfigError("the bank of donors is not the one that was prepared (its SHA-256 differs)")
    return DonorPool.from_bytes(data, source)
