"""A3: what restorers bring back, and whom they learn from."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from photo_anonymizer.reid.attacks.cross_photo import CrossPhoto, other_photos
from photo_anonymizer.reid.attacks.matching import folds_of
from photo_anonymizer.reid.attacks.protocol import Chips
from photo_anonymizer.reid.attacks.restoration import Restoration, restored
from photo_anonymizer.reid.attacks.restorers import RESTORERS
from photo_anonymizer.reid.attacks.restorers.blind_deconvolution import estimated_kernel
from photo_anonymizer.reid.attacks.restorers.gaussian import gaussian
from photo_anonymizer.reid.attacks.restorers.protocol import Lesson, Restore, Stack, each_plane
from reid.attacks.drawn import BLIND, SETTING, SIDE_PX, blurred, noise, photos_of_people, probes

NAMES = sorted(RESTORERS)
DECONVOLUTION = ("wiener", "richardson_lucy", "blind_deconvolution", "learned_filter")
UNEVEN = photos_of_people(people=6, photos=4, light=12)
"""In changing light, which is most of what a blur leaves: nearly all are found clear, and some blurred."""


def after(name: str, published: Chips, original: Chips = UNEVEN) -> Chips:
    given = probes(original, published, photos_each=4)
    return restored(given, RESTORERS.load(name)(), folds_of(given.people, given.photos, 0, 2), SETTING)


def found(published: Chips, original: Chips = UNEVEN) -> float:
    return float(other_photos("", probes(original, published, photos_each=4), SETTING).hits.mean())


@pytest.mark.parametrize("name", DECONVOLUTION)
def test_a_weak_blur_is_opened_by_turning_it_back(name: str) -> None:
    hidden = blurred(UNEVEN, 3)
    assert found(hidden) < 0.7
    assert found(after(name, hidden)) > found(hidden) + 0.1


def test_a_mosaic_is_read_better_without_its_edges() -> None:
    cells = np.stack([cv2.resize(chip, (8, 8), interpolation=cv2.INTER_AREA) for chip in UNEVEN])
    mosaic = np.stack([cv2.resize(chip, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_NEAREST) for chip in cells])

    def error(chips: Chips) -> float:
        return float(np.abs(chips.astype(int) - UNEVEN).mean())

    assert error(after("super_resolution", mosaic)) < 0.95 * error(mosaic)


def test_grain_is_smoothed_away() -> None:
    rng = np.random.default_rng(0)
    grainy = np.clip(UNEVEN + rng.normal(0, 60, UNEVEN.shape), 0, 255).astype(np.uint8)
    smooth = after("total_variation", grainy)
    assert np.abs(smooth.astype(int) - UNEVEN).mean() < 0.6 * np.abs(grainy.astype(int) - UNEVEN).mean()


def test_what_a_method_always_adds_is_learned() -> None:
    """The same opaque veil over every face, which no deconvolution knows."""
    veil = cv2.resize(np.random.default_rng(5).uniform(0, 255, (6, 6, 3)), (SIDE_PX, SIDE_PX))
    veiled = np.clip(0.3 * UNEVEN + 0.7 * veil, 0, 255).astype(np.uint8)
    error = np.abs(veiled.astype(int) - UNEVEN).mean()
    assert np.abs(after("learned_face", veiled).astype(int) - UNEVEN).mean() < 0.7 * error


@pytest.mark.parametrize("name", NAMES)
def test_clear_faces_are_left_recognisable(name: str) -> None:
    even = photos_of_people(people=6, photos=4)
    assert found(after(name, even, even), even) > 0.9


@pytest.mark.parametrize("name", ["wiener", "super_resolution", "learned_filter", "learned_face"])
def test_nothing_is_found_in_noise(name: str) -> None:
    chance = 3 / 23
    assert found(after(name, noise(7, 24))) < chance + 0.25


@pytest.mark.parametrize("name", NAMES)
def test_a_restorer_keeps_shape_and_range_and_does_the_same_again(name: str) -> None:
    rng = np.random.default_rng(0)
    stack = rng.random((6, 24, 24, 3), np.float32)
    lesson = Lesson(stack, 1 - stack, np.arange(6) // 2, lambda a, b: float(np.abs(a - b).mean()))
    before = stack.copy()
    first, again = (RESTORERS.load(name)().fit(lesson)(stack[:2]) for _ in range(2))
    assert first.shape == (2, 24, 24, 3)
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    assert first.min() >= 0
    assert first.max() <= 1
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(stack, before)


class Recording:
    """A restorer that remembers whom it was shown, and shows the test faces as they are."""

    name = "recording"

    def __init__(self) -> None:
        self.learned: list[set[int]] = []

    def fit(self, lesson: Lesson) -> Restore:
        assert len(lesson.published) == len(lesson.original) == len(lesson.people)
        self.learned.append(set(lesson.people.tolist()))
        return lambda stack: stack


def test_nobody_who_is_tested_is_learned_from() -> None:
    given = probes(UNEVEN, UNEVEN, photos_each=4)
    folds, restorer = folds_of(given.people, given.photos, 0, 2), Recording()
    chips = restored(given, restorer, folds, SETTING)
    np.testing.assert_array_equal(chips, UNEVEN)
    for test, learned in zip(folds, restorer.learned, strict=True):
        assert learned == set(given.people[~test].tolist())
        assert not learned & set(given.people[test].tolist())


def test_every_restorer_is_tried_with_both_galleries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photo_anonymizer.reid.attacks.restoration.restored", lambda probes, *_: probes.published)
    given = probes(UNEVEN, UNEVEN, photos_each=4)
    results = Restoration().measure(given, SETTING)
    assert len({one.attack for one in results}) == len(results) == 2 * len(NAMES)
    plain = CrossPhoto().measure(given, SETTING)[0]
    assert all(np.array_equal(one.hits, plain.hits) for one in results if one.attack.endswith("then A1"))
    assert all(one.degenerate for one in Restoration().measure(given, BLIND))


# parts


def test_a_gaussian_has_sum_one_and_the_given_width() -> None:
    kernel = gaussian(2.5)
    assert kernel.sum() == pytest.approx(1)
    at = np.arange(len(kernel)) - len(kernel) // 2
    assert np.sqrt((kernel.sum(axis=0) * at**2).sum()) == pytest.approx(2.5, rel=0.05)


def test_the_kernel_of_a_blur_is_found_in_the_picture() -> None:
    """Bright dots, blurred along one direction: what is estimated is wider that way than the round start."""
    rng = np.random.default_rng(0)
    picture = (rng.random((64, 64)) > 0.98).astype(float)
    smeared = cv2.GaussianBlur(picture, (0, 0), sigmaX=3, sigmaY=0.6)
    kernel = estimated_kernel(smeared, gaussian(3))
    at = np.arange(len(kernel)) - len(kernel) // 2
    across, down = ((kernel.sum(axis=axis) * at**2).sum() ** 0.5 for axis in (0, 1))
    assert kernel.sum() == pytest.approx(1)
    assert across > 1.5 * down


def test_planes_are_changed_one_by_one_and_the_margin_is_cut_off_again() -> None:
    stack: Stack = np.random.default_rng(0).random((2, 5, 6, 3), np.float32)
    seen: list[tuple[int, ...]] = []

    def half(plane: np.ndarray) -> np.ndarray:
        seen.append(plane.shape)
        return plane / 2

    np.testing.assert_allclose(each_plane(stack, half, 3), stack / 2, rtol=1e-6)
    assert seen == [(11, 12)] * 6
