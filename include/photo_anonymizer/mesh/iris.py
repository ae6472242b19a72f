"""Where the eyes look: MediaPipe's iris network (Ablavatski et al. 2020, arXiv 2006.11341).

It takes a square of 64 px about an eye, values 0 to 1, and gives the middle of the iris among other points. It knows
eyes on the left of the picture; the other one is shown to it in the mirror.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer import tflite
from photo_anonymizer.mesh.topology import LEFT_EYE, RIGHT_EYE
from photo_anonymizer.model.geometry import for_opencv
from photo_anonymizer.model.pixels import Pixels

NETWORK = "iris_landmark"
SIDE_PX = 64
_MARGIN = 2.3
"""Side of the square in widths of the eye, as in MediaPipe's graph."""
_LONGEST = 0.42
"""The iris' middle is no further from the eye's than this, in widths of the eye: beyond lies the network's error."""

Places = NDArray[np.float64]


def gaze(rgb: Pixels, points: NDArray[np.floating]) -> Places:
    """Where the irises are in their eyes, (2,): (along, across) from the middle between an eye's corners, in widths of
    the eye; along is from the left corner to the right one as seen in the picture.

    The mean of both eyes, which look the same way: alone, each one errs towards the nose, and drawn eyes would squint.

    :param points: (468, 2 or 3), the mesh in the photo's pixels.
    """
    return np.asarray(np.mean([_one(rgb, points, corners) for corners in _CORNERS], axis=0))


def irises(points: NDArray[np.floating], looks: Places) -> Places:
    """Middles of the irises, (2, 2) in px, of a mesh whose eyes look that way."""
    middles = []
    along, across = looks
    for corners in _CORNERS:
        left, right = points[corners[0], :2], points[corners[1], :2]
        axis = right - left
        middles.append((left + right) / 2 + along * axis + across * np.array([-axis[1], axis[0]]))
    return np.stack(middles)


_CORNERS = ((LEFT_EYE[0], LEFT_EYE[8]), (RIGHT_EYE[8], RIGHT_EYE[0]))
"""The left and the right corner of each eye, as seen in the picture."""


def _one(rgb: Pixels, points: NDArray[np.floating], corners: tuple[int, int]) -> Places:
    left, right = points[corners[0], :2].astype(np.float64), points[corners[1], :2].astype(np.float64)
    axis = right - left
    width = max(float(np.linalg.norm(axis)), 1e-3)
    mirrored = corners[0] != _CORNERS[0][0]
    scale = SIDE_PX / (_MARGIN * width)
    turn = scale / width * np.array([[axis[0], axis[1]], [-axis[1], axis[0]]])
    matrix = np.column_stack([turn, SIDE_PX / 2 - turn @ ((left + right) / 2)])
    crop = cv2.warpAffine(rgb, for_opencv(matrix), (SIDE_PX,) * 2, borderMode=cv2.BORDER_REPLICATE)
    crop = crop[:, ::-1] if mirrored else crop
    _, iris = tflite.run(NETWORK, np.ascontiguousarray(crop, dtype=np.float32)[np.newaxis] / np.float32(255))
    x, y = iris.reshape(5, 3)[0, :2].astype(np.float64)
    x = SIDE_PX - x if mirrored else x
    place = np.array([x - SIDE_PX / 2, y - SIDE_PX / 2]) / (scale * width)
    return np.clip(place, -_LONGEST, _LONGEST)
