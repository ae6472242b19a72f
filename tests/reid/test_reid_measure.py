"""The attack counts what is left of a face, and is not fooled in either direction."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from photo_anonymizer import weights
from photo_anonymizer.reid.measure import (
    EMPTY_GREYS,
    empty_embeddings,
    linked,
    measure,
    own_distances,
    stranger_distances,
)
from photo_anonymizer.reid.recognisers.dlib_resnet import DlibResnet
from photo_anonymizer.reid.stage import FacePairs

THRESHOLD = 0.6
RNG = np.random.default_rng(5)
EMPTY = np.zeros((len(EMPTY_GREYS), 128), np.float32)


def people(n: int) -> np.ndarray:
    """Embeddings of n strangers, each about 1.4 from the others and 1 from an empty picture."""
    made = RNG.normal(size=(n, 128)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def pairs(original: np.ndarray, published: np.ndarray, mirrored: np.ndarray | None = None) -> FacePairs:
    keys = tuple((f"photo{number}", "f0000") for number in range(len(original)))
    mirror = original if mirrored is None else mirrored
    return FacePairs(keys, original.astype(np.float32), mirror.astype(np.float32), published.astype(np.float32))


def test_faces_left_clear_are_all_verified_linked_and_found() -> None:
    faces = people(20)
    attack = measure(pairs(faces, faces), "test", THRESHOLD, EMPTY)
    assert attack.verification.rate == attack.linked.rate == attack.rank1.rate == 1
    assert attack.rank1.chance == pytest.approx(1 / 20)


def test_faces_of_strangers_are_neither() -> None:
    attack = measure(pairs(people(50), people(50)), "test", THRESHOLD, EMPTY)
    assert attack.verification.hits == attack.linked.hits == 0
    assert attack.rank1.low is not None
    assert attack.rank1.low <= 1 / 50


def test_a_face_that_an_empty_picture_matches_as_well_is_verified_but_not_linked() -> None:
    """Its original is so poor that the recogniser takes a grey square for it."""
    original = people(1) * 0.3
    published = EMPTY[:1].copy()
    attack = measure(pairs(original, published), "test", THRESHOLD, EMPTY)
    assert (attack.verification.hits, attack.linked.hits) == (1, 0)


def test_such_a_face_is_linked_when_it_was_left_clear() -> None:
    original = people(1) * 0.3
    assert linked(pairs(original, original), THRESHOLD, EMPTY) == [("photo0", "f0000")]


def test_a_distance_that_is_no_number_counts_as_a_link() -> None:
    original, published = people(2), people(2)
    published[1] = np.nan
    assert measure(pairs(original, published), "test", THRESHOLD, EMPTY).verification.hits == 1
    assert linked(pairs(original, published), THRESHOLD, EMPTY) == [("photo1", "f0000")]


def test_a_recogniser_that_gives_everybody_the_same_embedding_proves_nothing() -> None:
    constant = np.repeat(people(1), 10, axis=0)
    assert measure(pairs(constant, people(10)), "test", THRESHOLD, EMPTY).degenerate
    assert not measure(pairs(people(10), people(10)), "test", THRESHOLD, EMPTY).degenerate


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda faces: RNG.normal(size=faces.shape), id="random numbers"),
        pytest.param(lambda faces: faces + RNG.normal(size=faces.shape), id="buried in noise"),
        pytest.param(lambda faces: faces * np.nan, id="no numbers"),
    ],
)
def test_a_recogniser_that_does_not_know_a_face_in_the_mirror_fails_its_control(fault) -> None:
    faces = people(20)
    assert measure(pairs(faces, people(20), mirrored=faces + 0.01), "test", THRESHOLD, EMPTY).control.rate == 1
    assert measure(pairs(faces, people(20), mirrored=fault(faces)), "test", THRESHOLD, EMPTY).control.hits == 0


def test_a_recogniser_that_gives_nearly_everybody_the_same_fails_its_control_too() -> None:
    nearly = np.repeat(people(1), 10, axis=0) + RNG.normal(size=(10, 128)) * 1e-5
    everywhere = np.repeat(nearly[:1], len(EMPTY_GREYS), axis=0).astype(np.float32)
    assert measure(pairs(nearly, nearly), "test", THRESHOLD, everywhere).control.hits == 0


def test_not_even_when_there_is_one_face_only() -> None:
    """Such a recogniser gives the empty picture that embedding too."""
    constant = people(1)
    everywhere = np.repeat(constant, len(EMPTY_GREYS), axis=0)
    assert measure(pairs(constant, constant), "test", THRESHOLD, everywhere).degenerate
    assert not measure(pairs(constant, constant), "test", THRESHOLD, EMPTY).degenerate


def test_nothing_measured_has_no_rate() -> None:
    none = np.zeros((0, 0), np.float32)
    nothing = FacePairs((), none, none, none)
    attack = measure(nothing, "test", THRESHOLD, EMPTY)
    assert attack.linked.rate is None
    assert attack.rank1.chance is None
    assert not own_distances(nothing).size


def test_every_face_is_in_the_histogram_even_beyond_its_end() -> None:
    original = people(3)
    far = original + 50
    attack = measure(pairs(original, far), "test", THRESHOLD, EMPTY)
    assert sum(attack.same_photo) == 3
    assert attack.same_photo[-1] == 3


def test_strangers_are_of_different_photos() -> None:
    faces = people(2)
    together = FacePairs((("one", "f0000"), ("one", "f0001")), faces, faces, faces)
    assert stranger_distances(together).size == 0
    assert (stranger_distances(pairs(faces, faces)) > 1).all()


def test_empty_pictures_are_not_the_astronaut() -> None:
    recogniser = DlibResnet(weights.onnx_path_of("dlib_resnet"))
    chip = cv2.resize(data.astronaut()[50:210, 145:305], (150, 150), interpolation=cv2.INTER_AREA)
    own = recogniser.embed(chip[np.newaxis])
    assert np.linalg.norm(empty_embeddings(recogniser) - own, axis=1).min() > recogniser.threshold
