"""The shape of the drawn head: the mean face, smoothed, on a skull, with ears and a neck.

Everything is in the mean face's own frame (:mod:`photo_anonymizer.mesh.topology`): cm, x to the right, y down, z away
from the camera. The face is a mean made by Google and the rest is invented here: nobody's head.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.mesh.topology import OVAL, POINTS, Triangles, Vertices, mean_shape, triangles

PLACE_A_CM = 0.03
"""How much of the texture's side a cm of the face takes, seen from the front."""
MIDDLE = (0.5, 0.49)
"""Where x = y = 0 is in the texture."""
PIVOT = np.array([0.0, 0.0, -2.0])
"""A point in the face's middle. Heads are turned about it."""

EAR_PLACES, EAR_PLACE_RADIUS = ((0.06, 0.06), (0.94, 0.06)), 0.05
"""Discs of the texture in which the left and the right ear are laid out, in corners that the skull leaves free."""
NECK_PLACE, NECK_PLACE_RADIUS = (0.06, 0.94), 0.045

_BROADER = np.array([1.1, 1, 1])
"""A round head looks friendly, and fills the region of a face better."""
_RADII = np.array([7.8, 9.9, 9.4])
SKULL_MIDDLE, SKULL_RADII = np.array([0, -3.0, 2.8]), _RADII * _BROADER
"""The ellipsoid that the skull becomes towards the back."""

_AROUND, _RINGS = 2 * len(OVAL), 10
_RING_STEP = 0.072
"""In the texture every ring of the skull lies so far outside the one before, as a share of the face's own outline."""
_EAR_COLUMNS = 20
_EAR_ROWS = ((1.0, -0.9, 1.0), (1.0, 0.35, 0.85), (0.8, 0.75, 0.6), (0.52, 0.45, 0.35), (0.0, 0.4, 0.0))
"""Foot in the head, rim, bowl and its bottom: radius, how far it stands out (cm), radius in the texture."""
_NECK_COLUMNS, _NECK_ROWS = 24, 4

Part = Literal["skull", "left_ear", "right_ear", "neck"]


@dataclass(frozen=True)
class HeadShape:
    """A mesh, open at the very back and below.

    :param points: float64 (n, 3), cm.
    :param normals: float64 (n, 3), unit vectors, outwards.
    :param places: float64 (n, 2), where the points are in the texture, 0 to 1.
    :param parts: int32 (m, 3), the triangles of each part; parts lie before or behind each other as a whole.
    """

    points: Vertices
    normals: Vertices
    places: NDArray[np.float64]
    parts: dict[Part, Triangles]


@dataclass(frozen=True)
class _Piece:
    points: Vertices
    places: NDArray[np.float64]
    triangles: Triangles


def place_of(across_cm: NDArray[np.floating], down_cm: NDArray[np.floating]) -> NDArray[np.float64]:
    """Where points of the face are in the texture, (…, 2), by where they are seen from the front."""
    return np.stack([across_cm, down_cm], axis=-1) * PLACE_A_CM + MIDDLE


@lru_cache(maxsize=1)
def head_shape() -> HeadShape:
    """The head."""
    pieces: dict[Part, _Piece] = {"skull": _skull(), "left_ear": _ear(-1), "right_ear": _ear(1), "neck": _neck()}
    start, parts, normals = 0, dict[Part, Triangles](), []
    for name, piece in pieces.items():
        parts[name] = piece.triangles + np.int32(start)
        normals.append(_normals(piece.points * _BROADER, piece.triangles))
        start += len(piece.points)
    return HeadShape(
        np.concatenate([piece.points for piece in pieces.values()]) * _BROADER,
        np.concatenate(normals),
        np.concatenate([piece.places for piece in pieces.values()]),
        parts,
    )


def _skull() -> _Piece:
    """The face, from whose outline rings run back over an ellipsoid to behind."""
    oval = np.array(OVAL)
    face = _smoothed(mean_shape(), triangles(), rounds=5, kept=oval)
    rim = np.empty((_AROUND, 3))
    rim[::2], rim[1::2] = face[oval], (face[oval] + face[np.roll(oval, -1)]) / 2
    rings = _rings(rim)
    places = place_of(rim[:, 0], rim[:, 1])
    outwards = np.concatenate([MIDDLE + (places - MIDDLE) * (1 + _RING_STEP * ring) for ring in range(len(rings))])
    # Every second point of the first ring is one of the face's: triangles take that, so that the skin has no seam.
    same = np.arange(POINTS + _AROUND * len(rings))
    same[POINTS : POINTS + _AROUND : 2] = oval
    corners = same[np.concatenate([triangles(), _grid(len(rings), _AROUND) + POINTS])]
    points = _smoothed(np.concatenate([face, *rings]), corners, rounds=8)
    # Those between two of the face's points stay on the line between them, or a crack would open.
    points[POINTS : POINTS + _AROUND : 2] = points[oval]
    points[POINTS + 1 : POINTS + _AROUND : 2] = (points[oval] + points[np.roll(oval, -1)]) / 2
    return _Piece(points, np.concatenate([place_of(face[:, 0], face[:, 1]), outwards]), corners.astype(np.int32))


def _rings(rim: Vertices) -> list[Vertices]:
    """Rings of points, (_AROUND, 3), from the rim of the face to the back of the skull, ever rounder and more even."""
    x, y, z = ((rim - SKULL_MIDDLE) / _RADII).T
    around = np.unwrap(np.arctan2(y, x))
    even = around[0] + np.sign(around[-1] - around[0]) * np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)
    back = np.arctan2(np.hypot(x, y), -z)

    def on_skull(back: NDArray[np.float64], around: NDArray[np.float64]) -> Vertices:
        aside = np.sin(back)
        unit = np.stack([aside * np.cos(around), aside * np.sin(around), -np.cos(back)], axis=1)
        return np.asarray(SKULL_MIDDLE + _RADII * unit)

    off = rim - on_skull(back, around)
    rings = [rim]
    for ring in range(1, _RINGS + 1):
        way, evenness = ring / (_RINGS + 0.1), min(1.0, ring / 4)
        at = on_skull(back + (np.pi - back) * way, around + (even - around) * evenness)
        rings.append(at + off * (1 - way) ** 2)
    return rings


def _ear(side: int) -> _Piece:
    """A shell.

    :param side: −1 for the one on the left of the picture, 1 for the other.
    """
    angles = np.linspace(0, 2 * np.pi, _EAR_COLUMNS, endpoint=False)
    down, back = np.sin(angles), np.cos(angles) * (1 - 0.22 * np.sin(angles))
    middle = np.array(EAR_PLACES[0 if side < 0 else 1])
    points, places = [], []
    for radius, out_cm, shown in _EAR_ROWS:
        y, z = -0.3 + 3.0 * radius * down, 3.3 + 1.75 * radius * back
        # The ear stands off at its back and lies on the cheek at its front.
        x = 7.35 + out_cm * (0.25 + 0.75 * np.clip((z - 1.2) / 3.2, 0, 1)) + (z - 2.0) * 0.3
        points.append(np.stack([side * x, y, z], axis=1))
        places.append(middle + EAR_PLACE_RADIUS * shown * np.stack([back, down], axis=1))
    corners = _grid(len(points), _EAR_COLUMNS)
    return _Piece(np.concatenate(points), np.concatenate(places), corners if side < 0 else corners[:, ::-1].copy())


def _neck() -> _Piece:
    """A tube from inside the head down to the shoulders."""
    angles = np.linspace(0, 2 * np.pi, _NECK_COLUMNS, endpoint=False)
    points, places = [], []
    for row in range(_NECK_ROWS):
        down = row / (_NECK_ROWS - 1)
        x, z = (5.2 + 1.5 * down**2) * np.cos(angles), 3.5 + (5.0 + 1.2 * down**2) * np.sin(angles)
        points.append(np.stack([x, np.full_like(x, 4.0 + 24 * down), z], axis=1))
        places.append(
            NECK_PLACE + NECK_PLACE_RADIUS * (0.4 + 0.6 * down) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        )
    return _Piece(np.concatenate(points), np.concatenate(places), _grid(_NECK_ROWS, _NECK_COLUMNS)[:, ::-1].copy())


def _grid(rows: int, columns: int) -> Triangles:
    """Triangles between rows of points that go round."""
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij")
    here, beside = row * columns + column, row * columns + (column + 1) % columns
    below, across = here + columns, beside + columns
    one, other = np.stack([here, beside, across], axis=-1), np.stack([here, across, below], axis=-1)
    return np.concatenate([one.reshape(-1, 3), other.reshape(-1, 3)]).astype(np.int32)


def _smoothed(points: Vertices, corners: Triangles, rounds: int, kept: NDArray[np.int_] | None = None) -> Vertices:
    """Every point drawn towards the mean of its neighbours and, so that nothing shrinks, back a little every second
    time (Taubin, SIGGRAPH 1995).

    :param kept: points that stay; those are drawn in one direction only, which flattens what lies between them.
    """
    edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    degree = np.maximum(np.bincount(edges.ravel(), minlength=len(points)), 1)[:, np.newaxis]
    result = points.copy()
    for turn in range(rounds):
        total = np.zeros_like(result)
        np.add.at(total, edges[:, 0], result[edges[:, 1]])
        np.add.at(total, edges[:, 1], result[edges[:, 0]])
        drawn = total / degree - result
        if kept is not None:
            drawn[kept] = 0
        result += (0.5 if kept is not None or turn % 2 == 0 else -0.52) * drawn
    return result


def _normals(points: Vertices, corners: Triangles) -> Vertices:
    at = points[corners]
    faces = np.cross(at[:, 1] - at[:, 0], at[:, 2] - at[:, 0])
    normals = np.zeros_like(points)
    for corner in range(3):
        np.add.at(normals, corners[:, corner], faces)
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9))
