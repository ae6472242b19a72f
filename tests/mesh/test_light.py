"""Lighting as spherical harmonics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photo_anonymizer.mesh.light import Light, angle_rad, fit_light, harmonics
from photo_anonymizer.mesh.texture import normals_of
from photo_anonymizer.mesh.topology import mean_shape

SKIN = np.array([190, 140, 120.0])


def lit(direction: tuple[float, float, float], ambient: float = 0.5) -> np.ndarray:
    """Colours of the mean face's points, matt, under one lamp and some light from everywhere."""
    towards = np.array(direction) / np.linalg.norm(direction)
    strength = ambient + (1 - ambient) * np.maximum(normals_of(mean_shape()) @ towards, 0)
    return strength[:, np.newaxis] * SKIN


@given(angle=st.floats(-1.3, 1.3), above=st.floats(-0.8, 0.8))
@settings(max_examples=30)
def test_the_lamp_is_found(angle: float, above: float) -> None:
    lamp = (math.sin(angle), -math.sin(above), -math.cos(angle) * math.cos(above))
    found = fit_light(lit(lamp), normals_of(mean_shape()))
    truth = Light(np.outer([0, *(np.array(lamp) / np.linalg.norm(lamp)), 0, 0, 0, 0, 0], [1, 1, 1]))
    assert math.degrees(angle_rad(found, truth)) < 40


def test_the_lamp_is_usually_found_closely() -> None:
    lamps = [(math.sin(angle), -0.4, -math.cos(angle)) for angle in np.linspace(-1.3, 1.3, 27)]
    found = [fit_light(lit(lamp), normals_of(mean_shape())).direction for lamp in lamps]
    off = [math.acos(one @ np.array(lamp) / np.linalg.norm(lamp)) for one, lamp in zip(found, lamps, strict=True)]
    assert math.degrees(float(np.median(off))) < 10


def test_the_shading_explains_the_colours() -> None:
    normals, colours = normals_of(mean_shape()), lit((1, -0.5, -1))
    assert np.abs(fit_light(colours, normals).shading(normals) - colours).mean() < 0.05 * colours.mean()


def test_hair_over_a_part_of_the_face_hardly_moves_the_light() -> None:
    normals, colours = normals_of(mean_shape()), lit((1, -0.5, -1))
    before = fit_light(colours, normals)
    covered = colours.copy()
    covered[mean_shape()[:, 1] < -5.5] = 15  # the forehead
    assert math.degrees(angle_rad(before, fit_light(covered, normals))) < 12


def test_light_is_never_negative() -> None:
    light = Light(np.outer([100, 0, 0, 300, 0, 0, 0, 0, 0], [1, 1, 1]))
    assert light.shading(np.array([[0, 0, -1.0]])).min() > 0


def test_even_light_has_no_direction() -> None:
    assert np.array_equal(Light(np.outer([100, *[0] * 8], [1, 1, 1])).direction, np.zeros(3))


def test_harmonics_are_orthogonal_over_the_sphere() -> None:
    random = np.random.default_rng(0).normal(size=(200_000, 3))
    basis = harmonics(random / np.linalg.norm(random, axis=1, keepdims=True))
    products = basis.T @ basis / len(basis)
    scale = np.sqrt(np.outer(np.diag(products), np.diag(products)))
    assert products / scale == pytest.approx(np.eye(9), abs=0.02)
