"""Pictures made smaller, fast."""

from __future__ import annotations

import cv2
import numpy as np

from photo_anonymizer.model.pixels import Pixels

NEARLY = 0.75
"""Of a side: from here on neighbouring pixels are interpolated instead of averaged."""


def shrunk(rgb: Pixels, size_wh: tuple[int, int]) -> Pixels:
    """The picture at another size, no side of which is longer, with the pixels that fall together averaged.

    It is halved first as often as that goes: OpenCV averages blocks of 2 × 2 in a fifteenth of the time that any other
    ratio takes. Halving leaves out a last odd row or column, so that things move by less than one of the new pixels.
    What then keeps three quarters of its sides or more is interpolated, a sixth of the time again; in 60 street scenes
    RetinaFace finds as many faces either way.

    :param rgb: uint8 (H, W, 3).
    :param size_wh: at least 1 px each.
    """
    width, height = rgb.shape[1], rgb.shape[0]
    while width >= 2 * size_wh[0] and height >= 2 * size_wh[1]:
        width, height = width // 2, height // 2
        rgb = np.asarray(cv2.resize(rgb[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA))
    if (width, height) == size_wh:
        return rgb
    nearly = size_wh[0] >= NEARLY * width and size_wh[1] >= NEARLY * height
    return np.asarray(cv2.resize(rgb, size_wh, interpolation=cv2.INTER_LINEAR if nearly else cv2.INTER_AREA))
