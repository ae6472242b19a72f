"""Neck, shoulders and torso of the person to whom a face belongs, as a soft mask.

Two small MediaPipe networks look at a square around the upper body: BlazePose (Bazarevsky et al. 2020, arXiv
2006.10204) says where *this* person is, the selfie segmentation where *any* person is, with a better edge. BlazePose
expects a square around the hips that holds the whole body; given the upper body only, it still puts nose and shoulders
in the right place, but draws the hips up into the picture, so that only the shoulders are relied on.

When BlazePose is not sure, or looks at somebody else (its nose lies outside the face), the segmentation alone is used,
within a torso of usual proportions under the face; ``found_by`` says which of the two it was. Heads are taken to be
upright: of somebody who lies down only the part below the face, as the picture shows it, is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer import tflite
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.geometry import Box, PixelBox
from photo_anonymizer.model.head import head_outline
from photo_anonymizer.model.pixels import Alpha, Pixels

MODEL_SIDE_PX = 256
CROP_FACES = 5.0
"""Side of the square, in face sizes (about six face widths): from above the head to the waist."""
CROP_DOWN_FACES = 1.6
"""How far the square's centre lies below the face's, in face sizes."""
WORKING_FACE_PX = 96
"""Everything is measured at this face size, so that all other lengths are shares of it."""
MIN_PRESENCE = 0.5
FACE_SCALE = 1.35
"""Enlargement of a face's box that belongs to the face, not to the body."""
EDGE_PX = 6
"""How far the models' outlines may be off, in pixels of their square."""
REACH_ALONE, REACH = 0.8, 0.1
"""How far beyond the shoulders the segmentation, which does not tell people apart, is believed: with nobody else in
the square, so that arms and sleeves count, and with somebody else. In shares of the shoulders' distance."""
NOSE, SHOULDERS = 0, (11, 12)

Plane = NDArray[np.float32]
Corners = tuple[float, float, float, float]
FoundBy = Literal["pose", "segmentation"]


@dataclass(frozen=True)
class Body:
    """A person's upper body, at working size.

    :param box: part of the photo that was looked at.
    :param scale: working pixels per pixel of the photo.
    :param rgb: that part at working size.
    :param mask: uint8, same size; 255 is surely body (skin or clothes), without this face and without other faces.
    :param outline: uint8, same size; 255 is surely the person, head included: its edge is where the background begins.
    :param head: the face's box in working pixels; it may reach beyond the picture.
    :param found_by: which model's word the mask follows.
    :param presence: how sure the pose model is that it sees a person, 0 to 1.
    """

    box: PixelBox
    scale: float
    rgb: Pixels
    mask: Alpha
    outline: Alpha
    head: Corners
    found_by: FoundBy
    presence: float


def face_size_px(face: Face) -> float:
    """Height of the face in px, or what it would be for its width where the box is unusually flat."""
    return max(face.box.height, 1.3 * face.box.width)


def find_body(rgb: Pixels, face: Face, faces: Sequence[Face]) -> Body | None:
    """The upper body of ``face``'s person; None when the square around it misses the photo.

    :param rgb: uint8 (H, W, 3).
    :param faces: all faces of the photo.
    """
    size = face_size_px(face)
    x, y = face.box.centre[0], face.box.centre[1] + CROP_DOWN_FACES * size
    half = CROP_FACES * size / 2
    square = Box(x0=x - half, y0=y - half, x1=x + half, y1=y + half)
    box = square.cover((rgb.shape[1], rgb.shape[0]))
    if box is None:
        return None
    scale = WORKING_FACE_PX / size
    working = _resized(rgb[box.slices], (max(1, round(box.width * scale)), max(1, round(box.height * scale))))
    view = _View(square, box, scale)
    others = [other for other in faces if other.face_id != face.face_id]
    alone = not any(other.band == "accept" and _inside(other.box.centre, _corners(square)) for other in others)
    whole, below_hair, found_by, presence = _person(working, view, face, alone=alone)
    person = whole * below_hair
    _clear(person, view, face, own=True)
    for other in others:
        _clear(person, view, other, own=False)
    return Body(box, scale, working, _alpha(person), _alpha(whole), view.working(face.box), found_by, presence)


@dataclass(frozen=True)
class _View:
    """How the photo, the working picture and the models' square lie to each other."""

    square: Box
    box: PixelBox
    scale: float

    @property
    def side_px(self) -> int:
        """The models' square at working size."""
        return round(self.square.width * self.scale)

    @property
    def offset_px(self) -> tuple[int, int]:
        """(x, y) of the working picture inside the square."""
        return (
            max(0, round((self.box.x0 - self.square.x0) * self.scale)),
            max(0, round((self.box.y0 - self.square.y0) * self.scale)),
        )

    def working(self, box: Box) -> Corners:
        """A box of the photo, in working pixels."""
        across, down, scale = self.box.x0, self.box.y0, self.scale
        return (
            (box.x0 - across) * scale,
            (box.y0 - down) * scale,
            (box.x1 - across) * scale,
            (box.y1 - down) * scale,
        )


def _person(working: Pixels, view: _View, face: Face, *, alone: bool) -> tuple[Plane, Plane, FoundBy, float]:
    """Where the person is and where hair is not (float32, 0 to 1), which model said so, how sure the pose model is."""
    height, width = working.shape[:2]
    left, top = view.offset_px
    side = max(view.side_px, left + width, top + height)
    canvas = np.zeros((side, side, 3), np.uint8)
    canvas[top : top + height, left : left + width] = working
    small = _resized(canvas, (MODEL_SIDE_PX, MODEL_SIDE_PX))
    batch = np.asarray(small[np.newaxis] / np.float32(255), np.float32)

    anybody = tflite.run("selfie_segmentation", batch)[0][0, :, :, 0]
    landmarks, presence, logits = tflite.run("pose_landmark", batch)[:3]
    points, sure = landmarks.reshape(-1, 5)[:, :2], float(presence.ravel()[0])
    zoom = MODEL_SIDE_PX / side
    x0, y0, x1, y1 = view.working(face.box)
    head = ((x0 + left) * zoom, (y0 + top) * zoom, (x1 + left) * zoom, (y1 + top) * zoom)
    if sure >= MIN_PRESENCE and _inside(points[NOSE], head):
        found_by: FoundBy = "pose"
        this = 1 / (1 + np.exp(-np.clip(logits[0, :, :, 0], -30, 30)))
        this = np.minimum(this, cv2.dilate(anybody, np.ones((EDGE_PX, EDGE_PX), np.uint8)))
        person = np.maximum(this, anybody * _drawn(_torso_of(points, head, REACH_ALONE if alone else REACH)))
    else:
        found_by = "segmentation"
        person = anybody * _drawn(_usual_torso(head))

    def back(plane: Plane) -> Plane:
        whole = cv2.resize(plane, (side, side), interpolation=cv2.INTER_LINEAR)
        return np.ascontiguousarray(whole[top : top + height, left : left + width])

    return _refined(back(person), working), back(_below_hair(head)), found_by, sure


def _corners(box: Box) -> Corners:
    return box.x0, box.y0, box.x1, box.y1


def _alpha(plane: Plane) -> Alpha:
    return (plane * 255 + 0.5).astype(np.uint8)


def _inside(point: Sequence[float] | Plane, box: Corners) -> bool:
    return bool(box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3])


def _torso_of(points: Plane, head: Corners, reach_shares: float) -> Plane:
    """Polygon of neck, shoulders and what is below them, wider by a share of the shoulders on each side."""
    (ax, ay), (bx, by) = points[SHOULDERS[0]], points[SHOULDERS[1]]
    left, right = min(ax, bx), max(ax, bx)
    reach = reach_shares * max(right - left, head[2] - head[0])
    above, bottom = min(ay, by) - 0.25 * (head[3] - head[1]), MODEL_SIDE_PX
    return _polygon((left - reach, above), (right + reach, above), (right + reach, bottom), (left - reach, bottom))


def _usual_torso(head: Corners) -> Plane:
    """Polygon below a face in which a torso usually is: three face widths wide."""
    x, width, height = (head[0] + head[2]) / 2, head[2] - head[0], head[3] - head[1]
    top, down = head[3] - 0.1 * height, head[3] + 2.8 * height
    return _polygon(
        (x - 0.6 * width, top),
        (x + 0.6 * width, top),
        (x + 1.5 * width, top + 0.7 * height),
        (x + 1.5 * width, down),
        (x - 1.5 * width, down),
        (x - 1.5 * width, top + 0.7 * height),
    )


def _polygon(*points: tuple[float, float]) -> Plane:
    return np.array(points, np.float32)


def _drawn(polygon: Plane) -> Plane:
    """1 inside, 0 outside, with a soft edge."""
    plane = np.zeros((MODEL_SIDE_PX, MODEL_SIDE_PX), np.float32)
    cv2.fillPoly(plane, [np.round(polygon).astype(np.int32)], 1.0)
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), EDGE_PX / 3), np.float32)


def _below_hair(head: Corners) -> Plane:
    """0 beside and above the face, where hair is, and 1 from the chin down and further to the side."""
    width, height = head[2] - head[0], head[3] - head[1]
    plane = np.ones((MODEL_SIDE_PX, MODEL_SIDE_PX), np.float32)
    corners = np.round([head[0] - 0.45 * width, head[1] - 1.5 * height, head[2] + 0.45 * width, head[3] - 0.1 * height])
    x0, y0, x1, y1 = (int(value) for value in corners)
    cv2.rectangle(plane, (x0, y0), (x1, y1), 0.0, cv2.FILLED)
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), EDGE_PX / 4), np.float32)


def _clear(person: Plane, view: _View, face: Face, *, own: bool) -> None:
    """Takes a face out of the mask: its own by the head's outline, so that the neck stays in; others as whole boxes.

    Around a face that is kept nothing else will change, so that only the face itself is taken out.
    """
    if own:
        outline = (head_outline(face, FACE_SCALE).polygon() - (view.box.x0, view.box.y0)) * view.scale
        cv2.fillConvexPoly(person, np.round(outline).astype(np.int32), 0.0)
    else:
        box = face.box if face.kept else face.box.scaled(FACE_SCALE)
        x0, y0, x1, y1 = (round(value) for value in view.working(box))
        cv2.rectangle(person, (x0, y0), (x1, y1), 0.0, cv2.FILLED)


def _refined(person: Plane, working: Pixels) -> Plane:
    """The mask with its edge drawn to the picture's edges (guided filter, He et al. 2010), then made decided."""
    guide = cv2.cvtColor(working, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    side = (WORKING_FACE_PX // 8, WORKING_FACE_PX // 8)
    mean_guide, mean_mask = cv2.blur(guide, side), cv2.blur(person, side)
    covariance = cv2.blur(guide * person, side) - mean_guide * mean_mask
    variance = cv2.blur(guide * guide, side) - mean_guide * mean_guide
    slope = covariance / (variance + 1e-3)
    offset = mean_mask - slope * mean_guide
    refined = cv2.blur(slope, side) * guide + cv2.blur(offset, side)
    return np.asarray(np.clip((refined - 0.35) / 0.4, 0, 1), np.float32)


def _resized(pixels: Pixels, size_wh: tuple[int, int]) -> Pixels:
    smaller = size_wh[0] < pixels.shape[1] or size_wh[1] < pixels.shape[0]
    resized = cv2.resize(pixels, size_wh, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8)
