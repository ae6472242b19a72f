"""The colours around a face are those of pixels that its region does not touch, few and rounded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faces import face, head, noise_picture
from photo_anonymizer.methods.region import Region
from photo_anonymizer.methods.surroundings import CELLS, STEP, UNKNOWN, surroundings_of
from photo_anonymizer.model.pixels import Pixels
from subjects import region_in


def beside(rgb: Pixels, region: Region, value: int) -> Pixels:
    """The photo with every pixel replaced that the region touches."""
    changed = rgb.copy()
    changed[region.box.slices][region.alpha > 0] = value
    return changed


@given(x=st.floats(0, 150), y=st.floats(0, 150), half=st.floats(1, 120), roll=st.floats(-3, 3), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_nothing_of_the_region_enters(x: float, y: float, half: float, roll: float, seed: int) -> None:
    photo = noise_picture(150, 150, seed)
    region = region_in(photo, head(x, y, half, roll))
    one, other = (surroundings_of(beside(photo, region, value), region) for value in (0, 255))
    assert np.array_equal(one.colours, other.colours)
    assert np.array_equal(one.known, other.known)


def test_over_the_face_lies_what_is_beside_it() -> None:
    photo = np.zeros((200, 200, 3), np.uint8)
    photo[:, 100:] = 200
    region = region_in(photo, face(70, 60, 60, 80))
    shown = surroundings_of(photo, region).within(region.box)
    assert shown.shape == (region.box.height, region.box.width, 3)
    row = shown[shown.shape[0] // 2, :, 0].astype(int)
    assert row[0] < 40
    assert row[-1] > 160
    assert (np.diff(row) >= -1).all()


def test_the_mean_is_rounded() -> None:
    photo = noise_picture(120, 120)
    assert all(
        channel % STEP == 0 or channel == 255
        for channel in surroundings_of(photo, region_in(photo, face(40, 40, 30, 40))).mean
    )


def test_a_large_face_has_no_more_cells_than_a_small_one() -> None:
    counts = [
        surroundings_of(photo, region_in(photo, face(side / 3, side / 3, side / 3, side / 3))).known.shape
        for side in (60, 900)
        for photo in [noise_picture(side, side)]
    ]
    assert counts == [(CELLS, CELLS)] * 2


def test_where_nothing_is_around_it_is_grey() -> None:
    photo = noise_picture(30, 30)
    around = surroundings_of(photo, region_in(photo, face(-60, -60, 150, 150), "rectangle"))
    assert not around.known.any()
    assert around.mean == (UNKNOWN,) * 3
    assert (around.colours == UNKNOWN).all()


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 1)])
def test_the_smallest_photo_has_surroundings(size: tuple[int, int]) -> None:
    photo = noise_picture(*size)
    region = region_in(photo, face(0, 0, *size))
    assert surroundings_of(photo, region).within(region.box).shape[:2] == (region.box.height, region.box.width)


def test_a_photo_without_colour_is_told_from_one_with_little() -> None:
    grey = np.repeat(noise_picture(120, 120)[..., :1], 3, axis=2)
    faint = grey.copy()
    faint[:30] = (120, 120, 140)
    region = region_in(grey, face(40, 40, 30, 40))
    assert surroundings_of(grey, region).grey
    assert not surroundings_of(faint, region).grey
