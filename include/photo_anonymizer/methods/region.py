"""The part of a photo that changes for a face, and how its edge is softened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from photo_anonymizer.model.face import Face
from photo_anonymizer.model.geometry import Box, PixelBox
from photo_anonymizer.model.pixels import Alpha

Shape = Literal["ellipse", "rectangle", "circle"]
MIN_SIDE_PX = 6.0
"""Even the smallest face changes at least so many pixels."""


@dataclass(frozen=True)
class Region:
    """Where a face is replaced.

    :param box: all pixels that may change, soft edge included.
    :param alpha: uint8 (box height, box width); 255 on the whole core, falling to 0 **outside** it.
    :param core: the shape that is replaced entirely.
    :param face_width_px: width of the detected face.
    :param roll_rad: turn of the head in the picture plane.
    """

    box: PixelBox
    alpha: Alpha
    core: Box
    face_width_px: float
    roll_rad: float


def region_of(face: Face, size_wh: tuple[int, int], *, scale: float, feather: float, shape: Shape) -> Region | None:
    """The region of a face: its box enlarged about its centre, so that forehead, ears and chin are inside.

    The soft edge lies outside the core, so that softness never lets a pixel of the face through.

    :param scale: core's size relative to the detected box.
    :param feather: width of the soft edge relative to the face's width.
    :param shape: a circle is as wide as the longer side of the enlarged box; icons are round.
    :returns: None when the face lies outside the photo altogether.
    """
    core = _at_least(face.box.scaled(scale), MIN_SIDE_PX)
    if shape == "circle":
        side = max(core.width, core.height)
        core = core.scaled(side / core.width, side / core.height)
    edge_px = feather * face.box.width
    outer = Box(x0=core.x0 - edge_px, y0=core.y0 - edge_px, x1=core.x1 + edge_px, y1=core.y1 + edge_px)
    box = outer.cover(size_wh)
    if box is None:
        return None
    alpha = _rectangle(box, core, edge_px) if shape == "rectangle" else _ellipse(box, core, edge_px)
    return Region(box, alpha, core, face.box.width, face.landmarks.roll_rad)


def _at_least(box: Box, side_px: float) -> Box:
    return box.scaled(max(1.0, side_px / box.width), max(1.0, side_px / box.height))


def _ellipse(box: PixelBox, core: Box, edge_px: float) -> Alpha:
    x, y = core.centre
    across, down = _pixel_centres(box)
    radius = np.hypot((across - x) / (core.width / 2), (down - y) / (core.height / 2))
    return _soft((radius - 1) * (min(core.width, core.height) / 2), edge_px)


def _rectangle(box: PixelBox, core: Box, edge_px: float) -> Alpha:
    x, y = core.centre
    across, down = _pixel_centres(box)
    beyond = np.maximum(np.abs(across - x) - core.width / 2, np.abs(down - y) - core.height / 2)
    return _soft(beyond, edge_px)


def _pixel_centres(box: PixelBox) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of the pixels' centres as a row and a column, which broadcast to the box's shape."""
    across = np.arange(box.x0, box.x1, dtype=np.float32)[np.newaxis, :] + np.float32(0.5)
    down = np.arange(box.y0, box.y1, dtype=np.float32)[:, np.newaxis] + np.float32(0.5)
    return across, down


def _soft(distance_px: np.ndarray, edge_px: float) -> Alpha:
    """255 up to one pixel beyond the core, then falling to 0 over the edge."""
    coverage = 1 - (distance_px - 1) / max(edge_px, 1.0)
    return (np.clip(coverage, 0, 1) * 255).astype(np.uint8)
