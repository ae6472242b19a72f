"""A second look at a candidate: MediaPipe's face mesh says whether it is a face, and where its 468 points are.

The network (Kartynnik et al. 2019, arXiv 1907.06724) takes a square of 192 px about an upright face, values 0 to 1.
It answers with the points in px of that square and a logit of "this is a face".

A logit above zero confirms: 1 % of 177 false alarms in street scenes had one. A logit below zero refutes nothing where
the face is small: of faces that RetinaFace is sure of, 97 % from 32 px on are confirmed (median logit above 20), 88 %
at 24 to 32 px and half at 16 to 24 px; below that hardly any.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer import tflite
from photo_anonymizer.mesh.topology import five_points
from photo_anonymizer.model.face import Landmarks
from photo_anonymizer.model.geometry import Box, for_opencv
from photo_anonymizer.model.pixels import Pixels

NETWORK = "face_landmark"
SIDE_PX = 192
POINTS = 468
MARGIN = 1.5
"""Side of the square, in longer sides of the box, as in MediaPipe's graph; with 1.1 or 1.75 fewer faces of less than
32 px are confirmed."""
OFF_LANDMARKS = 0.07
"""Distance from the detector's landmarks from which the mesh or the detector is wrong: of some 150 faces on which the
mesh lies right none has 0.06."""
_SKIPS_BELOW = 0.6
"""A picture that is shrunk further skips pixels unless it is shrunk by areas, which takes a third of a millisecond."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Mesh:
    """``points``: float32 (468, 3): x, y in the photo's pixels, z (depth) in the same unit, smaller is nearer.

    ``logit`` is above 0 where the network takes the crop for a face.
    """

    points: NDArray[np.float32]
    logit: float


def look(rgb: Pixels, face_box: Box, landmarks: Landmarks | None) -> Mesh:
    """Mesh and logit of a candidate, turned upright by its eyes; upright as it is without landmarks.

    :param rgb: uint8 (H, W, 3); the box may reach beyond it: what is not there is black.
    :raises ModelError: the network is missing or altered.
    """
    matrix = crop_matrix(face_box, landmarks.roll_rad if landmarks else 0.0)
    crop = cut(rgb, matrix).astype(np.float32) / np.float32(255)
    points, logit = tflite.run(NETWORK, crop[np.newaxis])
    return Mesh(in_photo(points.reshape(POINTS, 3), matrix), float(logit.reshape(())))


def mesh_logit(rgb: Pixels, face_box: Box, landmarks: Landmarks | None) -> float:
    """How much the candidate looks like a face; see :func:`look`."""
    return look(rgb, face_box, landmarks).logit


def mesh(rgb: Pixels, face_box: Box, landmarks: Landmarks | None) -> NDArray[np.float32]:
    """The 468 points, float32 (468, 3), in the photo's pixels; see :func:`look`. Without meaning where no face is."""
    return look(rgb, face_box, landmarks).points


def off_landmarks(found: Mesh, face_box: Box, landmarks: Landmarks) -> float:
    """Mean distance of the mesh's five points from a detector's, in heights of the box."""
    apart = five_points(found.points) - np.array(landmarks.points)
    return float(np.linalg.norm(apart, axis=1).mean() / face_box.height)


def crop_scale(box: Box) -> float:
    """How many times as large as in the photo the network sees the box."""
    return SIDE_PX / (MARGIN * max(box.width, box.height))


def crop_matrix(box: Box, roll_rad: float) -> Matrix:
    """(2, 3): from the photo's pixels to those of the network's square about the box, turned back by the roll."""
    scale = crop_scale(box)
    cosine, sine = scale * math.cos(roll_rad), scale * math.sin(roll_rad)
    linear = np.array([[cosine, sine], [-sine, cosine]])
    return np.column_stack([linear, SIDE_PX / 2 - linear @ np.array(box.centre)])


def cut(rgb: Pixels, matrix: Matrix, side_px: int = SIDE_PX, border: int = cv2.BORDER_CONSTANT) -> Pixels:
    """The square, uint8 (side_px, side_px, 3). A large face is shrunk by areas first, so that it does not alias.

    :param border: OpenCV's word for what lies beyond the photo; black unless said otherwise.
    """
    scale = math.hypot(matrix[0, 0], matrix[1, 0])
    corners = _back(np.array([[0, 0], [side_px, 0], [0, side_px], [side_px, side_px]], np.float64), matrix)
    margin = 2 * max(1.0, 1 / scale)
    limits = np.array(rgb.shape[1::-1])
    low = np.clip(np.floor(corners.min(axis=0) - margin), 0, limits).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0) + margin), 0, limits).astype(int)
    if (low >= high).any():
        return np.zeros((side_px, side_px, 3), np.uint8)
    part = rgb[low[1] : high[1], low[0] : high[0]]
    small_wh = high - low
    if scale < _SKIPS_BELOW:
        small_wh = np.maximum(1, np.round(small_wh * scale)).astype(int)
        # OpenCV averages areas of floating point in two thirds of the time.
        part = cv2.resize(part.astype(np.float32), small_wh.tolist(), interpolation=cv2.INTER_AREA)
        part = cv2.add(part, 0, dtype=cv2.CV_8U)  # rounded
    stretch = (high - low) / small_wh
    composed = for_opencv(np.column_stack([matrix[:, :2] * stretch, matrix[:, :2] @ low + matrix[:, 2]]))
    square: Pixels = cv2.warpAffine(
        np.ascontiguousarray(part), composed, (side_px, side_px), flags=cv2.INTER_LINEAR, borderMode=border
    )
    return square


def in_photo(points: NDArray[np.float32], matrix: Matrix) -> NDArray[np.float32]:
    """Points (n, 3) of the square in the photo's pixels; depth is scaled alike."""
    scale = math.hypot(matrix[0, 0], matrix[1, 0])
    return np.column_stack([_back(points[:, :2].astype(np.float64), matrix), points[:, 2] / scale]).astype(np.float32)


def _back(points: Matrix, matrix: Matrix) -> Matrix:
    """Points (n, 2) of the square in the photo."""
    back: Matrix = (points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    return back
