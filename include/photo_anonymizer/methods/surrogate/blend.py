"""Laying a drawn face into a photo: colours that meet their surroundings, the photo's own sharpness and grain."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.mesh.texture import in_colour
from photo_anonymizer.methods.surrogate.noise import white_noise

Canvas = NDArray[np.float32]
Plane = NDArray[np.float32]
_COARSE_PX = 48
"""Long side at which differences of colour are smoothed: they are low frequencies only."""
_SAME_SKIN, _SAME_HUE = 25.0, 10.0
"""Differences (0–255), of colours and of colours of the same brightness, beyond which what lies at the rim is taken for
hair or background, not for skin. With a larger one a red curtain shines on the cheek before it."""
GRAIN_SHARE = 0.7
"""Part of the photo's grain that is added: the drawn skin has pores of its own."""
_GRAIN_BLUR_PX = 0.6
_BLURS_PX = (0.0, 0.45, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)


def meeting(face: Canvas, photo: Canvas, alpha: Plane) -> Canvas:
    """The face with its colours moved so that they meet the photo's at the rim, less and less further in.

    A membrane between the differences on the rim, as gradient-domain blending makes it (Pérez et al., SIGGRAPH 2003),
    in its closed form as a weighted mean of the rim's differences (Farbman et al., SIGGRAPH Asia 2009).

    :param face: float32 (h, w, 3).
    :param photo: likewise.
    :param alpha: float32 (h, w), 0 to 1; the rim is where it is neither.
    """
    height, width = alpha.shape
    scale = min(1.0, _COARSE_PX / max(height, width))
    size = max(2, round(width * scale)), max(2, round(height * scale))

    def coarse(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA))

    rim = coarse(((alpha > 0.02) & (alpha < 0.75)).astype(np.float32))
    difference = coarse(photo - face)
    hue = difference - in_colour(brightness(difference))
    apart = (brightness(np.abs(difference)) / _SAME_SKIN) ** 2 + (brightness(np.abs(hue)) / _SAME_HUE) ** 2
    weight = rim * np.exp(-apart)
    sigma = 0.13 * max(size)
    total = cv2.GaussianBlur(weight, (0, 0), sigma)[..., np.newaxis] + np.float32(0.004)
    shift = cv2.GaussianBlur(difference * weight[..., np.newaxis], (0, 0), sigma) / total
    enlarged = cv2.resize(shift, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.add(face, enlarged, dst=enlarged))


def brightness(picture: Canvas) -> Plane:
    """Mean of the three channels: float32 (h, w). OpenCV takes it several times as fast as NumPy does."""
    return np.asarray(cv2.transform(picture, np.full((1, 3), 1 / 3, np.float32)))


def as_sharp_as(face: Canvas, photo: Canvas, where: Plane) -> Canvas:
    """The face blurred until its finest details are no stronger than the photo's on the same area.

    :param where: float32 (h, w), above 0.5 counts.
    """
    inside = (where > 0.5).astype(np.uint8)
    if cv2.countNonZero(inside) < 16:
        return face
    wanted = 1.25 * _fine(photo, inside)
    for blur in _BLURS_PX:
        softer = cv2.GaussianBlur(face, (0, 0), blur) if blur else face
        if _fine(softer, inside) <= wanted:
            break
    return np.asarray(softer)


def grain(photo: Canvas, where: Plane) -> float:
    """Standard deviation of the photo's noise in brightness (0–255), from the calmer half of an area."""
    inside = where > 0.5
    if inside.sum() < 64:
        return 0.0
    grey = brightness(photo)
    rough = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 1.0))[inside][::2]
    half = len(rough) // 2
    calm = np.partition(rough, half)[:half]
    return float(min(1.9 * calm.mean(), 12.0))


def with_grain(face: Canvas, sigma: float, rng: np.random.Generator) -> Canvas:
    """The face with noise of that strength in brightness, a little coarser than the pixels, as demosaicing and JPEG
    leave it."""
    noise = cv2.GaussianBlur(white_noise(face.shape[:2], rng), (0, 0), _GRAIN_BLUR_PX)
    noise *= np.float32(sigma / _kept_by_blur())
    coloured = in_colour(noise)
    return np.asarray(cv2.add(face, coloured, dst=coloured))


@lru_cache(maxsize=1)
def _kept_by_blur() -> float:
    """Deviation that noise of unit deviation has after the grain's blur."""
    return float(cv2.GaussianBlur(white_noise((256, 256), np.random.default_rng(0)), (0, 0), _GRAIN_BLUR_PX).std())


def _fine(picture: Canvas, inside: NDArray[np.uint8]) -> float:
    """Strength (root of the mean square) of the finest band where the mask is not 0."""
    grey = brightness(picture)
    band = cv2.GaussianBlur(grey, (0, 0), 0.6)
    band -= cv2.GaussianBlur(grey, (0, 0), 1.6)
    return float(cv2.norm(band, cv2.NORM_L2, inside)) / math.sqrt(cv2.countNonZero(inside))
