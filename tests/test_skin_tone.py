"""How light a skin shows: an angle and a group, from the cheeks alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from faces import face
from photo_anonymizer.skin_tone import GROUPS, face_angle_deg, group_of, typology_angle_deg

LIGHT, DARK = (245, 220, 205), (90, 60, 45)
HEAD = face(40, 30, 100, 120)


@pytest.mark.parametrize(("colour", "least", "most"), [(LIGHT, 41, 90), (DARK, -90, 10)])
def test_the_angle_tells_light_skin_from_dark(colour: tuple[int, int, int], least: int, most: int) -> None:
    assert least < typology_angle_deg(np.array(colour, float)) < most


@pytest.mark.parametrize(
    ("angle", "group"),
    [
        (90, "very light"),
        (55.1, "very light"),
        (55, "light"),
        (41, "intermediate"),
        (28, "tan"),
        (10, "brown"),
        (-30, "dark"),
        (-90, "dark"),
        (math.nan, ""),
    ],
)
def test_groups_are_those_of_the_literature(angle: float, group: str) -> None:
    assert group_of(angle) == group
    assert group in ("", *GROUPS)


def picture(colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((200, 200, 3), colour, np.uint8)


def test_a_face_is_judged_by_its_cheeks_and_not_by_what_is_around() -> None:
    rgb = picture((0, 200, 0))
    points = HEAD.landmarks.points
    for eye, mouth in ((points[0], points[3]), (points[1], points[4])):
        x, y = (round((a + b) / 2) for a, b in zip(eye, mouth, strict=True))
        rgb[y - 8 : y + 9, x - 8 : x + 9] = LIGHT
    assert face_angle_deg(rgb, HEAD.landmarks) == pytest.approx(typology_angle_deg(np.array(LIGHT, float)))


def test_a_few_odd_pixels_do_not_decide() -> None:
    rgb = picture(DARK)
    rgb[::4, ::4] = 255
    assert face_angle_deg(rgb, HEAD.landmarks) == pytest.approx(typology_angle_deg(np.array(DARK, float)))


def test_of_a_face_at_the_edge_the_cheek_that_is_there_is_asked() -> None:
    cut_off = face(-60, 30, 100, 120)
    assert group_of(face_angle_deg(picture(DARK), cut_off.landmarks)) in ("brown", "dark")


def test_a_face_outside_of_the_picture_has_no_tone() -> None:
    for left, top in ((-500, 30), (500, 30), (40, -500), (40, 500)):
        assert math.isnan(face_angle_deg(picture(DARK), face(left, top, 100, 120).landmarks))
