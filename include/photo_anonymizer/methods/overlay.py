"""A picture with holes laid on another one."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.model.geometry import for_opencv
from photo_anonymizer.model.pixels import Pixels

Rgba = NDArray[np.uint8]
"""uint8 (h, w, 4): red, green and blue multiplied by the coverage, and the coverage, 0 to 255."""


def laid_over(ground: Pixels, picture: Rgba, matrix: NDArray[np.float64]) -> Pixels:
    """The ground, uint8 (h, w, 3), under a picture.

    :param matrix: (2, 3), from places in the picture to places on the ground, both in px from the top left corner of
        the first pixel.
    """
    size_wh = ground.shape[1], ground.shape[0]
    drawn = cv2.warpAffine(picture, for_opencv(matrix), size_wh, flags=cv2.INTER_LINEAR)
    share = cv2.cvtColor(cv2.bitwise_not(cv2.extractChannel(drawn, 3)), cv2.COLOR_GRAY2RGB)
    kept = cv2.multiply(ground, share, scale=1 / 255)
    return np.asarray(cv2.add(cv2.cvtColor(drawn, cv2.COLOR_RGBA2RGB), kept))


def premultiplied(rgba: NDArray[np.uint8]) -> Rgba:
    """A picture whose colours are not multiplied by its coverage yet."""
    coverage = rgba[..., 3]
    return np.asarray(
        np.dstack([cv2.multiply(rgba[..., :3], cv2.cvtColor(coverage, cv2.COLOR_GRAY2RGB), scale=1 / 255), coverage])
    )
