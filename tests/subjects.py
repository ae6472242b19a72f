"""Subjects for tests: drawn heads whose mesh is known, so that no network has to find it."""

from __future__ import annotations

import cv2
import numpy as np

from faces import head
from meshes import turned_mesh
from photo_anonymizer.mesh.network import Mesh
from photo_anonymizer.methods.region import region_of
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.model.pixels import Pixels

CM_HIGH = 18.5
"""Height of the mean face."""


def subject(
    height_px: float = 200,
    *,
    yaw: float = 0,
    pitch: float = 0,
    roll: float = 0,
    logit: float = 20,
    photo: Pixels | None = None,
    centre: tuple[float, float] | None = None,
) -> Subject:
    """A head of so many px from hairline to chin in the middle of a photo of twice its size."""
    side = round(2.2 * height_px) if photo is None else photo.shape[1]
    x, y = centre or (side / 2, (side if photo is None else photo.shape[0]) / 2)
    points = turned_mesh(yaw, pitch, roll, height_px / CM_HIGH, (x, y)).astype(np.float32)
    rgb = skin_photo(side) if photo is None else photo
    (x0, y0), (x1, y1) = points[:, :2].min(axis=0).tolist(), points[:, :2].max(axis=0).tolist()
    face = head(x, y, 0.37 * height_px, roll, yaw_rad=yaw).model_copy(update={"box": Box(x0=x0, y0=y0, x1=x1, y1=y1)})
    region = region_of(face, (rgb.shape[1], rgb.shape[0]), scale=1.35, feather=0.08, shape="ellipse")
    assert region is not None
    made = Subject(rgb, face, region)
    made.__dict__["mesh"] = Mesh(points, logit)
    return made


def skin_photo(side: int, seed: int = 0, brightness: float = 1.0) -> Pixels:
    """Skin-coloured, brighter on the left, with something like features: uint8 (side, side, 3)."""
    noise = np.random.default_rng(seed).normal(size=(side, side, 3)) * 12
    features = cv2.resize(
        np.random.default_rng(seed + 1).normal(size=(11, 11)) * 10, (side, side), interpolation=cv2.INTER_CUBIC
    )
    light = np.linspace(1.1, 0.75, side)[np.newaxis, :, np.newaxis]
    skin = np.array([205, 160, 140.0]) * light * brightness
    blurred = cv2.GaussianBlur(noise, (0, 0), 1.0)
    return np.clip(skin + features[..., np.newaxis] + blurred, 0, 255).astype(np.uint8)
