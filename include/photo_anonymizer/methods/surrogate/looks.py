"""What a drawn face looks like: a few numbers, drawn by chance within what suits the face that it replaces.

From that face come only coarse hints, each rounded to three steps: how much beard shadow, how coloured the lips, how
dark the brows, how lined the skin. They stand for the presentation and age group that a reader would expect there, and
are shared by a large part of all faces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.mesh.texture import Texture
from photo_anonymizer.mesh.topology import LEFT_BROW, OUTER_LIPS, RIGHT_BROW, texture_points
from photo_anonymizer.methods.surrogate.blend import brightness
from photo_anonymizer.skin_tone import typology_angle_deg

Step = int
"""0, 1 or 2: little, some, much."""
_IRISES = {
    "dark brown": ((62, 42, 32), 5),
    "brown": ((92, 62, 42), 4),
    "hazel": ((112, 92, 58), 2),
    "green": ((98, 110, 86), 1),
    "grey": ((118, 128, 134), 1),
    "blue": ((96, 122, 150), 2),
}
"""Colour and how often it is drawn where the skin is light; dark skin has the first two."""
BEARD_FROM_PX = 96
"""Height of a face from which a dark jaw is taken for a beard."""
_LIGHT_SKIN = 120.0
"""Mean of the skin's channels (0 to 255, under a white light of medium strength) from which light eyes are drawn."""


@dataclass(frozen=True)
class Hints:
    """What may be seen of the face that is replaced; each one step of three."""

    beard: Step = 0
    lips: Step = 1
    brows: Step = 1
    lines: Step = 0


@dataclass(frozen=True)
class Look:
    """How a face is drawn. Shares are 0 to 1 unless said otherwise.

    :param brow_dark: how much of the light brows swallow.
    :param brow_thick: their thickness, 1 is usual.
    :param brow_arch: how far their middle is raised, in texture heights.
    :param lip_tint: float64 (3,), the lips' colour as a multiple of the skin's.
    :param iris: (3,), 0 to 255.
    :param lashes: how dark the lash line is.
    :param beard: how dark the beard shadow is.
    :param lines: how deep the lines of age are.
    :param blush: how red cheeks and nose are.
    """

    brow_dark: float
    brow_thick: float
    brow_arch: float
    lip_tint: NDArray[np.float64]
    iris: NDArray[np.float64]
    lashes: float
    beard: float
    lines: float
    blush: float


def traits_of(texture: Texture) -> NDArray[np.float64]:
    """What can be measured of a face's presentation, (5,): the skin's individual typology angle in degrees (Chardon et
    al. 1991; light is above 41, dark below 10), then, relative to the skin, how dark the jaw is, how red the lips are,
    how dark the brows, how lined the forehead.

    :param texture: the face unrolled, float32 (side, side, 3), 0 to 255.
    """
    skin = mean_inside(texture, CHEEKS)
    bright = max(float(skin.mean()), 1.0)
    jaw = 1 - float(mean_inside(texture, _JAW).mean()) / bright
    lips = mean_inside(texture, OUTER_LIPS) / np.maximum(skin, 1)
    redness = float(lips[0] / max((lips[1] + lips[2]) / 2, 0.05))
    brows = 1 - float(min(mean_inside(texture, LEFT_BROW).mean(), mean_inside(texture, RIGHT_BROW).mean())) / bright
    grey = brightness(texture)
    fine = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 3))
    lines = float(mean_inside(fine[..., np.newaxis], _FOREHEAD)[0]) / bright
    return np.array([typology_angle_deg(skin), jaw, redness, brows, lines])


def hints_of(traits: NDArray[np.floating], height_px: float = math.inf) -> Hints:
    """The coarse hints that traits give, (5,), for a face of that height."""
    _, jaw, lips, brows, lines = traits.tolist()
    return Hints(
        # What darkens the jaw of a small face is more often a shadow.
        beard=_step(jaw, 0.3, 0.5) if height_px >= BEARD_FROM_PX else 0,
        lips=_step(lips, 1.18, 1.5),
        brows=_step(brows, 0.22, 0.4),
        lines=_step(lines, 0.012, 0.022),
    )


def drawn_look(hints: Hints, skin: float, rng: np.random.Generator) -> Look:
    """A look that suits the hints.

    :param skin: mean of the skin's channels, 0 to 255.
    """
    red = (0.0, 0.06, 0.16)[hints.lips] + rng.uniform(-0.03, 0.03)
    dark = rng.uniform(0.0, 0.06)
    names = list(_IRISES)[: None if skin >= _LIGHT_SKIN else 2]
    odds = np.array([_IRISES[name][1] for name in names], float)
    iris = _IRISES[names[rng.choice(len(names), p=odds / odds.sum())]][0]
    made_up = hints.lips == 2
    return Look(
        brow_dark=(0.26, 0.52, 0.72)[hints.brows] + rng.uniform(-0.06, 0.06),
        brow_thick=(0.65 if made_up else 0.8 if hints.beard == 0 else 1.05) * rng.uniform(0.85, 1.2),
        brow_arch=rng.uniform(-0.004, 0.008),
        lip_tint=np.array([0.9 - dark, 0.72 - red - dark, 0.73 - red * 0.8 - dark]),
        iris=np.array(iris, float) * rng.uniform(0.85, 1.15),
        lashes=(0.8 if made_up else 0.55) + rng.uniform(-0.1, 0.1),
        beard=(0.0, 0.16, 0.4)[hints.beard] * rng.uniform(0.8, 1.2),
        lines=(0.15, 0.5, 1.0)[hints.lines] * rng.uniform(0.8, 1.2),
        blush=rng.uniform(0.6, 1.3),
    )


CHEEKS = (50, 36, 205, 187, 123, 117, 118, 101)
_JAW = (182, 83, 18, 313, 406, 421, 428, 199, 208, 201)
_FOREHEAD = (108, 69, 67, 109, 10, 338, 297, 299, 337, 151)


def mean_inside(
    texture: NDArray[np.floating], loop: tuple[int, ...], weights: NDArray[np.floating] | None = None
) -> NDArray[np.float64]:
    """Mean of a texture, (side, side, k), inside the hull of some points: (k,).

    :param weights: (side, side), how much each place counts.
    """
    place, mask = _inside(loop, texture.shape[0])
    if weights is None:
        return np.array(cv2.mean(texture[place], mask)[: texture.shape[2]])
    own = (weights[place] + np.float32(1e-6))[mask > 0]
    return np.asarray(own @ texture[place][mask > 0] / own.sum(), np.float64)


@lru_cache(maxsize=32)
def _inside(loop: tuple[int, ...], side_px: int) -> tuple[tuple[slice, slice], NDArray[np.uint8]]:
    """The rows and columns that a hull takes, and where in them it is."""
    mask = np.zeros((side_px, side_px), np.uint8)
    hull = cv2.convexHull((texture_points()[list(loop)] * side_px).astype(np.float32))
    cv2.fillConvexPoly(mask, np.round(hull).astype(np.int32), 255)
    x, y, width, height = cv2.boundingRect(mask)
    place = slice(y, y + height), slice(x, x + width)
    return place, np.ascontiguousarray(mask[place])


def _step(value: float, some: float, much: float) -> Step:
    return int(value >= some) + int(value >= much)
