"""Icons for masks: some that this project draws itself, or a picture of the user's."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.config import MaskConfig
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.methods.overlay import Rgba, premultiplied
from photo_anonymizer.methods.svg import picture_of_svg

Colour = tuple[int, int, int]

SIDE_PX = 512
MAX_FILE_BYTES, MAX_SIDE_PX = 20_000_000, 4096
"""Larger files of the user's are refused."""
_FINER = 4
"""Drawn so many times finer and shrunk: edges come out smooth."""
_INK: Colour = (58, 46, 20)
_YELLOW: Colour = (255, 204, 77)


def check_icon(mask: MaskConfig) -> None:
    """Can the icon be used that a configuration names?

    :raises ConfigError: see :func:`icon`.
    """
    if mask.shape == "icon":
        icon(mask.icon_name)


def icon_of_side(name: str, side_px: int) -> Rgba:
    """An icon in the smallest of its sizes that is at least so large, or in its largest: warping it skips no pixels.

    :raises ConfigError: as :func:`icon`.
    """
    return next(picture for picture in _sizes(name) if picture.shape[0] >= min(side_px, icon(name).shape[0]))


@cache
def _sizes(name: str) -> tuple[Rgba, ...]:
    """An icon halved again and again, the smallest first."""
    sizes = [icon(name)]
    while (half := sizes[0].shape[0] // 2) > 0:
        sizes.insert(0, cv2.resize(sizes[0], (half, half), interpolation=cv2.INTER_AREA))
    return tuple(sizes)


@cache
def icon(name: str) -> Rgba:
    """An icon by its name or its file's path.

    :raises ConfigError: the file is missing, too large, or no PNG or SVG that can be used.
    """
    return DRAWN[name]() if name in DRAWN else users_icon(name)


def users_icon(path: str) -> Rgba:
    """A user's PNG or SVG as a square picture, centred.

    :raises ConfigError: the file is missing, too large, or no PNG or SVG that can be used.
    """
    try:
        with Path(path).expanduser().open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"mask.icon: the file cannot be read ({error.strerror})") from None
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(f"mask.icon: the file is larger than {MAX_FILE_BYTES // 1_000_000} MB; make it smaller")
    if Path(path).suffix.lower() == ".svg":
        raw = picture_of_svg(raw, SIDE_PX)
    read = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_UNCHANGED) if raw else None
    if read is None or read.ndim != 3 or read.dtype != np.uint8:
        raise ConfigError("mask.icon: the file is neither an 8-bit colour PNG nor an SVG")
    if max(read.shape) > MAX_SIDE_PX:
        raise ConfigError(f"mask.icon: more than {MAX_SIDE_PX} pixels a side; make it smaller")
    rgba = cv2.cvtColor(read, cv2.COLOR_BGRA2RGBA if read.shape[2] == 4 else cv2.COLOR_BGR2RGBA)
    return _square(premultiplied(rgba))


def _square(rgba: NDArray[np.uint8]) -> Rgba:
    side = max(rgba.shape[:2])
    top, left = (side - rgba.shape[0]) // 2, (side - rgba.shape[1]) // 2
    square = np.zeros((side, side, 4), np.uint8)
    square[top : top + rgba.shape[0], left : left + rgba.shape[1]] = rgba
    return square


class _Sheet:
    """A square to draw on, 100 units a side, the origin at its top left corner."""

    def __init__(self) -> None:
        side = SIDE_PX * _FINER
        self._unit = side / 100
        self._colours, self._cover = np.zeros((side, side, 3), np.uint8), np.zeros((side, side), np.uint8)

    def disc(self, x: float, y: float, across: float, down: float, colour: Colour) -> None:
        """A filled ellipse with these half axes."""
        angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
        self.shape(np.column_stack([x + across * np.cos(angles), y + down * np.sin(angles)]), colour)

    def shape(self, outline: NDArray[np.float64], colour: Colour) -> None:
        """A filled polygon, (n, 2)."""
        corners = [np.round(outline * self._unit).astype(np.int32)]
        cv2.fillPoly(self._colours, corners, colour)
        cv2.fillPoly(self._cover, corners, 255)

    def line(self, points: NDArray[np.float64], width: float, colour: Colour) -> None:
        """An open line with round ends, (n, 2)."""
        corners = [np.round(points * self._unit).astype(np.int32)]
        for canvas, value in ((self._colours, colour), (self._cover, 255)):
            cv2.polylines(canvas, corners, False, value, round(width * self._unit))

    def icon(self) -> Rgba:
        """What was drawn."""
        # Where nothing is drawn the colours are 0, as they are to be where they are multiplied by a coverage of 0.
        fine = np.dstack([self._colours, self._cover])
        return np.asarray(cv2.resize(fine, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA))


def _face(colour: Colour = _YELLOW) -> _Sheet:
    """A disc with two eyes."""
    sheet = _Sheet()
    sheet.disc(50, 50, 49, 49, colour)
    for x in (34, 66):
        sheet.disc(x, 40, 5, 8, _INK)
    return sheet


def _smile() -> Rgba:
    sheet = _face()
    angles = np.radians(np.linspace(15, 165, 60))
    sheet.line(np.column_stack([50 + 25 * np.cos(angles), 55 + 21 * np.sin(angles)]), 5, _INK)
    return sheet.icon()


def _neutral() -> Rgba:
    sheet = _face()
    sheet.line(np.array([[30.0, 69], [70, 69]]), 5, _INK)
    return sheet.icon()


def _star() -> Rgba:
    """Five points, a little rounded."""
    sheet = _Sheet()
    angles = np.pi * np.arange(10) / 5 - np.pi / 2
    reach = np.where(np.arange(10) % 2 == 0, 44, 24)
    corners = np.column_stack([50 + reach * np.cos(angles), 52 + reach * np.sin(angles)])
    sheet.shape(corners, (255, 196, 46))
    sheet.line(np.concatenate([corners, corners[:1]]), 7, (255, 196, 46))
    return sheet.icon()


def _heart() -> Rgba:
    """The curve x = 16 sin³ t, y = 13 cos t − 5 cos 2t − 2 cos 3t − cos 4t."""
    sheet = _Sheet()
    turn = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    down = 13 * np.cos(turn) - 5 * np.cos(2 * turn) - 2 * np.cos(3 * turn) - np.cos(4 * turn)
    sheet.shape(np.column_stack([50 + 2.9 * 16 * np.sin(turn) ** 3, 47 - 2.9 * down]), (226, 61, 80))
    return sheet.icon()


def _cat() -> Rgba:
    sheet = _Sheet()
    fur, light, pink = (120, 128, 142), (232, 234, 238), (240, 150, 160)
    for side in (-1, 1):
        ear = np.array([[12.0, 42], [15, 3], [45, 20]])
        inner = np.array([[18.0, 32], [19, 12], [34, 21]])
        for outline, colour in ((ear, fur), (inner, pink)):
            sheet.shape(np.column_stack([50 + side * (outline[:, 0] - 50), outline[:, 1]]), colour)
    sheet.disc(50, 56, 44, 40, fur)
    sheet.disc(50, 72, 24, 18, light)
    for x in (32, 68):
        sheet.disc(x, 50, 7, 9, (250, 250, 240))
        sheet.disc(x, 50, 3.5, 8, (30, 30, 34))
    sheet.shape(np.array([[44.0, 63], [56, 63], [50, 70]]), pink)
    for side in (-1, 1):
        angles = np.radians(np.linspace(10, 170, 40))
        sheet.line(np.column_stack([50 + side * 6 + 6 * np.cos(angles), 71 + 6 * np.sin(angles)]), 2.2, (70, 74, 84))
        for rise in (-4, 0, 4):
            ends = np.array([[50.0 + side * 26, 68 + rise * 0.6], [50 + side * 46, 66 + rise * 1.6]])
            sheet.line(ends, 1.4, (70, 74, 84))
    return sheet.icon()


def _robot() -> Rgba:
    sheet = _Sheet()
    steel, dark, glow = (154, 168, 184), (58, 66, 78), (110, 220, 235)
    sheet.line(np.array([[50.0, 18], [50, 8]]), 4, dark)
    sheet.disc(50, 7, 5, 5, (240, 110, 90))
    for x in (7, 93):
        sheet.shape(_rounded_box(x, 55, 5, 11, 3), dark)
    sheet.shape(_rounded_box(50, 56, 40, 38, 14), steel)
    sheet.shape(_rounded_box(50, 46, 31, 15, 10), dark)
    for x in (36, 64):
        sheet.disc(x, 46, 7, 7, glow)
        sheet.disc(x, 46, 3, 3, (240, 252, 255))
    sheet.shape(_rounded_box(50, 76, 20, 6, 4), dark)
    for x in (38, 46, 54, 62):
        sheet.line(np.array([[x, 72.0], [x, 80.0]]), 1.6, steel)
    return sheet.icon()


def _rounded_box(x: float, y: float, across: float, down: float, radius: float) -> NDArray[np.float64]:
    """The outline of a box about a point with these half sides and round corners."""
    angles = np.linspace(0, 2 * math.pi, 80, endpoint=False)
    corners = np.column_stack([np.cos(angles), np.sin(angles)])
    middles = np.sign(corners) * (across - radius, down - radius)
    return np.asarray(middles + radius * corners + (x, y))


DRAWN: dict[str, Callable[[], Rgba]] = {
    "smile": _smile,
    "neutral": _neutral,
    "star": _star,
    "heart": _heart,
    "cat": _cat,
    "robot": _robot,
}
"""What this project draws itself, by the names of :data:`~photo_anonymizer.config.DRAWN_ICONS`."""
