"""Small faces and pictures for tests, made in code."""

from __future__ import annotations

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


def noise_picture(width: int, height: int, seed: int = 0) -> Pixels:
    """A picture in which every pixel differs from its neighbours: uint8 (height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
