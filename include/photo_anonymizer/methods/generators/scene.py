"""Between a photo and a generator's square."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.mesh.network import cut
from photo_anonymizer.mesh.topology import Vertices, mean_shape
from photo_anonymizer.methods.generators.protocol import Canvas, Scene
from photo_anonymizer.methods.protocol import CannotPaintError
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.model.geometry import PixelBox, for_opencv

Matrix = NDArray[np.float64]
_BEYOND = 1 / 48
"""How far the blanked area reaches beyond the mesh, in sides of the square: what shines in from the face through
resampling, and the shade along its outline."""


def scene_of(subject: Subject, points: Vertices, side_px: int, margin: float) -> Scene:
    """The square about a face, as large as ``margin`` times the face is high, turned upright.

    :param points: (468, 2 or 3), where the new face's mesh is in the photo.
    :raises CannotPaintError: the face has no size.
    """
    outline = subject.mesh.points[:, :2].astype(np.float64)
    matrix = _square(outline, subject.pose.roll_rad, side_px, margin)
    blank = _hull(in_square(outline, matrix), side_px)
    picture = cut(subject.rgb, matrix, side_px, cv2.BORDER_REPLICATE)
    picture[blank] = np.round(picture[blank].mean(axis=0))
    there = in_square(points[:, :2], matrix).astype(np.float32)
    return Scene(picture, blank, there, *_turned(subject.pose.rotation, subject.pose.roll_rad), matrix)


def trial_scene(side_px: int, margin: float) -> Scene:
    """A grey square with room for the mean face: to try a generator on."""
    points = mean_shape()[:, :2]
    matrix = _square(points, 0.0, side_px, margin)
    there = in_square(points, matrix)
    picture = np.full((side_px, side_px, 3), 128, np.uint8)
    return Scene(picture, _hull(there, side_px), there.astype(np.float32), 0.0, 0.0, matrix)


def in_photo(canvas: Canvas, scene: Scene, box: PixelBox) -> Canvas:
    """What a box of the photo shows of a generated square: float32 (box height, box width, 3).

    :param canvas: float32 (s, s, 3) of any side.
    """
    # From px of the box to those of the canvas, whose side need not be the scene's.
    back = np.linalg.inv(scene.matrix[:, :2])
    linear, shift = back, -back @ scene.matrix[:, 2] - (box.x0, box.y0)
    factor = scene.side_px / canvas.shape[0]
    linear = linear * factor
    finer = 1 / math.hypot(linear[0, 0], linear[1, 0])
    if finer > 1:  # or pixels would be skipped
        small = max(1, round(canvas.shape[0] / finer))
        linear = linear * (canvas.shape[0] / small)
        canvas = cv2.resize(canvas, (small, small), interpolation=cv2.INTER_AREA)
    forward = for_opencv(np.column_stack([linear, shift]))
    flags = cv2.INTER_LINEAR if finer > 1 else cv2.INTER_CUBIC
    shown = cv2.warpAffine(canvas, forward, (box.width, box.height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(np.clip(shown, 0, 255), np.float32)


def in_square(points: NDArray[np.floating], matrix: Matrix) -> NDArray[np.float64]:
    """Points of the photo, (n, 2), in the square's px."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float64)


def _square(outline: NDArray[np.float64], roll_rad: float, side_px: int, margin: float) -> Matrix:
    cosine, sine = math.cos(roll_rad), math.sin(roll_rad)
    upright = np.array([[cosine, sine], [-sine, cosine]])
    turned = outline @ upright.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    size = float((high - low).max())
    if not math.isfinite(size) or size <= 0:
        raise CannotPaintError("mesh_in_doubt")
    linear = upright * (side_px / (margin * size))
    middle = (low + high) / 2 @ upright
    return np.column_stack([linear, side_px / 2 - linear @ middle])


def _hull(points: NDArray[np.float64], side_px: int) -> NDArray[np.bool_]:
    mask = np.zeros((side_px, side_px), np.uint8)
    cv2.fillConvexPoly(mask, np.round(cv2.convexHull(points.astype(np.float32)) - 0.5).astype(np.int32), 1)
    reach = max(2, round(side_px * _BEYOND))
    return np.asarray(cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)) > 0)


def _turned(rotation: Matrix, roll_rad: float) -> tuple[float, float]:
    """Yaw and pitch of a head after its roll is undone."""
    cosine, sine = math.cos(roll_rad), math.sin(roll_rad)
    x, y, z = rotation @ (0, 0, -1)
    across, down = cosine * x + sine * y, -sine * x + cosine * y
    return math.atan2(across, -z), math.asin(min(1.0, max(-1.0, down)))
