"""What members whose networks answer in numbers share: candidates as rows, and rows as detections.

A row is float32 (16,), as RetinaFace's are: box x0, y0, x1, y1, then five landmarks x, y in the order of
:class:`~photo_anonymizer.model.face.Landmarks`, then 1 − score, then the score.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.detection.retinaface import suppress
from photo_anonymizer.model.face import Landmarks
from photo_anonymizer.model.geometry import Box

Rows = NDArray[np.float32]


def rows_of(boxes: Rows, points: Rows, scores: Rows) -> Rows:
    """Rows (n, 16) of boxes (n, 4), points (n, 5, 2) and scores (n,)."""
    rows: Rows = np.column_stack([boxes, points.reshape(len(boxes), 10), 1 - scores, scores]).astype(np.float32)
    return rows


def detections(rows: Rows) -> list[Detection]:
    """The best row of every face, in falling order of score."""
    return [_detection(row) for row in suppress(rows)]


def _detection(row: Rows) -> Detection:
    values = [float(value) for value in row]
    points = [(values[at], values[at + 1]) for at in range(4, 14, 2)]
    names = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
    return Detection(
        box=Box(x0=values[0], y0=values[1], x1=values[2], y1=values[3]),
        landmarks=Landmarks(**dict(zip(names, points, strict=True))),
        score=min(1.0, max(0.0, values[15])),
    )
