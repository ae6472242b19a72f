"""Small faces and pictures for tests, made in code."""

from __future__ import annotations

import math

import numpy as np

from photo_anonymizer.model.face import Face, Landmarks
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.model.pixels import Pixels


def face(x: float, y: float, width: float, height: float, *, face_id: str = "f0000", score: float = 0.99) -> Face:
    """A frontal, upright face with its landmarks where they usually are in a box."""

    def at(across: float, down: float) -> tuple[float, float]:
        return x + across * width, y + down * height

    return Face(
        face_id=face_id,
        box=Box(x0=x, y0=y, x1=x + width, y1=y + height),
        landmarks=Landmarks(
            left_eye=at(0.3, 0.4),
            right_eye=at(0.7, 0.4),
            nose=at(0.5, 0.6),
            left_mouth=at(0.35, 0.78),
            right_mouth=at(0.65, 0.78),
        ),
        score=score,
        band="accept" if score >= 0.5 else "doubt",
        detectors=("retinaface",),
    )


HEAD_ASPECT = 1.3


def head(
    x: float, y: float, half_width: float, roll_rad: float = 0, *, yaw_rad: float = 0, aspect: float = HEAD_ASPECT
) -> Face:
    """A face as a perfect detector sees an elliptic one, half axes ``half_width`` and ``aspect`` times that.

    :param x: centre; so is ``y``.
    :param roll_rad: in-plane turn, clockwise as seen in the picture.
    :param yaw_rad: turn to the side, positive: the nose is on the right of the upright head. The eyes come together and
        the nose leaves the middle.
    """
    sine, cosine = math.sin(roll_rad), math.cos(roll_rad)
    half_height = aspect * half_width
    width, height = (
        math.hypot(half_width * cosine, half_height * sine),
        math.hypot(half_width * sine, half_height * cosine),
    )

    def at(across: float, down: float) -> tuple[float, float]:
        across, down = across * half_width, down * half_height
        return x + across * cosine - down * sine, y + across * sine + down * cosine

    eyes, mouth, nose = 0.42 * math.cos(yaw_rad), 0.36 * math.cos(yaw_rad), 0.5 * math.sin(yaw_rad)
    return Face(
        face_id="f0000",
        box=Box(x0=x - width, y0=y - height, x1=x + width, y1=y + height),
        landmarks=Landmarks(
            left_eye=at(-eyes, -0.2),
            right_eye=at(eyes, -0.2),
            nose=at(nose, 0.18),
            left_mouth=at(-mouth, 0.48),
            right_mouth=at(mouth, 0.48),
        ),
        score=0.99,
        band="accept",
        detectors=("retinaface",),
    )


def noise_picture(width: int, height: int, seed: int = 0) -> Pixels:
    """A picture in which every pixel differs from its neighbours: uint8 (height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
