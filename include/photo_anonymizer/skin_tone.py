"""How light a skin shows in a photo: the individual typology angle, and the groups that it is read in.

It is the tone in *this light and with this camera*, not the person's: good enough to ask whether a figure differs
between light and dark faces, and for nothing else.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.model.face import Landmarks
from photo_anonymizer.model.pixels import Pixels

GROUPS = ("very light", "light", "intermediate", "tan", "brown", "dark")
_LEAST_DEG = (55.0, 41.0, 28.0, 10.0, -30.0)
"""Angle above which each group but the last lies (Chardon, Cretois & Hourseau 1991; Del Bino & Bernerd 2013, DOI
10.1111/bjd.12529)."""
_CHEEK = 0.12
"""Half the side of the patch on each cheek, in distances between eyes and mouth."""


def typology_angle_deg(colour: NDArray[np.floating]) -> float:
    """Individual typology angle of a colour, (3,), 0 to 255 sRGB: arctan((L* - 50) / b*)."""
    pixel = np.asarray(colour, np.float32).reshape(1, 1, 3) / np.float32(255)
    light, _, yellow = cv2.cvtColor(np.clip(pixel, 0, 1), cv2.COLOR_RGB2LAB)[0, 0].tolist()
    return math.degrees(math.atan2(light - 50, max(yellow, 1e-3)))


def group_of(angle_deg: float) -> str:
    """One of :data:`GROUPS`; an angle that is no number is of none: ``""``."""
    if not math.isfinite(angle_deg):
        return ""
    return GROUPS[sum(angle_deg <= least for least in _LEAST_DEG)]


def face_angle_deg(rgb: Pixels, landmarks: Landmarks) -> float:
    """The angle of the cheeks' median colour; not a number where no cheek lies in the picture.

    :param rgb: uint8 (H, W, 3).
    """
    left_eye, right_eye, _, left_mouth, right_mouth = np.array(landmarks.points, np.float64)
    half = max(1.0, _CHEEK * float(np.linalg.norm((left_eye + right_eye - left_mouth - right_mouth) / 2)))
    cheeks = (left_eye + left_mouth) / 2, (right_eye + right_mouth) / 2
    pixels = np.concatenate([_patch(rgb, cheek, half) for cheek in cheeks])
    return typology_angle_deg(np.median(pixels, axis=0)) if len(pixels) else math.nan


def _patch(rgb: Pixels, centre: NDArray[np.float64], half: float) -> NDArray[np.uint8]:
    """The pixels (n, 3) about a point, as far as they lie in the picture."""
    if not np.isfinite(centre).all():
        return np.zeros((0, 3), np.uint8)
    x0, y0 = (max(0, round(place - half)) for place in centre.tolist())
    x1, y1 = (max(0, round(place + half) + 1) for place in centre.tolist())
    return rgb[y0:y1, x0:x1].reshape(-1, 3)
