"""Faces of one person are not independent: rates are judged by person."""

from __future__ import annotations

import numpy as np
import pytest

from photo_anonymizer.reid.people import by_person, grouped, people_interval, sample_of
from photo_anonymizer.reid.statistics import clopper_pearson


def test_faces_near_each_other_are_one_person() -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(4, 64))
    who = np.repeat([0, 1, 2, 3], 5)
    found = grouped(centres[who] + rng.normal(0, 0.02, (20, 64)), 1.0)
    assert len(set(found)) == 4
    assert all(len(set(found[who == person])) == 1 for person in range(4))


def test_one_face_or_none_is_one_person_or_none() -> None:
    assert grouped(np.ones((1, 8)), 0.6).tolist() == [0]
    assert grouped(np.ones((0, 8)), 0.6).tolist() == []


def test_of_too_many_faces_those_that_must_be_in_are_and_the_choice_is_the_same_every_time() -> None:
    chosen = sample_of(1000, [7, 999, 7], most=50)
    assert len(set(chosen.tolist())) == 50
    assert {7, 999} <= set(chosen.tolist())
    assert chosen.tolist() == sorted(chosen.tolist()) == sample_of(1000, [7, 999], most=50).tolist()
    assert sample_of(3, [1], most=50).tolist() == [0, 1, 2]


def test_people_are_counted_once_however_many_faces_are_hit() -> None:
    found = by_person([True, True, True, False, False, False], ["anna", "anna", "anna", "bert", "bert", "cleo"])
    assert (found.people, found.hit.hits, found.hit.n) == (3, 1, 3)
    assert (found.worst.hits, found.worst.n) == (3, 3)


def test_one_hit_on_one_face_does_not_hide_nine_on_ten() -> None:
    hits = [True] * 9 + [False] + [True]
    assert by_person(hits, [0] * 10 + [1]).worst.n == 10


def test_of_people_who_are_never_hit_the_firmest_evidence_is_shown() -> None:
    assert by_person([False] * 4, [0, 1, 1, 1]).worst.n == 3


def test_nobody_has_no_rate() -> None:
    nobody = by_person([], [])
    assert (nobody.people, nobody.hit.rate, nobody.worst.rate, nobody.low, nobody.high) == (0, None, None, None, None)


def test_as_many_people_as_faces_are_asked_for() -> None:
    with pytest.raises(ValueError, match="a person for each face"):
        by_person([True], [0, 1])


def test_with_one_face_a_person_the_interval_is_that_of_as_many_draws() -> None:
    hits = np.arange(200) < 60
    low, high = people_interval(hits, np.arange(200))
    assert (low, high) == pytest.approx(clopper_pearson(60, 200), abs=0.015)


def test_the_same_hits_on_fewer_people_leave_more_doubt() -> None:
    hits = np.arange(200) < 60
    alone = people_interval(hits, np.arange(200))
    in_tens = people_interval(hits, np.arange(200) // 10)
    assert in_tens[1] - in_tens[0] > 2 * (alone[1] - alone[0])


def test_people_with_many_faces_weigh_as_their_faces_do() -> None:
    """The rate is that over faces: one person of ten has 91 of 100 faces, and all of the hits."""
    who = np.concatenate([np.zeros(91), np.arange(1, 10)])
    low, high = people_interval(who == 0, who)
    assert low == 0  # the one person may not be drawn
    assert high > 0.9


def test_the_interval_is_the_same_every_time_and_another_with_another_seed() -> None:
    hits, who = np.random.default_rng(1).random(60) < 0.3, np.arange(60) // 3
    assert people_interval(hits, who) == people_interval(hits, who)
    assert people_interval(hits, who, rounds=20) != people_interval(hits, who, rounds=20, seed=1)


@pytest.mark.parametrize(("hits", "confidence"), [([], 0.95), ([True], 0.0), ([True], 1.0)])
def test_an_interval_of_nothing_is_refused(hits: list[bool], confidence: float) -> None:
    with pytest.raises(ValueError, match="no interval"):
        people_interval(hits, list(range(len(hits))), confidence)
