"""Chance for pores and grain."""

from __future__ import annotations

import numpy as np
import pytest

from photo_anonymizer.methods.surrogate.noise import white_noise


def test_noise_has_no_mean_and_unit_deviation() -> None:
    noise = white_noise((200, 300), np.random.default_rng(1))
    assert noise.shape == (200, 300)
    assert noise.mean() == pytest.approx(0, abs=0.02)
    assert noise.std() == pytest.approx(1, abs=0.02)


def test_neighbours_do_not_depend_on_each_other() -> None:
    noise = white_noise((200, 300), np.random.default_rng(2))
    assert abs((noise[:, 1:] * noise[:, :-1]).mean()) < 0.02
    assert abs((noise[1:] * noise[:-1]).mean()) < 0.02
