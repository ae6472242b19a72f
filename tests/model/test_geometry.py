"""Boxes keep every touched pixel and refuse what is no box."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from photo_anonymizer.model.geometry import Box, PixelBox, intersection_over_union

coordinate = st.floats(-500, 500, allow_nan=False)
side = st.floats(0.01, 400, allow_nan=False)


@given(coordinate, coordinate, side, side)
def test_cover_contains_every_pixel_that_the_box_touches_inside_the_photo(
    x: float, y: float, width: float, height: float
) -> None:
    box = Box(x0=x, y0=y, x1=x + width, y1=y + height)
    cover = box.cover((300, 200))
    across = [column for column in range(300) if column < box.x1 and column + 1 > box.x0]
    down = [row for row in range(200) if row < box.y1 and row + 1 > box.y0]
    if not across or not down:
        assert cover is None or cover.width <= 1 or cover.height <= 1
        return
    assert cover is not None
    assert cover.x0 <= across[0]
    assert cover.x1 > across[-1]
    assert cover.y0 <= down[0]
    assert cover.y1 > down[-1]


def test_a_far_edge_between_two_pixels_takes_the_pixel_with_it() -> None:
    assert Box(x0=10.6, y0=0, x1=50.4, y1=5).cover((100, 100)) == PixelBox(x0=10, y0=0, x1=51, y1=5)


def test_a_box_outside_the_photo_covers_nothing() -> None:
    assert Box(x0=120, y0=0, x1=130, y1=5).cover((100, 100)) is None


@pytest.mark.parametrize("sides", [(5, 0, 5, 1), (0, 2, 1, 1), (0, 0, math.nan, 1), (0, 0, math.inf, 1)])
def test_what_is_no_box_is_refused(sides: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValidationError):
        Box(x0=sides[0], y0=sides[1], x1=sides[2], y1=sides[3])


def test_iou_is_one_for_the_same_box_nothing_for_strangers_and_a_third_for_half_overlap() -> None:
    box = Box(x0=0, y0=0, x1=10, y1=10)
    assert intersection_over_union(box, box) == 1
    assert intersection_over_union(box, Box(x0=20, y0=0, x1=30, y1=10)) == 0
    assert intersection_over_union(box, Box(x0=5, y0=0, x1=15, y1=10)) == pytest.approx(1 / 3)


def test_scaling_keeps_the_centre() -> None:
    scaled = Box(x0=0, y0=0, x1=10, y1=20).scaled(2, 0.5)
    assert (scaled.x0, scaled.y0, scaled.x1, scaled.y1) == (-5, 5, 15, 15)


def test_a_shifted_box_is_as_large_as_before() -> None:
    assert Box(x0=1, y0=2, x1=4, y1=6).shifted(-1, 3) == Box(x0=0, y0=5, x1=3, y1=9)
