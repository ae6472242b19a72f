"""Outside of its edits a published photo is what it was: where that is, and by how much it is not."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from photo_anonymizer.model.patch import Patch
from photo_anonymizer.model.pixels import Pixels

Mask = NDArray[np.bool_]
"""(H, W), True where something holds."""
_LARGEST_UNIT_PX = 32
"""Of a JPEG: at most four by four blocks are coded together (ITU-T T.81 A.1.1, A.2)."""


class Change(BaseModel):
    """How far published pixels are from those of the stripped original outside of all edits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: float
    """Mean absolute difference over pixels and channels, grey levels (0–255)."""
    largest: int
    """Largest one."""


UNCHANGED = Change(mean=0.0, largest=0)
"""Equal bit for bit."""


def edited(patches: Sequence[Patch], shape_hw: tuple[int, int]) -> Mask:
    """The pixels that any mask covers, however faintly."""
    covered = np.zeros(shape_hw, np.bool_)
    for patch in patches:
        covered[patch.region.slices] |= patch.alpha > 0
    return covered


def grown(pixels: Mask, by_hw: tuple[int, int] = (1, 1)) -> Mask:
    """These pixels and those at most so many rows and columns away."""
    size = np.ones((2 * by_hw[0] + 1, 2 * by_hw[1] + 1), np.uint8)
    return np.asarray(cv2.dilate(pixels.view(np.uint8), size)).view(np.bool_)


def change_outside(before: Pixels, after: Pixels, patches: Sequence[Patch], *, lossless: bool) -> Change:
    """By how much a photo changed where no edit reaches.

    :param lossless: does the file hold the very pixels that it was given? Then an edit reaches as far as its mask;
        else as far as the largest units of a JPEG that the mask touches, and one pixel on, because decoders smooth
        colour between units.
    """
    reached = edited(patches, before.shape[:2])
    outside = (~(reached if lossless else _units_around(reached))).view(np.uint8)
    pixels = cv2.countNonZero(outside)
    if not pixels:
        return UNCHANGED
    total = cv2.norm(before, after, cv2.NORM_L1, outside)
    return Change(mean=total / (3 * pixels), largest=int(cv2.norm(before, after, cv2.NORM_INF, outside)))


def _units_around(pixels: Mask) -> Mask:
    height, width = pixels.shape
    rows, columns = np.arange(0, height, _LARGEST_UNIT_PX), np.arange(0, width, _LARGEST_UNIT_PX)
    units = np.logical_or.reduceat(np.logical_or.reduceat(grown(pixels), rows, axis=0), columns, axis=1)
    whole = units.repeat(_LARGEST_UNIT_PX, axis=0).repeat(_LARGEST_UNIT_PX, axis=1)[:height, :width]
    return grown(np.ascontiguousarray(whole))
