"""Between a photo and a generator's square: nothing of the face goes in, and what comes out lands in its place."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photo_anonymizer.mesh.pose import pose_of
from photo_anonymizer.methods.generators.scene import in_photo, in_square, scene_of, trial_scene
from photo_anonymizer.methods.protocol import CannotPaintError
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.model.geometry import PixelBox
from subjects import skin_photo, subject


def scene(someone: Subject, side_px: int = 128, margin: float = 1.6):
    return scene_of(someone, someone.mesh.points.astype(np.float64), side_px, margin)


def of_the_face(someone: Subject) -> np.ndarray:
    """Which pixels of the photo show the face: bool (H, W)."""
    mask = np.zeros(someone.rgb.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(someone.mesh.points[:, :2] - 0.5).astype(np.int32)), 1)
    return mask > 0


@given(seed=st.integers(0, 2**32 - 1), roll=st.floats(-3, 3), side_px=st.sampled_from([64, 128, 256]))
@settings(max_examples=15, deadline=None)
def test_of_the_face_only_its_mean_colour_is_shown(seed: int, roll: float, side_px: int) -> None:
    """Two photos that differ in the face alone, and not in its mean, are the same to a generator."""
    one = subject(120, roll=roll)
    face, rgb = of_the_face(one), one.rgb.copy()
    rgb[face] = np.random.default_rng(seed).permutation(rgb[face])
    other = subject(120, roll=roll, photo=rgb)
    assert (rgb != one.rgb).any()
    shown = [scene(someone, side_px).picture.astype(int) for someone in (one, other)]
    assert np.abs(shown[0] - shown[1]).max() <= 1


def test_what_is_blanked_has_one_colour_and_what_is_not_is_the_photo() -> None:
    someone = subject(120)
    shown = scene(someone)
    assert len(np.unique(shown.picture[shown.blank], axis=0)) == 1
    for x, y in ((2, 2), (125, 3), (60, 126)):
        back = np.linalg.inv(shown.matrix[:, :2]) @ ((x, y) - shown.matrix[:, 2])
        photo = someone.rgb[round(back[1]) - 1 : round(back[1]) + 2, round(back[0]) - 1 : round(back[0]) + 2]
        assert np.abs(shown.picture[y, x] - photo.mean(axis=(0, 1))).max() < 30


@pytest.mark.parametrize("roll", [0.0, 0.7, -1.5, 3.0])
def test_the_square_stands_upright_about_the_face(roll: float) -> None:
    shown = scene(subject(120, yaw=0.3, pitch=-0.2, roll=roll), margin=2.0)
    points = shown.points
    assert points[10, 1] < points[152, 1]  # forehead above chin
    assert abs(points[33, 1] - points[263, 1]) < 8  # eyes side by side
    assert np.allclose((points.min(axis=0) + points.max(axis=0)) / 2, 64, atol=0.5)
    assert np.ptp(points, axis=0).max() == pytest.approx(64, abs=0.5)


@pytest.mark.parametrize("roll", [0.0, 0.7, -1.5])
def test_the_pose_is_that_of_the_head_in_the_upright_square(roll: float) -> None:
    shown = scene(subject(120, yaw=0.3, pitch=-0.2, roll=roll))
    upright = pose_of(subject(120, yaw=0.3, pitch=-0.2).mesh.points)
    assert math.degrees(abs(shown.yaw_rad - upright.yaw_rad)) < 1.5
    assert math.degrees(abs(shown.pitch_rad - upright.pitch_rad)) < 1.5


@pytest.mark.parametrize("roll", [0.0, 0.5, 2.5])
@pytest.mark.parametrize(("height_px", "canvas_px"), [(60, 256), (120, 64), (300, 128)])
def test_what_a_generator_draws_lands_where_the_points_are(roll: float, height_px: float, canvas_px: int) -> None:
    """Whether the canvas is finer or coarser than the photo."""
    someone = subject(height_px, roll=roll)
    shown = scene(someone, side_px=128)
    eye = shown.points[[33]].mean(axis=0) * canvas_px / 128
    at = np.arange(canvas_px) + 0.5
    spot = np.exp(-((at - eye[0]) ** 2)[np.newaxis] / 18 - ((at - eye[1]) ** 2)[:, np.newaxis] / 18)
    canvas = np.repeat(200 * spot[..., np.newaxis], 3, axis=2).astype(np.float32)
    box = PixelBox(x0=11, y0=7, x1=someone.rgb.shape[1] - 3, y1=someone.rgb.shape[0] - 5)
    landed = in_photo(canvas, shown, box)[..., 0].astype(np.float64)
    assert landed.shape == (box.height, box.width)
    rows, columns = np.mgrid[0 : box.height, 0 : box.width]
    middle = np.array([(columns * landed).sum(), (rows * landed).sum()]) / landed.sum() + (box.x0, box.y0)
    assert np.abs(middle - someone.mesh.points[33, :2]).max() < 1 + 0.01 * height_px


def test_beyond_the_photo_its_border_goes_on() -> None:
    someone = subject(200, photo=skin_photo(440), centre=(10.0, 220.0))
    assert scene(someone).picture[:, 0].min() > 60


def test_a_face_without_size_is_left_to_another_method() -> None:
    someone = subject(100)
    someone.__dict__["mesh"] = type(someone.mesh)(np.zeros((468, 3), np.float32), 20.0)
    someone.__dict__["pose"] = subject(100).pose
    with pytest.raises(CannotPaintError, match="mesh_in_doubt"):
        scene(someone)


def test_a_trial_has_room_for_a_face() -> None:
    trial = trial_scene(96, 1.6)
    assert trial.picture.shape == (96, 96, 3)
    assert 0.2 < trial.blank.mean() < 0.5
    assert np.allclose(in_square(np.zeros((1, 2)), trial.matrix)[0, 0], 48, atol=1)
