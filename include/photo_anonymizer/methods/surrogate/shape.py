"""Where the new face's features are: moved and resized in the head's own frame, with pose and expression left alone.

Features (eyes, brows, nose, mouth) move as wholes. How far lids and lips are open carries the expression and stays; the
outlines of eyes, brows and nose give way to the mean's. The face's own outline stays, so that hair, ears and neck fit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.mesh.topology import (
    INNER_LIPS,
    LEFT_BROW,
    LEFT_EYE,
    LEFT_EYE_LIDS,
    OUTER_LIPS,
    OVAL,
    RIGHT_BROW,
    RIGHT_EYE,
    RIGHT_EYE_LIDS,
    Vertices,
    mean_shape,
)

LEFT_EYE_RING = (*LEFT_EYE, 247, 30, 29, 27, 28, 56, 190, 25, 110, 24, 23, 22, 26, 112)
RIGHT_EYE_RING = (*RIGHT_EYE, 467, 260, 259, 257, 258, 286, 414, 255, 339, 254, 253, 252, 256, 341)
NOSE = (1, 2, 4, 5, 6, 19, 45, 48, 64, 94, 97, 98, 115, 129, 195, 197, 220, 275, 278, 294, 326, 327, 344, 358, 440)
FEATURES = {
    "left_eye": LEFT_EYE_RING,
    "right_eye": RIGHT_EYE_RING,
    "left_brow": LEFT_BROW,
    "right_brow": RIGHT_BROW,
    "nose": NOSE,
    "mouth": (*OUTER_LIPS, *INNER_LIPS),
}
EYES = {"left_eye": (LEFT_EYE, LEFT_EYE_LIDS), "right_eye": (RIGHT_EYE, RIGHT_EYE_LIDS)}
_REACH_CM = 1.1
"""How far a feature's motion carries on around it."""
_WITH_USUAL_OUTLINES = "left_eye", "right_eye", "left_brow", "right_brow", "nose"
_SAME_PLACE_CM = 0.6
"""Every point follows those of a feature's points that are about so near: what is smaller in an outline stays."""
_READ_SLOPE = 0.75
"""How much of a change of drawn lids the face mesh sees in what is drawn."""
_LIDS_WITHIN = (0.4, 1.6)
"""Factors within which drawn lids are closed or opened: below they look shut."""
_BROUGHT = 0.7
"""How much of the way to where it is wanted a feature that is seen elsewhere is brought: of all of it some is noise."""
_BROUGHT_CM = 0.4
"""How far at most: of 132 faces' features half are seen off by less than 0.17 cm, nineteen of twenty by less than 0.5,
and where it is more the second mesh is wrong."""
_LIDS_APART_CM = 0.78
"""Adults' lids are about so far apart; further, and the white shows above the iris, as if in terror."""
_USUAL_WITHIN = 0.1
"""Share of a limit within which a feature counts as being where it is on average."""
_EYES_DOWN = 0.4
"""Part of their limit by which a person's own eyes move up or down at most: further, and they are read as more or less
open than they are (correlation on 216 small faces 0.785 with 0.6, 0.80 with 0.4). With 0.2 it is 0.82, but an attacker
who learned from such faces names 64 % of the people instead of 59 %."""
_CHANCE = 0.85
"""Part of the chance moves that a face gets whose proportions are the mean's beforehand."""


@dataclass(frozen=True)
class Moves:
    """How the features change. Lengths in cm of the mean face; sizes are factors.

    Limits are about two standard deviations between adults (Farkas, Anthropometry of the Head and Face, 1994).
    """

    eyes_apart: float
    eyes_down: float
    eye_size: float
    brows_down: float
    nose_down: float
    nose_width: float
    nose_length: float
    mouth_down: float
    mouth_width: float
    mouth_height: float


LIMITS = Moves(
    eyes_apart=0.22,
    eyes_down=0.25,
    eye_size=0.1,
    brows_down=0.25,
    nose_down=0.28,
    nose_width=0.12,
    nose_length=0.14,
    mouth_down=0.32,
    mouth_width=0.14,
    mouth_height=0.3,
)


def drawn_moves(rng: np.random.Generator, strength: float = 1.0) -> Moves:
    """Moves by chance, none of them near zero: each between half and all of its limit, to either side.

    Nose and mouth go the same way: a nose that meets the lips is nobody's.
    """

    def draw(limit: float) -> float:
        return float(rng.choice((-1, 1)) * rng.uniform(0.5, 1) * limit * strength)

    moves = Moves(**{name: draw(limit) for name, limit in vars(LIMITS).items()})
    return replace(moves, mouth_down=math.copysign(moves.mouth_down, moves.nose_down))


def of_nobody(shape: Vertices, rng: np.random.Generator, strength: float = 1.0) -> Moves:
    """The moves that give a face, (468, 3) in the mean face's frame, somebody else's proportions: those by which it
    differs from the mean are taken away, then chance draws others. How high eyes and brows are is left to chance
    alone: raised brows and lowered lids are expression, which stays.

    Where a person's own proportions stay beneath the chance moves, recognisers find them more often: 1.6 % of 92 faces
    instead of 0.3 % (four draws each).
    """
    own = replace(towards(shape, mean_shape()), eyes_down=0.0, brows_down=0.0, eye_size=0.0)
    return plus(own, drawn_moves(rng, strength * _CHANCE))


def unlike(shape: Vertices, rng: np.random.Generator, strength: float = 1.0) -> Moves:
    """Moves by chance, each to the side of the mean on which the face, (468, 3) in the mean face's frame, is not: what
    is far apart moves together. Away from the mean somebody's caricature would come of it, which is known as well as
    the face itself or better (Rhodes, Brennan & Carey 1987, Cognitive Psychology 19:473).
    """
    by_chance, to_mean = vars(drawn_moves(rng, strength)), vars(towards(shape, mean_shape()))
    unusual = {name: to_mean[name] / limit for name, limit in vars(LIMITS).items()}
    together = "nose_down", "mouth_down"  # see drawn_moves
    unusual |= dict.fromkeys(together, max((unusual[name] for name in together), key=abs))
    sides = {name: share if abs(share) >= _USUAL_WITHIN else by_chance[name] for name, share in unusual.items()}
    moves = Moves(**{name: math.copysign(move, sides[name]) for name, move in by_chance.items()})
    return replace(moves, eyes_down=_EYES_DOWN * moves.eyes_down)


def towards(shape: Vertices, aim: Vertices) -> Moves:
    """The moves that bring the features of one shape to where they are in another, both in the mean face's frame."""

    def middle(points: Vertices, feature: str) -> NDArray[np.float64]:
        return np.asarray(points[list(FEATURES[feature])].mean(axis=0))

    def extent(points: Vertices, feature: str, axis: int) -> float:
        return float(np.ptp(points[list(FEATURES[feature]), axis]))

    def down(feature: str) -> float:
        return float((middle(aim, feature) - middle(shape, feature))[1])

    def apart(points: Vertices) -> float:
        return float(middle(points, "right_eye")[0] - middle(points, "left_eye")[0])

    eyes_down = (down("left_eye") + down("right_eye")) / 2
    return Moves(
        eyes_apart=(apart(aim) - apart(shape)) / 2,
        eyes_down=eyes_down,
        eye_size=extent(aim, "left_eye", 0) / extent(shape, "left_eye", 0) - 1,
        brows_down=(down("left_brow") + down("right_brow")) / 2 - eyes_down,
        nose_down=down("nose"),
        nose_width=extent(aim, "nose", 0) / extent(shape, "nose", 0) - 1,
        nose_length=extent(aim, "nose", 1) / extent(shape, "nose", 1) - 1,
        mouth_down=down("mouth"),
        mouth_width=0.0,  # tells a smile, which stays
        mouth_height=0.0,
    )


def plus(one: Moves, other: Moves) -> Moves:
    """Both moves together, each within twice its limit."""
    limits = vars(LIMITS)
    total = {name: getattr(one, name) + getattr(other, name) for name in limits}
    return Moves(**{name: min(max(value, -2 * limits[name]), 2 * limits[name]) for name, value in total.items()})


def moved(shape: Vertices, moves: Moves) -> Vertices:
    """A shape, (468, 3) in the mean face's frame, with its features moved."""
    wanted = {
        "left_eye": _scaled(shape, "left_eye", moves.eye_size, moves.eye_size, (-moves.eyes_apart, moves.eyes_down)),
        "right_eye": _scaled(shape, "right_eye", moves.eye_size, moves.eye_size, (moves.eyes_apart, moves.eyes_down)),
        "left_brow": _scaled(shape, "left_brow", 0, 0, (-moves.eyes_apart, moves.eyes_down + moves.brows_down)),
        "right_brow": _scaled(shape, "right_brow", 0, 0, (moves.eyes_apart, moves.eyes_down + moves.brows_down)),
        "nose": _scaled(shape, "nose", moves.nose_width, moves.nose_length, (0, moves.nose_down)),
        "mouth": _scaled(shape, "mouth", moves.mouth_width, moves.mouth_height * 0.5, (0, moves.mouth_down)),
    }
    result = shape.copy()
    for feature, motion in wanted.items():
        result[:, :2] += _shares()[feature][:, np.newaxis] * motion
    return result


def eyes_open(points: NDArray[np.floating]) -> float:
    """How far both eyes are open, relative to their widths: lids' distance, of a mesh, (468, 2 or 3)."""
    widths = [points[loop[0]] - points[loop[8]] for loop, _ in EYES.values()]
    return _lids_apart(points) / max(_mean_length(widths), 1e-6)


def _lids_apart(points: NDArray[np.floating]) -> float:
    return _mean_length([points[low] - points[up] for _, lids in EYES.values() for up, low in lids])


def _mean_length(vectors: list[NDArray[np.floating]]) -> float:
    return float(np.linalg.norm(np.asarray(vectors, np.float64), axis=1).mean())


def with_lids(shape: Vertices, wanted: float, read: float) -> Vertices:
    """A shape, (468, 3) in the mean face's frame, whose eyes will be read as open as is wanted, where drawn as they are
    they are read as ``read``: lashes, brows and how the head is held take part in what is seen."""
    factor = 1 + (wanted - read) / _READ_SLOPE / max(wanted, 1e-6)
    widest = min(_LIDS_WITHIN[1], _LIDS_APART_CM / max(_lids_apart(shape), 1e-6))
    higher = min(max(factor, _LIDS_WITHIN[0]), widest) - 1
    result = shape.copy()
    for eye in EYES:
        result[:, :2] += _shares()[eye][:, np.newaxis] * _scaled(shape, eye, 0, higher, (0, 0))
    return result


def brought_nearer(shape: Vertices, wanted: Vertices, seen: Vertices) -> Vertices:
    """A shape whose features will be seen nearer to where they are wanted, where drawn as it is they were seen
    elsewhere: brows, lids and shadows take part in where an eye seems to be. All are (468, 3) in the mean face's frame.

    :param wanted: where the features should be.
    :param seen: where a face mesh saw them as they were drawn.
    """
    result = shape.copy()
    for feature, points in FEATURES.items():
        off = (wanted - seen)[list(points), :2].mean(axis=0)
        result[:, :2] += _shares()[feature][:, np.newaxis] * np.clip(_BROUGHT * off, -_BROUGHT_CM, _BROUGHT_CM)
    return result


def with_usual_outlines(shape: Vertices) -> Vertices:
    """A shape, (468, 3) in the mean face's frame, whose eyes, brows and nose have roughly the mean's outlines, as wide
    and high as before, where they were. The mouth keeps its own, which is expression.

    With the person's own ones 2.2 % of 92 press faces are within a recogniser's threshold, without 1.1 % (four draws).
    """
    result = shape.copy()
    for feature in _WITH_USUAL_OUTLINES:
        points = list(FEATURES[feature])
        own, usual = (all_[points] - all_[points].mean(axis=0) for all_ in (shape, mean_shape()))
        size = np.ptp(own, axis=0) / np.maximum(np.ptp(usual, axis=0), 1e-6)
        size[2] = 1.0  # depth is a guess of the network
        result += _carried()[feature] @ (usual * size - own)
    return result


def _scaled(shape: Vertices, feature: str, wider: float, higher: float, shift: tuple[float, float]) -> Vertices:
    """Motion of every point, (468, 2), if all of the face were scaled about the feature's middle and shifted."""
    from_middle = shape[:, :2] - shape[list(FEATURES[feature]), :2].mean(axis=0)
    return np.asarray(from_middle * (wider, higher) + shift)


@cache
def _shares() -> dict[str, NDArray[np.float64]]:
    """How much every point takes part in a feature's motion, 0 to 1; nothing on the face's outline."""
    flat = mean_shape()
    rim = _distance_cm(flat, OVAL)
    free = np.clip(rim / 2.2, 0, 1)
    raw = {name: np.exp(-((_distance_cm(flat, points) / _REACH_CM) ** 2)) for name, points in FEATURES.items()}
    total = np.maximum(sum(raw.values()), 1.0)
    shares = {name: value / total * free for name, value in raw.items()}
    for name, points in FEATURES.items():
        for other in shares:
            shares[other][list(points)] = 1.0 if other == name else 0.0
    return shares


@cache
def _carried() -> dict[str, NDArray[np.float64]]:
    """How much every point takes part in the motion of each of a feature's points: (468, points of the feature)."""
    flat = mean_shape()
    carried = {}
    for feature in _WITH_USUAL_OUTLINES:
        apart = np.linalg.norm(flat[:, np.newaxis] - flat[list(FEATURES[feature])][np.newaxis], axis=2)
        nearness = np.exp(-((apart / _SAME_PLACE_CM) ** 2))
        nearness /= np.maximum(nearness.sum(axis=1, keepdims=True), 1e-9)
        carried[feature] = _shares()[feature][:, np.newaxis] * nearness
    return carried


def _distance_cm(points: Vertices, loop: tuple[int, ...]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(points[:, np.newaxis] - points[list(loop)][np.newaxis], axis=2).min(axis=1))
