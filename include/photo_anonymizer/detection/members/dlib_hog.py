"""dlib's HOG detector (Dalal and Triggs 2005, CVPR; King 2015, arXiv 1502.00046): quick, upright frontal faces only."""

from __future__ import annotations

import math
from typing import Any

from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.members._dlib import DlibDetector
from photo_anonymizer.model.pixels import Pixels

MARGIN_TO_LOGIT = 4.0
"""The detector answers with a distance from its decision plane; 0, its own threshold, becomes a score of 0.5."""


class DlibHog(DlibDetector):
    """Square boxes from the brows to the chin; the detector's file is part of dlib."""

    name = "dlib_hog"
    pixels_at_most = 4_000_000  # 0.3 s

    def __init__(self, config: DetectionConfig, threads: int) -> None:
        super().__init__(config, threads)
        self._hog = self._dlib.get_frontal_face_detector()
        self._lowest = margin(config.doubt_score)

    def _candidates(self, rgb: Pixels) -> list[tuple[Any, float]]:
        rectangles, margins, _ = self._hog.run(rgb, 0, self._lowest)
        return [(rectangle, score(value)) for rectangle, value in zip(rectangles, margins, strict=True)]


def score(margin: float) -> float:
    """0 to 1 for a distance from the decision plane (logistic)."""
    return 1 / (1 + math.exp(-MARGIN_TO_LOGIT * margin))


def margin(score: float) -> float:
    """The distance from the decision plane that has this score; scores so close to 1 that no face reaches them too."""
    bounded = min(score, 1 - 1e-9)
    return math.log(bounded / (1 - bounded)) / MARGIN_TO_LOGIT
