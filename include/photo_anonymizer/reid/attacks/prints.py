"""A fingerprint of a picture that says nothing about its faces: near-duplicates have nearly the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.model.geometry import PixelBox
from photo_anonymizer.model.pixels import Pixels

ROWS, COLUMNS = 16, 17
"""Cells of the grid; every bit compares two neighbours in a row."""
BITS = ROWS * (COLUMNS - 1)
_HARDLY = 2.0
"""Neighbours nearer than this (0–255) are alike, and which is brighter is chance."""


@dataclass(frozen=True)
class Prints:
    """Fingerprints of n pictures.

    :param bits: bool (n, BITS), is the left cell brighter?
    :param valid: bool (n, BITS), do both cells lie outside all faces, and do they differ?
    """

    bits: NDArray[np.bool_]
    valid: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.bits.shape != self.valid.shape or self.bits.ndim != 2 or self.bits.shape[1] != BITS:
            raise ValueError(f"want bits and valid of shape (n, {BITS}), got {self.bits.shape} and {self.valid.shape}")

    def __len__(self) -> int:
        return len(self.bits)

    @classmethod
    def of(cls, prints: Sequence[Prints]) -> Prints:
        """Several prints as one."""
        none = np.zeros((0, BITS), bool)
        return cls(np.vstack([none, *(one.bits for one in prints)]), np.vstack([none, *(one.valid for one in prints)]))

    def take(self, rows: NDArray[np.int64]) -> Prints:
        """Some rows."""
        return Prints(self.bits[rows], self.valid[rows])

    def difference(self, number: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Share of bits in which every picture differs from one of them, and on how many bits that rests: (n,), (n,).

        The share is 1 where nothing can be compared.
        """
        both = self.valid & self.valid[number]
        compared = both.sum(axis=1)
        differing = ((self.bits != self.bits[number]) & both).sum(axis=1)
        return np.where(compared > 0, differing / np.maximum(compared, 1), 1.0), compared


def print_of(rgb: Pixels, faces: Sequence[PixelBox]) -> Prints:
    """The fingerprint of one picture: the difference hash (Krawetz 2013, "Kind of Like That") of what is no face.

    Survives other sizes and encodings and small changes of light; not cropping, turning and mirroring.

    :param rgb: uint8 (H, W, 3).
    :param faces: regions that do not count, whatever they show.
    """
    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)
    outside = np.full(grey.shape, 255, np.uint8)
    for face in faces:
        outside[face.slices] = 0
    size = COLUMNS, ROWS
    cells = cv2.resize(grey.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    clear = cv2.resize(outside, size, interpolation=cv2.INTER_AREA) == 255
    step = cells[:, :-1] - cells[:, 1:]
    valid = clear[:, :-1] & clear[:, 1:] & (np.abs(step) > _HARDLY)
    return Prints((step > 0).reshape(1, -1), valid.reshape(1, -1))
