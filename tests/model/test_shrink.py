"""A picture made smaller shows the same, however fast it was made."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photo_anonymizer.model.shrink import shrunk


def ramp(width: int, height: int) -> np.ndarray:
    """Red rises from left to right, green from top to bottom."""
    x, y = np.meshgrid(np.linspace(0, 250, width), np.linspace(0, 250, height))
    return np.dstack([x, y, np.full_like(x, 128)]).astype(np.uint8)


@given(st.integers(1, 300), st.integers(1, 300), st.floats(0.01, 1), st.floats(0.01, 1))
def test_it_has_the_size_that_was_asked_for(width: int, height: int, across: float, down: float) -> None:
    wanted = max(1, int(width * across)), max(1, int(height * down))
    assert shrunk(ramp(width, height), wanted).shape == (wanted[1], wanted[0], 3)


@pytest.mark.parametrize("size_wh", [(640, 427), (1024, 682), (256, 171), (224, 149), (1279, 852), (100, 853)])
def test_what_it_shows_stays_in_its_place(size_wh: tuple[int, int]) -> None:
    small = shrunk(ramp(1280, 853), size_wh).astype(int)
    off = np.abs(small - ramp(*size_wh))
    one_pixel = 250 / min(size_wh) + 2
    assert off.max() <= one_pixel


@pytest.mark.parametrize("size_wh", [(500, 500), (333, 333), (100, 100), (13, 13)])
def test_a_fine_pattern_becomes_its_mean_and_no_other_pattern(size_wh: tuple[int, int]) -> None:
    board = np.zeros((1000, 1000, 3), np.uint8)
    board[::2, ::2] = board[1::2, 1::2] = 255
    small = shrunk(board, size_wh).astype(float)
    assert abs(small.mean() - 127.5) < 2
    assert small.std() < 16


def test_a_picture_that_has_the_size_is_given_back() -> None:
    picture = ramp(40, 30)
    assert shrunk(picture, (40, 30)) is picture
