"""The drawn head's painting: its colours and, as a second texture, which way its surface looks.

All shapes are written as seen from the front, in cm of the mean face: x to the right, y down, 0 between nose and eyes.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.drawn_head.shape import (
    EAR_PLACE_RADIUS,
    EAR_PLACES,
    NECK_PLACE,
    NECK_PLACE_RADIUS,
    PLACE_A_CM,
    head_shape,
    place_of,
)

Plane = NDArray[np.float32]
Points = NDArray[np.float64]
Colour = tuple[int, int, int]

SIDE_PX = 1024
_FINER = 2
"""Painted so many times finer and shrunk: edges come out smooth."""
_NORMALS_PX = 512

Style = Literal["head", "silhouette"]

SKIN: Colour = (231, 210, 193)
_TONE: Colour = (150, 157, 168)
_SHADE: Colour = (178, 158, 148)
_BLUSH: Colour = (222, 192, 181)
_WHITE: Colour = (246, 245, 242)
_LASHES: Colour = (62, 54, 51)
_IRIS: Colour = (126, 110, 98)
_IRIS_RIM: Colour = (78, 70, 66)
_IRIS_GLEAM: Colour = (160, 142, 126)
_PUPIL: Colour = (30, 28, 28)
_BROW: Colour = (92, 82, 76)
_UPPER_LIP: Colour = (184, 150, 142)
_LOWER_LIP: Colour = (196, 163, 154)
_MOUTH: Colour = (112, 84, 79)
_NOSTRIL: Colour = (112, 97, 92)


@cache
def painting(style: Style) -> NDArray[np.uint8]:
    """The head's colours, uint8 (SIDE_PX, SIDE_PX, 3), RGB, in even light."""
    canvas = _Canvas(SKIN if style == "head" else _TONE)
    _paint_neck(canvas)
    if style == "head":
        _paint_face(canvas)
    fine = np.clip(np.rint(canvas.colours), 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(fine, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA))


def _paint_face(canvas: _Canvas) -> None:
    for side in (-1, 1):
        canvas.fill(_oval(side * 4.6, 2.0, 1.7, 1.2), _BLUSH, 0.4, blur_cm=0.8)
        _paint_ear(canvas, side)
        _paint_eye(canvas, side)
        _paint_brow(canvas, side)
        canvas.fill(_oval(side * 0.62, 1.72, 0.36, 0.16, turn_rad=-0.3 * side), _NOSTRIL, 0.75, blur_cm=0.07)
    _paint_mouth(canvas)
    canvas.fill(_oval(0, 6.05, 1.2, 0.22), _SHADE, 0.35, blur_cm=0.25)


@cache
def surface() -> NDArray[np.uint8]:
    """Which way the head's surface looks, smoother than the mesh: uint8 (512, 512, 3), unit normals in the head's own
    frame times 127, plus 128."""
    shape = head_shape()
    corners = np.concatenate(list(shape.parts.values()))
    flat = shape.places * _NORMALS_PX
    number = np.full((_NORMALS_PX, _NORMALS_PX), -1, np.int32)
    for index, triangle in enumerate(np.round((flat - 0.5) * 16).astype(np.int32)[corners]):
        cv2.fillConvexPoly(number, triangle, index, lineType=cv2.LINE_8, shift=4)
    spread = shape.normals[corners[np.maximum(number, 0)]].mean(axis=2).astype(np.float32)
    _, nearest = cv2.distanceTransformWithLabels(
        (number < 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros((nearest.max() + 1, 3), np.float32)
    of_label[nearest[number >= 0]] = spread[number >= 0]
    smooth = cv2.GaussianBlur(of_label[nearest], (0, 0), 5)
    smooth /= np.maximum(np.linalg.norm(smooth, axis=2, keepdims=True), np.float32(1e-6))
    return np.asarray(np.rint(smooth * 127 + 128), dtype=np.uint8)


class _Canvas:
    """A texture to paint on, ``_FINER`` times as fine as wanted.

    ``colours``: float32 (side, side, 3), 0 to 255.
    """

    def __init__(self, ground: Colour) -> None:
        self._side = SIDE_PX * _FINER
        self.colours = np.empty((self._side, self._side, 3), np.float32)
        self.colours[:] = ground

    def fill(
        self, outline: Points, colour: Colour, strength: float = 1, *, blur_cm: float = 0, within: Points | None = None
    ) -> None:
        """Paints a closed outline, (n, 2) in cm; of it only what lies in another one, where that is given."""
        mask = self._mask()
        cv2.fillPoly(mask, [self._fixed(outline)], 255, cv2.LINE_AA, 4)
        self._blend(mask, colour, strength, blur_cm, within)

    def fill_places(self, outline: Points, colour: Colour, strength: float, *, blur: float) -> None:
        """Paints a closed outline, (n, 2), given in the texture's own places, 0 to 1, as the blur's sigma is."""
        mask = self._mask()
        cv2.fillPoly(mask, [np.round(outline * self._side * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        self._blend(mask, colour, strength, blur / PLACE_A_CM, None)

    def stroke(
        self,
        line: Points,
        width_cm: float,
        colour: Colour,
        strength: float = 1,
        *,
        blur_cm: float = 0,
        within: Points | None = None,
    ) -> None:
        """Paints an open line, (n, 2) in cm."""
        mask = self._mask()
        width = max(1, round(width_cm * PLACE_A_CM * self._side))
        cv2.polylines(mask, [self._fixed(line)], False, 255, width, cv2.LINE_AA, 4)
        self._blend(mask, colour, strength, blur_cm, within)

    def _blend(
        self, mask: NDArray[np.uint8], colour: Colour, strength: float, blur_cm: float, within: Points | None
    ) -> None:
        share = mask.astype(np.float32) / 255
        if blur_cm:
            share = cv2.GaussianBlur(share, (0, 0), blur_cm * PLACE_A_CM * self._side)
        if within is not None:
            inner = self._mask()
            cv2.fillPoly(inner, [self._fixed(within)], 255, cv2.LINE_AA, 4)
            share *= inner.astype(np.float32) / 255
        rows, columns = (np.flatnonzero(share.max(axis=axis)) for axis in (1, 0))
        part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        self.colours[part] += (np.array(colour, np.float32) - self.colours[part]) * (share[part] * strength)[..., None]

    def _mask(self) -> NDArray[np.uint8]:
        return np.zeros((self._side, self._side), np.uint8)

    def _fixed(self, points: Points) -> NDArray[np.int32]:
        return np.round(place_of(points[:, 0], points[:, 1]) * self._side * 16).astype(np.int32)


def _paint_ear(canvas: _Canvas, side: int) -> None:
    """Darker in the bowl, by the texture's own places."""
    middle = np.array(EAR_PLACES[0 if side < 0 else 1])
    for radius, strength in ((0.6, 0.35), (0.35, 0.35)):
        canvas.fill_places(middle + EAR_PLACE_RADIUS * radius * _oval(0, 0, 1, 1), _SHADE, strength, blur=0.006)


def _paint_neck(canvas: _Canvas) -> None:
    """In the head's shadow above."""
    shadow = 0.55 * canvas.colours[0, 0]
    for radius, strength in ((0.66, 0.3), (0.6, 0.4), (0.55, 0.5)):
        canvas.fill_places(NECK_PLACE + NECK_PLACE_RADIUS * radius * _oval(0, 0, 1, 1), shadow, strength, blur=0.003)


def _paint_eye(canvas: _Canvas, side: int) -> None:
    x, y = side * 3.15, -2.55
    upper, lower = _lids(x, y, side)
    opening = np.concatenate([upper, lower[::-1]])
    canvas.fill(_oval(x, y - 0.55, 1.9, 1.15), _SHADE, 0.4, blur_cm=0.45)
    canvas.fill(opening, _WHITE)
    canvas.stroke(upper + np.array([0, 0.1]), 0.5, (196, 192, 188), 0.7, blur_cm=0.12, within=opening)
    x, y = x - side * 0.02, y - 0.06
    for radius, colour in ((0.74, _IRIS_RIM), (0.64, _IRIS)):
        canvas.fill(_oval(x, y, radius, radius), colour, within=opening)
    canvas.fill(_oval(x, y + 0.25, 0.44, 0.37), _IRIS_GLEAM, 0.6, blur_cm=0.12, within=opening)
    canvas.fill(_oval(x, y, 0.35, 0.35), _PUPIL, within=opening)
    canvas.fill(_oval(x - 0.24, y - 0.26, 0.17, 0.17), (255, 255, 255), within=opening)
    canvas.stroke(upper, 0.2, _LASHES, 0.95)
    canvas.stroke(lower, 0.07, (150, 134, 126), 0.8)
    canvas.stroke(upper - np.array([0, 0.42]), 0.09, (150, 138, 130), 0.6, blur_cm=0.05)


def _lids(x: float, y: float, side: int) -> tuple[Points, Points]:
    """Edges of the upper and the lower lid, both from the left; the outer corner is a little higher."""
    way = np.linspace(-1, 1, 60)
    across, slope = 1.52 * way, -0.06 * side * 1.52 * way
    upper = slope - 0.86 * (1 - np.abs(way) ** 2.3) ** 0.85
    lower = slope + 0.72 * (1 - np.abs(way) ** 2.2) ** 0.85
    return np.column_stack([x + across, y + upper]), np.column_stack([x + across, y + lower])


def _paint_brow(canvas: _Canvas, side: int) -> None:
    way = np.linspace(0, 1, 60)
    x = side * (3.15 - 1.55 + 3.3 * way)
    y = -2.55 - 1.95 - 0.55 * np.sin(np.pi * np.clip(way * 0.9 + 0.08, 0, 1)) + 0.15 * way
    half_cm = 0.3 * (1 - way**2 * 0.75) + 0.03
    brow = np.concatenate([np.column_stack([x, y - half_cm]), np.column_stack([x, y + half_cm * 0.8])[::-1]])
    canvas.fill(brow, _BROW, 0.92, blur_cm=0.05)


def _paint_mouth(canvas: _Canvas) -> None:
    way = np.linspace(-1, 1, 81)
    x, y = 2.25 * way, 4.55 - 0.1 * way**2
    between = np.column_stack([x, y + 0.03 + 0.06 * np.cos(2 * np.pi * way) * (1 - way**2)])
    bow = 0.62 - 0.16 * np.exp(-((way / 0.13) ** 2))
    upper = np.column_stack([x, y - bow * (1 - np.abs(way) ** 1.7)])
    lower = np.column_stack([0.93 * x, y + 0.82 * (1 - np.abs(way) ** 2.2)])
    canvas.fill(np.concatenate([upper, between[::-1]]), _UPPER_LIP, 0.8, blur_cm=0.06)
    canvas.fill(np.concatenate([between, lower[::-1]]), _LOWER_LIP, 0.8, blur_cm=0.06)
    canvas.fill(_oval(0, 5.0, 0.9, 0.16), (222, 196, 188), 0.5, blur_cm=0.12)
    canvas.stroke(between, 0.13, _MOUTH, 0.85, blur_cm=0.03)


def _oval(x: float, y: float, half_width: float, half_height: float, turn_rad: float = 0) -> Points:
    angles = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    across, down = half_width * np.cos(angles), half_height * np.sin(angles)
    cosine, sine = math.cos(turn_rad), math.sin(turn_rad)
    return np.column_stack([x + across * cosine - down * sine, y + across * sine + down * cosine])
