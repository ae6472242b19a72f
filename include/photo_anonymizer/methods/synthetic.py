"""Synthetic: a face of nobody, turned, lit and coloured like the one that it replaces.

What is taken from that face: where it is and how it is turned; how far lids and lips are open and where the eyes look;
the light on it, which holds its skin's colour (:mod:`photo_anonymizer.mesh.light`); its outline; coarse hints at age
and presentation (:mod:`.surrogate.looks`). What is not: its colours at any place, and where its features are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.mesh.iris import gaze, irises
from photo_anonymizer.mesh.network import MARGIN, OFF_LANDMARKS, Mesh, crop_scale, look, off_landmarks
from photo_anonymizer.mesh.texture import Texture, in_colour, projection, unrolling
from photo_anonymizer.mesh.topology import OVAL, Vertices, texture_a_cm, texture_points
from photo_anonymizer.methods.generators.paint import generated, load_generator
from photo_anonymizer.methods.protocol import CannotPaintError, Painted, Parameters
from photo_anonymizer.methods.subject import APPROXIMATE_BELOW_PX, LIGHT_PX, TEXTURE_PX, Subject, smooth_normals
from photo_anonymizer.methods.surrogate import blend
from photo_anonymizer.methods.surrogate.features import draw_dark_glasses, draw_eyes, draw_glasses, draw_mouth, tones_of
from photo_anonymizer.methods.surrogate.front import hidden_share, in_front
from photo_anonymizer.methods.surrogate.looks import CHEEKS, mean_inside
from photo_anonymizer.methods.surrogate.shape import (
    brought_nearer,
    eyes_open,
    moved,
    of_nobody,
    with_lids,
    with_usual_outlines,
)
from photo_anonymizer.methods.surrogate.source import Surrogate, surrogate_for
from photo_anonymizer.model.face import Face, estimated_landmarks
from photo_anonymizer.model.geometry import Box, PixelBox

MAX_YAW_RAD = math.radians(42)
"""Beyond this the network lays the far half of the mesh wrongly, and a drawn face shows it."""
BESIDE_EYES = 0.05
"""How far beyond an eye the nose may lie, as a share of the eyes' distance."""
NOTICED_FROM_PX = 16
"""Height from which a face where none is catches the eye."""
MAX_HIDDEN = 0.4
"""Share of the face's middle that may be something else than skin: a hand, a mask, a microphone."""
COARSEST_PX_A_CM, FINEST_PX_A_CM = 10.0, 36.0
"""Resolutions between which faces are drawn: smaller ones are shrunk, so that their features stay clean; larger ones
are enlarged, as nothing finer is drawn."""
_ALIASES_FROM = 1.5
"""Pictures that are shrunk this many times and more must be shrunk by areas, which takes eight times as long."""
_NETWORK_SEES = MARGIN / math.sqrt(2)
"""How far from the face's centre the face mesh looks at most, in longer sides of the face's box."""
_SURELY_FACE = 0.6
"""The ellipse in the detected box times this is face, whatever the head's turn."""
_GLOSS = 0.1
_HUE_WITHIN = 0.9, 1.1
"""How far the shares of red, green and blue may differ from those of skin that looks ahead."""
_RIM_FROM_PX, _RIM_WIDTH_PX = 2.0, 15.0

Canvas = NDArray[np.float32]


@dataclass(frozen=True)
class Drawn:
    """A face that is drawn but not yet laid into its photo.

    :param face: float32 (h, w, 3), 0 to 255.
    :param alpha: float32 (h, w), 0 to 1: how much of every pixel it covers.
    :param box: where in the photo.
    """

    face: Canvas
    alpha: Canvas
    box: PixelBox


class Synthetic:
    """A drawn, averaged or generated face in place of the original one.

    Parameters: ``donors`` and ``k`` (:mod:`.surrogate.source`), or ``generator`` and ``generator_model``
    (:mod:`.generators`); ``strength`` of the features' moves, 1 is usual.
    """

    name = "synthetic"

    def paint(self, subject: Subject, parameters: Parameters, rng: np.random.Generator) -> Painted:
        """See :class:`~photo_anonymizer.methods.protocol.Method`."""
        check(subject)
        if parameters.get("generator"):
            return _by_generator(subject, parameters, rng)
        return replaced(subject, surrogate_for(subject, parameters, rng), rng)


def replaced(subject: Subject, made: Surrogate, rng: np.random.Generator) -> Painted:
    """The new face in the old one's place, pose and light, and in the colours, sharpness and grain around it.

    Drawn eyes are looked at and drawn once more: as open as the face mesh saw the old ones, and with all features where
    it should see them. Without that second time a squint is lost (correlation of the openings 0.73 instead of 0.85, 92
    press faces), and another network sees them 6.5 % instead of 5.8 % of the eyes' distance from the old ones' places.

    :raises CannotPaintError: the mesh does not lie on the face.
    """
    front = _in_front(subject)
    drawn = _drawn(subject, made, subject.shape, front)
    if not made.has_eyes and subject.mesh_is_sure and not subject.wears_dark_glasses:
        seen = _seen(subject, drawn)
        if seen.logit > 0:
            shape = with_lids(subject.shape, eyes_open(subject.mesh.points), eyes_open(seen.points))
            there = subject.pose.unplaced(seen.points.astype(np.float64))
            shape = brought_nearer(shape, _new_shape(made, shape), there)
            del drawn  # it is not needed beside the second one
            drawn = _drawn(subject, made, shape, front)
    return _laid(subject, drawn, made.about, rng)


def _by_generator(subject: Subject, parameters: Parameters, rng: np.random.Generator) -> Painted:
    """A face by a user's model, which sees the surroundings, where features shall be and the pose, not the face.

    Parameters: ``generator``, ``generator_model``; ``strength``, by which the features' places differ from the face's.
    """
    person = subject.donors.person if subject.donors else None
    chance = np.random.default_rng(person.seed) if person else rng
    moves = of_nobody(subject.shape, chance, parameters["strength"])
    points = subject.pose.placed(moved(with_usual_outlines(subject.shape), moves))
    box = _around(points, subject.region.box)
    _check_place(subject, points)
    generator = load_generator(parameters["generator"], parameters["generator_model"])
    face, about = generated(generator, subject, points, box, chance)
    seen = projection(subject.mesh.points, box)
    alpha = seen.shown(_rim()) * seen.covered * (1 - seen.shown(_in_front(subject)))
    return _laid(subject, Drawn(face, alpha, box), about, rng)


def _laid(subject: Subject, drawn: Drawn, about: dict[str, Any], rng: np.random.Generator) -> Painted:
    """A face in the colours, sharpness and grain of the photo around it."""
    photo, alpha = subject.rgb[drawn.box.slices].astype(np.float32), drawn.alpha
    face = blend.meeting(drawn.face, photo, alpha)
    face = blend.as_sharp_as(face, photo, alpha)
    face = blend.with_grain(face, blend.GRAIN_SHARE * blend.grain(photo, alpha), rng)
    return _in_region(face, alpha, drawn.box, subject.region.box, about)


def _seen(subject: Subject, drawn: Drawn) -> Mesh:
    """What the face mesh sees of a drawn face in its photo."""
    face, own = subject.face, drawn.box
    x, y = face.box.centre
    half = _NETWORK_SEES * max(face.box.width, face.box.height)
    looked_at = Box(
        x0=min(x - half, own.x0), y0=min(y - half, own.y0), x1=max(x + half, own.x1), y1=max(y + half, own.y1)
    )
    window = looked_at.cover((subject.rgb.shape[1], subject.rgb.shape[0])) or own
    part = subject.rgb[window.slices].copy()
    covered = part[own.y0 - window.y0 : own.y1 - window.y0, own.x0 - window.x0 : own.x1 - window.x0]
    mixed = drawn.face - covered
    mixed *= in_colour(drawn.alpha)
    mixed += covered
    covered[:] = np.clip(mixed, 0, 255, out=mixed)
    del mixed  # before the network takes its own
    # Shrunk here, whole numbers are never many floating-point ones at once, as they would be where it looks.
    shrink = min(1.0, crop_scale(face.box))
    if shrink < 1:
        part = cv2.resize(part, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    there = face.box.shifted(-window.x0, -window.y0)
    shrunk = Box(x0=shrink * there.x0, y0=shrink * there.y0, x1=shrink * there.x1, y1=shrink * there.y1)
    seen = look(part, shrunk, face.landmarks)  # of the landmarks only the turn counts
    return Mesh(seen.points / np.float32(shrink) + np.array([window.x0, window.y0, 0], np.float32), seen.logit)


def check(subject: Subject) -> None:
    """Can a face be drawn in this one's place?

    :raises CannotPaintError: it cannot; the message says why.
    """
    if not subject.mesh_is_usable:
        raise CannotPaintError("mesh_in_doubt")
    if subject.face.band == "doubt" and not _nobody_would_notice(subject):
        raise CannotPaintError("face_in_doubt")
    if abs(subject.pose.yaw_rad) > MAX_YAW_RAD or _nose_is_beside_the_eyes(subject.face):
        raise CannotPaintError("profile_view")
    if _off_landmarks(subject) > OFF_LANDMARKS:
        raise CannotPaintError("mesh_in_doubt")
    if hidden_share(subject.lab) > MAX_HIDDEN:
        raise CannotPaintError("partly_hidden")


def _nobody_would_notice(subject: Subject) -> bool:
    """Is a face in doubt so small that a wrong one does no harm, or has the face mesh seen it? Of 97 findings in doubt
    from there on that the mesh denies 68 are no face, and one that is drawn on a necklace is seen."""
    height = subject.face.box.height
    return height < NOTICED_FROM_PX or (height < APPROXIMATE_BELOW_PX and subject.mesh.logit > 0)


def _nose_is_beside_the_eyes(face: Face) -> bool:
    """Does the detector see the nose beyond an eye, as in a profile? The network's mesh may lie over the background."""
    left, right, nose = (np.array(point) for point in face.landmarks.points[:3])
    across = right - left
    along = float((nose - left) @ across) / max(float(across @ across), 1e-9)
    return not -BESIDE_EYES <= along <= 1 + BESIDE_EYES


def _off_landmarks(subject: Subject) -> float:
    """Mean distance of the mesh's five points from the detector's, in heights of the box; 0 where it gave none."""
    face = subject.face
    if face.landmarks == estimated_landmarks(face.box):
        return 0.0
    return off_landmarks(subject.mesh, face.box, face.landmarks)


def _check_place(subject: Subject, points: Vertices) -> None:
    """A mesh that does not lie on the face that was detected must not decide what stays visible of it."""
    hull = cv2.convexHull(points[:, :2].astype(np.float32))
    middle = subject.face.box.scaled(_SURELY_FACE)
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    x, y = middle.centre
    edge = zip(x + middle.width / 2 * np.cos(angles), y + middle.height / 2 * np.sin(angles), strict=True)
    if any(cv2.pointPolygonTest(hull, (float(across), float(down)), measureDist=False) < 0 for across, down in edge):
        raise CannotPaintError("mesh_in_doubt")


def _in_front(subject: Subject) -> NDArray[np.float32]:
    """What lies in front of the face, see :func:`~photo_anonymizer.methods.surrogate.front.in_front`."""
    return in_front(subject.lab, subject.skin_lab)


def _drawn(subject: Subject, made: Surrogate, shape: Vertices, front: NDArray[np.float32]) -> Drawn:
    """A new face over the old one.

    :param shape: the old one's mesh, (468, 3) in the mean face's frame, before its features are moved.
    :param front: what stays in front of it, see :func:`_in_front`.
    :raises CannotPaintError: the mesh does not lie on the face.
    """
    new_shape = _new_shape(made, shape)
    points = subject.pose.placed(new_shape)
    box = _around(points, subject.region.box)
    _check_place(subject, points)
    own = subject.pose.scale
    scale = min(max(own, COARSEST_PX_A_CM), FINEST_PX_A_CM) / own
    size = max(4, round(box.width * scale)), max(4, round(box.height * scale))
    factor = np.array([size[0] / box.width, size[1] / box.height, scale])
    canvas_box = PixelBox(x0=0, y0=0, x1=size[0], y1=size[1])
    there = (points - (box.x0, box.y0, 0)) * factor
    seen = projection(there, canvas_box)
    canvas = seen.shown(_lit(made.albedo, points, subject))
    tones = tones_of(subject.skin_ahead, made.iris)
    draw_mouth(canvas, there[:, :2], own * scale, tones)
    if subject.wears_dark_glasses:
        draw_dark_glasses(canvas, there[:, :2], own * scale, subject.skin_ahead)
    elif not made.has_eyes:
        middles = irises(there, gaze(subject.rgb, subject.mesh.points))
        draw_eyes(canvas, there[:, :2], middles, own * scale, tones, made.lashes)
    if subject.wears_glasses:
        draw_glasses(canvas, there[:, :2], own * scale, subject.skin_ahead)
    cover = seen.shown(_rim()) * cv2.GaussianBlur(seen.covered, (0, 0), 1.0)
    if front.any():
        cover *= 1 - seen.shown(_on_moved(front, new_shape - subject.shape))
    how = cv2.INTER_AREA if scale > _ALIASES_FROM else cv2.INTER_LINEAR
    wh = box.width, box.height
    return Drawn(cv2.resize(canvas, wh, interpolation=how), cv2.resize(cover, wh, interpolation=how), box)


def _new_shape(made: Surrogate, shape: Vertices) -> Vertices:
    """The new face's shape for that of the old one, both (468, 3) in the mean face's frame."""
    return moved(shape if made.has_eyes else with_usual_outlines(shape), made.moves)


def _on_moved(front: NDArray[np.float32], moves: Vertices) -> NDArray[np.float32]:
    """What lies in front of a face, unrolled on its mesh, unrolled on the moved one instead: it stays where it was.

    The texture is nearly a view from ahead, so a move of the mesh is the same everywhere in it. Drawing the unmoved
    mesh, too, takes four times as long.

    :param front: see :func:`_in_front`.
    :param moves: of every point, (468, 3) in the mean face's frame, in cm.
    """
    side = len(front)
    by = cv2.resize(unrolling(LIGHT_PX).spread(moves[:, :2] * (side * texture_a_cm())), (side, side))
    columns, rows = np.meshgrid(*[np.arange(side, dtype=np.float32)] * 2)
    shown = cv2.remap(front, columns + by[..., 0], rows + by[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(shown)


def _lit(albedo: Texture, points: Vertices, subject: Subject) -> Texture:
    """The albedo under the photo's light, with a little gloss, as bright at the cheeks as the original."""
    side = albedo.shape[0]
    normals = smooth_normals(points, LIGHT_PX)
    shading = np.maximum(subject.light.shading(normals), np.float32(0.3 * subject.skin_ahead))
    shading = _of_one_hue(shading, subject.skin_ahead)
    towards = subject.light.direction - np.array([0, 0, 1])
    half = towards / max(float(np.linalg.norm(towards)), 1e-6)
    gloss = _GLOSS * float(subject.skin_ahead.mean()) * cv2.pow(np.clip(normals @ np.float32(half), 0, 1), 18)
    shading += in_colour(gloss)
    lit = cv2.resize(shading, (side, side), interpolation=cv2.INTER_LINEAR)
    cv2.multiply(lit, albedo, dst=lit)
    is_now = mean_inside(lit, CHEEKS, cv2.resize(subject.visible, (side, side), interpolation=cv2.INTER_LINEAR))
    brighter = np.clip(subject.cheeks / np.maximum(is_now, 1), 0.75, 1.35)
    return np.asarray(cv2.multiply(lit, (*brighter.tolist(), 1.0), dst=lit))


def _of_one_hue(shading: Texture, skin_ahead: NDArray[np.float64]) -> Texture:
    """Shading whose hue stays near that of the skin ahead: where a face's sides are hair or background the light seems
    to be of their colour, and a nose that is turned there would be grey or green."""
    ahead = skin_ahead / skin_ahead.mean()
    plain = in_colour(blend.brightness(shading))
    least, most = (cv2.multiply(plain, (*(limit * ahead).tolist(), 1.0)) for limit in _HUE_WITHIN)
    return np.asarray(cv2.min(cv2.max(shading, least), most))


def _around(points: Vertices, region: PixelBox) -> PixelBox:
    """The box about the mesh, as far as it lies in the region.

    :raises CannotPaintError: nowhere.
    """
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    x0, y0 = max(region.x0, math.floor(low[0]) - 2), max(region.y0, math.floor(low[1]) - 2)
    x1, y1 = min(region.x1, math.ceil(high[0]) + 2), min(region.y1, math.ceil(high[1]) + 2)
    if x0 >= x1 or y0 >= y1:
        raise CannotPaintError("mesh_in_doubt")
    return PixelBox(x0=x0, y0=y0, x1=x1, y1=y1)


@lru_cache(maxsize=1)
def _rim() -> NDArray[np.float32]:
    """How opaque the drawn face is at every place of the texture: 1 but for a soft rim along the outline."""
    mask = np.zeros((TEXTURE_PX, TEXTURE_PX), np.uint8)
    cv2.fillPoly(mask, [np.round(texture_points()[list(OVAL)] * TEXTURE_PX).astype(np.int32)], 255)
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    share = np.clip((depth - _RIM_FROM_PX) / _RIM_WIDTH_PX, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def _in_region(face: Canvas, alpha: Canvas, box: PixelBox, region: PixelBox, about: dict[str, Any]) -> Painted:
    pixels = np.zeros((region.height, region.width, 3), np.uint8)
    cover = np.zeros((region.height, region.width), np.uint8)
    place = (
        slice(box.y0 - region.y0, box.y1 - region.y0),
        slice(box.x0 - region.x0, box.x1 - region.x0),
    )
    cover[place] = cv2.multiply(alpha, 255, dtype=cv2.CV_8U)  # rounded and clipped
    cv2.copyTo(cv2.add(face, 0, dtype=cv2.CV_8U), cover[place], pixels[place])
    return Painted(pixels, cover, about)
