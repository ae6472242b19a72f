"""Coarse hints of a face, and the looks that suit them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from photo_anonymizer.mesh.topology import LEFT_BROW, OUTER_LIPS, RIGHT_BROW, texture_points
from photo_anonymizer.methods.surrogate.looks import Hints, drawn_look, hints_of, traits_of

SKIN = (200, 160, 140)


def texture(**areas: tuple[tuple[int, ...], tuple[int, int, int]]) -> np.ndarray:
    """Plain skin with areas of other colours: name=(points, colour)."""
    face = np.full((256, 256, 3), SKIN, np.float32)
    for points, colour in areas.values():
        hull = cv2.convexHull((texture_points()[list(points)] * 256).astype(np.int32))
        cv2.fillConvexPoly(face, hull, colour)
    return face


def test_plain_skin_gives_the_least_of_everything() -> None:
    assert hints_of(traits_of(texture())) == Hints(beard=0, lips=0, brows=0, lines=0)


def test_red_lips_are_seen() -> None:
    assert hints_of(traits_of(texture(lips=(OUTER_LIPS, (200, 70, 80))))).lips == 2


def test_dark_brows_are_seen() -> None:
    assert hints_of(traits_of(texture(left=(LEFT_BROW, (60, 50, 40)), right=(RIGHT_BROW, (60, 50, 40))))).brows == 2


def test_a_dark_jaw_is_a_beard() -> None:
    jaw = (182, 83, 18, 313, 406, 421, 428, 199, 208, 201)
    assert hints_of(traits_of(texture(jaw=(jaw, (70, 60, 55))))).beard == 2


def test_a_dark_jaw_of_a_small_face_is_a_shadow() -> None:
    jaw = (182, 83, 18, 313, 406, 421, 428, 199, 208, 201)
    dark = traits_of(texture(jaw=(jaw, (70, 60, 55))))
    assert hints_of(dark, height_px=70).beard == 0
    assert hints_of(dark, height_px=140).beard == 2


def test_a_black_texture_has_hints_too() -> None:
    assert hints_of(traits_of(np.zeros((256, 256, 3), np.float32))).beard in (0, 1, 2)


def test_looks_differ_and_follow_the_hints() -> None:
    rng = np.random.default_rng(0)
    bearded = [drawn_look(Hints(beard=2), 180, rng) for _ in range(20)]
    bare = [drawn_look(Hints(beard=0), 180, rng) for _ in range(20)]
    assert min(look.beard for look in bearded) > max(look.beard for look in bare) == 0
    assert len({look.brow_thick for look in bare}) == 20


@pytest.mark.parametrize(("skin", "blue"), [(60.0, False), (190.0, True)])
def test_light_eyes_are_drawn_in_light_faces_only(skin: float, blue: bool) -> None:
    rng = np.random.default_rng(0)
    irises = [drawn_look(Hints(), skin, rng).iris for _ in range(200)]
    assert any(iris[2] > iris[0] for iris in irises) == blue
