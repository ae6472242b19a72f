"""The person's own face, made another one's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from photo_anonymizer.config import load_config
from photo_anonymizer.mesh.topology import CHIN, LEFT_EYE, RIGHT_EYE, texture_points
from photo_anonymizer.methods.feature_preserving import (
    FeaturePreserving,
    eyes_place,
    give_eyes,
    give_skin,
    own_albedo,
    without_marks,
)
from photo_anonymizer.methods.ladder import ladder
from photo_anonymizer.methods.protocol import CannotPaintError, Painted
from photo_anonymizer.methods.stage import patch_of
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.model.patch import FACE_LAYER, Patch, compose
from photo_anonymizer.model.pixels import Pixels
from subjects import skin_photo, subject


def paint(someone: Subject, strength: float = 1.0, seed: int = 0) -> Painted:
    return FeaturePreserving().paint(someone, {"strength": strength}, np.random.default_rng(seed))


def shown(someone: Subject, painted: Painted) -> Pixels:
    patch = Patch(someone.region.box, painted.pixels, painted.alpha, FACE_LAYER, "test")
    return compose(someone.rgb, [patch])


def drawn_face(height_px: int = 220) -> Subject:
    """Skin with dark, round eyes."""
    someone = subject(height_px)
    photo = someone.rgb.copy()
    for loop in (LEFT_EYE, RIGHT_EYE):
        x, y = someone.mesh.points[list(loop), :2].mean(axis=0).astype(int)
        cv2.circle(photo, (int(x), int(y)), max(2, height_px // 40), (30, 25, 20), -1)
    return subject(height_px, photo=photo)


def moved_by(someone: Subject, strength: float, seed: int) -> float:
    """How far the left eye's darkest place goes, in px."""
    before, after = someone.rgb, shown(someone, paint(someone, strength, seed))
    x, y = someone.mesh.points[list(LEFT_EYE), :2].mean(axis=0).astype(int)
    window = slice(y - 25, y + 26), slice(x - 25, x + 26)

    def darkest(rgb: Pixels) -> np.ndarray:
        grey = cv2.GaussianBlur(rgb[window].mean(axis=2), (0, 0), 2)
        return np.array(np.unravel_index(np.argmin(grey), grey.shape))

    return float(np.linalg.norm(darkest(after) - darkest(before)))


def test_features_move_and_the_further_the_stronger() -> None:
    """An eye by 0.11 to 0.22 cm aside, and by less up or down, at 12 px a cm."""
    someone = drawn_face()
    nothing, usual, strong = (np.mean([moved_by(someone, by, seed) for seed in range(6)]) for by in (0.0, 1.0, 2.0))
    assert nothing <= 1
    assert usual > 1.3
    assert strong > usual + 1


def test_the_person_s_own_eyes_stay_to_be_seen_on_a_large_face() -> None:
    someone = drawn_face()
    result = shown(someone, paint(someone))
    x, y = someone.mesh.points[list(LEFT_EYE), :2].mean(axis=0).astype(int)
    assert result[y - 20 : y + 21, x - 20 : x + 21].mean(axis=2).min() < 80


def test_on_a_small_face_eyes_are_drawn() -> None:
    """What was painted green there is gone."""

    def greenish(height_px: int) -> float:
        someone = subject(height_px)
        for loop in (LEFT_EYE, RIGHT_EYE):
            cv2.fillPoly(someone.rgb, [someone.mesh.points[list(loop), :2].astype(np.int32)], (0, 255, 0))
        red, green, blue = np.moveaxis(shown(someone, paint(someone)).astype(float), 2, 0)
        return float((green - np.maximum(red, blue)).max())

    assert greenish(220) > 30 > greenish(140)


def test_marks_on_the_skin_are_smoothed_away() -> None:
    """Freckles a tenth darker than the skin leave less than half of their contrast."""
    someone = subject(200)
    photo = cv2.GaussianBlur(someone.rgb, (0, 0), 4)
    plain = subject(200, photo=photo.copy())
    for x, y in someone.mesh.points[[50, 280, 205, 425, 101], :2].astype(int):
        cv2.circle(photo, (int(x), int(y)), 1, (photo[y, x] * 0.9).astype(int).tolist(), -1)
    marked = subject(200, photo=photo)
    before = np.abs(marked.texture - plain.texture).max() / plain.texture.mean()
    after = np.abs(np.subtract(*(without_marks(own_albedo(face, 256), 256) for face in (marked, plain)))).max()
    assert before > 0.04
    assert after < before / 2


def test_of_the_own_colours_only_the_eyes_stay() -> None:
    side_px, (x, y) = 256, np.round(texture_points()[list(LEFT_EYE)].mean(axis=0) * 256).astype(int)
    drawn, own = np.ones((side_px, side_px, 3), np.float32), np.full((side_px, side_px, 3), 0.5, np.float32)
    give_eyes(drawn, own[eyes_place(side_px)])
    assert drawn[y, x] == pytest.approx(0.5, abs=0.02)
    assert (drawn[side_px // 2 :] == 1).all()


def test_below_full_strength_the_own_skin_stays_in_part() -> None:
    drawn, own = np.ones((256, 256, 3), np.float32), np.full((256, 256, 3), 0.5, np.float32)
    give_skin(drawn, own, 0.5)
    assert drawn == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("side_px", [192, 256, 512])
def test_a_part_of_the_own_colours_is_that_part_of_all(side_px: int) -> None:
    someone, place = subject(200), eyes_place(side_px)
    assert own_albedo(someone, side_px, place) == pytest.approx(own_albedo(someone, side_px)[place], abs=0.03)


def test_the_outline_and_what_is_around_it_stay() -> None:
    someone = drawn_face()
    result = shown(someone, paint(someone))
    y = int(someone.mesh.points[CHIN, 1])
    assert np.array_equal(result[y + 6 :], someone.rgb[y + 6 :])


def test_the_same_chance_makes_the_same_face_and_another_another() -> None:
    someone = drawn_face()
    assert np.array_equal(paint(someone, seed=1).pixels, paint(drawn_face(), seed=1).pixels)
    assert np.abs(paint(someone, seed=1).pixels.astype(int) - paint(someone, seed=2).pixels).mean() > 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"logit": -2}, "mesh_in_doubt"), ({"yaw": 1.0}, "profile_view")],
)
def test_what_it_cannot_do_is_left_to_another_method(changes: dict[str, float], reason: str) -> None:
    with pytest.raises(CannotPaintError, match=reason):
        paint(subject(200, **changes))


@pytest.mark.parametrize("height_px", [4, 4000])
def test_extreme_sizes_have_a_defined_result(height_px: int) -> None:
    assert paint(subject(height_px)).alpha.max() > 0


@pytest.mark.parametrize("centre", [(10.0, 220.0), (430.0, 220.0), (220.0, 5.0), (220.0, 436.0)])
def test_a_face_that_the_photo_cuts_has_a_defined_result(centre: tuple[float, float]) -> None:
    someone = subject(200, photo=skin_photo(440), centre=centre)
    step = ladder(load_config({"source": "-"}), "feature_preserving")[0]
    patch = patch_of(someone.rgb, someone.face, step, 0.08, np.random.default_rng(0))
    assert patch is not None
    assert (patch.region.x1, patch.region.y1) <= (440, 440)


def test_the_gate_can_raise_the_strength() -> None:
    first, further, *_ = ladder(load_config({"source": "-"}), "feature_preserving")
    assert further.parameters["strength"] > first.parameters["strength"] == 1.0
    assert first.otherwise is not None
