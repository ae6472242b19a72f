"""Eigenfaces: a classical recogniser that learns from the run's own originals how faces differ."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.reid.recognisers.protocol import Comparison, Embeddings, check_chips
from photo_anonymizer.reid.recognisers.templates import arcface

_SIZE_PX = 32
_OVAL = (0.5, 0.56, 0.36, 0.42)
"""Centre x, y and radii of what is looked at, in sides of the chip: brows to chin, without hair and background. With
all of the square a third as many faces are known in the mirror, and backgrounds are recognised instead."""
_COMPONENTS = 40
MIN_FACES = 2 * _COMPONENTS
"""With fewer faces the components describe single photos, and the threshold means nothing."""
_MAX_FACES = 5_000
"""Faces to learn from; more hardly change forty components."""
_FLAT = 1.0
"""Standard deviation in grey levels below which a chip shows nothing."""
_SMALL = 1e-9


def _oval() -> NDArray[np.bool_]:
    y, x = (np.mgrid[0:_SIZE_PX, 0:_SIZE_PX] + 0.5) / _SIZE_PX
    centre_x, centre_y, radius_x, radius_y = _OVAL
    return np.asarray(((x - centre_x) / radius_x) ** 2 + ((y - centre_y) / radius_y) ** 2 <= 1)


class Eigenfaces:
    """Principal components of grey faces (Turk & Pentland 1991, DOI 10.1162/jocn.1991.3.1.71), whitened, compared by
    the angle between rows (the Mahalanobis cosine of Bolme et al. 2003, DOI 10.1007/3-540-36592-3_29).

    ``embed`` gives the grey levels of an oval with mean 0 and standard deviation 1; ``fit`` learns the components. With
    fewer than :data:`MIN_FACES` originals it learns nothing, gives everybody the same row, and counts as no test.

    The threshold is what one of a thousand strangers is below where rows are directions by chance: a cosine of
    3.1 / √40. On 100 press photos of 10 people it takes none of 4,500 pairs of strangers, 3 % of the pairs of two
    photos of one person and a quarter of the faces in the mirror for the same person. A weak floor: what it links is
    linked, and it sees coarse shades that networks ignore; what it does not says nothing, and the mirror test finds
    that.
    """

    name = "eigenfaces"
    threshold = 1.0
    chip_size_px = _SIZE_PX
    template = arcface(_SIZE_PX)

    def __init__(self) -> None:
        self._inside = _oval()

    @classmethod
    def load(cls, threads: int) -> Eigenfaces:  # noqa: ARG003 - it has none
        """There is nothing to load."""
        return cls()

    def embed(self, chips: NDArray[np.uint8]) -> Embeddings:
        """Grey levels (N, D) in the oval of chips (N, 32, 32, 3), RGB; of a flat chip all zeros.

        :raises ValueError: the chips have another shape or type.
        """
        check_chips(chips, self.chip_size_px)
        if not len(chips):
            return np.zeros((0, int(self._inside.sum())), np.float32)
        grey = np.stack([cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY)[self._inside] for chip in chips]).astype(np.float32)
        centred = grey - grey.mean(axis=1, keepdims=True)
        spread = centred.std(axis=1, keepdims=True)
        return np.where(spread >= _FLAT, centred / np.maximum(spread, _FLAT), 0).astype(np.float32)

    def fit(self, originals: Embeddings) -> Comparison:
        """The projection onto the originals' components: rows (n, D) → (n, 40) of length 1.

        :param originals: float32 (n, D), of :meth:`embed`. Of many, a part is drawn, the same one every time.
        """
        learned_from = originals[np.isfinite(originals).all(axis=1)]
        if len(learned_from) < MIN_FACES:
            return lambda rows: np.zeros((len(rows), _COMPONENTS), np.float32)
        if len(learned_from) > _MAX_FACES:
            learned_from = learned_from[np.random.default_rng(0).choice(len(learned_from), _MAX_FACES, replace=False)]
        mean = learned_from.mean(axis=0, dtype=np.float64)
        directions = _whitening(learned_from - mean)

        def project(rows: Embeddings) -> Embeddings:
            made = (rows - mean) @ directions
            return np.asarray(made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), _SMALL), np.float32)

        return project


def _whitening(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """The first components, each divided by its standard deviation: float64 (D, K). Components of no variance are 0.
    Signs are by chance, and change no distance."""
    from scipy.linalg import eigh

    size = centred.shape[1]
    covariance = centred.T @ centred / len(centred)
    variances, components = eigh(covariance, subset_by_index=(size - _COMPONENTS, size - 1))
    scale = np.where(variances > _SMALL, 1 / np.sqrt(np.maximum(variances, _SMALL)), 0)
    return np.asarray(components * scale)
