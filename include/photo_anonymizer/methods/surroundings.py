"""The colours around a face: what may be used where it is painted over.

Only pixels that the face's region does not touch enter, which the photo goes on showing anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.methods.region import Region
from photo_anonymizer.model.geometry import PixelBox
from photo_anonymizer.model.pixels import Pixels

CELLS = 12
"""Cells along the longer side of what is looked at."""
REACH = 0.15
"""How far beyond the region's box is looked, as a share of its longer side."""
STEP = 16
"""Colours are rounded to multiples of this."""
UNKNOWN = 128
"""Grey, for a face that leaves nothing of the photo around it."""
_SAMPLES_A_CELL = 8
_LEAST_SHARE = 0.25
"""A cell counts if so much of it lies outside the region."""
_ROUNDS = 40

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Surroundings:
    """A grid of cells over a region and a margin around it.

    :param colours: float32 (rows, columns, 3), 0 to 255; where nothing is known, what lies between what is.
    :param known: bool (rows, columns).
    :param box: what the grid covers.
    """

    colours: Plane
    known: NDArray[np.bool_]
    box: PixelBox

    @property
    def mean(self) -> tuple[int, int, int]:
        """The mean colour, rounded to multiples of :data:`STEP`."""
        own = self.colours[self.known].mean(axis=0) if self.known.any() else np.full(3, UNKNOWN)
        red, green, blue = np.clip(np.rint(own / STEP) * STEP, 0, 255).astype(int).tolist()
        return red, green, blue

    @property
    def grey(self) -> bool:
        """Is there no colour in it at all, as in a black and white photo?"""
        own = self.colours[self.known]
        return bool((own.max(axis=1) - own.min(axis=1) < 3).all())

    def within(self, box: PixelBox) -> Pixels:
        """The colours over a box inside the grid's as a smooth picture, uint8 (height, width, 3)."""
        rows, columns = (8 * count for count in self.known.shape)
        smooth = cv2.resize(self.colours, (columns, rows), interpolation=cv2.INTER_CUBIC)
        step = np.array([self.box.width / columns, self.box.height / rows])
        corner = (np.array([box.x0 - self.box.x0, box.y0 - self.box.y0]) + 0.5) / step - 0.5
        to_grid = np.array([[1 / step[0], 0, corner[0]], [0, 1 / step[1], corner[1]]])
        shown = cv2.warpAffine(
            np.clip(smooth, 0, 255).astype(np.uint8),
            to_grid,
            (box.width, box.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(shown)


def surroundings_of(rgb: Pixels, region: Region) -> Surroundings:
    """What is around a region.

    :param rgb: uint8 (H, W, 3), the untouched photo.
    """
    own = region.box
    reach = max(1, round(REACH * max(own.width, own.height)))
    height, width = rgb.shape[:2]
    box = PixelBox(
        x0=max(0, own.x0 - reach),
        y0=max(0, own.y0 - reach),
        x1=min(width, own.x1 + reach),
        y1=min(height, own.y1 + reach),
    )
    step = max(1, max(box.width, box.height) // (CELLS * _SAMPLES_A_CELL))
    outside = np.full((box.height, box.width), 255, np.uint8)
    outside[own.y0 - box.y0 : own.y1 - box.y0, own.x0 - box.x0 : own.x1 - box.x0][region.alpha > 0] = 0
    free = outside[::step, ::step]
    seen = rgb[box.slices][::step, ::step] * (free[..., np.newaxis] // 255)
    longer = max(box.width, box.height)
    columns, rows = max(1, round(CELLS * box.width / longer)), max(1, round(CELLS * box.height / longer))
    size = min(columns, free.shape[1]), min(rows, free.shape[0])
    share = cv2.resize(free, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    total = cv2.resize(seen.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    known = share >= _LEAST_SHARE
    colours = np.full((*share.shape, 3), UNKNOWN, np.float32)
    colours[known] = total[known] / share[known][:, np.newaxis]
    return Surroundings(_filled(colours, known), known, box)


def _filled(colours: Plane, known: NDArray[np.bool_]) -> Plane:
    """Unknown cells drawn towards the mean of their neighbours until they lie smoothly between the known ones."""
    if known.any():
        colours[~known] = colours[known].mean(axis=0)
    fixed = known[..., np.newaxis]
    for _ in range(_ROUNDS):
        colours = np.where(fixed, colours, cv2.blur(colours, (3, 3), borderType=cv2.BORDER_REPLICATE))
    return np.asarray(colours, dtype=np.float32)
