"""The drawn face's colours, unrolled and without light: a multiple of the skin's colour at every place.

No photo of a person is used. What is drawn where follows from the mesh's own points, colours and amounts from the
:class:`~photo_anonymizer.methods.surrogate.looks.Look` and from chance. Lengths are given in 512ths of the texture's
side, so that a small texture shows the same face as a large one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.mesh.texture import Texture, in_colour, tinted, unrolling
from photo_anonymizer.mesh.topology import INNER_LIPS, LEFT_BROW, OUTER_LIPS, RIGHT_BROW, texture_points
from photo_anonymizer.methods.surrogate.curves import closed_curve, curve, filled
from photo_anonymizer.methods.surrogate.curves import lines as drawn_lines
from photo_anonymizer.methods.surrogate.looks import Look
from photo_anonymizer.methods.surrogate.noise import white_noise

UNITS = 512.0
HAIRS_A_BROW = 260
"""In a texture of 512 px and more; in a smaller one, whose hairs are as thin as lines can be, fewer are as dense."""
_FEWER_HAIRS = 0.7
_HAIR_WIDTH = 2.4
_UPPER_LIDS = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (263, 466, 388, 387, 386, 385, 384, 398, 362))
_LOWER_LIDS = ((33, 7, 163, 144, 145, 153, 154, 155, 133), (263, 249, 390, 373, 374, 380, 381, 382, 362))
_CREASES = ((247, 30, 29, 27, 28, 56, 190), (467, 260, 259, 257, 258, 286, 414))
_BAGS = ((25, 110, 24, 23, 22, 26), (255, 339, 254, 253, 252, 256))
_SMILE_LINES = ((129, 203, 206, 216, 212), (358, 423, 426, 436, 432))
_FOREHEAD_LINES = ((104, 69, 108, 151, 337, 299, 333), (67, 109, 10, 338, 297))
_NOSTRILS = ((98, 97), (327, 326))
_WINGS = ((129, 64, 98), (358, 294, 327))
_BEARD = (58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 436, 426, 327, 2, 98, 206, 216)
_DARKEST, _BRIGHTEST = 0.03, 1.6

Plane = NDArray[np.float32]
Lines = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Mark:
    """Something that covers a small part of the texture.

    :param place: rows and columns.
    :param where: float32, how much of it there is at every place, 0 to 1; (h, w) of the place.
    """

    place: tuple[slice, slice]
    where: Plane

    @classmethod
    def of(cls, layer: Plane) -> Mark:
        """The part of a layer, (side, side), that is above 0."""
        x, y, width, height = cv2.boundingRect((layer > 0).astype(np.uint8))
        place = slice(y, y + height), slice(x, x + width)
        return cls(place, np.ascontiguousarray(layer[place]))


def painted(look: Look, side_px: int, rng: np.random.Generator) -> Texture:
    """A drawn face: float32 (side_px, side_px, 3), 1 is plain skin."""
    face = _skin(look, side_px, rng)
    lined = look.lines
    for lines, width, soft, amount in (
        (_CREASES, 5, 3.0, (0.22, 0.26, 0.26)),
        (_BAGS, 7, 5.0, _grey(0.1 + 0.12 * lined)),
        (_SMILE_LINES, 5, 4.5, (0.04 + 0.14 * lined, 0.05 + 0.17 * lined, 0.05 + 0.17 * lined)),
        (_FOREHEAD_LINES, 4, 3.0, _grey(0.05 * lined)),
        (_WINGS, 5, 3.5, (0.12, 0.18, 0.18)),
    ):
        _darken(face, _strokes(lines, side_px, width, soft), amount)
    _darken(face, _nostrils(side_px), (0.5, 0.62, 0.64))
    _beard(face, look, rng)
    _lips(face, look, rng)
    _brows(face, look, rng)
    _darken(face, _strokes(_UPPER_LIDS, side_px, 5, 1.6), tuple(look.lashes * np.array([0.85, 0.9, 0.9])))
    _darken(face, _strokes(_LOWER_LIDS, side_px, 3, 1.8), tuple(look.lashes * np.array([0.3, 0.38, 0.38])))
    return np.clip(plain_skin_is_one(face), _DARKEST, _BRIGHTEST)


def plain_skin_is_one(face: Texture) -> Texture:
    """A texture scaled so that most of the face is 1: lighting is fitted to whole faces, most of which is skin."""
    some = face.reshape(-1, 3)[unrolling(face.shape[0]).some]
    return tinted(face, 1 / np.maximum(np.median(some, axis=0), 1e-3))


def _grey(amount: float) -> tuple[float, float, float]:
    return amount, amount, amount


def _skin(look: Look, side_px: int, rng: np.random.Generator) -> Texture:
    redder, plain = _zones(side_px)
    blotches = np.float32(0.018) * _noise(14, side_px, rng) + np.float32(0.012) * _noise(48, side_px, rng)
    pores = np.float32(0.014) * _noise(min(170, side_px), side_px, rng)
    pores += np.float32(0.012) * _noise(side_px, side_px, rng)
    bluish = blotches + pores
    skin = cv2.merge([bluish - np.float32(0.4) * blotches, bluish, bluish])
    skin += np.float32(look.blush) * redder
    skin += plain
    return np.asarray(skin)


@lru_cache(maxsize=6)
def _zones(side_px: int) -> tuple[Texture, Texture]:
    """What blood adds (cheeks, nose, chin), and skin without it: darker around the eyes, yellower above."""
    red = _spots(((205, 62), (425, 62), (4, 40), (199, 40), (50, 48), (280, 48)), side_px)
    dark = _spots(((159, 34), (386, 34), (145, 30), (374, 30), (133, 20), (362, 20)), side_px)
    yellow = _spots(((151, 90), (9, 60)), side_px)
    redder = np.minimum(red, 1)[..., np.newaxis] * np.array([0.03, -0.05, -0.04], np.float32)
    darker = np.minimum(dark, 1)[..., np.newaxis] * np.array([-0.075, -0.095, -0.085], np.float32)
    yellower = np.minimum(yellow, 1)[..., np.newaxis] * np.array([0.02, 0.015, -0.03], np.float32)
    return redder, 1 + darker + yellower


def _spots(spots: Sequence[tuple[int, float]], side_px: int) -> Plane:
    """A sum of Gaussians, each about a point with a sigma in units."""
    at = (np.arange(side_px, dtype=np.float32) + np.float32(0.5)) * np.float32(UNITS / side_px)
    total = np.zeros((side_px, side_px), np.float32)
    for number, sigma in spots:
        x, y = texture_points()[number] * UNITS
        total += np.exp(-((at - y) ** 2)[:, np.newaxis] / (2 * sigma**2)) * np.exp(-((at - x) ** 2) / (2 * sigma**2))
    return total


def _noise(cells: int, side_px: int, rng: np.random.Generator) -> Plane:
    """Noise of unit deviation with so many features along a side."""
    coarse = white_noise((cells, cells), rng)
    if cells == side_px:
        return coarse
    shown = cv2.resize(coarse, (side_px, side_px), interpolation=cv2.INTER_LINEAR)
    return np.asarray(shown * np.float32(1 / _kept_by_enlarging(cells, side_px)))


@lru_cache(maxsize=16)
def _kept_by_enlarging(cells: int, side_px: int) -> float:
    """Deviation that noise of unit deviation has once it is enlarged: what lies between two values is their mean."""
    rng = np.random.default_rng(0)
    enlarged = [
        cv2.resize(white_noise((cells, cells), rng), (side_px, side_px), interpolation=cv2.INTER_LINEAR)
        for _ in range(8)
    ]
    return float(np.std(enlarged))


def _darken(face: Texture, mark: Mark, amounts: Sequence[float]) -> None:
    """Darkens in place, by so much a channel."""
    face[mark.place] *= 1 - tinted(in_colour(mark.where), np.asarray(amounts))


@lru_cache(maxsize=32)
def _strokes(lines: Lines, side_px: int, width: float, soft: float) -> Mark:
    """Soft lines through points, 0 to 1, thinner at their ends."""
    unit = side_px / UNITS
    layer = np.zeros((side_px, side_px), np.float32)
    for line in lines:
        points = curve(texture_points()[list(line)] * side_px)
        for at in range(len(points) - 1):
            taper = float(np.sin(np.pi * (at + 0.5) / (len(points) - 1)) ** 0.6)
            part = drawn_lines(layer.shape, [points[at : at + 2]], max(1, round(width * unit * taper)), taper)
            layer = np.maximum(layer, part)
    blurred = cv2.GaussianBlur(layer, (0, 0), max(soft * unit, 0.4))
    blurred[blurred < 0.004] = 0
    return Mark.of(blurred / max(float(blurred.max()), 1e-6))


@lru_cache(maxsize=6)
def _nostrils(side_px: int) -> Mark:
    unit = side_px / UNITS
    layer = np.zeros((side_px, side_px), np.float32)
    for outer, inner in _NOSTRILS:
        one, two = texture_points()[outer] * side_px, texture_points()[inner] * side_px
        middle = 0.55 * one + 0.45 * two - (0, 5 * unit)
        axes = 0.6 * float(np.linalg.norm(two - one)), 7.6 * unit
        cv2.ellipse(layer, (tuple(middle.tolist()), axes, 0.0), 1.0, -1, cv2.LINE_AA)
    return Mark.of(cv2.GaussianBlur(layer, (0, 0), 2.2 * unit))


@lru_cache(maxsize=16)
def _filled(loop: tuple[int, ...], side_px: int, soft: float) -> Plane:
    closed = closed_curve(texture_points()[list(loop)] * side_px)
    return np.asarray(cv2.GaussianBlur(filled((side_px, side_px), closed), (0, 0), max(soft * side_px / UNITS, 0.4)))


def _lips(face: Texture, look: Look, rng: np.random.Generator) -> None:
    side_px = face.shape[0]
    lips, gloss = _mouth(side_px)
    grooves = 1 + 0.03 * cv2.GaussianBlur(white_noise((1, side_px), rng), (0, 0), 1.2)
    tint = np.asarray(look.lip_tint, np.float32) * grooves[:, lips.place[1], np.newaxis]
    face[lips.place] *= (1 + lips.where[..., np.newaxis] * (tint - 1)) * (1 + 0.1 * gloss[..., np.newaxis])
    _darken(face, _strokes((INNER_LIPS[:11],), side_px, 3, 1.6), (0.42, 0.5, 0.48))


@lru_cache(maxsize=6)
def _mouth(side_px: int) -> tuple[Mark, Plane]:
    """The lips, and the light on the lower one."""
    lips = Mark.of(_filled(OUTER_LIPS, side_px, 3.0))
    return lips, _spots(((15, 9), (316, 8), (86, 8)), side_px)[lips.place] * lips.where


def _brows(face: Texture, look: Look, rng: np.random.Generator) -> None:
    """Hair by hair, in three shades."""
    side_px = face.shape[0]
    unit = side_px / UNITS
    hairs = np.stack([_hairs(loop, look, side_px, rng) for loop in (LEFT_BROW, RIGHT_BROW)])
    margin = 18 * unit + 2  # as far as the blurs reach
    low = np.floor(hairs.min(axis=(0, 1, 2)) - margin).astype(int).clip(0)
    high = np.ceil(hairs.max(axis=(0, 1, 2)) + margin).astype(int).clip(0, side_px)
    shape = high[1] - low[1], high[0] - low[0]
    strength = min(1.0, _HAIR_WIDTH * unit)  # thinner than a pixel means fainter
    shades = [
        drawn_lines(shape, some.reshape(-1, 2, 2), 1, shade * strength)
        for shade, some in zip((0.55, 0.75, 0.95), np.array_split(hairs - low, 3, axis=1), strict=True)
    ]
    layer = np.maximum.reduce(shades)
    fine = cv2.GaussianBlur(layer, (0, 0), max(1.3 * unit, 0.5))
    under = cv2.GaussianBlur(layer, (0, 0), 4 * unit)
    where = np.clip(np.float32(0.7) * fine + np.float32(0.55) * under, 0, 1)
    where[where < 0.004] = 0
    brows = Mark((slice(low[1], high[1]), slice(low[0], high[0])), where)
    _darken(face, brows, tuple(look.brow_dark * np.array([0.95, 1.0, 1.03])))


def _hairs(loop: tuple[int, ...], look: Look, side_px: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Root and tip of a brow's hairs, (n, 2, 2), each along the brow and a little up; denser and lower towards the
    nose."""
    unit = side_px / UNITS
    upper, lower = _edges(loop, side_px)
    along = rng.beta(1.2, 1.15, round(HAIRS_A_BROW * (1 if side_px >= UNITS else _FEWER_HAIRS)))
    top, bottom = _at(upper, along), _at(lower, along)
    thick = look.brow_thick * (0.45 + 0.55 * np.minimum(1, along * 3))
    raised = look.brow_arch * side_px * np.sin(np.pi * along)
    root = (top + bottom) / 2 + (bottom - top) * (rng.uniform(-0.5, 0.5, len(along)) * thick)[:, np.newaxis]
    root[:, 1] -= raised
    before, after = _at(upper, np.stack([np.maximum(along - 0.15, 0), np.minimum(along + 0.15, 1)]))
    ahead = before - after
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-6)
    ahead[:, 1] -= np.where(along > 0.85, 0.45, 0.2) * rng.uniform(0.5, 1.2, len(along))
    tip = root + ahead * (rng.uniform(8, 15, len(along)) * unit)[:, np.newaxis]
    return np.stack([root, tip], axis=1)


@lru_cache(maxsize=6)
def _edges(loop: tuple[int, ...], side_px: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A brow's upper and lower edge, both from the outer end to the nose."""
    points = texture_points()[list(loop)] * side_px
    upper, lower = curve(points[:5]), curve(points[:4:-1])
    if np.linalg.norm(lower[0] - upper[0]) > np.linalg.norm(lower[-1] - upper[0]):
        lower = lower[::-1]
    return upper, lower


def _at(points: NDArray[np.float64], along: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places on a curve of evenly spaced points, (…, 2), for shares of its length 0 to 1, (…)."""
    at = along * (len(points) - 1)
    before = np.minimum(at.astype(np.intp), len(points) - 2)
    share = (at - before)[..., np.newaxis]
    return np.asarray(points[before] * (1 - share) + points[before + 1] * share)


def _beard(face: Texture, look: Look, rng: np.random.Generator) -> None:
    if look.beard <= 0:
        return
    side_px = face.shape[0]
    area = _filled(_BEARD, side_px, 14.0) * (1 - _filled(OUTER_LIPS, side_px, 4.0))
    stubble = np.clip(1 + 0.3 * _noise(side_px // 2, side_px, rng), 0.3, 1.7)
    amount = in_colour(area * stubble * np.float32(look.beard))
    face *= 1 - np.clip(tinted(amount, np.array([1.0, 0.95, 0.88])), 0, 0.9)
