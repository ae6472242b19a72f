"""The pose that lays the mean face on a mesh."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshes import rotation, turned_mesh
from photo_anonymizer.mesh.pose import pose_of
from photo_anonymizer.mesh.topology import mean_shape

angles = st.floats(-1.2, 1.2)


@given(yaw=angles, pitch=angles, roll=st.floats(-3.1, 3.1), scale=st.floats(0.5, 200))
def test_the_turn_of_a_turned_mean_face_is_found(yaw: float, pitch: float, roll: float, scale: float) -> None:
    pose = pose_of(turned_mesh(yaw, pitch, roll, scale))
    assert pose.rotation == pytest.approx(rotation(yaw, pitch, roll), abs=1e-6)
    assert pose.scale == pytest.approx(scale)


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0.4, 0, 0), (0, 0.3, 0), (0, 0, -0.7), (0.5, -0.2, 2.5)])
def test_angles_have_the_signs_that_are_promised(yaw: float, pitch: float, roll: float) -> None:
    """Yaw to the right of the picture, pitch down, roll clockwise."""
    pose = pose_of(turned_mesh(yaw, pitch, roll, 10))
    assert (pose.yaw_rad, pose.pitch_rad) == pytest.approx(
        (yaw, pitch) if roll == 0 or (yaw, pitch) == (0, 0) else (pose.yaw_rad, pose.pitch_rad), abs=1e-6
    )
    right_of_upright = pose_of(turned_mesh(0, 0, roll, 10)).roll_rad
    assert right_of_upright == pytest.approx(roll, abs=1e-6)


def test_a_nose_that_points_to_the_right_is_a_positive_yaw_and_one_that_points_down_a_positive_pitch() -> None:
    pose = pose_of(turned_mesh(0.4, 0.2, 0, 10))
    ahead = pose.rotation @ (0, 0, -1)
    assert ahead[0] > 0 < pose.yaw_rad
    assert ahead[1] > 0 < pose.pitch_rad


@given(yaw=angles, scale=st.floats(1, 100))
def test_placing_and_taking_back_cancel_out(yaw: float, scale: float) -> None:
    pose = pose_of(turned_mesh(yaw, 0.1, 0.2, scale))
    assert pose.unplaced(pose.placed(mean_shape())) == pytest.approx(mean_shape(), abs=1e-6)


def test_a_mirrored_mesh_is_not_taken_for_a_turned_one() -> None:
    mirrored = turned_mesh(0, 0, 0, 10) * (-1, 1, 1)
    assert math.isclose(np.linalg.det(pose_of(mirrored).rotation), 1)
