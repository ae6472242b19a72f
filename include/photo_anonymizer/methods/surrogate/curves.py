"""Smooth curves through a few points, and what they enclose."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""float64 (n, 2): x, y in px."""
_STEPS = 5
"""Points a segment: curves of faces are a few px long."""


def curve(points: Points) -> Points:
    """A Catmull-Rom curve (Catmull & Rom 1974) from the first to the last point, through all of them."""
    first, last = 2 * points[0] - points[1], 2 * points[-1] - points[-2]
    return np.vstack([_between(np.vstack([first, points, last])), points[-1:]])


def closed_curve(points: Points) -> Points:
    """The same around a loop of points."""
    return _between(np.vstack([points[-1:], points, points[:2]]))


def filled(shape: tuple[int, ...], loop: Points) -> NDArray[np.float32]:
    """1 inside a loop, 0 outside, soft by a pixel: float32 (h, w)."""
    layer = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(layer, [_fixed(loop)], 255, cv2.LINE_AA, 4)
    return np.asarray(layer.astype(np.float32) / np.float32(255), np.float32)


def lines(
    shape: tuple[int, ...], curves: Sequence[Points] | Points, width_px: int, strength: float = 1.0
) -> NDArray[np.float32]:
    """Lines through the points of each curve, 0 to ``strength``: float32 (h, w).

    OpenCV smooths lines on 8-bit pictures only.

    :param curves: as an array, (n, points, 2), if they have equally many points: hundreds are rounded at once.
    """
    layer = np.zeros(shape[:2], np.uint8)
    fixed = _fixed(curves) if isinstance(curves, np.ndarray) else [_fixed(points) for points in curves]
    cv2.polylines(layer, list(fixed), False, round(255 * strength), width_px, cv2.LINE_AA, 4)
    return np.asarray(layer.astype(np.float32) / np.float32(255), np.float32)


def _fixed(points: Points) -> NDArray[np.int32]:
    """With four binary digits after the point, as OpenCV draws; pixels are counted from their centres."""
    return np.asarray(np.round((points - 0.5) * 16).astype(np.int32))


def _between(points: Points) -> Points:
    t = np.linspace(0, 1, _STEPS, endpoint=False)[np.newaxis, :, np.newaxis]
    a, b, c, d = (points[at : len(points) - 3 + at, np.newaxis] for at in range(4))
    through = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.asarray(through.reshape(-1, points.shape[1]))
