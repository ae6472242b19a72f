"""Ranks: exact, however near two people are, against code that compares every pair in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photo_anonymizer.reid.ranking import ranks


def naive(probes: np.ndarray, gallery: np.ndarray, probe_people: np.ndarray, gallery_people: np.ndarray) -> list[int]:
    """Every pair in float64; whoever is as near as the own person stands before them."""
    found = []
    for probe, own in zip(probes.astype(float), probe_people, strict=True):
        away = {
            person: ((gallery[gallery_people == person].astype(float) - probe) ** 2).sum(axis=1).min()
            for person in np.unique(gallery_people)
        }
        found.append(1 + sum(away[person] <= away[own] for person in away if person != own))
    return found


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    people=st.integers(1, 9),
    rows=st.integers(0, 30),
    probes=st.integers(0, 20),
    numbers=st.sampled_from([1, 3, 40]),
    grid=st.sampled_from([1.0, 0.5, 0.0]),
    block=st.sampled_from([1, 4, 1024]),
)
def test_ranks_equal_naive_code(
    seed: int, people: int, rows: int, probes: int, numbers: int, grid: float, block: int
) -> None:
    """Also where many rows lie on a coarse grid, so that there are ties."""
    rng = np.random.default_rng(seed)
    gallery_people = np.concatenate([np.arange(people), rng.integers(0, people, rows)])
    rng.shuffle(gallery_people)
    gallery = rng.normal(3, 1, (len(gallery_people), numbers)).astype(np.float32)
    found = rng.normal(3, 1, (probes, numbers)).astype(np.float32)
    if grid:
        gallery, found = np.round(gallery / grid) * np.float32(grid), np.round(found / grid) * np.float32(grid)
    probe_people = rng.integers(0, people, probes)
    got = ranks(found, gallery, probe_people, gallery_people, block)
    assert got.tolist() == naive(found, gallery, probe_people, gallery_people)


def test_people_who_differ_less_than_float32_can_tell_are_told_apart() -> None:
    """Far from the origin and a hair apart: a product in float32 alone would call it a tie, or the wrong one."""
    rng = np.random.default_rng(0)
    gallery = np.repeat(rng.normal(0, 1, (1, 128)), 3, axis=0)
    gallery[1, 0] += 1e-6
    gallery[2, 0] += 2e-6
    probes = gallery + 1
    assert ranks(probes, gallery, [0, 1, 2], [0, 1, 2]).tolist() == naive(probes, gallery, np.arange(3), np.arange(3))
    assert ranks(gallery, gallery, [0, 1, 2], [0, 1, 2]).tolist() == [1, 1, 1]


def test_a_person_is_as_near_as_their_nearest_row() -> None:
    gallery = np.array([[0.0, 0], [10, 0], [4, 0]])
    assert ranks([[9.0, 0]], gallery, ["anna"], ["anna", "anna", "bert"]).tolist() == [1]
    assert ranks([[6.5, 0]], gallery, ["anna"], ["anna", "anna", "bert"]).tolist() == [2]


def test_everybody_the_same_puts_everybody_last() -> None:
    same = np.ones((50, 16), np.float32)
    assert set(ranks(same, same, np.arange(50), np.arange(50))) == {50}


def test_no_probe_has_no_rank() -> None:
    assert ranks(np.zeros((0, 4)), np.ones((2, 4)), [], [0, 1]).shape == (0,)
    assert ranks(np.zeros((0, 4)), np.ones((0, 4)), [], []).shape == (0,)


@pytest.mark.parametrize(
    ("probe", "probe_people", "gallery_people", "problem"),
    [
        ([[1.0, 2]], [5], [0, 1], "shows nobody"),
        ([[1.0, 2]], [-1], [0, 1], "shows nobody"),
        ([[1.0, 2]], [0, 0], [0, 1], "a person for each row"),
        ([[1.0, 2]], [0], [0], "a person for each row"),
        ([[1.0, 2, 3]], [0], [0, 1], "rows of one length"),
        ([1.0, 2], [0, 0], [0, 1], "shape"),
        ([[np.nan, 2]], [0], [0, 1], "broken"),
    ],
)
def test_what_cannot_be_ranked_is_refused(
    probe: list, probe_people: list[int], gallery_people: list[int], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        ranks(np.array(probe), np.array([[0.0, 0], [1, 1]]), probe_people, gallery_people)
