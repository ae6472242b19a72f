"""The restorers of the gate: fixed strengths, some milliseconds a face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from photo_anonymizer.reid.attacks.restorers.quick import QUICK, quick_looks, restored

CHIPS = np.stack([cv2.resize(data.astronaut()[20:220, 120:320], (150, 150))] * 2)


def test_every_quick_restorer_has_a_look() -> None:
    assert {look.split(" ")[0] for look in quick_looks()} == set(QUICK)


@pytest.mark.parametrize("look", list(quick_looks()))
def test_a_look_gives_chips_of_the_same_size_and_the_same_ones_every_time(look: str) -> None:
    found = restored(CHIPS, quick_looks()[look])
    assert (found.shape, found.dtype) == (CHIPS.shape, CHIPS.dtype)
    np.testing.assert_array_equal(found, restored(CHIPS, quick_looks()[look]))


def test_a_light_blur_is_undone_in_part() -> None:
    """The Wiener filter's kernel is about this blur's."""
    blurred = np.stack([cv2.GaussianBlur(chip, (0, 0), 0.05 * 150) for chip in CHIPS])
    found = restored(blurred, quick_looks()["wiener"])
    inner = slice(20, -20)
    edges = [cv2.Laplacian(chips[0, inner, inner], cv2.CV_64F).var() for chips in (CHIPS, blurred, found)]
    assert edges[1] < edges[2]
    away = [np.abs(chips[0, inner, inner].astype(float) - CHIPS[0, inner, inner]).mean() for chips in (blurred, found)]
    assert away[1] < away[0]


def test_an_even_area_stays_even() -> None:
    grey = np.full((1, 150, 150, 3), 0xC0, np.uint8)
    for restore in quick_looks().values():
        assert np.ptp(restored(grey, restore).astype(int)) <= 2
