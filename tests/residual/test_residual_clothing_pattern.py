"""Patterns are found, folds are not; what replaces a pattern holds nothing of it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from photo_anonymizer.residual.body import WORKING_FACE_PX
from photo_anonymizer.residual.clothing_pattern import (
    CELL_FACES,
    cell_colours,
    feathered,
    flag_patterns,
    flatten,
    skin_like,
    threshold_of,
)

SIZE = 300, 320
BODY = np.full(SIZE, 255, np.uint8)
NO_SKIN = np.zeros(SIZE, np.bool_)


def cloth(colour: tuple[int, int, int] = (90, 110, 150)) -> np.ndarray:
    """Plain cloth with broad shading and a little noise."""
    shading = 18 * np.sin(np.arange(SIZE[1]) / 60)[np.newaxis, :, np.newaxis]
    noise = np.random.default_rng(1).normal(0, 2, (*SIZE, 3))
    return np.clip(np.array(colour) + shading + noise, 0, 255).astype(np.uint8)


def with_text(rgb: np.ndarray) -> np.ndarray:
    drawn = rgb.copy()
    for row, words in enumerate(("ANNA", "NOWAK")):
        cv2.putText(drawn, words, (90, 140 + 45 * row), cv2.FONT_HERSHEY_SIMPLEX, 1.3, (245, 240, 225), 4)
    return drawn


def with_stripes(rgb: np.ndarray) -> np.ndarray:
    drawn = rgb.copy()
    drawn[(np.arange(SIZE[0]) // 6) % 2 == 0] = (230, 225, 220)
    return drawn


def with_checks(rgb: np.ndarray) -> np.ndarray:
    drawn = rgb.copy()
    down, across = np.indices(SIZE) // 9
    drawn[(down + across) % 2 == 0] = (200, 40, 40)
    return drawn


def with_lapel(rgb: np.ndarray) -> np.ndarray:
    """A dark jacket over the left half, cut at a slant."""
    drawn = rgb.copy()
    cv2.fillPoly(drawn, [np.array([[0, 0], [120, 0], [180, 299], [0, 299]])], (25, 25, 30))
    return drawn


def flags_of(rgb: np.ndarray, strength: float = 0.5) -> np.ndarray:
    return flag_patterns(rgb, BODY, BODY, NO_SKIN, threshold_of(strength))


def fine_detail(rgb: np.ndarray) -> float:
    """Standard deviation of what is smaller than about a seventh of a face."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float((grey - cv2.GaussianBlur(grey, (0, 0), WORKING_FACE_PX / 14)).std())


def test_plain_cloth_stays():
    assert not flags_of(cloth()).any()


def test_one_hard_edge_is_no_pattern():
    assert not flags_of(with_lapel(cloth())).any()


@pytest.mark.parametrize("draw", [with_text, with_stripes, with_checks])
def test_patterns_are_found_where_they_are(draw):
    drawn = draw(cloth())
    changed = (drawn != cloth()).any(axis=2)
    assert flags_of(drawn)[changed].mean() > 0.95


@pytest.mark.parametrize("draw", [with_text, with_stripes, with_checks])
def test_a_flattened_pattern_cannot_be_seen(draw):
    drawn = draw(cloth())
    flags = flags_of(drawn)
    flat = flatten(drawn, flags, NO_SKIN)
    core = np.where(flags[..., np.newaxis], flat, drawn)[110:200, 90:230]
    assert fine_detail(core) < fine_detail(drawn[110:200, 90:230]) / 7


def test_a_pattern_in_colour_alone_is_found():
    drawn = cloth((128, 128, 128))
    drawn[(np.arange(SIZE[0]) // 6) % 2 == 0] = (190, 105, 100)  # about the same lightness
    assert flags_of(drawn).mean() > 0.9


def test_grey_photos_work_alike():
    grey = np.repeat(with_stripes(cloth())[..., :1], 3, axis=2)
    assert flags_of(grey).mean() > 0.9


def test_more_strength_flags_more():
    drawn = cloth()
    drawn[(np.arange(SIZE[0]) // 6) % 2 == 0] -= 22
    shares = [flags_of(drawn, strength).mean() for strength in (0, 0.5, 1)]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[2] > 0.9


def test_nothing_is_flagged_outside_the_body():
    body = np.zeros(SIZE, np.uint8)
    body[:, :160] = 255
    flags = flag_patterns(with_checks(cloth()), body, body, NO_SKIN, threshold_of(0.5))
    assert flags[:, :160].any()
    assert not flags[:, 160:].any()


def test_the_outline_of_the_body_is_no_pattern():
    body = np.zeros(SIZE, np.uint8)
    cv2.circle(body, (160, 150), 60, 255, cv2.FILLED)
    drawn = np.where(body[..., np.newaxis] > 0, cloth(), np.uint8(250))
    assert not flag_patterns(drawn, body, body, NO_SKIN, threshold_of(1)).any()


def test_without_a_body_there_is_nothing():
    assert not flag_patterns(with_checks(cloth()), np.zeros(SIZE, np.uint8), BODY, NO_SKIN, 0.1).any()


def test_small_marks_count_on_skin():
    drawn = cloth((205, 160, 135))
    cv2.putText(drawn, "23", (140, 150), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (120, 85, 85), 2)
    threshold = threshold_of(0.5)
    assert not flag_patterns(drawn, BODY, BODY, NO_SKIN, threshold).any()
    assert flag_patterns(drawn, BODY, BODY, ~NO_SKIN, threshold)[125:150, 145:165].all()


def test_patterns_with_the_same_means_become_the_same_pixels():
    """Shuffled within the cells, a text is another picture with the same means: the result tells nothing apart."""
    drawn = with_text(cloth())
    flags = flags_of(drawn)
    flags[:, 250:] = False
    shuffled = drawn.copy()
    chance = np.random.default_rng(5)
    rows, columns = (max(1, round(length / (CELL_FACES * WORKING_FACE_PX))) for length in SIZE)
    for top, bottom in zip(*_bounds(SIZE[0], rows), strict=True):
        for left, right in zip(*_bounds(SIZE[1], columns), strict=True):
            cell, inside = shuffled[top:bottom, left:right], flags[top:bottom, left:right]
            cell[inside] = chance.permutation(cell[inside])
    assert (shuffled != drawn).any()
    assert np.array_equal(cell_colours(drawn, flags)[0], cell_colours(shuffled, flags)[0])
    assert np.array_equal(flatten(drawn, flags, NO_SKIN), flatten(shuffled, flags, NO_SKIN))


def _bounds(length: int, count: int) -> tuple[list[int], list[int]]:
    edges = [number * length // count for number in range(count + 1)]
    return edges[:-1], edges[1:]


def test_unflagged_pixels_do_not_bleed_into_the_flat_colour():
    """No halo: what lies beside the flagged area may have any colour."""
    drawn = with_checks(cloth())
    flags = np.zeros(SIZE, np.bool_)
    flags[80:200, 60:220] = True
    other = drawn.copy()
    other[~flags] = (0, 255, 0)
    assert np.array_equal(flatten(drawn, flags, NO_SKIN), flatten(other, flags, NO_SKIN))


def test_skin_and_cloth_keep_their_own_colours():
    rgb = np.full((*SIZE, 3), (30, 40, 160), np.uint8)
    rgb[:, :160] = (210, 165, 140)
    skin = np.zeros(SIZE, np.bool_)
    skin[:, :160] = True
    flat = flatten(rgb, ~NO_SKIN, skin)
    assert np.abs(flat[:, :150].astype(int) - (210, 165, 140)).max() <= 2
    assert np.abs(flat[:, 170:].astype(int) - (30, 40, 160)).max() <= 2


def test_skin_is_what_looks_like_the_face_and_touches_it():
    rgb = np.full((*SIZE, 3), (30, 40, 160), np.uint8)
    rgb[10:150, 110:210] = (210, 165, 140)
    rgb[240:290, 20:80] = (210, 165, 140)
    skin = skin_like(rgb, (120, 20, 200, 116))
    assert skin[60:140, 120:200].all()
    assert not skin[:, :90].any()


def test_a_face_outside_the_picture_has_no_skin():
    assert not skin_like(cloth(), (-300, -300, -200, -200)).any()


def test_the_feather_lies_outside_the_flagged_area():
    flags = np.zeros(SIZE, np.bool_)
    flags[100:150, 100:150] = True
    alpha = feathered(flags)
    assert (alpha[flags] == 255).all()
    assert 0 < alpha[97, 120] < 255
    assert alpha[80, 120] == 0
