"""What can be wrong with a photo: changes of the picture that take the labels along.

A changed face is counted by the height that it had before, so that the same faces are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from detection_figures.labels import FROM_PX, Label
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.model.pixels import Pixels

Changed = tuple[Pixels, list[Label]]
UNTOUCHED = "untouched"
DARKENED, NOISE_SIGMA, JPEG_QUALITY = 0.2, 15, 20
NOISE_SEED = 7
EYES, CHIN = 0.4, 1.0
"""Where the eyes and the chin of an upright face are, as shares of its box's height from the top."""
GLASS_RGB, MASK_RGB = (15, 15, 18), (165, 205, 225)


@dataclass(frozen=True)
class Variant:
    """One way of changing photos; ``change`` takes and gives rgb uint8 (H, W, 3) and its labels."""

    change: Callable[[Pixels, Sequence[Label]], Changed]
    allowed_points: float | None = None
    """How many hundredths of recall may be lost."""


# moving


def untouched(rgb: Pixels, labels: Sequence[Label]) -> Changed:
    """The photo as it is."""
    return rgb, list(labels)


def turned_left(quarters: int) -> Callable[[Pixels, Sequence[Label]], Changed]:
    """The change that turns a photo counter-clockwise by so many quarters."""

    def change(rgb: Pixels, labels: Sequence[Label]) -> Changed:
        faces = list(labels)
        for _ in range(quarters):
            width = rgb.shape[1]
            # What was at the right is now on top; what was on top is now at the left.
            faces = [
                _moved(face, x0=face.box.y0, y0=width - face.box.x1, x1=face.box.y1, y1=width - face.box.x0)
                for face in faces
            ]
            rgb = np.ascontiguousarray(np.rot90(rgb))
        return rgb, faces

    return change


def halved(rgb: Pixels, labels: Sequence[Label]) -> Changed:
    """Half as wide and high."""
    width, height = max(1, rgb.shape[1] // 2), max(1, rgb.shape[0] // 2)
    x, y = width / rgb.shape[1], height / rgb.shape[0]
    small = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    faces = [
        _moved(face, x0=face.box.x0 * x, y0=face.box.y0 * y, x1=face.box.x1 * x, y1=face.box.y1 * y) for face in labels
    ]
    return small, faces


def _moved(face: Label, **sides: float) -> Label:
    return replace(face, box=Box(**sides), original_px=face.height_px)


# light, compression, noise


def darkened(rgb: Pixels, labels: Sequence[Label]) -> Changed:
    """With a fifth of the values."""
    return np.round(rgb * DARKENED).astype(np.uint8), list(labels)


def compressed(rgb: Pixels, labels: Sequence[Label]) -> Changed:
    """Through a JPEG of quality 20, 4:2:0."""
    data = simplejpeg.encode_jpeg(np.ascontiguousarray(rgb), quality=JPEG_QUALITY, colorsubsampling="420")
    return simplejpeg.decode_jpeg(data), list(labels)


def noisy(rgb: Pixels, labels: Sequence[Label]) -> Changed:
    """With Gaussian noise of sigma 15 (of 255) in every channel; the same noise at every call."""
    noise = np.random.default_rng(NOISE_SEED).normal(0, NOISE_SIGMA, rgb.shape)
    return np.clip(np.round(rgb + noise), 0, 255).astype(np.uint8), list(labels)


# covered faces


def with_sunglasses(rgb: Pixels, labels: Sequence[Label]) -> Changed:
    """Dark glasses before the eyes of every labelled face of at least 16 px."""
    return _drawn(rgb, labels, _sunglasses)


def with_masks(rgb: Pixels, labels: Sequence[Label]) -> Changed:
    """A medical mask before nose, mouth and chin of every labelled face of at least 16 px."""
    return _drawn(rgb, labels, _mask)


def _drawn(rgb: Pixels, labels: Sequence[Label], draw: Callable[[Pixels, Box], None]) -> Changed:
    picture = rgb.copy()
    for face in labels:
        if face.box.height >= FROM_PX:
            draw(picture, face.box)
    return picture, list(labels)


def _sunglasses(picture: Pixels, box: Box) -> None:
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    lens = np.column_stack([0.21 * np.cos(angles), 0.12 * np.sin(angles)])
    for middle in (0.28, 0.72):
        _fill(picture, box, lens + np.array([middle, EYES]), GLASS_RGB)
    bar = np.array([(0.02, EYES - 0.09), (0.98, EYES - 0.09), (0.98, EYES - 0.05), (0.02, EYES - 0.05)])
    _fill(picture, box, bar, GLASS_RGB)


def _mask(picture: Pixels, box: Box) -> None:
    nose, cheek = EYES + 0.14, EYES + 0.2
    outline = [(0.5, nose), (0.93, cheek), (0.9, 0.82), (0.68, CHIN), (0.32, CHIN), (0.1, 0.82), (0.07, cheek)]
    _fill(picture, box, np.array(outline), MASK_RGB)


def _fill(picture: Pixels, box: Box, points: NDArray[np.float64], colour: tuple[int, int, int]) -> None:
    """Fills a convex shape whose points (n, 2) are shares of the box, antialiased."""
    bits = 4
    corners = (np.array([box.x0, box.y0]) + points * (box.width, box.height)) * 2**bits
    cv2.fillConvexPoly(picture, np.round(corners).astype(np.int32), colour, cv2.LINE_AA, bits)


VARIANTS: dict[str, Variant] = {
    UNTOUCHED: Variant(untouched),
    "turned by 90°": Variant(turned_left(1), allowed_points=1),
    "turned by 180°": Variant(turned_left(2), allowed_points=1),
    "turned by 270°": Variant(turned_left(3), allowed_points=1),
    "half size": Variant(halved, allowed_points=10),
    "darkened to 20 %": Variant(darkened),
    "JPEG quality 20": Variant(compressed),
    "noise (sigma 15)": Variant(noisy),
    "sunglasses": Variant(with_sunglasses),
    "medical masks": Variant(with_masks),
}
"""Name → change, in the order of the table."""
