"""Eyes and mouths in the photo's own frame."""

from __future__ import annotations

import numpy as np
import pytest

from meshes import turned_mesh
from photo_anonymizer.mesh.iris import irises
from photo_anonymizer.mesh.topology import LEFT_EYE, RIGHT_EYE
from photo_anonymizer.methods.surrogate.features import (
    IRIS_RADIUS_CM,
    draw_dark_glasses,
    draw_eyes,
    draw_glasses,
    draw_mouth,
    tones_of,
)

SKIN = np.array([200, 160, 140.0])
TONES = tones_of(SKIN, np.array([60, 90, 140.0]))
SCALE = 20.0
CENTRE = (180.0, 180.0)


def canvas() -> np.ndarray:
    return np.broadcast_to(SKIN, (360, 360, 3)).astype(np.float32)


def mesh(gap_cm: float = 0.0) -> np.ndarray:
    """The mean face in px, the mouth opened by so much."""
    points = turned_mesh(0, 0, 0, SCALE, CENTRE)
    for upper, lower in ((13, 14), (81, 178), (311, 402), (82, 87), (312, 317), (80, 88), (310, 318)):
        middle, half = (points[upper] + points[lower]) / 2, np.array([0, gap_cm * SCALE / 2, 0])
        points[upper], points[lower] = middle - half, middle + half
    return points[:, :2]


def test_the_iris_is_where_the_eye_looks() -> None:
    for along in (-0.2, 0.2):
        drawn, points = canvas(), mesh()
        middles = irises(points, np.array([along, 0.0]))
        draw_eyes(drawn, points, middles, SCALE, TONES, 0.5)
        for x, y in middles.astype(int):
            assert drawn[y, x].mean() < 60  # the pupil
            aside = drawn[y, x - round(np.sign(along) * 2.0 * IRIS_RADIUS_CM * SCALE * 0.9)]
            assert aside.mean() > 80


def test_an_iris_has_the_size_of_an_iris() -> None:
    drawn, points = canvas(), mesh()
    middles = irises(points, np.zeros(2))
    draw_eyes(drawn, points, middles, SCALE, TONES, 0.0)
    (x, y), _ = middles.astype(int)
    row = drawn[y, x - 30 : x + 31]
    bluish = (row[:, 2] > row[:, 0]) | (row.mean(axis=1) < 60)
    assert bluish.sum() == pytest.approx(2 * IRIS_RADIUS_CM * SCALE, rel=0.25)


def test_closed_lips_show_nothing_and_open_ones_teeth_and_the_dark_behind() -> None:
    shut, wide = canvas(), canvas()
    draw_mouth(shut, mesh(0.0), SCALE, TONES)
    draw_mouth(wide, mesh(1.6), SCALE, TONES)
    assert np.array_equal(shut, canvas())
    opened = mesh(1.6)
    upper, lower = opened[13], opened[14]
    x = int(upper[0])
    column = wide[int(upper[1]) + 3 : int(lower[1]) - 2, x].mean(axis=1)
    assert column[: len(column) // 3].max() > 140
    assert column[-len(column) // 4 :].min() < 90


def test_eyes_beyond_the_canvas_are_no_error() -> None:
    drawn = canvas()
    points = mesh() + 1000
    draw_eyes(drawn, points, irises(points, np.zeros(2)), SCALE, TONES, 0.5)
    assert np.array_equal(drawn, canvas())


@pytest.mark.parametrize("brightness", [0.3, 1.0])
def test_whites_are_never_darker_than_the_skin(brightness: float) -> None:
    tones = tones_of(SKIN * brightness, np.array([60, 40, 30.0]))
    assert tones.white.mean() > (SKIN * brightness).mean()


def test_frames_go_round_the_eyes_and_over_the_nose_and_leave_the_eyes_free() -> None:
    drawn, points = canvas(), mesh()
    draw_glasses(drawn, points, SCALE, SKIN)
    dark = drawn.mean(axis=2) < 80
    for loop in (LEFT_EYE, RIGHT_EYE):
        x, y = points[list(loop)].mean(axis=0).astype(int)
        assert not dark[y - 6 : y + 7, x - 15 : x + 16].any()
        assert dark[y:, x].any()
        assert dark[:y, x].any()
    x, y = points[6].astype(int)
    assert dark[y - 25 : y + 25, x].any()


def test_sunglasses_cover_the_eyes_and_leave_the_mouth() -> None:
    drawn, points = canvas(), mesh()
    draw_dark_glasses(drawn, points, SCALE, SKIN)
    for loop in (LEFT_EYE, RIGHT_EYE):
        low, high = points[list(loop)].min(axis=0).astype(int), points[list(loop)].max(axis=0).astype(int)
        assert drawn[low[1] : high[1], low[0] : high[0]].max() < 0.35 * SKIN.mean()
    mouth = int(points[0, 1]) - 3
    assert np.array_equal(drawn[mouth:], canvas()[mouth:])
