"""The mean face, laid on five landmarks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from faces import head
from photo_anonymizer.mesh.approximate import approximate_mesh
from photo_anonymizer.mesh.pose import pose_of
from photo_anonymizer.mesh.topology import LEFT_EYE, RIGHT_EYE


@pytest.mark.parametrize("roll", [0, 0.7, -1.5, 3.0])
def test_eyes_lie_on_the_eyes_whatever_the_roll(roll: float) -> None:
    someone = head(100, 100, 20, roll)
    points = approximate_mesh(someone)
    for loop, mark in ((LEFT_EYE, someone.landmarks.left_eye), (RIGHT_EYE, someone.landmarks.right_eye)):
        assert points[list(loop), :2].mean(axis=0) == pytest.approx(mark, abs=4)


@pytest.mark.parametrize("yaw", [-0.5, 0.0, 0.5])
def test_the_head_is_turned_the_way_the_nose_points(yaw: float) -> None:
    pose = pose_of(approximate_mesh(head(100, 100, 20, yaw_rad=yaw)))
    assert math.copysign(1, pose.yaw_rad) == math.copysign(1, yaw) or abs(pose.yaw_rad) < 0.05
    assert abs(pose.yaw_rad - yaw) < 0.35


def test_its_size_follows_the_face() -> None:
    small, large = (np.ptp(approximate_mesh(head(100, 100, size))[:, 1]) for size in (10, 40))
    assert large == pytest.approx(4 * small, rel=0.01)


def test_landmarks_in_a_heap_give_a_finite_mesh() -> None:
    someone = head(100, 100, 20)
    heap = someone.landmarks.model_copy(
        update=dict.fromkeys(("left_eye", "right_eye", "nose", "left_mouth", "right_mouth"), (100.0, 100.0))
    )
    assert np.isfinite(approximate_mesh(someone.model_copy(update={"landmarks": heap}))).all()
