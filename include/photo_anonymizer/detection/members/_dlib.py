"""What dlib's two detectors share (King 2009, JMLR 10:1755): the picture's size, boxes, and landmarks.

dlib's objects keep scratch memory of their own, so that only one thread may use one. A lock costs nothing: the wheel
keeps Python's lock while it works, and two threads with a detector each take as long as one after the other.
"""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np

from photo_anonymizer import weights
from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.effort import effort_of
from photo_anonymizer.detection.members._scaled import best, moved, resized, scaled_size
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.detection.rows import landmarks_of
from photo_anonymizer.errors import ModelError
from photo_anonymizer.model.face import Landmarks
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.model.pixels import Pixels

SEEN_FACE_PX = 80
"""Side of the window that both detectors slide over the picture: they find no smaller face."""
MOUTH_DEPTH = 1.3
"""Distance of the mouth from the eyes, in distances of the nose's base from them; mean against RetinaFace's points."""
MOUTH_WIDTH = 0.8
"""Of the distance between the eyes, as in ``estimated_landmarks``."""


class DlibDetector:
    """One pass over the scaled picture; subclasses say what finds candidates in it."""

    pixels_at_most: int
    """Pixels of the scaled picture: what bounds time and memory."""

    def __init__(self, config: DetectionConfig, threads: int) -> None:  # noqa: ARG002 -- dlib takes no number
        self._config, self._effort = config, effort_of(config)
        self._lock = threading.Lock()
        self._dlib = dlib_module()
        self._points = self._dlib.shape_predictor(str(weights.path_of("dlib_5_points")))

    def detect(self, rgb: Pixels) -> list[Detection]:
        """See :class:`~photo_anonymizer.detection.protocol.Detector`."""
        size_wh = scaled_size(rgb, self.scale((rgb.shape[1], rgb.shape[0])))
        small = padded(resized(rgb, size_wh))
        with self._lock:
            found = [self._detection(small, rectangle, score) for rectangle, score in self._candidates(small)]
        back = rgb.shape[1] / size_wh[0], rgb.shape[0] / size_wh[1]
        doubtful_on = [moved(item, back, (0, 0)) for item in found if item.score >= self._config.doubt_score]
        return best(doubtful_on)

    def scale(self, size_wh: tuple[int, int]) -> float:
        """What a photo is multiplied by: the smallest wanted face fills the window, as far as the bounds allow."""
        bound = math.sqrt(self.pixels_at_most / (size_wh[0] * size_wh[1]))
        return min(SEEN_FACE_PX / self._effort.smallest_face_px, self._effort.max_enlargement, bound)

    def _candidates(self, rgb: Pixels) -> list[tuple[Any, float]]:
        """dlib's rectangles with scores 0 to 1."""
        raise NotImplementedError

    def _detection(self, rgb: Pixels, rectangle: Any, score: float) -> Detection:
        parts = self._points(rgb, rectangle).parts()
        # dlib's right and bottom are the last pixel inside.
        box = Box(x0=rectangle.left(), y0=rectangle.top(), x1=rectangle.right() + 1, y1=rectangle.bottom() + 1)
        return Detection(box, landmarks([(float(part.x), float(part.y)) for part in parts]), score)


def landmarks(points: list[tuple[float, float]]) -> Landmarks:
    """Five landmarks from dlib's five points: the right eye's corners (as seen), the left eye's, the nose's base.

    Eyes are the means of their corners; the nose is its base, a little below the tip; the mouth is estimated on the
    line from the eyes through the nose.
    """
    at = np.asarray(points, np.float64)
    right_eye, left_eye, nose = at[0:2].mean(axis=0), at[2:4].mean(axis=0), at[4]
    between = (left_eye + right_eye) / 2
    mouth, half = between + MOUTH_DEPTH * (nose - between), (right_eye - left_eye) * (MOUTH_WIDTH / 2)
    return landmarks_of([left_eye, right_eye, nose, mouth - half, mouth + half])


def padded(rgb: Pixels) -> Pixels:
    """The picture with black right and below until one window fits in: the CNN refuses less."""
    below, right = max(0, SEEN_FACE_PX - rgb.shape[0]), max(0, SEEN_FACE_PX - rgb.shape[1])
    return np.ascontiguousarray(np.pad(rgb, ((0, below), (0, right), (0, 0))))


def dlib_module() -> Any:
    """dlib's Python module, as the wheel ``dlib-bin`` names it.

    :raises ModelError: the wheel is missing.
    """
    try:
        import _dlib_pybind11
    except ImportError:
        raise ModelError("dlib's detectors need the package dlib-bin (pip install -r requirements.txt)") from None
    return _dlib_pybind11
