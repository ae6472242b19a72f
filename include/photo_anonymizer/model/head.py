"""Where the head is that a detected face belongs to: its turn in the picture plane and how far it reaches.

A detector's box is upright whatever the head does, and ends at the hairline, the chin and, more or less, the ears. The
outline here is a shape in the head's own directions. It follows from the box alone as far as the box tells; what the
landmarks say beyond that may enlarge it, within limits, and never shrinks it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.model.face import Face, Landmarks, Point, estimated_landmarks
from photo_anonymizer.model.geometry import Box

Coordinate = TypeVar("Coordinate", float, NDArray[np.floating])

HEAD_ASPECT = 1.3
"""Height of a face from hairline to chin over its width, where the box of a turned head does not tell: adults have
about 180 mm to 135 mm (Farkas, Anthropometry of the Head and Face, 1994); detectors' boxes have 1.2 to 1.45."""
ASPECT_LIMITS = 1.0, 1.6
"""No head is wider than high or slimmer than this, whatever the box says: a face half hidden is still a head."""
USUAL_SCALE = 1.35
"""Enlargement of the box for which the reaches below are meant; others change them in proportion."""
MAX_GROWTH = 1.4
"""Landmarks move a side of the outline at most so far out, as a multiple of what the box says, and hair as much again:
they err, and a wrong one must not cover the neighbours."""


@dataclass(frozen=True)
class _Reaches:
    """How far a head reaches from the point between the eyes, as a multiple of the larger one of the distances between
    the eyes and between eyes and mouth (about 65 mm each)."""

    up: float
    down: float
    beside: float
    """To both sides, seen from the front …"""
    behind: float
    """… and to the back, seen from the side."""


# Adults, roughly, and a tenth more, because landmarks err: hairline 75 mm above, chin 115 mm below, an ear's rim 85 mm
# beside and 110 mm behind the eyes.
_HEAD = _Reaches(up=1.25, down=1.95, beside=1.4, behind=1.85)
# Crown 120 mm above, back of the head 140 mm behind, and some 30 mm of hair on them and over the ears.
_HAIR = _Reaches(up=2.35, down=0, beside=1.75, behind=2.6)
NOSE_AHEAD = 0.55
"""How far the tip of the nose is beside the line through the eyes' and the mouth's middle when seen from the side."""


@dataclass(frozen=True)
class HeadOutline:
    """Four quarters of ellipses that share their axes: an ellipse that may reach further on one side than on the other.

    :param centre: where the axes cross, (x, y) in the photo's pixels.
    :param roll_rad: in-plane turn, 0 upright, positive clockwise as seen in the picture; −π to π.
    :param up: from the centre to the outline along the head's own directions, in px; so are the other three, which
        are left and right as seen in the picture when the head is turned upright.
    """

    centre: Point
    roll_rad: float
    up: float
    down: float
    left: float
    right: float

    def at_least(self, reach_px: float) -> HeadOutline:
        """The outline, no side of it nearer to the centre than this."""
        up, down, left, right = (max(side, reach_px) for side in (self.up, self.down, self.left, self.right))
        return replace(self, up=up, down=down, left=left, right=right)

    def circle(self) -> HeadOutline:
        """A circle about the middle of the outline that contains it.

        With the larger of the two shorter reaches as radius r about the axes' crossing, and the middle m away from
        that, no point of the outline is further than r + m from the middle.
        """
        aside, above = (self.right - self.left) / 2, (self.up - self.down) / 2
        radius = max(min(self.left, self.right), min(self.up, self.down)) + math.hypot(aside, above)
        return HeadOutline(self.in_photo(aside, -above), self.roll_rad, radius, radius, radius, radius)

    def bounds(self, *, corners: bool = False) -> Box:
        """The upright box around it or, with ``corners``, around the turned rectangle that encloses it."""
        sine, cosine = math.sin(self.roll_rad), math.cos(self.roll_rad)

        def reach(across: float, down: float) -> float:
            """How far it reaches in a direction of the photo, given as a unit vector in the head's own directions."""
            aside = across * (self.right if across > 0 else self.left)
            along = down * (self.down if down > 0 else self.up)
            return abs(aside) + abs(along) if corners else math.hypot(aside, along)

        x, y = self.centre
        return Box(
            x0=x - reach(-cosine, sine),
            y0=y - reach(-sine, -cosine),
            x1=x + reach(cosine, -sine),
            y1=y + reach(sine, cosine),
        )

    def in_head(self, x: Coordinate, y: Coordinate) -> tuple[Coordinate, Coordinate]:
        """A point of the photo, or arrays of them that broadcast, as (across, down) from the centre in the head's own
        directions, in px."""
        across, down = x - self.centre[0], y - self.centre[1]
        sine, cosine = math.sin(self.roll_rad), math.cos(self.roll_rad)
        return across * cosine + down * sine, down * cosine - across * sine

    def in_photo(self, across: Coordinate, down: Coordinate) -> tuple[Coordinate, Coordinate]:
        """The inverse of :meth:`in_head`."""
        sine, cosine = math.sin(self.roll_rad), math.cos(self.roll_rad)
        return self.centre[0] + across * cosine - down * sine, self.centre[1] + across * sine + down * cosine

    def polygon(self, corners: int = 64) -> NDArray[np.float64]:
        """Points on the outline, (corners, 2): x, y in the photo's pixels."""
        angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
        across, down = np.cos(angles), np.sin(angles)
        across *= np.where(across > 0, self.right, self.left)
        down *= np.where(down > 0, self.down, self.up)
        return np.column_stack(self.in_photo(across, down))


def head_outline(face: Face, scale: float, *, hair: bool = False) -> HeadOutline:
    """The outline of a face's head: forehead, ears and jaw inside.

    What the box tells: the smallest ellipse of the head's turn and a head's aspect whose upright bounds contain the
    box enlarged about its centre; the enlarged box itself when the head is upright. What the landmarks tell, each
    side at most :data:`MAX_GROWTH` times as far: hairline, chin, and the ears, of which the one that a turned head
    shows lies far behind the eyes. Landmarks that make no face are ignored.

    :param scale: enlargement of the box about its centre.
    :param hair: cover a usual hairstyle too, which reaches above the box and beside it.
    """
    marks = usable_landmarks(face)
    roll_rad = head_roll_rad(marks)
    across, along = _half_axes(face.box.scaled(scale), roll_rad)
    outline = HeadOutline(face.box.centre, roll_rad, along, along, across, across)
    outline = _grown(outline, marks, _HEAD, scale / USUAL_SCALE)
    return _grown(outline, marks, _HAIR, scale / USUAL_SCALE) if hair else outline


def usable_landmarks(face: Face) -> Landmarks:
    """The face's landmarks or, if those make no face, where an upright frontal face would have them."""
    return face.landmarks if _make_a_face(face.landmarks, face.box) else estimated_landmarks(face.box)


def head_roll_rad(marks: Landmarks) -> float:
    """In-plane turn of the head: 0 upright, positive clockwise as seen in the picture; −π to π.

    Up is from the mouth to the eyes, and at right angles to the line through the eyes; each counts by its length,
    because the one shrinks when the head is bowed and the other when it shows its side. Which eye is called left does
    not matter: detectors do not agree about heads that are upside down.
    """
    up, eyes = _up(marks), _difference(marks.right_eye, marks.left_eye)
    upright = eyes[1], -eyes[0]
    sign = math.copysign(1, upright[0] * up[0] + upright[1] * up[1])
    return math.atan2(up[0] + sign * upright[0], -(up[1] + sign * upright[1]))


def head_yaw_rad(marks: Landmarks) -> float:
    """Turn of the head to the side: 0 looks at the camera, positive to the right of the picture when the head is turned
    upright; −π/2 to π/2. By how far the nose is beside the line through the eyes' and the mouth's middle."""
    eyes, mouth = _middle(marks.left_eye, marks.right_eye), _middle(marks.left_mouth, marks.right_mouth)
    x, y = _difference(marks.nose, _middle(eyes, mouth))
    roll_rad = head_roll_rad(marks)
    across = x * math.cos(roll_rad) + y * math.sin(roll_rad)
    return math.asin(min(max(across / (NOSE_AHEAD * _unit_px(marks)), -1.0), 1.0))


def _make_a_face(marks: Landmarks, box: Box) -> bool:
    """Are these five places about the box, neither in a heap nor scattered? What is not finite is nowhere."""
    about = box.scaled(1.5)
    inside = all(about.x0 <= x <= about.x1 and about.y0 <= y <= about.y1 for x, y in marks.points)
    return inside and 0.1 <= _unit_px(marks) / max(box.width, box.height) <= 0.7


def _half_axes(box: Box, roll_rad: float) -> tuple[float, float]:
    """Across and along the head, in px: of the turned ellipse whose upright bounds contain the box.

    The ellipse with half axes a and b = k a reaches a √(cos² + k² sin²) to the side and a √(sin² + k² cos²) up. The
    box gives the aspect k of a head that is upright or lies on its side; at 45° every aspect makes a square box.
    """
    half_width, half_height = box.width / 2, box.height / 2
    tells = math.cos(2 * roll_rad)
    aspect = HEAD_ASPECT ** (1 - abs(tells)) * (half_height / half_width) ** tells
    aspect = min(max(aspect, ASPECT_LIMITS[0]), ASPECT_LIMITS[1])
    cosine, sine = math.cos(roll_rad), math.sin(roll_rad)
    across = max(half_width / math.hypot(cosine, aspect * sine), half_height / math.hypot(sine, aspect * cosine))
    return across, across * aspect


def _grown(outline: HeadOutline, marks: Landmarks, reaches: _Reaches, factor: float) -> HeadOutline:
    """Every side of the outline moved out to where the landmarks say, times the factor, within :data:`MAX_GROWTH`."""
    unit = _unit_px(marks)
    eyes_across, eyes_down = outline.in_head(*_middle(marks.left_eye, marks.right_eye))
    yaw_rad = head_yaw_rad(marks)
    # Both ears go round with the head, to the side that the nose turns away from.
    beside, behind = unit * reaches.beside * math.cos(yaw_rad), unit * reaches.behind * math.sin(yaw_rad)

    def moved(side: float, wanted: float) -> float:
        return max(side, min(wanted * factor, side * MAX_GROWTH))

    return replace(
        outline,
        up=moved(outline.up, unit * reaches.up - eyes_down),
        down=moved(outline.down, unit * reaches.down + eyes_down),
        left=moved(outline.left, beside + behind - eyes_across),
        right=moved(outline.right, beside - behind + eyes_across),
    )


def _unit_px(marks: Landmarks) -> float:
    """Larger one of the distances between the eyes and between eyes and mouth: one of them is always in full view."""
    return max(math.hypot(*_up(marks)), math.dist(marks.left_eye, marks.right_eye))


def _up(marks: Landmarks) -> Point:
    return _difference(_middle(marks.left_eye, marks.right_eye), _middle(marks.left_mouth, marks.right_mouth))


def _middle(one: Point, other: Point) -> Point:
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2


def _difference(one: Point, other: Point) -> Point:
    return one[0] - other[0], one[1] - other[1]
