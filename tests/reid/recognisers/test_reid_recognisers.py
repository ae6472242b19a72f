"""What every registered recogniser promises, and what the classical ones can and cannot."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from photo_anonymizer.errors import ConfigError
from photo_anonymizer.reid.measure import EMPTY_TOLERANCE, empty_embeddings
from photo_anonymizer.reid.recognisers import RECOGNISERS
from photo_anonymizer.reid.recognisers.eigenfaces import MIN_FACES, Eigenfaces
from photo_anonymizer.reid.recognisers.lbp import Lbp
from photo_anonymizer.reid.recognisers.protocol import FittedRecogniser, Recogniser, comparison_of
from photo_anonymizer.reid.stage import load_recogniser

ASTRONAUT = data.astronaut()[50:210, 145:305]


def made_up(n: int, side_px: int, seed: int = 0) -> np.ndarray:
    """Smooth grey blobs, no two alike: uint8 (n, side, side, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n, 6, 6)).astype(np.uint8)
    return np.stack(
        [cv2.cvtColor(cv2.resize(chip, (side_px, side_px), interpolation=cv2.INTER_CUBIC), 8) for chip in coarse]
    )


@pytest.fixture(params=sorted(RECOGNISERS))
def recogniser(request: pytest.FixtureRequest) -> Recogniser:
    return load_recogniser(request.param, 1)


def test_it_gives_a_finite_row_for_each_chip_and_none_for_none(recogniser: Recogniser) -> None:
    chips = made_up(3, recogniser.chip_size_px)
    rows = recogniser.embed(chips)
    assert rows.dtype == np.float32
    assert rows.shape[0] == 3
    assert np.isfinite(rows).all()
    assert recogniser.embed(chips[:0]).shape == (0, rows.shape[1])


def test_a_row_does_not_depend_on_its_neighbours(recogniser: Recogniser) -> None:
    chips = made_up(3, recogniser.chip_size_px)
    np.testing.assert_allclose(recogniser.embed(chips)[1:2], recogniser.embed(chips[1:2]), atol=1e-5)


def test_different_pictures_get_different_rows_and_none_is_like_an_empty_one(recogniser: Recogniser) -> None:
    rows = recogniser.embed(made_up(4, recogniser.chip_size_px))
    away = np.linalg.norm(rows[:, None] - rows[None], axis=2)[np.triu_indices(4, 1)]
    empty = np.linalg.norm(rows[:, None] - empty_embeddings(recogniser)[None], axis=2)
    assert min(away.min(), empty.min()) > EMPTY_TOLERANCE


def test_its_template_is_an_upright_face_within_the_chip(recogniser: Recogniser) -> None:
    left_eye, right_eye, nose, left_mouth, right_mouth = recogniser.template
    assert recogniser.template.shape == (5, 2)
    assert (recogniser.template > 0).all()
    assert (recogniser.template < recogniser.chip_size_px).all()
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_eye[1] < nose[1] < left_mouth[1]
    assert left_mouth[0] < right_mouth[0]


@pytest.mark.parametrize("spoilt", [lambda chips: chips[0], lambda chips: chips[:, 1:], lambda chips: chips / 255])
def test_what_is_no_stack_of_chips_is_refused(recogniser: Recogniser, spoilt) -> None:
    with pytest.raises(ValueError, match="want chips"):
        recogniser.embed(spoilt(made_up(1, recogniser.chip_size_px)))


def test_an_unknown_one_is_refused_with_the_known_names() -> None:
    with pytest.raises(ConfigError, match="choose one of: dlib_resnet, eigenfaces, lbp"):
        load_recogniser("arcface", 1)


# local binary patterns


def lbp_of(*chips: np.ndarray) -> np.ndarray:
    lbp = Lbp()
    side = lbp.chip_size_px
    return lbp.embed(np.stack([cv2.resize(chip, (side, side), interpolation=cv2.INTER_AREA) for chip in chips]))


def test_patterns_do_not_change_with_the_light() -> None:
    darker = (ASTRONAUT.astype(float) * 0.8).astype(np.uint8)
    same, other = lbp_of(ASTRONAUT, darker), lbp_of(ASTRONAUT, made_up(1, 160)[0])
    assert np.linalg.norm(same[0] - same[1]) < 0.6 * Lbp.threshold
    assert np.linalg.norm(other[0] - other[1]) > Lbp.threshold


def test_rows_are_roots_of_histograms_of_length_one() -> None:
    rows = lbp_of(ASTRONAUT)
    assert rows.shape == (1, 4 * 4 * 59)
    np.testing.assert_allclose((rows[0].reshape(16, 59) ** 2).sum(axis=1), 1 / 16, atol=1e-6)


# eigenfaces


def test_only_the_one_that_learns_has_something_to_fit() -> None:
    assert [name for name in RECOGNISERS if isinstance(load_recogniser(name, 1), FittedRecogniser)] == ["eigenfaces"]


def test_without_anything_to_learn_rows_are_compared_as_they_are() -> None:
    rows = np.ones((2, 8), np.float32)
    assert comparison_of(Lbp(), rows)(rows) is rows


def test_what_it_learned_is_whitened_directions() -> None:
    eigenfaces = Eigenfaces()
    rows = eigenfaces.embed(made_up(4 * MIN_FACES, 32))
    compared = comparison_of(eigenfaces, rows)(rows)
    assert compared.shape == (len(rows), 40)
    np.testing.assert_allclose(np.linalg.norm(compared, axis=1), 1, atol=1e-5)
    spread = compared.std(axis=0)
    assert spread.max() < 3 * spread.min()  # no component rules


def test_the_same_originals_teach_the_same_in_any_order_and_once_more() -> None:
    eigenfaces = Eigenfaces()
    rows = eigenfaces.embed(made_up(MIN_FACES + 20, 32))
    once, again, turned = (comparison_of(eigenfaces, taught)(rows) for taught in (rows, rows, rows[::-1]))
    np.testing.assert_array_equal(once, again)
    np.testing.assert_allclose(once @ once.T, turned @ turned.T, atol=1e-3)


def test_strangers_are_seldom_within_the_threshold() -> None:
    eigenfaces = Eigenfaces()
    rows = eigenfaces.embed(made_up(300, 32))
    compared = comparison_of(eigenfaces, rows)(rows)
    away = np.linalg.norm(compared[:, None] - compared[None], axis=2)[np.triu_indices(300, 1)]
    assert (away <= eigenfaces.threshold).mean() < 0.01


def test_with_few_faces_nothing_is_learned_and_everybody_is_the_same() -> None:
    eigenfaces = Eigenfaces()
    rows = eigenfaces.embed(made_up(MIN_FACES - 1, 32))
    assert not comparison_of(eigenfaces, rows)(rows).any()


def test_a_row_without_numbers_teaches_nothing_and_stays_without() -> None:
    eigenfaces = Eigenfaces()
    rows = eigenfaces.embed(made_up(MIN_FACES + 5, 32))
    spoilt = np.concatenate([rows, np.full((1, rows.shape[1]), np.nan, np.float32)])
    compared = comparison_of(eigenfaces, spoilt)(spoilt)
    np.testing.assert_array_equal(compared[:-1], comparison_of(eigenfaces, rows)(rows))
    assert np.isnan(compared[-1]).all()


def test_hair_and_background_are_not_looked_at() -> None:
    chip = cv2.resize(ASTRONAUT, (32, 32), interpolation=cv2.INTER_AREA)
    other = chip.copy()
    other[:, :3], other[:, -3:], other[:4] = 255, 0, 90
    same = Eigenfaces().embed(np.stack([chip, other]))
    np.testing.assert_array_equal(same[0], same[1])


def test_a_flat_chip_is_nothing_even_with_the_grain_of_encoding() -> None:
    flat = np.full((2, 32, 32, 3), 192, np.uint8)
    flat[1, ::2] += 1
    assert not Eigenfaces().embed(flat).any()
