"""The face mesh's own facts: its mean shape, triangles, texture coordinates, and which points are what.

They are those of MediaPipe's canonical face model (Apache-2.0, ``canonical.json``), which belongs to the network that
finds the points in photos (:mod:`photo_anonymizer.mesh.network`): a mean shape made by Google, nobody's face.
Left and right are as seen in the picture.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

POINTS = 468

OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""The face's outline, a closed loop from the top of the forehead."""
LEFT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
"""The opening of the eye, a closed loop from the outer corner along the lower lid."""
RIGHT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
LEFT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
"""A closed loop, the upper edge first, from the outer end."""
RIGHT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
OUTER_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
"""The lips' outline, a closed loop from the left corner along the lower lip."""
INNER_LIPS = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
"""The mouth's opening, a closed loop from the left corner along the lower lip."""
LEFT_EYE_LIDS = ((160, 144), (159, 145), (158, 153))
"""Pairs (upper, lower) of points on the lids."""
RIGHT_EYE_LIDS = ((387, 373), (386, 374), (385, 380))
INNER_LIP_PAIRS = ((81, 178), (13, 14), (311, 402))
"""Pairs (upper, lower) of points on the mouth's opening."""
NOSE_TIP, NOSE_BRIDGE, CHIN, FOREHEAD = 4, 168, 152, 10

Vertices = NDArray[np.float64]
"""float64 (468, 3): x to the right, y down, z away from the camera, so that nearer is smaller."""
Triangles = NDArray[np.int32]


@cache
def mean_shape() -> Vertices:
    """The canonical face, (468, 3), in cm: upright, looking at the camera, x = 0 in its middle."""
    shape = np.array([vertex[:3] for vertex in _model()["vertices"]]) * (1, -1, -1)
    shape.setflags(write=False)
    return shape


@cache
def texture_points() -> NDArray[np.float64]:
    """Where the points are in a texture, (468, 2): x to the right, y down, 0 to 1."""
    points = np.array([vertex[3:5] for vertex in _model()["vertices"]])
    points.setflags(write=False)
    return points


@cache
def texture_a_cm() -> NDArray[np.float64]:
    """Width and height of a texture that a cm of the mean face takes, seen from ahead, (2,): the slopes of straight
    lines through its points."""
    share = np.array([np.polyfit(mean_shape()[:, axis], texture_points()[:, axis], 1)[0] for axis in range(2)])
    share.setflags(write=False)
    return share


@cache
def triangles() -> Triangles:
    """int32 (898, 3): the corners of the mesh's triangles. They leave no hole: eyes and mouth are closed by some."""
    corners = np.array(_model()["triangles"], np.int32).reshape(-1, 3)
    corners.setflags(write=False)
    return corners


@cache
def rigid_weights() -> NDArray[np.float64]:
    """How much each point says about where the head is, (468,), sum 1: nothing where expressions move it."""
    weights = np.zeros(POINTS)
    for number, weight in _model()["rigid"].items():
        weights[int(number)] = weight
    weights /= weights.sum()
    weights.setflags(write=False)
    return weights


@cache
def mirrored() -> NDArray[np.int32]:
    """int32 (468,): for every point the one that takes its place in the mirror."""
    points = mean_shape()
    swapped = points * (-1, 1, 1)
    distances = np.linalg.norm(swapped[:, np.newaxis] - points[np.newaxis], axis=2)
    return np.asarray(np.argmin(distances, axis=1), dtype=np.int32)


@cache
def _model() -> dict[str, Any]:
    model: dict[str, Any] = json.loads(Path(__file__).with_name("canonical.json").read_text(encoding="utf-8"))
    return model


def five_points(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """What face detectors call landmarks, of a mesh (468, 2 or 3): middles of the eyes, tip of the nose, corners of the
    mouth, (5, 2), in their unit."""
    flat = points[:, :2].astype(np.float64)
    eyes = flat[list(LEFT_EYE)].mean(axis=0), flat[list(RIGHT_EYE)].mean(axis=0)
    return np.stack([*eyes, flat[4], flat[OUTER_LIPS[0]], flat[OUTER_LIPS[10]]])
