"""A photo may lie on its side or stand on its head, and so may somebody in it: the other three ways of holding it.

The others are glanced at with little effort; those that show more faces than upright, or a sure face that upright
does not show, are then looked at as thoroughly as the photo itself.
"""

from __future__ import annotations

import cv2
import numpy as np

from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.detection.rows import landmarks_of
from photo_anonymizer.model.face import Point
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.model.pixels import Pixels

QUARTERS = (1, 2, 3)
TURNS = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}


def turned(rgb: Pixels, quarters: int) -> Pixels:
    """The picture turned counter-clockwise by so many quarters, as a contiguous array."""
    # OpenCV turns sixteen times as fast as a copy of NumPy's view.
    return np.asarray(cv2.rotate(rgb, TURNS[quarters % 4])) if quarters % 4 else rgb


def turned_back(found: Detection, quarters: int, size_wh: tuple[int, int]) -> Detection:
    """What was found in the turned photo where it is in the photo; the landmarks keep their order, so that the head's
    roll tells how it lies.

    :param size_wh: of the photo as it is.
    """

    def at(x: float, y: float) -> Point:
        width, height = size_wh
        return [(x, y), (width - y, x), (width - x, height - y), (y, height - x)][quarters % 4]

    corners = [at(found.box.x0, found.box.y0), at(found.box.x1, found.box.y1)]
    (x0, x1), (y0, y1) = (sorted(values) for values in zip(*corners, strict=True))
    landmarks = found.landmarks and landmarks_of(at(*point) for point in found.landmarks.points)
    return Detection(Box(x0=x0, y0=y0, x1=x1, y1=y1), landmarks, found.score)
