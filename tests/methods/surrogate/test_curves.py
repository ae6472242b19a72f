"""Smooth curves through points."""

from __future__ import annotations

import numpy as np
import pytest

from photo_anonymizer.methods.surrogate.curves import closed_curve, curve, filled, lines

CORNERS = np.array([[10, 10], [50, 12], [48, 50], [12, 46.0]])


def test_a_curve_goes_through_its_points_from_the_first_to_the_last() -> None:
    made = curve(CORNERS)
    assert made[0] == pytest.approx(CORNERS[0])
    assert made[-1] == pytest.approx(CORNERS[-1])
    for corner in CORNERS:
        assert np.linalg.norm(made - corner, axis=1).min() < 1e-9


def test_a_closed_curve_comes_back() -> None:
    made = closed_curve(CORNERS)
    assert np.linalg.norm(made[0] - made[-1]) < 12
    assert all(np.linalg.norm(made - corner, axis=1).min() < 1e-9 for corner in CORNERS)


def test_what_a_loop_encloses_is_filled_with_a_soft_edge() -> None:
    area = filled((64, 64), CORNERS)
    assert area[30, 30] == 1
    assert area[5, 5] == 0
    assert ((area > 0) & (area < 1)).any()


def test_lines_are_smooth_and_as_strong_as_asked_for() -> None:
    drawn = lines((64, 64), [CORNERS], 3, 0.5)
    assert drawn.max() == pytest.approx(0.5, abs=0.01)
    assert len(np.unique(drawn)) > 5


def test_curves_of_one_length_may_come_as_an_array() -> None:
    hairs = np.random.default_rng(1).uniform(5, 59, (20, 2, 2))
    assert np.array_equal(lines((64, 64), hairs, 1), lines((64, 64), list(hairs), 1))
