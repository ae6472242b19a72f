"""What detectors whose networks answer in numbers share: candidates as rows, and rows as detections.

A row is float32 (16,): box x0, y0, x1, y1, then five landmarks x, y in the order of
:class:`~photo_anonymizer.model.face.Landmarks`, then 1 − score, then the score; in the photo's pixels.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.model.face import Landmarks, Point
from photo_anonymizer.model.geometry import Box

Rows = NDArray[np.float32]
SUPPRESSION_IOU = 0.4
"""As in RetinaFace's own suppression."""


def rows_of(boxes: Rows, points: Rows, scores: Rows) -> Rows:
    """Rows (n, 16) of boxes (n, 4), points (n, 5, 2) and scores (n,)."""
    rows: Rows = np.column_stack([boxes, points.reshape(len(boxes), 10), 1 - scores, scores]).astype(np.float32)
    return rows


def detections(rows: Rows) -> list[Detection]:
    """The best row of every face, in falling order of score."""
    return [detection(row) for row in suppress(rows)]


def suppress(rows: Rows) -> Rows:
    """Greedy non-maximum suppression of float32 (n, 16) rows, best first; degenerate boxes are dropped.

    A row that touches nothing but itself survives whatever its score, so that doubtful faces come out.
    """
    valid = np.isfinite(rows).all(axis=1) & (rows[:, 2] > rows[:, 0]) & (rows[:, 3] > rows[:, 1])
    rows = rows[valid]
    if not len(rows):
        return rows
    xywh = np.column_stack([rows[:, 0:2], rows[:, 2:4] - rows[:, 0:2]]).astype(float)
    kept = cv2.dnn.NMSBoxes(xywh.tolist(), rows[:, 15].astype(float).tolist(), 0.0, SUPPRESSION_IOU)
    best: Rows = rows[np.asarray(kept, dtype=int).reshape(-1)]
    return best


def landmarks_of(points: Iterable[Point]) -> Landmarks:
    """Landmarks of five points (x, y) in the order of the fields."""
    values = [(float(x), float(y)) for x, y in points]
    return Landmarks(**dict(zip(Landmarks.model_fields, values, strict=True)))


def detection(row: Rows) -> Detection:
    """The candidate of one row (16,)."""
    values = [float(value) for value in row]
    return Detection(
        box=Box(x0=values[0], y0=values[1], x1=values[2], y1=values[3]),
        landmarks=landmarks_of((values[at], values[at + 1]) for at in range(4, 14, 2)),
        score=min(1.0, max(0.0, values[15])),
    )
