"""Laying a face into a photo."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from photo_anonymizer.methods.surrogate import blend
from photo_anonymizer.methods.surrogate.blend import as_sharp_as, grain, meeting, with_grain


def plain(value: float, side: int = 100) -> np.ndarray:
    return np.full((side, side, 3), value, np.float32)


def disc(side: int = 100) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - side / 2
    return np.clip((0.4 * side - np.hypot(x, y)) / 8 + 0.5, 0, 1).astype(np.float32)


def noisy(sigma: float, side: int = 100) -> np.ndarray:
    return plain(120, side) + np.random.default_rng(0).normal(0, sigma, (side, side, 1)).astype(np.float32)


def test_colours_meet_at_the_rim() -> None:
    met = meeting(plain(100), plain(120), disc())
    rim = (disc() > 0.05) & (disc() < 0.75)
    assert met[rim].mean() == pytest.approx(120, abs=3)


def test_what_is_far_from_skin_at_the_rim_pulls_nothing() -> None:
    photo = plain(120)
    photo[:, :50] = 5  # dark hair along one side
    met = meeting(plain(118), photo, disc())
    assert met[45:55, 15:30].mean() > 110


def test_a_background_of_another_hue_hardly_shines_on_the_face(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is as bright as the skin before it, and red."""
    skin = np.array((110, 80, 70), np.float32)
    face = np.broadcast_to(skin, (100, 100, 3)).copy()
    photo = face.copy()
    photo[:, :50] = (140, 62, 58)

    def shine() -> float:
        return float(np.abs(meeting(face, photo, disc())[45:55, 15:30] - skin).max())

    with_hue = shine()
    monkeypatch.setattr(blend, "_SAME_HUE", np.inf)
    assert with_hue < 12 < 0.7 * shine()


def test_a_sharp_face_is_softened_to_a_soft_photo_and_left_alone_in_a_sharp_one() -> None:
    sharp = noisy(20)
    soft = cv2.GaussianBlur(sharp, (0, 0), 2)
    assert (
        np.abs(cv2.Laplacian(as_sharp_as(sharp, soft, disc()), cv2.CV_32F)).mean()
        < 0.2 * np.abs(cv2.Laplacian(sharp, cv2.CV_32F)).mean()
    )
    assert np.array_equal(as_sharp_as(sharp, sharp, disc()), sharp)


@pytest.mark.parametrize("sigma", [2.0, 6.0])
def test_grain_is_measured(sigma: float) -> None:
    assert grain(noisy(sigma), disc()) == pytest.approx(sigma, rel=0.5)


def test_added_grain_has_the_strength_asked_for() -> None:
    added = with_grain(plain(100), 5.0, np.random.default_rng(0)) - 100
    assert added.std() == pytest.approx(5, rel=0.05)
    assert np.ptp(added, axis=2).max() < 1e-4  # brightness only


def test_an_empty_mask_changes_nothing() -> None:
    nothing = np.zeros((100, 100), np.float32)
    assert np.array_equal(as_sharp_as(noisy(20), plain(1), nothing), noisy(20))
    assert grain(noisy(20), nothing) == 0
