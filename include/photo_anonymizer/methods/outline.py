"""The face's own outline as the face mesh sees it, enlarged: less of the photo than an ellipse takes."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.mesh.topology import OVAL
from photo_anonymizer.methods.region import SOLID_PX
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.model.pixels import Alpha

_MOST_YAW_RAD = math.radians(25)
"""Of a head that is turned further the outline ends before the ear that shows."""
_FIXED = 4
"""Binary digits after the point that OpenCV draws with."""


def mesh_alpha(subject: Subject, times: float, feather: float) -> Alpha | None:
    """How strongly the region's pixels are replaced, uint8 (h, w), if they are those within the face's outline: 255
    inside, falling to 0 outside it, never more than in the region.

    The outline is the smallest convex one about the mesh's own, enlarged about its middle, and the ellipse in the
    detected box, whatever the mesh says.

    :param times: how many times the mesh's outline is enlarged: forehead, ears and jaw lie just outside it.
    :param feather: width of the soft edge as a share of the face's width.
    :returns: None where the mesh is not sure, or the head is turned too far to the side.
    """
    if not subject.mesh_is_sure or abs(subject.pose.yaw_rad) > _MOST_YAW_RAD:
        return None
    oval = subject.mesh.points[list(OVAL), :2].astype(np.float64)
    middle = (oval.min(axis=0) + oval.max(axis=0)) / 2
    box = subject.region.box
    corners = np.concatenate([middle + (oval - middle) * times, _ellipse(subject)]) - (box.x0 + 0.5, box.y0 + 0.5)
    hull = cv2.convexHull(np.round(corners * 2**_FIXED).astype(np.int32))
    outside = np.full((box.height, box.width), 255, np.uint8)
    cv2.fillConvexPoly(outside, hull, 0, shift=_FIXED)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_5)
    edge_px = max(feather * min(subject.face.box.width, subject.face.box.height), 1.0)
    # 255 (1 − (distance − SOLID_PX) / edge_px), 0 to 255.
    falling = cv2.addWeighted(distance, -255 / edge_px, distance, 0, 255 * (1 + SOLID_PX / edge_px))
    return np.asarray(cv2.min(np.clip(falling, 0, 255).astype(np.uint8), subject.region.alpha))


def _ellipse(subject: Subject) -> NDArray[np.float64]:
    box = subject.face.box
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x, y = box.centre
    return np.column_stack([x + box.width / 2 * np.cos(angles), y + box.height / 2 * np.sin(angles)])
