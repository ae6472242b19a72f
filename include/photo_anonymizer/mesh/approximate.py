"""A mesh for faces too small for the network: the mean face, laid on the five landmarks."""

from __future__ import annotations

import math

import numpy as np

from photo_anonymizer.mesh.topology import LEFT_EYE, OUTER_LIPS, RIGHT_EYE, Vertices, mean_shape
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.head import head_roll_rad

_NOSE_AHEAD_CM = 4.6
"""How far the tip of the nose is in front of the eyes and the mouth in the mean face."""
MAX_YAW_RAD = math.radians(60)


def approximate_mesh(face: Face) -> Vertices:
    """(468, 3) in the photo's pixels: the mean face with the landmarks' turn to the side, roll and size, its eyes and
    mouth in the middle where theirs are."""
    marks = face.landmarks
    roll = head_roll_rad(marks)
    cosine, sine = math.cos(roll), math.sin(roll)
    upright = np.array(marks.points) @ np.array([[cosine, -sine], [sine, cosine]])
    eyes, mouth, nose = upright[:2].mean(axis=0), upright[3:].mean(axis=0), upright[2]
    shape = mean_shape()
    own_eyes = shape[[*LEFT_EYE, *RIGHT_EYE]].mean(axis=0)
    own_mouth = shape[[OUTER_LIPS[0], OUTER_LIPS[10]]].mean(axis=0)
    scale = max(float(np.linalg.norm(mouth - eyes)), 0.1 * face.box.height, 1.0) / (own_mouth[1] - own_eyes[1])
    aside = (nose[0] - (eyes[0] + mouth[0]) / 2) / (_NOSE_AHEAD_CM * scale)
    yaw = min(max(math.asin(min(max(aside, -1.0), 1.0)), -MAX_YAW_RAD), MAX_YAW_RAD)
    turn = np.array([[math.cos(yaw), 0, -math.sin(yaw)], [0, 1, 0], [math.sin(yaw), 0, math.cos(yaw)]])
    tilt = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    middle = np.array([*np.mean(np.array(marks.points)[[0, 1, 3, 4]].reshape(2, 2, 2).mean(axis=1), axis=0), 0.0])
    own_middle = (own_eyes + own_mouth) / 2
    return np.asarray(scale * (shape - own_middle) @ turn.T @ tilt.T + middle)
