"""How a head is turned, from its mesh."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.mesh.topology import Vertices, mean_shape, rigid_weights


@dataclass(frozen=True)
class Pose:
    """Where the mean face must go to lie on a mesh: ``scale * rotation @ point + shift``.

    :param rotation: float64 (3, 3), proper.
    :param scale: px a cm of the mean face.
    :param shift: float64 (3,), px.
    """

    rotation: NDArray[np.float64]
    scale: float
    shift: NDArray[np.float64]

    @property
    def yaw_rad(self) -> float:
        """Turn to the side: 0 looks at the camera, positive to the right of the picture."""
        ahead = self._ahead
        return math.atan2(ahead[0], -ahead[2])

    @property
    def pitch_rad(self) -> float:
        """Nod: 0 looks at the camera, positive down."""
        return math.asin(min(1.0, max(-1.0, self._ahead[1])))

    @property
    def roll_rad(self) -> float:
        """Turn in the picture plane: 0 upright, positive clockwise as seen in the picture; −π to π."""
        up = self.rotation @ (0, -1, 0)
        return math.atan2(up[0], -up[1])

    @property
    def _ahead(self) -> NDArray[np.float64]:
        return np.asarray(self.rotation @ (0, 0, -1))

    def placed(self, shape: Vertices) -> Vertices:
        """Points in the mean face's own frame (cm), (n, 3), where they are in the photo (px)."""
        return np.asarray(self.scale * shape @ self.rotation.T + self.shift)

    def unplaced(self, points: Vertices) -> Vertices:
        """The inverse of :meth:`placed`."""
        return np.asarray((points - self.shift) @ self.rotation / self.scale)


def pose_of(points: NDArray[np.floating]) -> Pose:
    """The pose of a mesh, (468, 3) in px: the similarity that lays the mean face on it with the least squares
    (Umeyama, IEEE PAMI 13(4), 1991), each point weighted by how little expressions move it."""
    weights, model, seen = rigid_weights()[:, np.newaxis], mean_shape(), points.astype(np.float64)
    model_middle, seen_middle = (weights * model).sum(axis=0), (weights * seen).sum(axis=0)
    from_middle, to_middle = model - model_middle, seen - seen_middle
    u, singular, vt = np.linalg.svd((weights * to_middle).T @ from_middle)
    sign = np.array([1, 1, math.copysign(1, np.linalg.det(u @ vt))])
    rotation = u @ np.diag(sign) @ vt
    scale = float((singular * sign).sum() / (weights * from_middle**2).sum())
    return Pose(rotation, scale, seen_middle - scale * rotation @ model_middle)
