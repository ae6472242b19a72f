"""A4: published photos against each other."""

from __future__ import annotations

import numpy as np
import pytest

from photo_anonymizer.reid.attacks.linkage import SIZE_PX, Linkage, background, clothes, consistency
from photo_anonymizer.reid.attacks.protocol import AttackResult, Chips
from reid.attacks.drawn import BLIND, PEOPLE, PHOTOS, SETTING, noise, photos_of_people, probes

CLEAR = photos_of_people()
N = PEOPLE * PHOTOS
CHANCE = (PHOTOS - 1) / (N - 1)
SURROGATES = np.repeat(photos_of_people(PEOPLE, 1, seed=3), PHOTOS, axis=0)
"""A new face for every person, the same in all of their photos."""


def context(below: np.ndarray, beside: np.ndarray) -> Chips:
    """Crops whose area below and beside the head has one colour: (n, 3) each."""
    crops = np.zeros((len(below), SIZE_PX, SIZE_PX, 3), np.uint8)
    crops[:, 90:] = below[:, np.newaxis, np.newaxis]
    crops[:, :90] = beside[:, np.newaxis, np.newaxis]
    return crops


def colours(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(20, 256, (count, 3), np.uint8)


def by_cue(published: Chips, **changes: object) -> dict[str, AttackResult]:
    found = Linkage().measure(probes(CLEAR, published, **changes), SETTING)  # type: ignore[arg-type]
    return {one.attack.removeprefix("A4 linkage by "): one for one in found}


def test_the_same_new_face_in_all_photos_links_them() -> None:
    grain = np.random.default_rng(0).integers(-5, 6, SURROGATES.shape)
    assert by_cue(SURROGATES)["face"].hits.all()
    assert by_cue(np.clip(SURROGATES + grain, 0, 255).astype(np.uint8))["face"].hits.all()


def test_a_new_face_in_every_photo_links_no_more_than_chance() -> None:
    rates = [by_cue(noise(seed))["face"].hits.mean() for seed in range(20)]
    assert np.mean(rates) == pytest.approx(CHANCE, abs=0.05)


def test_clothes_link_whoever_wears_them_in_all_photos() -> None:
    worn, places = np.repeat(colours(1, PEOPLE), PHOTOS, axis=0), colours(2, N)
    found = by_cue(noise(0), context=context(worn, places))
    assert found["clothes"].hits.mean() > 0.8
    assert found["background"].hits.mean() < 0.4
    assert found["clothes"].recogniser == "colours"


def test_the_background_links_photos_of_one_place() -> None:
    worn, places = colours(1, N), np.repeat(colours(2, PEOPLE), PHOTOS, axis=0)
    found = by_cue(noise(0), context=context(worn, places))
    assert found["background"].hits.mean() > 0.8
    assert found["clothes"].hits.mean() < 0.4


def test_what_lies_outside_the_photo_has_no_colour() -> None:
    whole = context(colours(1, 1), colours(2, 1))
    cut = whole.copy()
    cut[:, 130:] = 0
    cut[:, :, :10] = 0
    np.testing.assert_allclose(clothes(cut), clothes(whole))
    np.testing.assert_allclose(background(cut), background(whole))
    assert not clothes(np.zeros_like(whole)).any()


def test_a_policy_of_one_face_a_person_is_seen_to_hold() -> None:
    found = consistency(probes(CLEAR, SURROGATES), SETTING)
    assert found.own.n == PEOPLE * PHOTOS * (PHOTOS - 1) // 2
    assert found.own.n + found.strangers.n == N * (N - 1) // 2
    assert found.holds("per_run")
    assert not found.holds("fresh")


def test_a_policy_of_one_face_a_photo_is_seen_to_hold() -> None:
    found = consistency(probes(CLEAR, photos_of_people(N, 1, seed=9)), SETTING)
    assert found.holds("fresh")
    assert not found.holds("per_run")


def test_without_pairs_and_with_a_recogniser_that_sees_nothing_one_face_a_person_is_not_shown() -> None:
    alone = consistency(probes(CLEAR[:1], CLEAR[:1]), SETTING)
    assert not alone.holds("per_run")
    assert not alone.holds("fresh")
    assert not consistency(probes(CLEAR, SURROGATES), BLIND).holds("per_run")
