"""Subjects for tests whose face mesh is given and not looked for."""

from __future__ import annotations

import math

import numpy as np

from faces import head
from meshes import turned_mesh
from photo_anonymizer.mesh.network import Mesh
from photo_anonymizer.methods.region import Region, Shape, region_of
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.pixels import Pixels


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
