"""Outside of its edits a photo is what it was, and where it is not, it is said by how much."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faces import noise_picture
from photo_anonymizer.model.geometry import PixelBox
from photo_anonymizer.model.outside import UNCHANGED, change_outside, edited, grown
from photo_anonymizer.model.patch import FACE_LAYER, Patch


def patch(x0: int, y0: int, x1: int, y1: int, *, alpha: int = 255) -> Patch:
    shape = y1 - y0, x1 - x0
    colours = np.zeros((*shape, 3), np.uint8)
    return Patch(
        PixelBox(x0=x0, y0=y0, x1=x1, y1=y1), colours, np.full(shape, alpha, np.uint8), FACE_LAYER, "methods.test"
    )


def test_a_pixel_is_edited_however_faint_its_mask() -> None:
    covered = edited([patch(2, 3, 5, 6, alpha=1), patch(7, 0, 9, 2, alpha=0), patch(0, 0, 1, 1)], (8, 10))
    assert sorted(map(tuple, np.argwhere(covered))) == [(0, 0), *((y, x) for y in (3, 4, 5) for x in (2, 3, 4))]


@pytest.mark.parametrize(
    ("by_hw", "rows", "columns"),
    [((1, 1), (0, 1, 2), (3, 4, 5)), ((0, 1), (1,), (3, 4, 5)), ((2, 0), (0, 1, 2, 3), (4,)), ((0, 0), (1,), (4,))],
)
def test_pixels_grow_by_so_many_rows_and_columns(
    by_hw: tuple[int, int], rows: tuple[int, ...], columns: tuple[int, ...]
) -> None:
    one = np.zeros((5, 6), bool)
    one[1, 4] = True
    assert sorted(map(tuple, np.argwhere(grown(one, by_hw)))) == list(itertools.product(rows, columns))


def test_a_photo_that_is_equal_outside_is_unchanged_whatever_happened_inside() -> None:
    before = noise_picture(90, 70)
    after = before.copy()
    after[20:30, 10:25] ^= 255
    assert change_outside(before, after, [patch(10, 20, 25, 30)], lossless=True) == UNCHANGED


@pytest.mark.parametrize(("y", "x"), [(19, 12), (30, 12), (22, 9), (22, 25), (69, 89)])
def test_a_lossless_file_may_not_change_right_beside_the_mask(y: int, x: int) -> None:
    before = noise_picture(90, 70)
    after = before.copy()
    after[y, x, 1] ^= 4
    found = change_outside(before, after, [patch(10, 20, 25, 30)], lossless=True)
    assert found.largest == 4
    assert found.mean == pytest.approx(4 / (3 * (90 * 70 - 150)))


@pytest.mark.parametrize(
    ("place", "largest"),
    [((32, 32), 0), ((31, 31), 0), ((64, 64), 0), ((30, 40), 1), ((65, 40), 1), ((40, 30), 1), ((40, 65), 1)],
)
def test_a_lossy_file_may_change_in_the_coded_units_that_the_mask_touches_and_one_pixel_on(
    place: tuple[int, int], largest: int
) -> None:
    before = noise_picture(130, 140)
    after = before.copy()
    after[place] ^= 1
    assert change_outside(before, after, [patch(40, 40, 50, 50)], lossless=False).largest == largest


def test_a_mask_at_the_edge_of_a_unit_reaches_into_the_next_one() -> None:
    before = noise_picture(130, 40)
    after = before.copy()
    after[5, 64:96] ^= 1
    assert change_outside(before, after, [patch(40, 0, 64, 10)], lossless=False) == UNCHANGED
    assert change_outside(before, after, [patch(40, 0, 63, 10)], lossless=False).largest == 1


def test_nothing_is_outside_of_an_edit_of_the_whole_photo() -> None:
    before = noise_picture(20, 10)
    assert change_outside(before, 255 - before, [patch(0, 0, 20, 10)], lossless=True) == UNCHANGED


@given(st.integers(1, 100), st.integers(1, 100), st.integers(0, 2**32 - 1))
def test_without_edits_the_change_is_that_of_the_whole_photo(width: int, height: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, after = rng.integers(0, 256, (2, height, width, 3), np.uint8)
    difference = np.abs(before.astype(int) - after)
    for lossless in (True, False):
        found = change_outside(before, after, [], lossless=lossless)
        assert (found.mean, found.largest) == (pytest.approx(difference.mean()), difference.max())
