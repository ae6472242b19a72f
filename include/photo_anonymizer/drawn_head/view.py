"""The drawn head as it is seen from somewhere, before it is lit and put in its place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.drawn_head.paint import Style, painting, surface
from photo_anonymizer.drawn_head.shape import PIVOT, PLACE_A_CM, Part, head_shape
from photo_anonymizer.mesh.topology import Triangles, Vertices

Plane = NDArray[np.float32]
Matrix = NDArray[np.float64]
Mask = NDArray[np.bool_]

WINDOW_CM = 29.0
"""Side of the square that a view shows, the head's pivot in its middle."""
SIDES_PX = (24, 48, 96, 192, 384, 768)
_EAR_SHOWS = 0.12
"""Sine of the yaw from which on the ear on the near side lies before the skull."""
_JUMP_CM = 1.0
"""Neighbouring pixels that show places so far from each other, as seen from the front, lie on different things."""
_SOFT_PX = 0.9
"""Sigma of the Gaussian that takes the staircase from edges."""
TURN_STEP_DEG = 5
"""Turns are rounded to this: nobody sees the difference, and few views serve a whole collection."""
MOST_YAW_DEG, MOST_PITCH_DEG = 100, 60
"""Heads are drawn no further turned: the skull is open at its back, and no face is seen from there."""


@dataclass(frozen=True)
class View:
    """A square of so many pixels a side, of which no more than the head's bounds is kept.

    :param side_px: of the whole square.
    :param corner: x, y of the kept part's first pixel in the square.
    :param colours: uint8 (h, w, 3), in even light.
    :param turn: (3, 3), from the head's own directions to those in the view.
    :param normals: uint8 (h, w, 3): unit vectors in the head's own directions times 127, plus 128.
    :param coverage: uint8 (h, w): how much of the pixel is head.
    """

    side_px: int
    corner: tuple[int, int]
    turn: Matrix
    colours: NDArray[np.uint8]
    normals: NDArray[np.uint8]
    coverage: NDArray[np.uint8]

    def towards(self, direction: tuple[float, float, float]) -> Plane:
        """How much every pixel's surface looks in a direction of the view: cosines, float32 (h, w).

        :param direction: unit vector: x right, y down, z negative towards the camera.
        """
        own = (np.array(direction) @ self.turn / 127).astype(np.float32)
        return np.asarray(self.normals.astype(np.float32) @ own - np.float32(128 * own.sum()))


def side_for(head_px: float) -> int:
    """The side of the view that suits a head whose window is so large in the photo: little is enlarged or shrunk."""
    return next((side for side in SIDES_PX if side >= 0.8 * head_px), SIDES_PX[-1])


@lru_cache(maxsize=32)
def view(style: Style, yaw_deg: int, pitch_deg: int, side_px: int) -> View:
    """The head, upright in the picture plane, turned by yaw (to the right) and then by pitch (down)."""
    shape = head_shape()
    turn = turned(yaw_deg, pitch_deg)
    scale = side_px / WINDOW_CM
    seen = scale * (shape.points - PIVOT) @ turn.T + (side_px / 2, side_px / 2, 0)
    corners = np.concatenate([_far_to_near(seen, shape.parts[part]) for part in _layers(turn)])
    number = np.full((side_px, side_px), -1, np.int32)
    for index, triangle in enumerate(np.round((seen[:, :2] - 0.5) * 16).astype(np.int32)[corners]):
        cv2.fillConvexPoly(number, triangle, index, lineType=cv2.LINE_8, shift=4)
    rows, columns = (np.flatnonzero((number >= 0).any(axis=axis)) for axis in (1, 0))
    low = np.maximum((columns[0] - 2, rows[0] - 2), 0)
    high = np.minimum((columns[-1] + 3, rows[-1] + 3), side_px)
    number = number[low[1] : high[1], low[0] : high[0]]
    places, edges = _places(seen[:, :2] - low, shape.places, corners, number)
    textures = _colours(style, side_px), _normals(side_px)
    colours, normals = (_softened(_looked_up(texture, places), edges) for texture in textures)
    inside = np.where(number >= 0, 255, 0).astype(np.uint8)
    return View(side_px, (int(low[0]), int(low[1])), turn, colours, normals, cv2.GaussianBlur(inside, (0, 0), _SOFT_PX))


def turned(yaw_deg: float, pitch_deg: float) -> Matrix:
    """(3, 3): turns by yaw, then by pitch."""
    yaw_rad, pitch_rad = math.radians(yaw_deg), math.radians(pitch_deg)
    across, ahead = math.sin(yaw_rad), math.cos(yaw_rad)
    down, level = math.sin(pitch_rad), math.cos(pitch_rad)
    aside = np.array([[ahead, 0, -across], [0, 1, 0], [across, 0, ahead]])
    nod = np.array([[1, 0, 0], [0, level, -down], [0, down, level]])
    return np.asarray(nod @ aside)


def rounded_turn(yaw_rad: float, pitch_rad: float) -> tuple[int, int]:
    """Yaw and pitch in whole steps, in degrees, as far as heads are drawn."""
    yaw, pitch = (round(math.degrees(angle) / TURN_STEP_DEG) * TURN_STEP_DEG for angle in (yaw_rad, pitch_rad))
    return min(max(yaw, -MOST_YAW_DEG), MOST_YAW_DEG), min(max(pitch, -MOST_PITCH_DEG), MOST_PITCH_DEG)


def angles_of(rotation: Matrix) -> tuple[float, float, float]:
    """Yaw, pitch and roll in radians of a rotation, (3, 3), that is a roll after :func:`turned`."""
    up, ahead, beside = rotation @ (0, -1, 0), rotation @ (0, 0, -1), rotation @ (1, 0, 0)
    roll = math.atan2(up[0], -up[1])
    pitch = math.atan2(-up[2], math.hypot(up[0], up[1]))
    cosine, sine = math.cos(roll), math.sin(roll)
    yaw = math.atan2(cosine * ahead[0] + sine * ahead[1], cosine * beside[0] + sine * beside[1])
    return yaw, pitch, roll


def _layers(turn: Matrix) -> tuple[Part, ...]:
    """The parts, the farthest first: an ear lies on the skull only if that side is turned to the camera."""
    right_away = turn[2, 0]
    if right_away > _EAR_SHOWS:
        return "right_ear", "neck", "skull", "left_ear"
    if right_away < -_EAR_SHOWS:
        return "left_ear", "neck", "skull", "right_ear"
    return "left_ear", "right_ear", "neck", "skull"


def _far_to_near(seen: Vertices, corners: Triangles) -> Triangles:
    """The triangles that face the camera, the farthest first."""
    at = seen[corners]
    one, two = at[:, 1] - at[:, 0], at[:, 2] - at[:, 0]
    towards = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0] < 0
    order = np.argsort(-at[:, :, 2].mean(axis=1))
    return np.asarray(corners[order[towards[order]]])


def _places(flat: Matrix, places: Matrix, corners: Triangles, number: NDArray[np.int32]) -> tuple[Plane, Mask]:
    """Texture coordinates of every pixel, float32 (h, w, 2), affine in every triangle; and the pixels at which one
    thing ends and what lies behind it begins, bool (h, w).

    Between such edges every second pixel of every second row is enough, which takes a quarter of the time.
    """
    square = np.concatenate([flat[corners], np.ones((*corners.shape, 1))], axis=2)
    square[np.abs(np.linalg.det(square)) < 1e-6] = np.eye(3)
    maps = np.linalg.solve(square, places[corners]).astype(np.float32).reshape(-1, 6)
    rows, columns = np.mgrid[0 : number.shape[0] : 2, 0 : number.shape[1] : 2]
    coarse = _at(maps, number, rows, columns)
    to_coarse = np.array([[0.5, 0, 0], [0, 0.5, 0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    every = cv2.warpAffine(coarse, to_coarse, number.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    around = np.ones((3, 3), np.uint8)
    jumps = (cv2.dilate(coarse, around) - cv2.erode(coarse, around)).max(axis=2) > _JUMP_CM * PLACE_A_CM
    edges = np.repeat(np.repeat(jumps, 2, axis=0), 2, axis=1)[: number.shape[0], : number.shape[1]]
    every[edges] = _at(maps, number, *np.nonzero(edges))
    return every, edges


def _at(maps: Plane, number: NDArray[np.int32], rows: NDArray[np.int_], columns: NDArray[np.int_]) -> Plane:
    """Texture coordinates, (…, 2), at some pixels."""
    own = maps[np.maximum(number[rows, columns], 0)]
    x, y = (places[..., np.newaxis].astype(np.float32) + np.float32(0.5) for places in (columns, rows))
    return np.asarray(x * own[..., 0:2] + y * own[..., 2:4] + own[..., 4:6])


@cache
def _colours(style: Style, side_px: int) -> NDArray[np.uint8]:
    return _no_finer(painting(style), side_px)


@cache
def _normals(side_px: int) -> NDArray[np.uint8]:
    return _no_finer(surface(), side_px)


def _no_finer(texture: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """The texture no finer than a view of that side shows it, or thin lines would come and go."""
    side = min(2 * side_px, texture.shape[0])
    return np.asarray(cv2.resize(texture, (side, side), interpolation=cv2.INTER_AREA))


def _looked_up(texture: NDArray[np.uint8], places: Plane) -> NDArray[np.uint8]:
    at = places * np.float32(texture.shape[0]) - np.float32(0.5)
    return np.asarray(cv2.remap(texture, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _softened(picture: NDArray[np.uint8], edges: Mask) -> NDArray[np.uint8]:
    """The picture with its pixels at edges mixed with their neighbours, so that no staircase is seen."""
    picture[edges] = cv2.GaussianBlur(picture, (0, 0), _SOFT_PX)[edges]
    return picture
