"""dlib's CNN detector (King 2015, arXiv 1502.00046): more turned and covered faces than HOG, seconds a photo.

To be chosen on purpose: a megapixel takes 6 s or more, because the wheel has no fast convolution.
"""

from __future__ import annotations

from typing import Any

from photo_anonymizer import weights
from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.members._dlib import DlibDetector
from photo_anonymizer.model.pixels import Pixels


class DlibCnn(DlibDetector):
    """Square boxes from the brows to the chin; confidences (0 to a little above 1) as scores, cut at 1."""

    name = "dlib_cnn"
    pixels_at_most = 1_000_000

    def __init__(self, config: DetectionConfig, threads: int) -> None:
        super().__init__(config, threads)
        self._cnn = self._dlib.cnn_face_detection_model_v1(str(weights.path_of("dlib_mmod")))

    def _candidates(self, rgb: Pixels) -> list[tuple[Any, float]]:
        return [(found.rect, min(1.0, max(0.0, found.confidence))) for found in self._cnn(rgb, 0)]
