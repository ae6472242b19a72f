"""Avatar: the same drawn head for everybody."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.drawn_head.shape import PIVOT, SKULL_MIDDLE, SKULL_RADII
from photo_anonymizer.drawn_head.view import WINDOW_CM, View, angles_of, rounded_turn, side_for, turned, view
from photo_anonymizer.methods.lamp import Lamp, lamp_by_box, lamp_by_mesh
from photo_anonymizer.methods.overlay import Rgba, laid_over
from photo_anonymizer.methods.protocol import Painted, Parameters
from photo_anonymizer.methods.region import Region
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.methods.surroundings import surroundings_of
from photo_anonymizer.model.geometry import PixelBox
from photo_anonymizer.model.head import head_roll_rad, head_yaw_rad, usable_landmarks
from photo_anonymizer.model.pixels import Pixels

GROWTHS = 1.05, 1.25
"""The head is enlarged so many times, at least and at most, to fill its region up to the hair that stays."""

# How a face lies in its box: medians over 128 faces from 40 px on whose mesh is sure.
_SCALE_OF_BOX = 0.06
"""Px a cm, as a share of the geometric mean of the box's sides; quartiles 0.059 and 0.062."""
_BELOW_CM = 0.45
"""The pivot lies so far below the box's middle, and, as the head turns, aside by the next times the yaw's sine."""
_ASIDE_CM = 2.3


@dataclass(frozen=True)
class HeadPlace:
    """Where the head is drawn.

    :param yaw_deg: positive to the right, as seen when the head is upright; in steps, as the pitch is.
    :param pitch_deg: positive down.
    :param roll_rad: in the picture plane, clockwise.
    :param scale: px a cm.
    :param pivot: where the head's pivot is, (x, y) in the photo's pixels.
    """

    yaw_deg: int
    pitch_deg: int
    roll_rad: float
    scale: float
    pivot: tuple[float, float]


class Avatar:
    """A drawn head, or its silhouette, turned and lit as the photo's head is and the same for everybody.

    Nothing of the face enters but place and size, turn (in steps of 5°) and light (three rounded numbers without
    colour): there is nothing to undo. Around the head the region is filled with what surrounds it.

    Parameters: ``style``, ``head`` or ``silhouette``.
    """

    name = "avatar"

    def paint(self, subject: Subject, parameters: Parameters, rng: np.random.Generator) -> Painted:  # noqa: ARG002
        """See :class:`~photo_anonymizer.methods.protocol.Method`. ``about`` says whether mesh or landmarks told the
        turn."""
        sure = subject.mesh_is_sure
        place = filling(place_by_mesh(subject) if sure else place_by_landmarks(subject), subject.region)
        lamp = lamp_by_mesh(subject) if sure else lamp_by_box(subject)
        around = surroundings_of(subject.rgb, subject.region)
        seen = view(parameters["style"], place.yaw_deg, place.pitch_deg, side_for(place.scale * WINDOW_CM))
        if parameters["style"] == "silhouette":
            head = _silhouette(seen, lamp)
        else:
            head = _lit(seen, lamp.turned(-place.roll_rad), grey=around.grey)
        pixels = _laid_on(around.within(subject.region.box), head, seen, place, subject.region.box)
        about = {"turned_by": "mesh" if sure else "landmarks", "yaw_deg": place.yaw_deg, "pitch_deg": place.pitch_deg}
        return Painted(pixels, subject.region.alpha, about)


def place_by_mesh(subject: Subject) -> HeadPlace:
    """The head's place by the face mesh."""
    yaw, pitch, roll = angles_of(subject.pose.rotation)
    x, y, _ = subject.pose.placed(PIVOT[np.newaxis])[0].tolist()
    return HeadPlace(*rounded_turn(yaw, pitch), roll, subject.pose.scale, (x, y))


def place_by_landmarks(subject: Subject) -> HeadPlace:
    """The head's place by box and landmarks, for faces that have no mesh; the head is not bowed, and looks straight
    ahead where landmarks are missing."""
    box, marks = subject.face.box, usable_landmarks(subject.face)
    yaw, roll = head_yaw_rad(marks), head_roll_rad(marks)
    scale = _SCALE_OF_BOX * math.sqrt(box.width * box.height)
    across, down = scale * _ASIDE_CM * math.sin(yaw), scale * _BELOW_CM
    x = box.centre[0] + across * math.cos(roll) - down * math.sin(roll)
    y = box.centre[1] + across * math.sin(roll) + down * math.cos(roll)
    return HeadPlace(*rounded_turn(yaw, 0), roll, scale, (x, y))


def filling(place: HeadPlace, region: Region) -> HeadPlace:
    """The head enlarged about its pivot, within :data:`GROWTHS`, until its skull covers the upper part of the region's
    core: between head and hair nothing of the background should show."""
    turn = turned(place.yaw_deg, place.pitch_deg)
    middle = (turn @ (SKULL_MIDDLE - PIVOT))[:2]
    rim = _rim_cm(region, place)
    rim = rim[rim[:, 1] < middle[1] - 3]
    # The skull's outline is {q: (q − c)ᵀ F (q − c) = 1}. The rim's point p is on the one enlarged by g if q = p / g.
    form = np.linalg.inv((turn @ np.diag(SKULL_RADII**2) @ turn.T)[:2, :2])
    squared, mixed = np.einsum("ni,ij,nj->n", rim, form, rim), rim @ form @ middle
    root = np.sqrt(np.maximum(mixed**2 - squared * (middle @ form @ middle - 1), 0))
    growth = float((squared / np.maximum(mixed + root, 1e-9)).max(initial=0))
    return replace(place, scale=place.scale * min(max(growth, GROWTHS[0]), GROWTHS[1]))


def _rim_cm(region: Region, place: HeadPlace) -> NDArray[np.float64]:
    """Points on the rim of the region's core in the upright head's directions, (n, 2), cm from its pivot."""
    core = (region.alpha == 255).astype(np.uint8)
    contours, _ = cv2.findContours(core, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return np.empty((0, 2))
    across, down = (np.concatenate(contours)[:, 0] + (region.box.x0 + 0.5, region.box.y0 + 0.5) - place.pivot).T
    cosine, sine = math.cos(place.roll_rad), math.sin(place.roll_rad)
    return np.column_stack([across * cosine + down * sine, down * cosine - across * sine]) / place.scale


def _lit(seen: View, lamp: Lamp, *, grey: bool) -> Rgba:
    """The head in the light of a lamp, (h, w, 4), its colours multiplied by its coverage.

    :param grey: without colour, for black and white photos.
    """
    colours = cv2.cvtColor(cv2.cvtColor(seen.colours, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB) if grey else seen.colours
    matt, facing = seen.towards(lamp.direction), seen.towards((0, 0, -1))
    shading = (1 - lamp.contrast) + lamp.contrast * 0.9 * np.maximum(matt + np.float32(0.4), 0)
    shading *= lamp.gain * (0.76 + 0.24 * np.maximum(facing, 0))
    return _covered(colours, shading, seen)


def _silhouette(seen: View, lamp: Lamp) -> Rgba:
    """The head in one tone, a little darker where its surface turns away, (h, w, 4) as :func:`_lit` gives it."""
    facing = cv2.blur(seen.towards((0, 0, -1)), (max(1, seen.side_px // 5),) * 2)
    return _covered(seen.colours, lamp.gain * (0.62 + 0.45 * facing), seen)


def _covered(colours: Pixels, shading: NDArray[np.float32], seen: View) -> Rgba:
    shading *= seen.coverage * np.float32(1 / 255)
    shaded = cv2.multiply(colours, cv2.merge([shading.astype(np.float32)] * 3), dtype=cv2.CV_8U)
    return np.asarray(cv2.merge([*cv2.split(shaded), seen.coverage]))


def _laid_on(backdrop: Pixels, head: Rgba, seen: View, place: HeadPlace, box: PixelBox) -> Pixels:
    """The backdrop of a box with the head in its place."""
    scale = place.scale * WINDOW_CM / seen.side_px
    cosine, sine = scale * math.cos(place.roll_rad), scale * math.sin(place.roll_rad)
    linear = np.array([[cosine, -sine], [sine, cosine]])
    shift = np.array(place.pivot) - (box.x0, box.y0) + linear @ (np.array(seen.corner) - seen.side_px / 2)
    return laid_over(backdrop, head, np.column_stack([linear, shift]))
