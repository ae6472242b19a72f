"""What blur and pixelation let survive: few numbers, mixed with the surroundings and disturbed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faces import face, noise_picture
from photo_anonymizer.config import BlurConfig, PixelateConfig
from photo_anonymizer.methods.cells import SHARED_NOISE, noisy_cells
from photo_anonymizer.methods.pixelate import TILE_NOISE, TILES, _tiles
from photo_anonymizer.methods.region import Region, region_of
from photo_anonymizer.model.pixels import Pixels

SIDE = 400
SOMEONE = face(150, 140, 100, 120)
PLAIN = {"cells": 2, "levels": 64, "noise": 0.0, "surroundings": 0.0}
TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def region(side: int = SIDE) -> Region:
    found = region_of(SOMEONE, (side, side), scale=1.35, feather=0.08, shape="ellipse")
    assert found is not None
    return found


def photo(inside: tuple[int, int, int], outside: tuple[int, int, int]) -> Pixels:
    rgb = np.empty((SIDE, SIDE, 3), np.uint8)
    rgb[:] = outside
    rgb[region().box.slices][region().alpha > 0] = inside
    return rgb


def cells(rgb: Pixels, seed: int = 0, **changes: float) -> np.ndarray:
    return noisy_cells(rgb, region(), {**PLAIN, **changes}, np.random.default_rng(seed)).astype(float)


def brightness(found: np.ndarray) -> np.ndarray:
    return found @ TO_YCC[0]


SKIN, BLUE, GREEN = (205, 150, 125), (40, 60, 200), (60, 180, 60)


@given(
    inside=st.tuples(*[st.integers(0, 255)] * 3), other=st.tuples(*[st.integers(0, 255)] * 3), seed=st.integers(0, 99)
)
@settings(max_examples=30, deadline=None)
def test_of_surroundings_alone_nothing_tells_the_face(inside, other, seed: int) -> None:
    one, two = (cells(photo(colour, (90, 120, 40)), seed, noise=32, surroundings=1) for colour in (inside, other))
    np.testing.assert_array_equal(one, two)


def test_half_of_the_surroundings_halve_what_the_face_tells() -> None:
    def contrast(share: float) -> float:
        light, dark = (
            brightness(cells(photo(level, (90,) * 3), surroundings=share)) for level in ((200,) * 3, (80,) * 3)
        )
        return float((light - dark).mean())

    assert contrast(0) > 90
    assert contrast(0.5) == pytest.approx(contrast(0) / 2, abs=5)


def test_all_cells_of_a_face_have_one_colour_and_differ_in_brightness() -> None:
    found = cells(noise_picture(SIDE, SIDE), noise=20)
    colour = found @ TO_YCC[1:].T
    unclipped = (found.min(axis=2) > 0) & (found.max(axis=2) < 255)
    assert np.ptp(colour[unclipped], axis=0).max() < 2
    assert np.ptp(brightness(found)) > 20


@pytest.mark.parametrize("inside", [SKIN, BLUE, GREEN, (128, 128, 128)])
def test_noise_never_makes_a_face_green_or_blue(inside) -> None:
    for seed in range(30):
        red, green, blue = cells(photo(inside, (120, 121, 126)), seed, noise=32, levels=8).mean(axis=(0, 1))
        assert red >= green - 2
        assert green >= blue - 2


def test_a_picture_without_colour_stays_without() -> None:
    grey = np.repeat(noise_picture(SIDE, SIDE)[..., :1], 3, axis=2)
    for seed in range(10):
        assert np.ptp(cells(grey, seed, noise=32, levels=8), axis=2).max() == 0


def test_coloured_ground_does_not_colour_the_face() -> None:
    on_blue, on_green = (
        cells(photo(SKIN, ground), surroundings=1).mean(axis=(0, 1)) @ TO_YCC.T for ground in (BLUE, GREEN)
    )
    np.testing.assert_allclose(on_blue[1:], on_green[1:], atol=2)
    assert on_blue[2] > 10


def test_the_noise_is_as_strong_as_asked_and_partly_shared_by_all_cells() -> None:
    """Whoever takes the mean over the cells does not get rid of it."""
    grey = photo((128,) * 3, (128,) * 3)
    draws = np.stack([brightness(cells(grey, seed, noise=20)) for seed in range(400)])
    count = draws[0].size
    assert draws.std() == pytest.approx(20 * np.hypot(1, SHARED_NOISE), rel=0.07)
    assert draws.mean(axis=(1, 2)).std() == pytest.approx(20 * np.hypot(1 / np.sqrt(count), SHARED_NOISE), rel=0.15)


def test_brightness_is_rounded_to_the_levels() -> None:
    grey = np.repeat(noise_picture(SIDE, SIDE)[..., :1], 3, axis=2)
    found = np.unique(np.concatenate([cells(grey, seed, noise=32, levels=4).ravel() for seed in range(10)]))
    assert set(found) <= {0, 85, 170, 255}


def test_a_face_that_fills_the_photo_is_mixed_with_grey() -> None:
    small = noise_picture(60, 60)
    someone = face(5, 5, 50, 50)
    whole = region_of(someone, (60, 60), scale=1.35, feather=0.08, shape="rectangle")
    assert whole is not None
    assert (whole.box.width, whole.box.height) == (60, 60)
    found = noisy_cells(small, whole, {**PLAIN, "surroundings": 1.0}, np.random.default_rng(0))
    assert np.abs(found.astype(int) - 128).max() <= 3


def test_the_photo_is_only_read() -> None:
    rgb = noise_picture(SIDE, SIDE)
    rgb.setflags(write=False)
    cells(rgb, noise=32)


@pytest.mark.parametrize("settings_of", [BlurConfig, PixelateConfig])
def test_the_defaults_are_those_that_were_measured(settings_of) -> None:
    """docs/methods.md gives the figures for these; others need new ones."""
    found = settings_of()
    assert (found.cells, found.levels, found.noise, found.surroundings) == (1, 8, 32, 0.5)


def test_the_tiles_of_a_mosaic_are_its_cells_and_chance() -> None:
    cell_colours = np.array([[[60, 50, 40], [200, 190, 180]]], np.uint8)
    plain = _tiles(cell_colours, {"levels": 8, "noise": 0}, np.random.default_rng(0))
    assert plain.shape == (TILES, 2 * TILES, 3)
    assert (plain[:, : TILES // 2] == (60, 50, 40)).all()
    assert (plain[:, -TILES // 2 :] == (200, 190, 180)).all()
    assert (np.diff(plain.astype(int), axis=1) >= 0).all()  # from one to the other, and nothing else
    many = np.full((40, 40, 3), 128, np.uint8)
    noisy = _tiles(many, {"levels": 64, "noise": 20}, np.random.default_rng(0)).astype(float)
    assert (noisy[..., 0] - 128).std() == pytest.approx(20 * TILE_NOISE, rel=0.1)
    assert np.ptp(noisy, axis=2).max() == 0  # lighter and darker, no other colour
