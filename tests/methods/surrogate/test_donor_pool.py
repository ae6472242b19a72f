"""Means of donors: k of them, nearly equal shares, never the one who is replaced."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photo_anonymizer.errors import ConfigError
from photo_anonymizer.mesh.texture import unrolling
from photo_anonymizer.mesh.topology import mean_shape
from photo_anonymizer.methods.surrogate import donors
from photo_anonymizer.methods.surrogate.donors import (
    MAX_GAIN,
    DonorPool,
    as_detailed_as,
    load_pool,
    mean_of,
    stored,
    unevenness,
)

NOBODY: frozenset[int] = frozenset()
TRAITS = np.zeros(5)


def pool(people: int = 12, *, spread: float = 0.0) -> DonorPool:
    """People of plain skin, told apart by one grey spot each, all of the same traits or further and further off."""
    albedos = np.full((people, 256, 256, 3), 150, np.uint8)
    for row in range(people):
        albedos[row, 100 + 4 * row : 104 + 4 * row, 100:150] = 50
    shapes = np.repeat(mean_shape()[np.newaxis].astype(np.float32), people, axis=0)
    traits = np.outer(np.arange(people) * spread, [12.0, 0.12, 0.2, 0.12, 0.008]).astype(np.float32)
    return DonorPool("batch", albedos, shapes, traits)


def shares(mean: np.ndarray, people: int) -> np.ndarray:
    """How much of the mean is whose, from the depth of their spots."""
    depth = np.array([1 - mean[101 + 4 * row : 103 + 4 * row, 110:140].mean() for row in range(people)])
    return np.asarray(depth / depth.sum())


@given(seed=st.integers(0, 2**32 - 1), k=st.integers(5, 12))
@settings(max_examples=20, deadline=None)
def test_k_people_have_nearly_equal_shares_and_the_others_none(seed: int, k: int) -> None:
    everybody = pool()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(donors, "as_detailed_as", lambda mean, _: mean)
        mean = mean_of(everybody, TRAITS, NOBODY, k, np.random.default_rng(seed))
    found = shares(mean.albedo, len(everybody))
    assert (found > 0.01).sum() == mean.k == k
    assert found.max() <= 1.25 / k
    assert found[found > 0.01].min() >= 0.8 / k


def test_who_is_excluded_lends_nothing() -> None:
    everybody, excluded = pool(), frozenset({0, 3})
    for seed in range(10):
        mean = mean_of(everybody, TRAITS, excluded, 5, np.random.default_rng(seed))
        assert shares(mean.albedo, 12)[[0, 3]].max() < 0.02


def test_too_few_are_refused() -> None:
    with pytest.raises(ValueError, match="8 donors, 10 wanted"):
        mean_of(pool(9), TRAITS, frozenset({2}), 10, np.random.default_rng(0))


def test_those_who_suit_the_face_lend() -> None:
    mean = mean_of(pool(40, spread=1.0), TRAITS, NOBODY, 5, np.random.default_rng(0))
    found = shares(mean.albedo, 38)
    assert found[:10].sum() > 0.9


def test_neighbours_do_not_all_get_the_same_face() -> None:
    everybody = pool(30)
    one, two = (mean_of(everybody, TRAITS, NOBODY, 5, np.random.default_rng(seed)).albedo for seed in (1, 2))
    assert np.abs(one - two).mean() > 1e-3


def test_the_mean_is_as_detailed_as_its_donors_but_not_beyond_the_limit() -> None:
    rng = np.random.default_rng(0)
    rough = [1 + 0.1 * rng.standard_normal((256, 256, 1)).astype(np.float32) * np.ones(3, np.float32) for _ in range(4)]
    mean = np.mean(rough, axis=0)
    detailed = as_detailed_as(mean, rough)

    def fine(texture: np.ndarray) -> float:
        return float(np.abs(texture - cv2.GaussianBlur(texture, (0, 0), 1.0)).mean())

    assert fine(detailed) == pytest.approx(fine(rough[0]), rel=0.1)
    many = np.mean([1 + 0.01 * (one - 1) for one in rough], axis=0).astype(np.float32)
    assert fine(as_detailed_as(many, rough)) <= 1.05 * MAX_GAIN * fine(many)


def test_what_lies_beside_the_face_is_not_kept() -> None:
    texture = np.ones((256, 256, 3), np.float32)
    texture[~unrolling(256).inside] = 0.2  # a background that might tell a place
    beside = cv2.erode((~unrolling(256).inside).astype(np.uint8), np.ones((15, 15))) > 0
    assert (stored(texture)[beside] == 150).all()


def test_light_from_one_side_and_coloured_lamps_leave_a_stored_face() -> None:
    across = np.linspace(0.7, 1.3, 256, dtype=np.float32)[np.newaxis, :, np.newaxis]
    coloured = np.concatenate([across, np.ones_like(across), across[:, ::-1]], axis=2)
    kept = stored(np.ones((256, 256, 3), np.float32) * coloured)[90:160, 60:196].astype(float)
    assert np.ptp(kept.reshape(-1, 3), axis=0).max() < 12


def test_a_stored_face_is_its_own_mirror_image() -> None:
    scarred = np.ones((256, 256, 3), np.float32)
    scarred[140:150, 60:70] = 0.6
    kept = stored(scarred)
    assert np.abs(kept.astype(int) - kept[:, ::-1]).max() <= 3
    assert kept[145, 65].mean() > 0.75 * 150


def test_blotched_skin_is_known_from_even_one() -> None:
    rng = np.random.default_rng(0)
    fine = 1 + 0.1 * rng.normal(size=(256, 256, 1)).astype(np.float32) * np.ones(3, np.float32)
    blotches = cv2.GaussianBlur(rng.normal(size=(256, 256)).astype(np.float32), (0, 0), 6)
    blotched = 1 + 0.15 * (blotches / blotches.std())[..., np.newaxis] * np.ones(3, np.float32)
    assert unevenness(stored(fine)) < 0.02 < 0.04 < unevenness(stored(blotched))


def test_a_pool_comes_back_from_its_file(tmp_path: Path) -> None:
    data = pool().to_bytes()
    (tmp_path / "pool.npz").write_bytes(data)
    loaded = load_pool(tmp_path / "pool.npz", hashlib.sha256(data).hexdigest(), "bank")
    assert (len(loaded), loaded.source) == (12, "bank")
    assert np.array_equal(loaded.albedos, pool().albedos)


def test_an_altered_pool_is_refused(tmp_path: Path) -> None:
    data = pool().to_bytes()
    (tmp_path / "pool.npz").write_bytes(data[:-1] + b"x")
    with pytest.raises(ConfigError, match="SHA-256"):
        load_pool(tmp_path / "pool.npz", hashlib.sha256(data).hexdigest(), "bank")


def test_a_missing_pool_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_pool(tmp_path / "none.npz", "0" * 64, "bank")


def test_what_is_no_pool_is_refused() -> None:
    with pytest.raises(ConfigError, match="no bank"):
        DonorPool.from_bytes(b"PK\x03\x04 nothing", "bank")


def test_a_pool_of_other_shapes_is_refused() -> None:
    wrong = DonorPool("bank", pool().albedos[:, :64, :64], pool().shapes, pool().traits)
    with pytest.raises(ConfigError, match="another version"):
        DonorPool.from_bytes(wrong.to_bytes(), "bank")
