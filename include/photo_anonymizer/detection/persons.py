"""Is there a person in the photo? Asked where no face was found, so that a hidden or turned head is not published.

MediaPipe's pose detector (BlazePose, Bazarevsky et al. 2020, arXiv 2006.10204): 224 × 224, values −1 to 1; its second
output holds one logit an anchor.

The model looks for faces itself, so it is a weak witness of people who show none: of 21 photos of people whose faces
were covered it caught 18 at a score of 0.25 and 10 at 0.5, and at 0.25 it also held 6 of 20 photos without anybody.
Holding too much is the error that exposes nobody; hence the low default of ``detection.person_score``.
"""

from __future__ import annotations

import cv2
import numpy as np

from photo_anonymizer import tflite
from photo_anonymizer.model.pixels import Pixels

SIDE_PX = 224


def person_score(rgb: Pixels) -> float:
    """How sure the model is that the picture shows a person, 0 to 1; the surest of its 2,254 anchors.

    :param rgb: uint8 (H, W, 3).
    """
    scale = SIDE_PX / max(rgb.shape[:2])
    size_wh = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
    small = cv2.resize(rgb, size_wh, interpolation=cv2.INTER_AREA)
    canvas = np.zeros((SIDE_PX, SIDE_PX, 3), np.float32)
    top, left = (SIDE_PX - size_wh[1]) // 2, (SIDE_PX - size_wh[0]) // 2
    canvas[top : top + size_wh[1], left : left + size_wh[0]] = small.astype(np.float32) / 127.5 - 1
    logit = float(tflite.run("pose_detection", canvas[np.newaxis])[1].max())
    return float(1 / (1 + np.exp(-logit)))
