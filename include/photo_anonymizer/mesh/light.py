"""The light on a face: how bright every direction of its surface is, in nine numbers a channel.

Of a matt surface nine spherical harmonics hold 98 % of the light, wherever it comes from (Ramamoorthi & Hanrahan,
SIGGRAPH 2001; Basri & Jacobs, IEEE PAMI 25(2), 2003). So lighting is a least-squares fit of colour to the mesh's
normals, and these numbers are all that is taken over from a face that is replaced: they tell how it was lit and how
bright its skin is on the whole, not whose it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]
_RIDGES = (0.0, *(0.002,) * 3, *(0.6,) * 5)
"""How strongly the terms are held back: a face shows half of all directions, and where it shows none the fit must not
swing. With these a lamp on a matt mean face is found within 7° (median over lamps up to 75° aside); with equal ones for
all terms, within 35°."""
_DARKEST = 0.08
"""Least shading, as a share of the mean: light is never negative."""


@dataclass(frozen=True)
class Light:
    """:param terms: float64 (9, 3): coefficients a channel, in units of the colours that were fitted."""

    terms: NDArray[np.float64]

    @property
    def mean(self) -> NDArray[np.float64]:
        """(3,): the colour without its direction."""
        return np.asarray(self.terms[0])

    @property
    def direction(self) -> NDArray[np.float64]:
        """Unit vector (3,) towards the light: x right, y down, z negative towards the camera; zeros in even light."""
        linear = self.terms[1:4].mean(axis=1)
        length = float(np.linalg.norm(linear))
        return linear / length if length > 1e-9 else np.zeros(3)

    def shading(self, normals: FloatArray) -> NDArray[np.float32]:
        """Colours of a matt white surface, (…, 3), with these unit normals, (…, 3)."""
        shape = normals.shape
        colours = harmonics(normals.reshape(-1, 3)) @ self.terms.astype(np.float32)
        return np.asarray(np.maximum(colours, _DARKEST * self.mean).reshape(shape), np.float32)


def harmonics(normals: FloatArray) -> NDArray[np.float32]:
    """The first nine real spherical harmonics without their constants, (n, 9), of unit vectors (n, 3)."""
    x, y, z = (normals[:, axis].astype(np.float32) for axis in range(3))
    return np.stack([np.ones_like(x), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1]).T


def fit_light(colours: FloatArray, normals: FloatArray, weights: FloatArray | None = None, rounds: int = 3) -> Light:
    """The light that explains a surface's colours best; what does not fit (hair, a beard, a shadow's edge, a highlight)
    counts less each round (Huber's weights).

    :param colours: (n, 3), 0 to 255.
    :param normals: (n, 3), unit vectors.
    :param weights: (n,), 0 and above.
    """
    basis = harmonics(normals).astype(np.float64)
    values = colours.astype(np.float64)
    importance = np.ones(len(basis)) if weights is None else weights.astype(np.float64)
    ridge = np.diag(_RIDGES)
    evenly = np.full(values.shape[1], 1 / values.shape[1])
    terms: NDArray[np.floating] = np.zeros((9, 3))
    own = importance
    for _ in range(rounds):
        total = max(float(own.sum()), 1e-9)
        weighted = basis * own[:, np.newaxis]
        terms = np.linalg.solve(weighted.T @ basis / total + ridge + 1e-9 * np.eye(9), weighted.T @ values / total)
        off = np.abs(values - basis @ terms) @ evenly
        limit = 1.345 * max(1.4826 * float(np.median(off[importance > 0])) if (importance > 0).any() else 1.0, 1.0)
        own = importance * np.minimum(1.0, limit / np.maximum(off, 1e-9))
    return Light(terms.astype(np.float64))


def angle_rad(one: Light, other: Light) -> float:
    """Angle between two lights' directions, 0 to π."""
    return math.acos(min(1.0, max(-1.0, float(one.direction @ other.direction))))
