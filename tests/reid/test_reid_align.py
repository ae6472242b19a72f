"""Aligned faces: where the landmarks land, what large and clipped faces look like."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from photo_anonymizer.reid.align import align, similarity

TEMPLATE = np.array([[48, 47], [100, 47], [74, 74], [56, 103], [92, 103]], float)
COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255]], np.uint8)


def placed(scale: float, degrees: float, shift: tuple[float, float]) -> np.ndarray:
    """The template somewhere in a photo."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return (TEMPLATE - 75) @ turn.T * scale + shift


@pytest.mark.parametrize(("scale", "degrees"), [(1, 0), (1, 30), (0.4, -20), (2, 90), (3.7, 10), (6, 180), (2.5, -135)])
def test_landmarks_land_on_the_template(scale: float, degrees: float) -> None:
    landmarks = placed(scale, degrees, (600, 500))
    photo = np.zeros((1000, 1200, 3), np.uint8)
    rows, columns = np.mgrid[:1000, :1200]
    for (x, y), colour in zip(landmarks, COLOURS, strict=True):
        photo[(columns - x) ** 2 + (rows - y) ** 2 <= max(3, 3 * scale) ** 2] = colour
    chip = align(photo, landmarks, TEMPLATE, 150)
    assert chip.shape == (150, 150, 3)
    assert chip.dtype == np.uint8
    rows, columns = np.mgrid[:150, :150]
    for (x, y), colour in zip(TEMPLATE, COLOURS, strict=True):
        near = (columns - x) ** 2 + (rows - y) ** 2 < 100
        weight = near * np.clip(1 - np.abs(chip.astype(int) - colour).sum(axis=2) / 255, 0, None)
        found = (weight * columns).sum() / weight.sum(), (weight * rows).sum() / weight.sum()
        assert math.dist(found, (x, y)) < max(0.3, 0.3 / scale)  # a dot is whole pixels


def test_similarity_is_the_least_squares_solution() -> None:
    from skimage.transform import SimilarityTransform

    rng = np.random.default_rng(0)
    points = placed(2, 40, (300, 200)) + rng.normal(0, 5, (5, 2))
    want = SimilarityTransform.from_estimate(points, TEMPLATE).params[:2]
    np.testing.assert_allclose(similarity(points, TEMPLATE), want, atol=1e-9)


@pytest.mark.parametrize("width", [1, 2, 4])
def test_a_large_face_does_not_alias(width: int) -> None:
    """Stripes finer than a chip's pixel must become an even grey, not a coarse pattern."""
    photo = np.zeros((1600, 1600, 3), np.uint8)
    photo[(np.arange(1600) // width) % 2 == 0] = 255
    landmarks = placed(8.3, 12, (800, 800))
    chip = align(photo, landmarks, TEMPLATE, 150)[20:130, 20:130]
    assert abs(float(chip.mean()) - 127.5) < 3
    assert chip.std() < 12
    sampled = cv2.warpAffine(photo, similarity(landmarks, TEMPLATE), (150, 150))[20:130, 20:130]
    assert sampled.std() > 40  # what it would be without shrinking first


def test_a_face_partly_outside_is_black_there_and_in_place_elsewhere() -> None:
    photo = np.full((400, 400, 3), 200, np.uint8)
    chip = align(photo, placed(1, 0, (0, 200)), TEMPLATE, 150)
    assert (chip[:, :74] == 0).all()
    assert (chip[:, 77:] == 200).all()


def test_a_large_face_partly_outside_is_in_place() -> None:
    photo = np.full((400, 400, 3), 200, np.uint8)
    photo[196:204, 96:104] = (255, 0, 0)
    chip = align(photo, placed(4, 0, (0, 200)), TEMPLATE, 150)
    redness = chip[..., 0].astype(int) - chip[..., 1]
    y, x = np.unravel_index(redness.argmax(), redness.shape)
    assert abs(x - 100) <= 1
    assert abs(y - 75) <= 1
    assert (chip[:, :74] == 0).all()


def test_a_face_outside_the_photo_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        align(np.zeros((100, 100, 3), np.uint8), placed(1, 0, (900, 900)), TEMPLATE, 150)


@pytest.mark.parametrize(
    ("landmarks", "text"),
    [
        (np.full((5, 2), 40.0), "same point"),
        (np.full((5, 2), np.nan), "finite"),
        (np.zeros((4, 2)), "shapes"),
    ],
)
def test_degenerate_landmarks_are_refused(landmarks: np.ndarray, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        align(np.zeros((100, 100, 3), np.uint8), landmarks, TEMPLATE, 150)


def test_only_the_surroundings_are_read_and_the_photo_is_not_changed() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (1200, 1200, 3), np.uint8)
    photo.setflags(write=False)
    landmarks = placed(2, 15, (600, 600))
    chip = align(photo, landmarks, TEMPLATE, 150)
    elsewhere = photo.copy()
    elsewhere[:300] = elsewhere[900:] = elsewhere[:, :300] = elsewhere[:, 900:] = 7
    np.testing.assert_array_equal(align(elsewhere, landmarks, TEMPLATE, 150), chip)
