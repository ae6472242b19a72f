"""The drawn face, unrolled."""

from __future__ import annotations

import numpy as np
import pytest

from photo_anonymizer.mesh.texture import unrolling
from photo_anonymizer.mesh.topology import LEFT_BROW, OUTER_LIPS, RIGHT_BROW
from photo_anonymizer.methods.surrogate.albedo import painted
from photo_anonymizer.methods.surrogate.looks import CHEEKS, Hints, drawn_look, mean_inside


def drawn(side: int = 256, seed: int = 0, **hints: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return painted(drawn_look(Hints(**hints), 180, rng), side, rng)


def test_plain_skin_is_one() -> None:
    face = drawn()
    assert np.median(face[unrolling(256).inside], axis=0) == pytest.approx([1, 1, 1], abs=0.01)


def test_brows_are_darker_and_lips_redder_than_skin() -> None:
    face = drawn()
    skin = mean_inside(face, CHEEKS)
    assert max(mean_inside(face, LEFT_BROW).mean(), mean_inside(face, RIGHT_BROW).mean()) < 0.85 * skin.mean()
    lips = mean_inside(face, OUTER_LIPS) / skin
    assert lips[0] > 1.1 * lips[1:].mean()


def test_both_sizes_show_the_same_kind_of_face() -> None:
    small, large = drawn(256, 3), drawn(512, 3)
    shrunk = large.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    inside = unrolling(256).inside
    assert np.corrcoef(small[inside].ravel(), shrunk[inside].ravel())[0, 1] > 0.8


def test_a_beard_darkens_the_jaw() -> None:
    jaw = (182, 83, 18, 313, 406, 421, 428, 199, 208, 201)
    assert mean_inside(drawn(beard=2), jaw).mean() < 0.85 * mean_inside(drawn(beard=0), jaw).mean()


def test_values_stay_in_range() -> None:
    for seed in range(5):
        face = drawn(seed=seed, beard=2, lines=2, brows=2, lips=2)
        assert face.dtype == np.float32
        assert 0 < face.min() < face.max() < 2


def test_another_chance_is_another_face() -> None:
    assert np.abs(drawn(seed=1) - drawn(seed=2)).mean() > 0.01
