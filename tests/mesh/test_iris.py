"""Where the eyes look."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from meshes import turned_mesh
from photo_anonymizer.mesh.iris import gaze, irises
from photo_anonymizer.mesh.topology import LEFT_EYE, RIGHT_EYE

SCALE, CENTRE = 20.0, (200.0, 200.0)


def eyes(along: float) -> tuple[np.ndarray, np.ndarray]:
    """Drawn eyes that look to a side, and their mesh."""
    points = turned_mesh(0, 0, 0, SCALE, CENTRE)
    photo = np.full((400, 400, 3), (200, 160, 140), np.uint8)
    for loop in (LEFT_EYE, RIGHT_EYE):
        opening = points[list(loop), :2].astype(np.int32)
        cv2.fillPoly(photo, [opening], (245, 245, 240), cv2.LINE_AA)
    for x, y in irises(points, np.array([along, 0.0])):
        cv2.circle(photo, (round(x), round(y)), 11, (60, 40, 30), -1, cv2.LINE_AA)
    return photo, points


def test_eyes_that_look_aside_are_seen_to_look_aside() -> None:
    left, ahead, right = (gaze(*eyes(along))[0] for along in (-0.2, 0.0, 0.2))
    assert left < ahead < right


def test_irises_follow_the_eyes_when_the_head_is_turned() -> None:
    points = turned_mesh(0, 0, 0.5, SCALE, CENTRE)
    left, right = irises(points, np.array([0.1, 0.0]))
    for middle, (one, two) in ((left, (LEFT_EYE[0], LEFT_EYE[8])), (right, (RIGHT_EYE[8], RIGHT_EYE[0]))):
        axis = points[two, :2] - points[one, :2]
        from_middle = middle - (points[one, :2] + points[two, :2]) / 2
        assert from_middle @ axis / (axis @ axis) == pytest.approx(0.1)


def test_eyes_beyond_the_photo_look_somewhere() -> None:
    assert np.abs(gaze(np.zeros((50, 50, 3), np.uint8), turned_mesh(0, 0, 0, 5, (500, 500)))).max() < 0.5
