"""What a reviewer sees of a doubtful face: the face with its surroundings, and a thin line around it."""

from __future__ import annotations

import math

import cv2
import numpy as np

from photo_anonymizer.model.geometry import Box, PixelBox
from photo_anonymizer.model.pixels import Pixels

LONG_SIDE_PX = 384
"""Of the picture: small faces are enlarged, large ones are made smaller."""
SURROUNDINGS = 3.0
"""Sides of the picture in sides of the box: hair, neck and what is beside a face tell most about whether it is one."""
_QUALITY = 85
_LINES = ((1, (255, 255, 255)), (2, (255, 255, 255)), (3, (0, 0, 0)))
"""(Distance from the box in px, colour): white with black around it is seen on any ground."""


def jpeg_of(rgb: Pixels, box: Box) -> bytes:
    """A JPEG of :func:`picture_of`; its long side is 384 px."""
    bgr = np.ascontiguousarray(picture_of(rgb, box, LONG_SIDE_PX)[..., ::-1])
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes()


def picture_of(rgb: Pixels, box: Box, long_side_px: int) -> Pixels:
    """The box and its surroundings, as far as they lie in the photo: uint8 (h, w, 3).

    The line is drawn just outside of the box, so that it hides nothing of the face.

    :param rgb: uint8 (H, W, 3); not changed.
    :param box: in its pixels.
    """
    size_wh = rgb.shape[1], rgb.shape[0]
    around = box.scaled(SURROUNDINGS).cover(size_wh) or PixelBox(x0=0, y0=0, x1=size_wh[0], y1=size_wh[1])
    scale = long_side_px / max(around.width, around.height)
    small_wh = max(1, round(around.width * scale)), max(1, round(around.height * scale))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = cv2.resize(rgb[around.slices], small_wh, interpolation=kind)
    for distance, colour in _LINES:
        low = [math.floor((box.x0 - around.x0) * scale) - distance, math.floor((box.y0 - around.y0) * scale) - distance]
        high = [math.ceil((box.x1 - around.x0) * scale), math.ceil((box.y1 - around.y0) * scale)]
        cv2.rectangle(picture, low, [corner + distance - 1 for corner in high], colour)
    return np.asarray(picture)
