"""The drawn head can be looked at from everywhere that a face can be seen from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshes import rotation
from photo_anonymizer.drawn_head.paint import SKIN, painting, surface
from photo_anonymizer.drawn_head.shape import head_shape
from photo_anonymizer.drawn_head.view import (
    MOST_PITCH_DEG,
    MOST_YAW_DEG,
    SIDES_PX,
    TURN_STEP_DEG,
    View,
    angles_of,
    rounded_turn,
    side_for,
    turned,
    view,
)


def on_square(seen: View) -> np.ndarray:
    """The coverage on the whole square."""
    square = np.zeros((seen.side_px, seen.side_px), np.uint8)
    (x, y), (height, width) = seen.corner, seen.coverage.shape
    square[y : y + height, x : x + width] = seen.coverage
    return square


class TestShape:
    def test_normals_point_outwards(self) -> None:
        shape = head_shape()
        for part, x in (("skull", 0), ("left_ear", -4), ("right_ear", 4), ("neck", 0)):
            own = np.unique(shape.parts[part])
            middle = np.array([x, shape.points[own, 1].mean(), 3.0])
            outwards = np.einsum("ni,ni->n", shape.points[own] - middle, shape.normals[own])
            assert np.mean(outwards > 0) > 0.9

    def test_normals_are_unit_vectors(self) -> None:
        shape = head_shape()
        own = np.unique(np.concatenate(list(shape.parts.values())))
        assert np.linalg.norm(shape.normals[own], axis=1) == pytest.approx(1)

    def test_it_is_its_own_mirror_image(self) -> None:
        points = head_shape().points
        distances = np.linalg.norm((points * (-1, 1, 1))[:, np.newaxis] - points, axis=2).min(axis=1)
        assert distances.max() < 0.2

    def test_everything_has_a_place_in_the_texture(self) -> None:
        places = head_shape().places
        assert places.min() > 0
        assert places.max() < 1


class TestPainting:
    def test_a_head_has_features_and_a_silhouette_has_none(self) -> None:
        colours = {
            style: len(np.unique(painting(style)[300:800, 250:770].reshape(-1, 3), axis=0))
            for style in ("head", "silhouette")
        }
        assert colours["head"] > 500
        assert colours["silhouette"] == 1

    def test_most_of_it_is_skin(self) -> None:
        assert (painting("head") == SKIN).all(axis=2).mean() > 0.6

    def test_the_surface_looks_at_the_camera_in_the_middle_and_aside_at_the_sides(self) -> None:
        normals = (surface().astype(float) - 128) / 127
        assert normals[250, 256, 2] < -0.6
        assert normals[250, 137, 0] < -0.7
        assert normals[250, 375, 0] > 0.7
        assert np.linalg.norm(normals, axis=2) == pytest.approx(1, abs=0.02)


class TestAngles:
    @given(yaw=st.floats(-1.7, 1.7), pitch=st.floats(-1.2, 1.2), roll=st.floats(-3.1, 3.1))
    def test_they_are_found_again(self, yaw: float, pitch: float, roll: float) -> None:
        whole = rotation(0, 0, roll) @ turned(math.degrees(yaw), math.degrees(pitch))
        assert angles_of(whole) == pytest.approx((yaw, pitch, roll), abs=1e-6)

    @given(yaw=st.floats(-math.pi, math.pi), pitch=st.floats(-1.5, 1.5))
    def test_they_are_rounded_to_few_turns(self, yaw: float, pitch: float) -> None:
        across, down = rounded_turn(yaw, pitch)
        assert across % TURN_STEP_DEG == down % TURN_STEP_DEG == 0
        assert abs(across) <= MOST_YAW_DEG
        assert abs(down) <= MOST_PITCH_DEG
        if abs(math.degrees(yaw)) < MOST_YAW_DEG:
            assert abs(across - math.degrees(yaw)) <= TURN_STEP_DEG / 2 + 1e-9


class TestView:
    @pytest.mark.parametrize("yaw_deg", [-MOST_YAW_DEG, -45, 0, 45, MOST_YAW_DEG])
    @pytest.mark.parametrize("pitch_deg", [-MOST_PITCH_DEG, 0, MOST_PITCH_DEG])
    @pytest.mark.parametrize("side_px", SIDES_PX[:4])
    def test_from_everywhere_a_head_is_seen(self, yaw_deg: int, pitch_deg: int, side_px: int) -> None:
        seen = view("head", yaw_deg, pitch_deg, side_px)
        assert 0.2 < (on_square(seen) > 127).mean() < 0.8
        assert seen.colours.shape == seen.normals.shape == (*seen.coverage.shape, 3)

    def test_it_is_whole(self) -> None:
        """No hole between face and skull, skull and ears, head and neck."""
        covered = on_square(view("head", 20, 10, 384)) == 255
        for row in covered[60:330]:
            columns = np.flatnonzero(row)
            assert (np.diff(columns) == 1).all()

    def test_the_other_side_is_the_mirror_image(self) -> None:
        left, right = (on_square(view("silhouette", yaw, 0, 192)) for yaw in (-35, 35))
        assert (np.abs(left[:, ::-1].astype(int) - right) > 60).mean() < 0.01

    def test_what_it_shows_faces_the_camera(self) -> None:
        seen = view("head", 30, -10, 192)
        facing = seen.towards((0, 0, -1))
        assert np.mean(facing[seen.coverage == 255] > 0) > 0.98

    @pytest.mark.parametrize(("wanted", "side_px"), [(1, 24), (30, 24), (31, 48), (477, 384), (481, 768), (9000, 768)])
    def test_its_resolution_follows_the_heads_size(self, wanted: float, side_px: int) -> None:
        assert side_for(wanted) == side_px
