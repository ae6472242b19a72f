"""The part of a photo that changes for a face, and how its edge is softened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.model.face import Face
from photo_anonymizer.model.geometry import Box, PixelBox
from photo_anonymizer.model.head import HeadOutline, head_outline
from photo_anonymizer.model.pixels import Alpha

Shape = Literal["ellipse", "rectangle", "rounded", "circle"]
MIN_SIDE_PX = 6.0
"""Even the smallest face changes at least so many pixels."""
CORNER = 0.6
"""Radius of a rounded box's corners, as a share of the shortest reach from its centre."""
SOLID_PX = 1.0
"""The core's pixels are replaced entirely up to so far outside it: whoever is cut by its outline belongs to it."""

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Region:
    """Where a face is replaced.

    :param box: all pixels that may change, soft edge included.
    :param alpha: uint8 (box height, box width); 255 on the whole core, falling to 0 **outside** it.
    :param core: upright bounds of the shape that is replaced entirely; they may reach beyond the photo.
    :param face_width_px: width of the detected face.
    :param roll_rad: turn of the head in the picture plane, 0 upright, positive clockwise as seen in the picture.
    """

    box: PixelBox
    alpha: Alpha
    core: Box
    face_width_px: float
    roll_rad: float


def region_of(
    face: Face, size_wh: tuple[int, int], *, scale: float, feather: float, shape: Shape, hair: bool = False
) -> Region | None:
    """The region of a face: a shape turned with the head, with forehead, ears and jaw inside.

    The soft edge lies outside the core, so that softness never lets a pixel of the face through.

    :param scale: core's size relative to the detected box; see :func:`~photo_anonymizer.model.head.head_outline`.
    :param feather: width of the soft edge relative to the face's width, which is the box's shorter side.
    :param shape: an ellipse or a rectangle along the head, the latter with round corners or without, or a circle about
        it; icons are round.
    :param hair: cover the hair too.
    :returns: None when the region lies outside the photo altogether.
    """
    outline = head_outline(face, scale, hair=hair).at_least(MIN_SIDE_PX / 2)
    if shape == "circle":
        outline = outline.circle()
    core = _core(outline, shape)
    edge_px = max(feather * min(face.box.width, face.box.height), 1.0)
    reach = edge_px + SOLID_PX + 0.5  # pixels count by their centres
    outer = Box(x0=core.x0 - reach, y0=core.y0 - reach, x1=core.x1 + reach, y1=core.y1 + reach)
    box = outer.cover(size_wh)
    if box is None:
        return None
    beyond = {"rectangle": _beyond_rectangle, "rounded": _beyond_rounded}.get(shape, _beyond_ellipse)
    alpha = _soft(beyond(*outline.in_head(*_pixel_centres(box)), outline), edge_px)
    return Region(box, alpha, core, face.box.width, outline.roll_rad)


def _beyond_ellipse(across: Plane, down: Plane, outline: HeadOutline) -> Plane:
    """How far points are outside the outline, in px, negative inside: at most the true distance.

    Of first order (Taubin, IEEE PAMI 13(11), 1991): how much the radius, 1 on the outline, is above that, over its
    gradient. The radius is convex, so the distance is never overestimated and the edge never falls off too early.
    """
    aside = np.where(across > 0, np.float32(1 / outline.right), np.float32(1 / outline.left))
    along = np.where(down > 0, np.float32(1 / outline.down), np.float32(1 / outline.up))
    x, y = across * aside, down * along
    radius = cv2.magnitude(x, y)
    # times the radius: length of the radius' gradient
    slope = cv2.magnitude(cv2.multiply(aside, x, dst=x), cv2.multiply(along, y, dst=y))
    return np.asarray((radius * radius - radius) / np.maximum(slope, np.float32(1e-9)))


def _beyond_rectangle(across: Plane, down: Plane, outline: HeadOutline) -> Plane:
    """How far points are outside the rectangle about the outline, in px; 0 inside."""
    aside = np.maximum(across - np.float32(outline.right), -across - np.float32(outline.left))
    along = np.maximum(down - np.float32(outline.down), -down - np.float32(outline.up))
    return np.asarray(np.hypot(np.maximum(aside, 0), np.maximum(along, 0)))


def _beyond_rounded(across: Plane, down: Plane, outline: HeadOutline) -> Plane:
    """How far points are outside the rectangle with round corners about the outline, in px; 0 and less inside."""
    radius = _corner_px(outline)
    return np.asarray(_beyond_rectangle(across, down, _inner(outline, radius)) - np.float32(radius))


def _core(outline: HeadOutline, shape: Shape) -> Box:
    """The upright bounds of a shape."""
    if shape != "rounded":
        return outline.bounds(corners=shape == "rectangle")
    radius = _corner_px(outline)
    inner = _inner(outline, radius).bounds(corners=True)
    return Box(x0=inner.x0 - radius, y0=inner.y0 - radius, x1=inner.x1 + radius, y1=inner.y1 + radius)


def _inner(outline: HeadOutline, radius_px: float) -> HeadOutline:
    """The outline with every side nearer to the centre by so much."""
    up, down, left, right = (side - radius_px for side in (outline.up, outline.down, outline.left, outline.right))
    return replace(outline, up=up, down=down, left=left, right=right)


def _corner_px(outline: HeadOutline) -> float:
    """Radius of round corners. With up to the shortest reach the ellipse still lies inside."""
    return CORNER * min(outline.up, outline.down, outline.left, outline.right)


def _pixel_centres(box: PixelBox) -> tuple[Plane, Plane]:
    """Coordinates of the pixels' centres as a row and a column, which broadcast to the box's shape."""
    across = np.arange(box.x0, box.x1, dtype=np.float32)[np.newaxis, :] + np.float32(0.5)
    down = np.arange(box.y0, box.y1, dtype=np.float32)[:, np.newaxis] + np.float32(0.5)
    return across, down


def _soft(distance_px: Plane, edge_px: float) -> Alpha:
    """255 up to :data:`SOLID_PX` beyond the core, then falling to 0 over the edge."""
    coverage = 1 - (distance_px - SOLID_PX) / edge_px
    return np.asarray(np.clip(coverage, 0, 1) * 255, dtype=np.uint8)
