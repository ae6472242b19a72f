"""The light of a photo as the avatar takes it over: three numbers, rounded, without colour."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.mesh.light import fit_light
from photo_anonymizer.mesh.texture import normals_of
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.model.pixels import Pixels

ASIDE_STEP, BRIGHTNESS_STEP = 1 / 8, 16
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, full range
_SHOWN = -0.2
"""Normals with a larger z do not face the camera, and their colours are the background's as often as not."""
_SAMPLES = 96
"""The face is looked at in about so many rows: what is finer is not light."""
_USUAL_DOWN = -0.25
"""Where nothing tells the light's direction it comes from above."""


@dataclass(frozen=True)
class Lamp:
    """:param across: how much more light comes from the right than from the left, as a share of all, −1 to 1.
    :param down: the same, from below and from above.
    :param brightness: of the lit face on the whole, 0 to 255.
    """

    across: float
    down: float
    brightness: float

    @property
    def direction(self) -> tuple[float, float, float]:
        """Unit vector towards the light: x right, y down, z negative towards the camera."""
        x, y, z = 1.5 * self.across, 1.5 * self.down, -1.0
        length = math.hypot(x, y, z)
        return x / length, y / length, z / length

    @property
    def contrast(self) -> float:
        """How much of the light has a direction, 0 to 1."""
        return min(0.7, 0.32 + 0.35 * math.hypot(self.across, self.down))

    @property
    def gain(self) -> float:
        """What the drawing's colours are multiplied by, 0 to 1.2. Bright faces differ little in it: a face is as bright
        as its light times its skin, and only the light is wanted."""
        return 1.2 * (1 - math.exp(-self.brightness / 85))

    def turned(self, roll_rad: float) -> Lamp:
        """The lamp turned clockwise in the picture plane."""
        cosine, sine = math.cos(roll_rad), math.sin(roll_rad)
        across, down = self.across * cosine - self.down * sine, self.across * sine + self.down * cosine
        return replace(self, across=across, down=down)

    def rounded(self) -> Lamp:
        """With no more precision than is needed."""
        across, down = (round(aside / ASIDE_STEP) * ASIDE_STEP for aside in (self.across, self.down))
        return Lamp(across, down, round(self.brightness / BRIGHTNESS_STEP) * BRIGHTNESS_STEP)


def lamp_by_mesh(subject: Subject) -> Lamp:
    """The light on a face by its brightness at the mesh's points, of which there are enough for three numbers."""
    points = subject.mesh.points
    normals = normals_of(points)
    shown = normals[:, 2] < _SHOWN
    if not shown.any():
        return lamp_by_box(subject)
    grey = _brightness_at(subject, points[shown, :2])
    terms = fit_light(grey, normals[shown]).terms[:, 0]
    brightness = float(np.median(grey))
    across, down = np.clip(terms[1:3] / max(brightness, 1.0), -1, 1).tolist()
    return Lamp(across, down, brightness).rounded()


def lamp_by_box(subject: Subject) -> Lamp:
    """The light on a face that has no mesh: how bright the middle of its box is."""
    inner = subject.face.box.scaled(0.6).cover((subject.rgb.shape[1], subject.rgb.shape[0]))
    brightness = float(np.median(_coarse(subject.rgb[inner.slices]))) if inner else 128.0
    return Lamp(0, _USUAL_DOWN, brightness).rounded()


def _brightness_at(subject: Subject, places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Brightness around points of a face, (n, 1); beyond the photo, that at its border."""
    around = subject.face.box.scaled(1.3).cover((subject.rgb.shape[1], subject.rgb.shape[0]))
    if around is None:
        return np.full((len(places), 1), 128, np.float32)
    coarse = _coarse(subject.rgb[around.slices])
    soft = cv2.blur(coarse, (max(1, coarse.shape[1] // 24),) * 2)
    factor = np.array(coarse.shape[::-1]) / (around.width, around.height)
    at = ((places - (around.x0, around.y0)) * factor - 0.5).astype(np.float32)
    return np.asarray(cv2.remap(soft, at[:, :1], at[:, 1:], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _coarse(rgb: Pixels) -> NDArray[np.float32]:
    """Brightness of every so-manieth pixel, float32, 0 to 255."""
    step = max(1, min(rgb.shape[:2]) // _SAMPLES)
    return np.asarray(rgb[::step, ::step].astype(np.float32) @ _LUMA)
