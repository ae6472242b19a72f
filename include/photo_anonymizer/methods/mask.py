"""Mask: an opaque shape, or an icon on one."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from photo_anonymizer.errors import ConfigError
from photo_anonymizer.methods.protocol import Painted, Parameters
from photo_anonymizer.methods.region import Region
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.model.pixels import Pixels

ICON_SIDE_PX = 512


class Mask:
    """One colour, or an icon on that colour, over the whole region.

    It cannot be undone because nothing of the face enters it but place, size and tilt: the same pixels cover everybody.

    Parameters: ``colour`` ``#rrggbb``; ``icon``: None for a plain shape, "" for the drawn smile, or a PNG's path.
    """

    name = "mask"

    def paint(self, subject: Subject, parameters: Parameters, rng: np.random.Generator) -> Painted:  # noqa: ARG002
        """See :class:`~photo_anonymizer.methods.protocol.Method`."""
        region = subject.region
        colour = np.array([int(parameters["colour"][at : at + 2], 16) for at in (1, 3, 5)], np.uint8)
        plain = np.broadcast_to(colour, (region.box.height, region.box.width, 3)).copy()
        if parameters["icon"] is None:
            return Painted(plain, region.alpha)
        icon = user_icon(parameters["icon"]) if parameters["icon"] else drawn_smile()
        return Painted(_laid_on(plain, icon, region), region.alpha)


def _laid_on(plain: Pixels, icon: np.ndarray, region: Region) -> Pixels:
    """The icon (uint8 RGBA) turned with the head and scaled to the core, over the plain colour."""
    centre_x, centre_y = region.core.centre
    scale = max(region.core.width, region.core.height) / icon.shape[0]
    # Large icons are shrunk first: warping alone would skip pixels and look jagged.
    if scale < 1:
        side = max(1, round(icon.shape[0] * scale))
        icon = cv2.resize(icon, (side, side), interpolation=cv2.INTER_AREA)
        scale = max(region.core.width, region.core.height) / side
    middle = icon.shape[0] / 2
    turn = cv2.getRotationMatrix2D((middle, middle), -math.degrees(region.roll_rad), scale)
    turn[:, 2] += (centre_x - region.box.x0 - middle, centre_y - region.box.y0 - middle)
    drawn = cv2.warpAffine(icon, turn, (region.box.width, region.box.height), flags=cv2.INTER_LINEAR)
    coverage = drawn[..., 3:].astype(np.uint16)
    mixed = (plain * (255 - coverage) + drawn[..., :3] * coverage + 127) // 255
    return np.asarray(mixed, dtype=np.uint8)


@cache
def drawn_smile() -> np.ndarray:
    """A smiling face of this project's own making: uint8 RGBA (512, 512, 4)."""
    side, large = ICON_SIDE_PX, ICON_SIDE_PX * 4
    icon = np.zeros((large, large, 4), np.uint8)
    unit = large / 100
    ink, skin = (58, 46, 20, 255), (255, 204, 77, 255)

    def point(x: float, y: float) -> tuple[int, int]:
        return round(x * unit), round(y * unit)

    cv2.circle(icon, point(50, 50), round(49 * unit), skin, -1, cv2.LINE_AA)
    for x in (34, 66):
        cv2.ellipse(icon, point(x, 40), (round(5 * unit), round(8 * unit)), 0, 0, 360, ink, -1, cv2.LINE_AA)
    cv2.ellipse(
        icon,
        point(50, 55),
        (round(25 * unit), round(21 * unit)),
        0,
        15,
        165,
        ink,
        round(5 * unit),
        cv2.LINE_AA,
    )
    return np.asarray(cv2.resize(icon, (side, side), interpolation=cv2.INTER_AREA))


@cache
def user_icon(path: str) -> np.ndarray:
    """A user's PNG as a square uint8 RGBA picture, centred.

    :raises ConfigError: the file is missing or is no picture.
    """
    try:
        raw = np.frombuffer(Path(path).expanduser().read_bytes(), np.uint8)
    except OSError as error:
        raise ConfigError(f"mask.icon: the file cannot be read ({error.strerror})") from None
    read = cv2.imdecode(raw, cv2.IMREAD_UNCHANGED) if raw.size else None
    if read is None or read.ndim != 3 or read.dtype != np.uint8:
        raise ConfigError("mask.icon: the file is not an 8-bit colour PNG")
    rgba = cv2.cvtColor(read, cv2.COLOR_BGRA2RGBA if read.shape[2] == 4 else cv2.COLOR_BGR2RGBA)
    side = max(rgba.shape[:2])
    top, left = (side - rgba.shape[0]) // 2, (side - rgba.shape[1]) // 2
    square = np.zeros((side, side, 4), np.uint8)
    square[top : top + rgba.shape[0], left : left + rgba.shape[1]] = rgba
    return square
