"""Galleries, chance and splits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photo_anonymizer.errors import ConfigError
from photo_anonymizer.reid.attacks.matching import (
    Matched,
    folds_of,
    linked,
    linked_to_another,
    nearest_person,
    nearest_photo,
    proves_nothing,
)

PEOPLE = np.array([0, 0, 0, 1, 1, 2])
PHOTOS = np.arange(6)
SPOTS = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [9.0]])


@pytest.mark.parametrize("match", [nearest_photo, nearest_person])
def test_everybody_with_another_photo_is_found_and_nobody_else_counts(match) -> None:
    found = match(SPOTS, SPOTS, PEOPLE, PHOTOS)
    assert found.rows.tolist() == [0, 1, 2, 3, 4]  # the last person has one photo: there is no right answer
    assert found.hits.all()


def test_chance_of_the_nearest_photo_is_the_mean_share_of_right_answers() -> None:
    found = nearest_photo(SPOTS, SPOTS, PEOPLE, PHOTOS)
    assert found.shares.tolist() == [2 / 5, 2 / 5, 2 / 5, 1 / 5, 1 / 5]
    assert found.chance == pytest.approx(8 / 25)


def test_chance_of_the_nearest_person_is_one_of_the_people() -> None:
    assert nearest_person(SPOTS, SPOTS, PEOPLE, PHOTOS).chance == pytest.approx(1 / 3)


@pytest.mark.parametrize("match", [nearest_photo, nearest_person])
def test_a_face_in_the_same_photo_is_no_answer(match) -> None:
    """Two faces of one photo, falsely given the same name, must not find each other."""
    photos = np.array([0, 0, 1, 2, 3, 4])
    gallery = np.array([[0.0], [0.0], [6.0], [5.0], [5.1], [9.0]])
    assert not match(gallery, gallery, PEOPLE, photos).hits[:2].any()


@pytest.mark.parametrize("match", [nearest_photo, nearest_person])
def test_a_tie_is_no_hit(match) -> None:
    found = match(np.ones((6, 4)), np.ones((6, 4)), PEOPLE, PHOTOS)
    assert len(found.rows) == 5
    assert not found.hits.any()


@pytest.mark.parametrize("match", [nearest_photo, nearest_person])
def test_rows_that_are_no_numbers_are_no_hits(match) -> None:
    broken = np.full((6, 1), np.nan)
    assert not match(broken, SPOTS, PEOPLE, PHOTOS).hits.any()


def test_the_mean_of_a_person_finds_what_single_noisy_photos_hide() -> None:
    rng = np.random.default_rng(0)
    people, photos = np.repeat(np.arange(5), 20), np.arange(100)
    where = rng.normal(0, 1, (5, 30))[people]
    probes, gallery = (where + rng.normal(0, 1.5, where.shape) for _ in range(2))
    means = nearest_person(probes, gallery, people, photos).hits.mean()
    assert means > nearest_photo(probes, gallery, people, photos).hits.mean() + 0.1


def test_results_of_folds_keep_the_rows_of_all_probes() -> None:
    one = Matched(np.array([0, 1]), np.array([True, False]), np.array([0.5, 0.5]))
    two = Matched(np.array([1]), np.array([True]), np.array([0.2]))
    both = Matched.together([(np.array([3, 7]), one), (np.array([2, 5]), two)])
    assert both.rows.tolist() == [3, 7, 5]
    assert both.hits.tolist() == [True, False, True]
    assert both.chance == pytest.approx(0.4)


@given(counts=st.lists(st.integers(1, 5), min_size=4, max_size=12), seed=st.integers(0, 1000), folds=st.integers(2, 3))
@settings(max_examples=60, deadline=None)
def test_every_face_is_tested_once_and_nobody_is_on_both_sides(counts: list[int], seed: int, folds: int) -> None:
    people = np.repeat(np.arange(len(counts)), counts)
    photos = np.arange(len(people))
    if sum(count > 1 for count in counts) < 2 * folds:
        with pytest.raises(ConfigError, match="at least two photos"):
            folds_of(people, photos, seed, folds)
        return
    tests = folds_of(people, photos, seed, folds)
    assert (np.sum(tests, axis=0) == 1).all()
    for test in tests:
        assert not set(people[test]) & set(people[~test])
        assert sum(counts[person] > 1 for person in set(people[test])) >= 2


def test_the_seed_decides_the_split() -> None:
    people = np.repeat(np.arange(12), 2)
    first, again, other = (folds_of(people, np.arange(24), seed, 2)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


EMPTY = np.array([[1.0, 0.0]])
ORIGINALS = np.array([[0.0, 0.0], [0.9, 0.0]])


def test_who_is_no_nearer_than_an_empty_picture_is_not_linked() -> None:
    near_both = linked(ORIGINALS + np.array([0.0, 0.1]), ORIGINALS, 0.6, EMPTY)
    assert near_both.tolist() == [True, False]


def test_a_link_to_another_photo_needs_another_photo_of_the_same_person() -> None:
    originals = np.array([[0.0, 0.0], [0.2, 0.0], [0.3, 0.0]])
    people, photos = np.array([0, 0, 1]), np.arange(3)
    far = np.array([[9.0, 9.0]])
    assert linked_to_another(originals, originals, people, photos, 0.6, far).tolist() == [True, True, False]
    assert not linked_to_another(originals, originals, people, np.zeros(3, int), 0.6, far).any()


@pytest.mark.parametrize(
    ("originals", "published", "broken"),
    [
        (ORIGINALS, ORIGINALS, False),
        (np.ones((2, 2)), ORIGINALS, True),  # everybody looks the same
        (ORIGINALS, np.full((2, 2), np.nan), True),
        (np.tile(EMPTY, (1, 1)), EMPTY, True),  # faces look like empty pictures
    ],
)
def test_a_recogniser_that_sees_nothing_proves_nothing(originals, published, broken: bool) -> None:
    assert proves_nothing(originals, published, EMPTY) is broken
