"""Leaks besides the face: twins of a photo that were treated differently."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from photo_anonymizer.model.geometry import PixelBox
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.reid.attacks.near_duplicates import NearDuplicates, pairs
from photo_anonymizer.reid.attacks.prints import BITS, Prints, print_of
from reid.attacks.drawn import SETTING, noise, probes

FACE = PixelBox(x0=150, y0=60, x1=250, y1=180)


def scene(seed: int) -> Pixels:
    cells = np.random.default_rng(seed).uniform(0, 255, (9, 12, 3)).astype(np.float32)
    return np.clip(cv2.resize(cells, (400, 300), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def with_face(rgb: Pixels, colour: int) -> Pixels:
    result = rgb.copy()
    result[FACE.slices] = colour
    return result


def as_jpeg(rgb: Pixels, quality: int) -> Pixels:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1))


def smaller(rgb: Pixels) -> Pixels:
    return np.asarray(cv2.resize(rgb, (200, 150), interpolation=cv2.INTER_AREA))


HALF = PixelBox(x0=75, y0=30, x1=125, y1=90)
TWINS = {
    "the same": (scene(1), FACE),
    "encoded anew": (as_jpeg(scene(1), 40), FACE),
    "brighter": (np.clip(scene(1) * 1.2 + 10, 0, 255).astype(np.uint8), FACE),
    "smaller": (smaller(scene(1)), HALF),
    "with another face": (with_face(scene(1), 255), FACE),
}


def found(first: Prints, second: Prints, treatments: tuple[str, str] = ("kept", "methods.blur")):
    return pairs(Prints.of([first, second]), np.arange(2), treatments)


@pytest.mark.parametrize("name", sorted(TWINS))
def test_a_twin_with_another_treatment_is_found(name: str) -> None:
    rgb, face = TWINS[name]
    (pair,) = found(print_of(with_face(scene(1), 0), [FACE]), print_of(rgb, [face]))
    assert (pair.first, pair.second) == (0, 1)
    assert pair.treatments == (frozenset({"kept"}), frozenset({"methods.blur"}))
    assert pair.difference < 0.1


@pytest.mark.parametrize("treatment", ["kept", "methods.blur"])
def test_a_twin_that_was_treated_the_same_is_none(treatment: str) -> None:
    one = print_of(scene(1), [FACE])
    assert found(one, one, (treatment, treatment)) == []


def test_other_pictures_are_no_twins() -> None:
    prints = Prints.of([print_of(scene(seed), [FACE]) for seed in range(40)])
    treatments = ["kept", "held"] * 20
    assert pairs(prints, np.arange(40), treatments) == []


def test_the_face_says_nothing_about_whether_pictures_are_twins() -> None:
    black, white = (print_of(with_face(scene(1), colour), [FACE]) for colour in (0, 255))
    np.testing.assert_array_equal(black.bits & black.valid, white.bits & white.valid)
    np.testing.assert_array_equal(black.valid, white.valid)


@pytest.mark.parametrize("rgb", [np.full((300, 400, 3), 90, np.uint8), scene(1)])
def test_what_shows_nothing_outside_the_faces_has_no_twins(rgb: Pixels) -> None:
    """Of an even wall, and of a picture that is all face, nothing can be compared."""
    face = PixelBox(x0=0, y0=0, x1=400, y1=300) if rgb.std() else FACE
    one = print_of(rgb, [face])
    assert one.valid.sum() == 0
    assert found(one, one) == []


def test_every_face_of_a_photo_with_such_a_twin_leaks() -> None:
    one, other, twin = (print_of(scene(seed), [FACE]) for seed in (1, 2, 1))
    given = probes(
        noise(0, 4),
        noise(0, 4),
        prints=Prints.of([one, one, other, twin]),
        photos=np.array([0, 0, 1, 2]),
        treatments=("methods.blur", "methods.blur", "methods.blur", "held"),
    )
    (result,) = NearDuplicates().measure(given, SETTING)
    assert result.hits.tolist() == [True, True, False, True]


def test_prints_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match=str(BITS)):
        Prints(np.zeros((1, 3), bool), np.zeros((1, 3), bool))
