"""The attack counts what is left of a face, and is not fooled in either direction."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from photo_anonymizer import weights
from photo_anonymizer.reid.groups import TONE
from photo_anonymizer.reid.measure import (
    EMPTY_GREYS,
    empty_embeddings,
    is_blind,
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


# cut off by the edge


def test_a_face_known_by_the_edge_that_cuts_it_off_alone_is_not_linked() -> None:
    original = people(2)
    published = original * 0.8
    near = FacePairs(pairs(original, published).keys, original, original, published)
    assert len(linked(near, THRESHOLD, EMPTY)) == 2
    blank = np.stack([published[0], np.full(128, np.nan)]).astype(np.float32)
    cut_off = FacePairs(near.keys, original, original, published, blank)
    assert linked(cut_off, THRESHOLD, EMPTY) == [("photo1", "f0000")]


def test_a_face_cut_off_and_left_clear_is_linked() -> None:
    original = people(1)
    clear = FacePairs((("photo0", "f0000"),), original, original, original, original * np.float32(0.8))
    assert linked(clear, THRESHOLD, EMPTY) == [("photo0", "f0000")]


# ranks, quality, groups, people


def halfway(originals: np.ndarray, nearest: int) -> np.ndarray:
    """A face that is nearer to so many others than to its own original, for each original."""
    n = len(originals)
    mixed = [originals[(row + np.arange(1, nearest + 1)) % n].sum(axis=0) for row in range(n)]
    return np.asarray(np.stack(mixed), np.float32)


def test_ranks_count_how_many_are_as_near() -> None:
    originals = np.eye(30, 128, dtype=np.float32)
    attack = measure(pairs(originals, halfway(originals, 3)), "test", THRESHOLD, EMPTY)
    found = [attack.rank1, attack.rank5, attack.rank10]
    assert [found.hits for found in found] == [0, 0, 0]  # all others but three are a tie, which is lost
    leaning = halfway(originals, 3) + originals * np.float32(0.5)
    attack = measure(pairs(originals, leaning), "test", THRESHOLD, EMPTY)
    assert [attack.rank1.hits, attack.rank5.hits, attack.rank10.hits] == [0, 30, 30]
    assert [attack.rank1.chance, attack.rank5.chance] == pytest.approx([1 / 30, 5 / 30])


def test_rank_one_is_given_beside_guessing() -> None:
    faces = people(20)
    assert measure(pairs(faces, faces), "test", THRESHOLD, EMPTY).rank1_normalised == 1
    assert measure(pairs(faces[:1], faces[:1]), "test", THRESHOLD, EMPTY).rank1_normalised is None


def test_the_quality_on_the_originals_is_that_of_their_mirror_images() -> None:
    faces = people(60)
    good = measure(pairs(faces, people(60), mirrored=faces + 0.01), "test", THRESHOLD, EMPTY).quality
    poor = measure(pairs(faces, faces, mirrored=people(60)), "test", THRESHOLD, EMPTY).quality
    assert good.rank1.rate == good.at_far[0].accepted.rate == 1
    assert poor.rank1.rate is not None
    assert poor.rank1.rate < 0.1
    assert poor.at_far[0].accepted.rate == pytest.approx(0.01, abs=0.05)


def test_acceptance_is_that_of_this_runs_strangers() -> None:
    faces = people(60)
    far = {found.far: found for found in measure(pairs(faces, faces), "test", THRESHOLD, EMPTY).at_far}
    assert far[1e-2].accepted.rate == 1
    assert far[1e-2].strangers == 60 * 59 / 2
    assert far[1e-3].threshold is not None
    assert far[1e-3].threshold < far[1e-2].threshold


def test_photos_of_one_person_do_not_make_the_threshold_stricter() -> None:
    """Half of all pairs of photos show one person: without that knowledge they are taken for strangers."""
    one = np.repeat(people(1), 40, axis=0) + RNG.normal(0, 0.01, (40, 128))
    faces = np.concatenate([one, people(20)]).astype(np.float32)
    keys = pairs(faces, faces).keys
    who = {key: 0 if place < 40 else place for place, key in enumerate(keys)}
    blindly = measure(pairs(faces, faces), "test", THRESHOLD, EMPTY).at_far[0]
    knowing = measure(pairs(faces, faces), "test", THRESHOLD, EMPTY, who).at_far[0]
    assert blindly.threshold is not None
    assert knowing.threshold is not None
    assert blindly.threshold < 0.2 < 1 < knowing.threshold


def test_groups_are_judged_apart_and_small_ones_are_not_shown() -> None:
    faces = people(60)
    published = people(60)
    published[:15] = faces[:15]
    keys = pairs(faces, published).keys
    labels = ["very light"] * 20 + ["dark"] * 31 + ["tan"] * 9
    tone = {TONE: dict(zip(keys, labels, strict=True))}
    groups = measure(pairs(faces, published), "test", THRESHOLD, EMPTY, labels=tone).groups[TONE]
    assert list(groups) == ["very light", "dark"]
    assert (groups["very light"].linked.hits, groups["very light"].linked.n) == (15, 20)
    assert (groups["dark"].linked.hits, groups["dark"].linked.n) == (0, 31)
    assert groups["very light"].rank1.chance == pytest.approx(1 / 60)


def test_rank_one_is_given_by_person() -> None:
    faces, others = people(40), people(40)
    published = np.concatenate([faces[:10], others[10:]])
    who = {key: place // 10 for place, key in enumerate(pairs(faces, published).keys)}
    found = measure(pairs(faces, published), "test", THRESHOLD, EMPTY, who).rank1_by_person
    assert found is not None
    assert (found.people, found.worst.hits, found.worst.n) == (4, 10, 10)
    assert found.low is not None
    assert found.low < 0.1  # the one person may not be drawn


def test_a_recogniser_that_sees_nothing_links_nobody() -> None:
    """It would link everybody: what is no number counts as near."""
    nothing = np.full((4, 128), np.nan, np.float32)
    assert is_blind(pairs(nothing, nothing), EMPTY)
    assert linked(pairs(nothing, nothing), THRESHOLD, EMPTY) == []
    assert not is_blind(pairs(people(4), nothing), EMPTY)
    assert len(linked(pairs(people(4), nothing), THRESHOLD, EMPTY)) == 4


def test_one_original_without_numbers_does_not_blind_a_recogniser() -> None:
    faces = people(3)
    faces[1] = np.nan
    assert linked(pairs(faces, people(3)), THRESHOLD, EMPTY) == [("photo1", "f0000")]
    assert measure(pairs(faces, people(3)), "test", THRESHOLD, EMPTY).degenerate


def test_a_face_of_whom_it_is_not_known_may_show_somebody_else_and_nobody_is_taken_for_it() -> None:
    originals = people(20)
    published = people(20)
    published[[18, 19]] = originals[[3, 18]]  # the last two are nobody's; one shows a known person, one an unknown
    shown = pairs(originals, published)
    known = {key: place for place, key in enumerate(shown.keys) if place < 18}
    found = measure(shown, "test", THRESHOLD, EMPTY, known).resemblance
    assert found is not None
    assert (found.published.hits, found.published.n) == (1, 20)
