"""Subjects for tests whose face mesh is given and not looked for."""

from __future__ import annotations

import math

import cv2
import numpy as np

from faces import head
from meshes import turned_mesh
from photo_anonymizer.mesh.network import Mesh
from photo_anonymizer.mesh.topology import five_points
from photo_anonymizer.methods.region import Region, Shape, region_of
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.model.face import Face, Landmarks
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
    marks = Landmarks.model_validate(dict(zip(Landmarks.model_fields, five_points(points).tolist(), strict=True)))
    box = Box(x0=x0, y0=y0, x1=x1, y1=y1)
    face = head(x, y, 0.37 * height_px, roll, yaw_rad=yaw).model_copy(update={"box": box, "landmarks": marks})
    made = Subject(rgb, face, region_in(rgb, face))
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


def region_in(rgb: Pixels, face: Face, shape: Shape = "ellipse", *, scale: float = 1.35) -> Region:
    """The face's region with a narrow soft edge."""
    region = region_of(face, (rgb.shape[1], rgb.shape[0]), scale=scale, feather=0.08, shape=shape)
    assert region is not None
    return region


def posed(
    rgb: Pixels,
    half_width: float,
    *,
    yaw_deg: float = 0,
    pitch_deg: float = 0,
    roll_deg: float = 0,
    logit: float = 20,
    shape: Shape = "ellipse",
) -> Subject:
    """A face in the photo's middle whose mesh is the mean face, turned; unsure below a logit of 0."""
    x, y = rgb.shape[1] / 2, rgb.shape[0] / 2
    yaw, pitch, roll = (math.radians(angle) for angle in (yaw_deg, pitch_deg, roll_deg))
    face = head(x, y, half_width, roll, yaw_rad=yaw)
    subject = Subject(rgb, face, region_in(rgb, face, shape))
    points = turned_mesh(yaw, pitch, roll, half_width / 7, (x, y)).astype(np.float32)
    subject.__dict__["mesh"] = Mesh(points, logit)
    return subject
