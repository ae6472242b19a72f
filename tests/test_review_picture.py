"""A reviewer sees the whole face, what is around it, and which one is meant."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from photo_anonymizer.model.geometry import Box
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.review_picture import LONG_SIDE_PX, jpeg_of

GROUND, FACE = (40, 90, 200), (230, 180, 20)


def photo(size_wh: tuple[int, int], box: Box) -> Pixels:
    """One colour, and another in the box."""
    picture = np.full((size_wh[1], size_wh[0], 3), GROUND, np.uint8)
    picture[round(box.y0) : round(box.y1), round(box.x0) : round(box.x1)] = FACE
    return picture


def seen(rgb: Pixels, box: Box) -> Pixels:
    decoded = cv2.imdecode(np.frombuffer(jpeg_of(rgb, box), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(decoded[..., ::-1])


@pytest.mark.parametrize("side", [6, 40, 128, 600])
def test_small_faces_are_enlarged_and_large_ones_made_smaller(side: int) -> None:
    box = Box(x0=700, y0=700, x1=700 + side * 0.75, y1=700 + side)
    picture = seen(photo((2000, 2000), box), box)
    assert max(picture.shape[:2]) == LONG_SIDE_PX
    assert picture.shape[1] == pytest.approx(LONG_SIDE_PX * 0.75, abs=LONG_SIDE_PX / side)


def test_the_face_is_shown_whole_with_as_much_again_on_every_side() -> None:
    box = Box(x0=300, y0=300, x1=428, y1=428)
    picture = seen(photo((1000, 1000), box), box).astype(int)
    third = LONG_SIDE_PX // 3
    middle, corner = picture[third + 4 : -third - 4, third + 4 : -third - 4], picture[: third - 8, : third - 8]
    assert np.abs(middle - FACE).max() < 8
    assert np.abs(corner - GROUND).max() < 8


def test_a_line_runs_around_the_face_and_hides_nothing_of_it() -> None:
    box = Box(x0=300, y0=300, x1=428, y1=428)
    picture = seen(photo((1000, 1000), box), box).astype(int)
    third, row = LONG_SIDE_PX // 3, LONG_SIDE_PX // 2
    assert picture[row, third - 2].min() > 180  # white, next to the face
    assert picture[row, third - 3].max() < 120  # black around it
    assert np.abs(picture[row, third + 2] - FACE).max() < 60
    whole = seen(np.full((1000, 1000, 3), FACE, np.uint8), box).astype(int)
    assert np.abs(whole[third + 2 : -third - 2, third + 2 : -third - 2] - FACE).max() < 60


def test_at_the_edge_of_the_photo_there_is_less_around_it() -> None:
    box = Box(x0=-10, y0=0, x1=90, y1=100)
    picture = seen(photo((500, 500), Box(x0=0, y0=0, x1=90, y1=100)), box)
    assert picture.shape[:2] == (LONG_SIDE_PX, round(LONG_SIDE_PX * 190 / 200))


def test_a_box_that_lies_beyond_the_photo_shows_the_photo() -> None:
    assert seen(photo((100, 50), Box(x0=0, y0=0, x1=1, y1=1)), Box(x0=900, y0=900, x1=910, y1=910)).shape[:2] == (
        192,
        384,
    )


def test_the_photo_itself_is_not_drawn_on() -> None:
    box = Box(x0=30, y0=30, x1=60, y1=60)
    rgb = photo((100, 100), box)
    jpeg_of(rgb, box)
    assert (rgb == photo((100, 100), box)).all()
