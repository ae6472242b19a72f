"""Rates, intervals and distances against known values and naive code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photo_anonymizer.reid.statistics import (
    chance_normalised,
    clopper_pearson,
    is_degenerate,
    pairwise_distances,
    rank1,
    rate,
    tar_at_far,
)


@pytest.mark.parametrize(
    ("hits", "n", "confidence", "low", "high"),
    [
        (0, 20, 0.95, 0.0, 0.1684),  # two-sided, as published
        (0, 20, 0.90, 0.0, 0.1391),  # the same as one-sided 0.95
        (20, 20, 0.95, 0.8316, 1.0),
        (10, 20, 0.95, 0.2720, 0.7280),
        (1, 10, 0.95, 0.0025, 0.4450),
        (5, 10, 0.95, 0.1871, 0.8129),
        (0, 1, 0.95, 0.0, 0.975),
    ],
)
def test_known_intervals(hits: int, n: int, confidence: float, low: float, high: float) -> None:
    assert clopper_pearson(hits, n, confidence) == pytest.approx((low, high), abs=6e-5)


@pytest.mark.parametrize(("hits", "n", "confidence"), [(0, 0, 0.95), (-1, 5, 0.95), (6, 5, 0.95), (1, 5, 1.0)])
def test_impossible_counts_are_refused(hits: int, n: int, confidence: float) -> None:
    with pytest.raises(ValueError, match="0"):
        clopper_pearson(hits, n, confidence)


def test_rate_carries_interval_and_chance() -> None:
    measured = rate(0, 20, chance=0.05)
    assert (measured.hits, measured.n, measured.rate, measured.low, measured.chance) == (
        0,
        20,
        0.0,
        0.0,
        0.05,
    )
    assert measured.high == pytest.approx(0.1684, abs=5e-5)
    assert rate(20, 20).rate == 1.0
    assert rate(1, 20).rate == 0.05


def test_rate_of_nothing_has_no_value() -> None:
    nothing = rate(0, 0, chance=0.1)
    assert (nothing.n, nothing.rate, nothing.low, nothing.high, nothing.chance) == (0, None, None, None, 0.1)
    with pytest.raises(ValueError):
        rate(1, 0)


@pytest.mark.parametrize("block", [1, 7, 100])
def test_distances_equal_naive_code(block: int) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(5, 1, (23, 16)), rng.normal(5, 1, (31, 16))
    blocks = list(pairwise_distances(a, b, block))
    assert [start for start, _ in blocks] == list(range(0, 23, block))
    want = np.linalg.norm(a[:, None] - b[None], axis=2)
    np.testing.assert_allclose(np.concatenate([d for _, d in blocks]), want, atol=1e-9)


def test_distance_to_itself_is_zero() -> None:
    a = np.random.default_rng(1).normal(3, 1, (50, 128)).astype(np.float32)
    ((_, distances),) = pairwise_distances(a, a)
    assert np.abs(np.diag(distances)).max() < 1e-6


def test_distances_to_nothing() -> None:
    assert list(pairwise_distances(np.zeros((0, 3)), np.zeros((4, 3)))) == []
    ((_, distances),) = pairwise_distances(np.zeros((2, 3)), np.zeros((0, 3)))
    assert distances.shape == (2, 0)


def test_unfit_embeddings_are_refused() -> None:
    with pytest.raises(ValueError, match="compared"):
        pairwise_distances(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="shape"):
        pairwise_distances(np.zeros(3), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="block"):
        pairwise_distances(np.zeros((2, 3)), np.zeros((2, 3)), 0)
    with pytest.raises(ValueError, match="a probe"):
        rank1(np.zeros((2, 3)), np.zeros((3, 3)))


@pytest.mark.parametrize("block", [3, 64, 1024])
def test_rank1_equals_naive_code(block: int) -> None:
    rng = np.random.default_rng(2)
    gallery = rng.normal(size=(200, 32)).astype(np.float32)
    probes = gallery + rng.normal(0, 2, gallery.shape).astype(np.float32)
    distances = np.linalg.norm(probes[:, None].astype(float) - gallery[None], axis=2)
    want = distances.argmin(axis=1) == np.arange(200)
    assert 20 < want.sum() < 180  # the case is not trivial
    np.testing.assert_array_equal(rank1(probes, gallery, block), want)


def test_rank1_at_the_ends() -> None:
    gallery = np.random.default_rng(3).normal(size=(40, 8))
    assert rank1(gallery, gallery).all()
    assert not rank1(np.roll(gallery, 1, axis=0), gallery).any()
    assert rank1(gallery[:1], gallery[5:6]).all()
    assert rank1(gallery[:0], gallery[:0]).shape == (0,)


def test_rank1_of_unrelated_embeddings_is_chance() -> None:
    rng = np.random.default_rng(4)
    hits = rank1(rng.normal(size=(2000, 16)), rng.normal(size=(2000, 16))).sum()
    assert hits < 10  # one is expected


def test_a_tie_is_not_a_hit() -> None:
    gallery = np.array([[0.0, 0], [0, 0], [3, 4]])
    np.testing.assert_array_equal(rank1(gallery + 0.01, gallery), [False, False, True])
    np.testing.assert_array_equal(rank1(gallery[[0, 2]], gallery[[0, 2]]), [True, True])


def test_a_broken_recogniser_is_told_apart_from_success() -> None:
    rng = np.random.default_rng(5)
    faces = rng.normal(size=(30, 128)).astype(np.float32)
    constant = np.repeat(faces[:1], 30, axis=0)
    assert is_degenerate(constant)
    assert not rank1(constant, constant).any()
    assert is_degenerate(constant + rng.normal(0, 1e-9, constant.shape))
    for bad in (np.nan, np.inf):
        broken = faces.copy()
        broken[3, 5] = bad
        assert is_degenerate(broken)
        with pytest.raises(ValueError, match="broken"):
            rank1(broken, faces)
    assert not is_degenerate(faces)
    assert not is_degenerate(np.concatenate([constant, faces[1:2]]))
    assert not is_degenerate(faces[:1])
    assert not is_degenerate(faces[:0])
    assert is_degenerate(np.full((1, 4), np.nan))


# thresholds from the run's own strangers


def test_acceptance_is_counted_at_the_threshold_that_lets_so_many_strangers_in() -> None:
    strangers = np.arange(1, 1001) / 1000
    found = tar_at_far([0.005, 0.01, 0.5], strangers, 0.01)
    assert (strangers < found.threshold).mean() == 0.01
    assert found.threshold == 0.011
    assert (found.accepted.hits, found.accepted.n, found.strangers) == (2, 3, 1000)


@given(
    st.lists(st.floats(0, 2), min_size=1, max_size=300),
    st.lists(st.floats(0, 2), max_size=30),
    st.sampled_from([0.5, 0.1, 0.01]),
)
def test_never_more_strangers_are_accepted_than_allowed(strangers: list[float], own: list[float], far: float) -> None:
    found = tar_at_far(own, strangers, far)
    if found.threshold is None:
        assert len(strangers) * far < 1
        assert found.accepted.rate is None
    else:
        assert (np.array(strangers) < found.threshold).mean() <= far
        assert found.accepted.hits == sum(distance < found.threshold for distance in own)


def test_too_few_strangers_tell_no_threshold() -> None:
    assert tar_at_far([0.1], np.ones(99), 0.01).threshold is None
    assert tar_at_far([0.1], np.ones(100), 0.01).threshold == 1
    assert tar_at_far([], [], 0.5).accepted.n == 0


def test_a_distance_that_is_no_number_is_accepted_and_among_strangers_left_out() -> None:
    found = tar_at_far([np.nan, 5.0], [np.nan, 1, 2, 3, 4], 0.25)
    assert (found.accepted.hits, found.strangers, found.threshold) == (1, 4, 2)


@pytest.mark.parametrize("far", [0, 1, -0.1, float("nan")])
def test_a_false_accept_rate_that_is_none_is_refused(far: float) -> None:
    with pytest.raises(ValueError, match="false accept rate"):
        tar_at_far([0.1], [1.0], far)


@pytest.mark.parametrize(
    ("found", "chance", "normalised"), [(0.1, 0.1, 0), (1, 0.1, 1), (0.55, 0.1, 0.5), (0, 0.5, -1), (0.3, 0, 0.3)]
)
def test_a_rate_is_normalised_so_that_guessing_is_nothing_and_always_is_one(
    found: float, chance: float, normalised: float
) -> None:
    assert chance_normalised(found, chance) == pytest.approx(normalised)


@pytest.mark.parametrize(("found", "chance"), [(0.5, 1), (50, 0.1), (0.5, 50), (-0.1, 0.1)])
def test_percentages_and_certain_guesses_are_not_normalised(found: float, chance: float) -> None:
    with pytest.raises(ValueError, match="chance below 1"):
        chance_normalised(found, chance)
