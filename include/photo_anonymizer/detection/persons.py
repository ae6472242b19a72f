"""Persons by their bodies, so that a photo with a hidden, covered or turned head is not published as if it were empty.

MediaPipe's pose detector (BlazePose, Bazarevsky et al. 2020, arXiv 2006.10204) sees a square of 224 px, values −1 to 1,
what lies beyond the photo being black: with grey there, it sees people in 37 of 100 photos without anybody instead of
17, at nearly the same recall. Each of its 2,254 anchors answers with a logit and twelve numbers: a box that
is always a fifth of the square wide, so that it tells where the chin is and not how large the head, and four points:
mid-hip, a point on the circle about the hip that encloses the body, mid-shoulder, the same for the upper body. The
head's size and place follow from them; the ratios are medians over 48 persons in portraits and groups, to RetinaFace's
boxes of the same faces.

The network looks for faces itself, so it is a weak witness of people who show none, and its phantoms need a second one.
That is the network's own second look, from where a head is as large as its box. ``scripts/measure_persons.py`` has the
figures. MediaPipe's pose landmarks and selfie segmentation were tried as witnesses: they hold to the visible head as
well, and among persons with a covered face they cost more than they gain (``docs/detection.md``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer import tflite
from photo_anonymizer.detection.anchors import anchor_centres
from photo_anonymizer.detection.members._scaled import resized
from photo_anonymizer.detection.retinaface import tiles
from photo_anonymizer.model.geometry import Box, PixelBox
from photo_anonymizer.model.pixels import Pixels

NETWORK = "pose_detection"
SIDE_PX = 224
ANCHORS_PER_CELL = ((8, 2), (16, 2), (32, 6))
_LOGIT_LIMIT = 7.0
"""A score of 0.999: one look alone cannot decide."""

CIRCLE_HEADS = 3.65
"""Distance from the hip to the circle's point, in heights of the face."""
CHIN_HEADS = 0.42
"""How far the box's centre lies below the face's, in heights of the face."""
SMALLEST_HEAD = 0.08
"""Height of the smallest face with which a person is seen, in sides of the square (18 px)."""

FLOOR = 0.12
"""Score from which a candidate is worth a second look."""
SECOND_LOOKS = 4
"""At most so many in a photo, the surest first."""
SECOND_SIDE_HEADS, SECOND_DOWN_HEADS = 5.0, 1.2
"""The second look's square: its side, and how far its centre lies from the head's towards the hip. The head is then as
high as the network's box."""
FIRST_WEIGHT = 2 / 3
"""Of the first look's logit. A covered face weakens the second, which sees it better, more than the first."""

TILED_FROM_PX = 320
"""Long side from which parts of a photo show more than the whole does."""
TILE, OVERLAP = 0.6, 0.2
"""Side of the parts and their overlap, in long sides of the photo: at most four of them."""
LARGE_PX = 1920
"""Long side from which the parts are looked at although faces were found: people in it can be small and yet clear."""
PART_ODDS = 1 / 4
"""A part's finding counts as much less: four times the squares give four times the phantoms."""
BESIDE_FACES_ODDS = 1 / 2
"""So does a finding where other faces were found: a group whose heads are all known is rarely one person larger."""

SAME_HEADS = 0.8
"""Two findings nearer to each other than this, in heights of the larger head, are one person."""
NEAR_HEADS = 1.0
"""A face nearer to a head than this, in heights of the larger of the two, is that head's. Of 250 persons with a found
face all but those in dense crowds have it within half a height."""

Points = NDArray[np.float32]


@dataclass(frozen=True)
class Person:
    """A person, known by the body.

    :param head: square as high as the face would be from brows to chin's end, in the photo's px; may reach beyond it.
    :param up: unit vector (x, y) from hip to shoulder, so to the head; (0, −1) stands upright.
    :param score: how sure the looks are together, 0 to 1; no probability.
    """

    head: Box
    up: tuple[float, float]
    score: float


def persons(rgb: Pixels, faces: Sequence[Box] = ()) -> tuple[Person, ...]:
    """Everybody in the picture who has none of the faces near the head, surest first.

    Without faces, and in large photos, parts of the picture are searched too. Costs one call of the network (3.7 ms on
    one core), up to four more for the parts, and one for each of at most ``SECOND_LOOKS`` candidates.

    :param rgb: uint8 (H, W, 3).
    :param faces: where faces are known to be, in px; persons beside them must be the surer.
    :raises ModelError: the network is missing or altered.
    """
    seen: list[_Seen] = []
    for square, odds in _squares((rgb.shape[1], rgb.shape[0]), beside_faces=bool(faces)):
        seen += _look(rgb, square, math.log(odds))
    heads = _one_each(item for item in seen if not any(_near(item.head, face) for face in faces))
    found = [_looked_at_again(rgb, item) for item, _ in zip(heads, range(SECOND_LOOKS), strict=False)]
    return tuple(sorted(found, key=lambda person: -person.score))


@dataclass(frozen=True)
class _Seen:
    """What one look gives: ``logit`` as the network says it, ``prior`` the logarithm of the odds it is taken with."""

    head: Box
    up: tuple[float, float]
    logit: float
    prior: float


def _squares(size_wh: tuple[int, int], *, beside_faces: bool) -> Iterator[tuple[Box, float]]:
    """The squares of a photo that are looked at, and the odds that their findings are taken with."""
    odds, long_side = BESIDE_FACES_ODDS if beside_faces else 1.0, max(size_wh)
    yield _square_about(PixelBox(x0=0, y0=0, x1=size_wh[0], y1=size_wh[1])), odds
    if long_side >= (LARGE_PX if beside_faces else TILED_FROM_PX):
        for part in tiles(size_wh, round(TILE * long_side), round(OVERLAP * long_side)):
            yield _square_about(part), odds * PART_ODDS


def _square_about(part: PixelBox) -> Box:
    half = max(part.width, part.height) / 2
    return _square((part.x0 + part.x1) / 2, (part.y0 + part.y1) / 2, half)


def _square(x: float, y: float, half: float) -> Box:
    return Box(x0=x - half, y0=y - half, x1=x + half, y1=y + half)


def _look(rgb: Pixels, square: Box, prior: float) -> list[_Seen]:
    """Candidates in one square of the photo."""
    logits, points = _answers(rgb, square)
    # Not "at or above": a network that answers with no number must not look like one that sees nobody.
    chosen = ~(logits < _logit(FLOOR))
    smallest = SMALLEST_HEAD * square.width
    seen = []
    for logit, (chin, hip, circle, shoulder) in zip(logits[chosen], points[chosen], strict=True):
        height = max(float(np.hypot(*(circle - hip))) / CIRCLE_HEADS, smallest)
        up = _direction(shoulder - hip)
        x, y = chin + CHIN_HEADS * height * np.array(up)
        seen.append(_Seen(_square(float(x), float(y), height / 2), up, float(logit), prior))
    return seen


def _looked_at_again(rgb: Pixels, seen: _Seen) -> Person:
    """The person as both looks see it together."""
    height, centre, up = seen.head.height, np.array(seen.head.centre), np.array(seen.up)
    x, y = centre - SECOND_DOWN_HEADS * height * up
    logits, points = _answers(rgb, _square(float(x), float(y), SECOND_SIDE_HEADS * height / 2))
    away = np.linalg.norm(points[:, 0] - (centre - CHIN_HEADS * height * up), axis=1)
    second = float(logits[away < SAME_HEADS * height].max(initial=-_LOGIT_LIMIT))
    logit = FIRST_WEIGHT * seen.logit + (1 - FIRST_WEIGHT) * second + seen.prior
    return Person(seen.head, seen.up, 1 / (1 + math.exp(-logit)))


def _answers(rgb: Pixels, square: Box) -> tuple[Points, Points]:
    """Logits (n,) of the network's proposals in a square, and their points (n, 4, 2) in the photo's px.

    The points are chin, mid-hip, the one on the body's circle, and mid-shoulder.
    """
    values, logits = tflite.run(NETWORK, _input(rgb, square)[np.newaxis])
    points = decoded(values.reshape(-1, 6, 2), _anchors()) * (square.width / SIDE_PX)
    return np.clip(logits.reshape(-1), -_LOGIT_LIMIT, _LOGIT_LIMIT), points + np.array([square.x0, square.y0])


@cache
def _anchors() -> Points:
    return anchor_centres(SIDE_PX, ANCHORS_PER_CELL)


def decoded(values: Points, centres: Points) -> Points:
    """Chin, mid-hip, point on the body's circle, mid-shoulder: (n, 4, 2), px of the network's input.

    :param values: (n, 6, 2): the box's centre, its size, then four points, of which the last is not used; all but the
        size are distances from the anchor.
    :param centres: (n, 2) of the anchors.
    """
    return values[:, [0, 2, 3, 4]] + centres[:, np.newaxis]


def _direction(vector: Points) -> tuple[float, float]:
    length = float(np.hypot(*vector))
    return (float(vector[0]) / length, float(vector[1]) / length) if length > 0 else (0.0, -1.0)


def _input(rgb: Pixels, square: Box) -> NDArray[np.float32]:
    """The square as the network sees it, float32 (224, 224, 3), −1 to 1; black beyond the photo."""
    picture = np.full((SIDE_PX, SIDE_PX, 3), -1, np.float32)
    inside = square.cover((rgb.shape[1], rgb.shape[0]))
    if inside is None:
        return picture
    scale = SIDE_PX / square.width
    wide, high = (max(1, round(length * scale)) for length in (inside.width, inside.height))
    small = resized(rgb[inside.slices], (wide, high))
    # Whole pixels of the photo may reach a little beyond the square on every side.
    x, y = round((inside.x0 - square.x0) * scale), round((inside.y0 - square.y0) * scale)
    small = small[max(0, -y) : SIDE_PX - y, max(0, -x) : SIDE_PX - x]
    x, y = max(0, x), max(0, y)
    picture[y : y + small.shape[0], x : x + small.shape[1]] = small / np.float32(127.5) - 1
    return picture


def _one_each(seen: Iterator[_Seen]) -> Iterator[_Seen]:
    """The surest finding of every person, surest first (greedy suppression)."""
    kept: list[_Seen] = []
    for item in sorted(seen, key=lambda item: -item.logit - item.prior):
        if all(_apart_heads(item.head, other.head) >= SAME_HEADS for other in kept):
            kept.append(item)
            yield item


def _near(head: Box, face: Box) -> bool:
    return _apart_heads(head, face) < NEAR_HEADS


def _apart_heads(a: Box, b: Box) -> float:
    """Distance of two boxes' centres, in heights (or widths) of the larger."""
    (ax, ay), (bx, by) = a.centre, b.centre
    return math.hypot(ax - bx, ay - by) / max(a.width, a.height, b.width, b.height)


def _logit(score: float) -> float:
    return math.log(score / (1 - score))
