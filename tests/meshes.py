"""Meshes for tests: the mean face, turned."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.mesh.topology import mean_shape


def rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Turned by pitch (down), then yaw (to the right of the picture), then roll (clockwise), all in radians."""
    c, s = math.cos, math.sin
    nod = np.array([[1, 0, 0], [0, c(pitch), -s(pitch)], [0, s(pitch), c(pitch)]])
    turn = np.array([[c(yaw), 0, -s(yaw)], [0, 1, 0], [s(yaw), 0, c(yaw)]])
    tilt = np.array([[c(roll), -s(roll), 0], [s(roll), c(roll), 0], [0, 0, 1]])
    return np.asarray(tilt @ turn @ nod)


def turned_mesh(
    yaw: float, pitch: float, roll: float, scale: float, centre: tuple[float, float] = (0.0, 0.0)
) -> NDArray[np.float64]:
    """The mean face's points, (468, 3), ``scale`` px a cm, about ``centre``."""
    return scale * mean_shape() @ rotation(yaw, pitch, roll).T + np.array([*centre, 0])
