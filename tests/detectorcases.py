"""What every member of the family of detectors must do, and pictures to show it on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from photo_anonymizer.detection.protocol import Detection, Detector
from photo_anonymizer.model.geometry import Box, intersection_over_union
from photo_anonymizer.model.pixels import Pixels

ASTRONAUT_BOX = Box(x0=179, y0=57, x1=271, y1=178)
"""RetinaFace's box in ``skimage.data.astronaut()``."""
ASTRONAUT_POINTS = np.array([(203, 100), (246, 101), (224, 130), (202, 139), (245, 139)], float)
"""RetinaFace's landmarks there."""


def points_of(found: Detection) -> np.ndarray:
    """The landmarks as an array (5, 2)."""
    assert found.landmarks is not None
    return np.array(found.landmarks.points)


def overlap_with_astronaut(found: Detection, scale: float = 1, shift_xy: tuple[int, int] = (0, 0)) -> float:
    """IoU of a detection with the astronaut's face, scaled and then shifted, 0 to 1."""
    x, y = shift_xy
    box = ASTRONAUT_BOX
    wanted = Box(x0=box.x0 * scale + x, y0=box.y0 * scale + y, x1=box.x1 * scale + x, y1=box.y1 * scale + y)
    return intersection_over_union(found.box, wanted)


def in_a_corner(astronaut: Pixels, width: int, height: int, side: int) -> tuple[Pixels, tuple[int, int]]:
    """A grey picture with the astronaut, ``side`` px wide, in its lower right; and where it begins (x, y)."""
    picture = np.full((height, width, 3), 128, np.uint8)
    x, y = width - side - 7, height - side - 11
    picture[y : y + side, x : x + side] = cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA)
    return picture, (x, y)


def from_four_threads(detector: Detector, pictures: list[Pixels]) -> list[list[Detection]]:
    """What the detector finds when four threads use it at once."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(detector.detect, pictures))
