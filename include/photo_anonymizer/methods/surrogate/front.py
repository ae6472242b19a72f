"""What lies in front of a face: hair over the forehead or the cheeks stays, and where too much is hidden the face
cannot be replaced well.

Known by its colour alone: what the face's own light does not explain and what is connected to the face's outline.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.mesh.texture import Texture
from photo_anonymizer.mesh.topology import LEFT_BROW, LEFT_EYE, OUTER_LIPS, OVAL, RIGHT_BROW, RIGHT_EYE, texture_points
from photo_anonymizer.methods.surrogate.blend import brightness

Plane = NDArray[np.float32]
SIDE_PX = 256
COARSE_PX = 128
"""Side of the unrolled face in which colours are compared: a quarter of the time and memory."""
_LINE_ACROSS = 0.2
"""Range of that brightness: two thirds of 119 faces without glasses stay below this, none with framed ones does."""
_SURELY_A_BAR, _BAR_IS_DARKER = 0.6, 0.3
"""Range and depth of a frame's bar; of 119 faces the two with dark frames have them, and no other."""
_OTHER_HUE, _OTHER_BRIGHTNESS = 24.0, 45.0
"""Distances in a*b* and in L* from which something is no skin."""
_HUE, _DARKER = (13.0, 26.0), (26.0, 45.0)
"""Distances from the lit skin, in a*b* and in L*, from which something at the outline is no skin: above the eyes, and
beside and below them, where shadows and sideburns are more likely than strands of hair."""
_HUE_IF_BRIGHTER = 20.0
_EYES_AT = 0.4
"""Where that changes, in heights of the texture."""
_DARK, _PALE, _COLOURLESS = 0.5, 0.4, 6.0
"""Shares of the skin's L* and chroma below which something is dark hair; chroma of a picture without colour."""
_MOSTLY_DARK = 0.45
"""Share of the skin below an eye that is dark behind sunglasses: of 155 faces the eight that wear them have 0.48 and
more on either side, and of the others one has, whose mouth is hidden by another one's hair; the next has 0.33."""
_BELOW_EYES = (
    (31, 228, 229, 230, 231, 232, 233, 112, 26, 22, 23, 24, 110, 25),
    (261, 448, 449, 450, 451, 452, 453, 341, 256, 252, 253, 254, 339, 255),
)
_LOWEST_PX = 80
"""Rows from here on are at the height of the mouth or below."""
_REACH_PX = 31
"""How far into the face, from its outline, something in front of it is looked for."""


def lab_of(colours: Texture) -> Texture:
    """Colours, 0 to 255, in CIELAB; brighter ones count as 255."""
    return np.asarray(cv2.cvtColor(colours * np.float32(1 / 255), cv2.COLOR_RGB2LAB))


def dark_hair(lab: Texture) -> NDArray[np.bool_]:
    """Where a face is dark and has lost its colour, which skin keeps in the shade: (side, side). The light on a face
    would else be taken to leave out its sides, where dark hair hangs over them.

    :param lab: the face unrolled, in CIELAB, float32 (side, side, 3).
    """
    bright, redder, yellower = cv2.split(lab)
    colourful = cv2.magnitude(redder, yellower)
    usual_bright, usual_colour = (float(np.median(values)) for values in (bright, colourful))
    if usual_colour < _COLOURLESS:
        return np.zeros(bright.shape, bool)
    return np.asarray((bright < _DARK * usual_bright) & (colourful < _PALE * usual_colour))


def in_front(lab: Texture, skin_lab: Texture) -> Plane:
    """Where something other than skin reaches into the face from its outline: float32 (COARSE_PX, COARSE_PX), 0 to 1.

    :param lab: the face unrolled, in CIELAB, float32 (COARSE_PX, COARSE_PX, 3).
    :param skin_lab: what plain skin would look like there under the face's light; likewise.
    """
    other = np.zeros((COARSE_PX, COARSE_PX), np.uint8)
    rows = slice(0, _LOWEST_PX)
    other[rows] = _is_no_skin(lab[rows], skin_lab[rows])
    other &= _possible()
    count, number = cv2.connectedComponents(other)
    kept = np.zeros(count, np.float32)
    kept[number.ravel()[_at_outline()]] = 1
    kept[0] = 0  # the background
    return np.asarray(cv2.GaussianBlur(kept[number], (0, 0), 0.8))


def hidden_share(lab: Texture) -> float:
    """Share of the face's middle (nose, inner cheeks, chin) whose colour is not that of the skin above it, 0 to 1.

    Colours are compared in CIELAB. Light differs over a face in brightness far more than in hue, and so do beards.

    :param lab: the face unrolled, in CIELAB, float32 (COARSE_PX, COARSE_PX, 3).
    """
    colours = lab.reshape(-1, 3)
    away = colours[_middle()] - np.median(colours[_above()], axis=0)
    other = (np.hypot(away[:, 1], away[:, 2]) > _OTHER_HUE) | (np.abs(away[:, 0]) > _OTHER_BRIGHTNESS)
    return float(other.mean())


def bridge_is_bare(texture: Texture) -> bool:
    """Is there nothing between the eyes but skin? The bar of glasses shows as a line across; rimless ones pass."""
    return bool(np.ptp(_along_bridge(texture)) < _LINE_ACROSS)


def wears_glasses(texture: Texture) -> bool:
    """Does a dark bar cross the bridge of the nose? So do the frames of glasses; rimless ones are not seen."""
    along = _along_bridge(texture)
    return bool(np.ptp(along) > _SURELY_A_BAR and along.min() < -_BAR_IS_DARKER)


def wears_dark_glasses(lab: Texture, skin_lab: Texture) -> bool:
    """Is it dark below both eyes, where no shadow of a brow reaches? So it is behind sunglasses.

    :param lab: the face unrolled, in CIELAB, float32 (COARSE_PX, COARSE_PX, 3).
    :param skin_lab: what plain skin would look like there under the face's light; likewise.
    """
    dark = lab[..., 0] < _DARK * skin_lab[..., 0]
    return all(float(dark.ravel()[below].mean()) > _MOSTLY_DARK for below in _below_eyes())


def _along_bridge(texture: Texture) -> Plane:
    """Brightness along the bridge of the nose, relative to the skin, without its slow changes."""
    (left, _), (right, _) = (texture_points()[number] * SIDE_PX for number in (193, 417))
    (_, top), (_, bottom) = (texture_points()[number] * SIDE_PX for number in (8, 197))
    around = 4  # as far as the blur reaches
    part = texture[round(top) - around : round(bottom) + around, round(left) - 1 - around : round(right) + 2 + around]
    grey = cv2.GaussianBlur(brightness(part), (0, 0), 1.0) / max(float(np.median(texture[60:180:4, 60:196:4])), 1.0)
    strip = grey[around:-around, around:-around].mean(axis=1, keepdims=True)
    return np.asarray(strip - cv2.GaussianBlur(strip, (0, 0), 8.0))


def _is_no_skin(lab: Texture, skin_lab: Texture) -> NDArray[np.bool_]:
    """Of another hue than the lit skin, or much darker. Highlights are brighter and paler, and stay skin."""
    brighter, redder, yellower = cv2.split(cv2.subtract(lab, skin_lab))
    hue = cv2.magnitude(redder, yellower)
    above = (np.arange(len(lab)) < _EYES_AT * COARSE_PX)[:, np.newaxis]
    hue_from, darker_from = (np.where(above, *limits).astype(np.float32) for limits in (_HUE, _DARKER))
    other_hue = (hue > hue_from) & (brighter <= 0) | (hue > _HUE_IF_BRIGHTER) & (brighter > 0)
    return np.asarray((brighter < -darker_from) | other_hue)


@lru_cache(maxsize=1)
def _depth() -> Plane:
    """Distance from the outline in px, 0 outside the face."""
    return np.asarray(cv2.distanceTransform(_area(OVAL, 0), cv2.DIST_L2, 5))


@lru_cache(maxsize=1)
def _at_outline() -> NDArray[np.intp]:
    """Numbers of the pixels along the outline."""
    return np.flatnonzero((_depth() > 0) & (_depth() < 3))


@lru_cache(maxsize=1)
def _possible() -> NDArray[np.uint8]:
    """1 where hair may lie: not on the features, which are no plain skin either; below the mouth it would be a beard;
    nor far inside."""
    features = np.zeros((COARSE_PX, COARSE_PX), np.uint8)
    for loop in (LEFT_EYE, RIGHT_EYE, LEFT_BROW, RIGHT_BROW, OUTER_LIPS):
        features |= _area(loop, 3)
    above = np.arange(COARSE_PX)[:, np.newaxis] < _LOWEST_PX
    return np.asarray((features == 0) & above & (_depth() < _REACH_PX), np.uint8)


@lru_cache(maxsize=1)
def _above() -> NDArray[np.intp]:
    """Numbers of the pixels of forehead and bridge of the nose: seldom hidden together with what lies below."""
    return np.flatnonzero(_area((104, 333, 299, 69, 9, 151), 0) | _area((6, 122, 351, 168), 0))


@lru_cache(maxsize=1)
def _middle() -> NDArray[np.intp]:
    middle = _area((118, 6, 347, 425, 421, 199, 201, 205), 0)
    return np.flatnonzero((middle > 0) & (_area(OUTER_LIPS, 2) == 0))


@lru_cache(maxsize=1)
def _below_eyes() -> tuple[NDArray[np.intp], ...]:
    """Numbers of the pixels below the left and the right eye."""
    both = zip(_BELOW_EYES, (LEFT_EYE, RIGHT_EYE), strict=True)
    return tuple(np.flatnonzero((_area(below, 0) > 0) & (_area(eye, 1) == 0)) for below, eye in both)


def _area(loop: tuple[int, ...], grow_px: int) -> NDArray[np.uint8]:
    mask = np.zeros((COARSE_PX, COARSE_PX), np.uint8)
    points = np.round(texture_points()[list(loop)] * COARSE_PX).astype(np.int32)
    cv2.fillPoly(mask, [points if loop == OVAL else cv2.convexHull(points)], 255)
    return cv2.dilate(mask, np.ones((2 * grow_px + 1, 2 * grow_px + 1), np.uint8)) if grow_px else mask
