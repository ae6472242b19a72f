"""Eyes and an open mouth, drawn in the photo's own frame: an iris stays round, however far its lids are closed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.mesh.topology import INNER_LIPS, LEFT_EYE, RIGHT_EYE
from photo_anonymizer.methods.surrogate.curves import Points, closed_curve, curve, filled, lines

IRIS_RADIUS_CM = 0.585
"""Adults' irises are 11.7 mm wide, within half a millimetre (Rüfer et al., Cornea 24(3), 2005)."""
_FRAME_CM, _ROUND = 0.2, 0.6
"""Thickness of the frames of glasses; how round they are: 1 is an ellipse, 0 a box."""
_RIM, _DARK_RIM = (1.45, 1.05, 0.1), (1.6, 1.2, 0.2)
"""A frame's rim: half its width and height, and how far its middle lies below the eye's, in half widths of an eye."""
_TEMPLES = (127, 356)
"""Where the arms of glasses leave the face, left and right."""
_TEETH_CM = 1.15
"""How much of the upper teeth shows at most."""
_OPEN_MOUTH_CM = 0.12
"""Lips further apart than this show what is behind them."""

Canvas = NDArray[np.float32]


@dataclass(frozen=True)
class Tones:
    """Colours under the photo's light, float64 (3,), 0 to 255."""

    white: NDArray[np.float64]
    iris: NDArray[np.float64]
    gum: NDArray[np.float64]


def tones_of(skin: NDArray[np.float64], iris: NDArray[np.float64]) -> Tones:
    """The colours of eyes and mouth in the light that gives skin this colour.

    Whites of eyes and teeth are brighter than dark skin and about as bright as light skin; they take on a part of the
    light's tint.

    :param skin: (3,), colour of the skin that looks the way the face does, 0 to 255.
    :param iris: (3,), colour of the iris in white light of medium strength.
    """
    bright = float(skin.mean())
    white = 1.02 * bright + 0.22 * max(0.0, 165 - bright)
    tinted = skin * (white / max(bright, 1.0))
    return Tones(white=0.72 * white + 0.28 * tinted, iris=iris * (0.45 + bright / 300), gum=skin * (0.8, 0.5, 0.5))


def draw_eyes(canvas: Canvas, points: Points, gaze: Points, px_a_cm: float, tones: Tones, lashes: float) -> None:
    """Draws both eyes into a face.

    :param canvas: float32 (h, w, 3), 0 to 255; changed.
    :param points: (468, 2), the mesh in the canvas' pixels.
    :param gaze: (2, 2), middles of the left and the right iris.
    :param lashes: 0 to 1, how dark the upper lid's edge is.
    """
    for loop, middle in zip((LEFT_EYE, RIGHT_EYE), gaze, strict=True):
        opening = closed_curve(points[list(loop)])
        height = float(np.ptp(opening[:, 1]))
        box = _around(opening, 0.35 * px_a_cm, canvas.shape)
        if box is None:
            continue
        (x0, y0), (x1, y1) = box
        part = canvas[y0:y1, x0:x1]
        shifted = opening - (x0, y0)
        inside = cv2.GaussianBlur(filled(part.shape, shifted), (0, 0), max(0.35, 0.015 * px_a_cm))
        eye = _eyeball(part.shape, middle - (x0, y0), IRIS_RADIUS_CM * px_a_cm, tones)
        depth = _below_lid(part.shape, shifted, height)
        eye *= (0.62 + 0.38 * depth)[..., np.newaxis]
        part += inside[..., np.newaxis] * (eye - part)
        _lash_line(part, points[list(loop)] - (x0, y0), px_a_cm, lashes)


def _eyeball(shape: tuple[int, ...], middle: Points, radius_px: float, tones: Tones) -> Canvas:
    columns, rows = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
    across, down = columns - middle[0], rows - middle[1]
    distance = np.hypot(across, down) / max(radius_px, 1e-6)
    edge = 1 / max(radius_px, 1.0)
    eye = np.broadcast_to(tones.white, (*shape[:2], 3)).astype(np.float32)
    eye *= np.clip(1.06 - 0.14 * np.abs(across) / max(1.6 * radius_px, 1e-6), 0.75, 1.05)[..., np.newaxis].astype(
        np.float32
    )
    angle = np.arctan2(down, across)
    spokes = 1 + 0.1 * np.sin(23 * angle + 3 * np.sin(5 * angle)) * np.clip(distance, 0, 1)
    ring = 1 - 0.55 * np.clip((distance - 0.78) / 0.22, 0, 1)
    lit = 1 + 0.35 * np.clip(down / max(radius_px, 1e-6), -1, 1)
    iris = tones.iris * (spokes * ring * lit)[..., np.newaxis]
    within = np.clip((1 - distance) / edge + 0.5, 0, 1)[..., np.newaxis]
    eye += within.astype(np.float32) * (iris - eye)
    pupil = np.clip((0.4 - distance) / edge + 0.5, 0, 1)[..., np.newaxis]
    eye += pupil.astype(np.float32) * (0.08 * tones.iris - eye)
    glint = np.hypot(across + 0.3 * radius_px, down + 0.35 * radius_px) / max(0.17 * radius_px, 0.5)
    shine = np.clip(1.4 - glint, 0, 1)[..., np.newaxis]
    eye += 0.85 * shine.astype(np.float32) * (np.minimum(tones.white * 1.35, 255) - eye)
    return np.asarray(eye, np.float32)


def _below_lid(shape: tuple[int, ...], opening: Points, height: float) -> Canvas:
    """How far below the upper lid's edge a pixel lies, 0 to 1: the lid throws a shadow."""
    upper = filled(shape, opening - (0, max(0.32 * height, 0.5)))
    soft = cv2.GaussianBlur(upper, (0, 0), max(0.18 * height, 0.4))
    return np.asarray(1 - 0.8 * (1 - soft), np.float32)


def _lash_line(part: Canvas, loop: Points, px_a_cm: float, lashes: float) -> None:
    """The edge of the upper lid, from the outer corner: dark, thickest outwards."""
    upper = curve(np.vstack([loop[:1], loop[:8:-1], loop[8:9]]))
    middle = len(upper) // 2
    widths = [max(1, round(px_a_cm * 0.075 * share)) for share in (1.1, 0.7)]
    halves = (upper[: middle + 1], upper[middle:])
    layer = np.maximum(*(lines(part.shape, [half], width) for half, width in zip(halves, widths, strict=True)))
    soft = cv2.GaussianBlur(layer, (0, 0), max(0.4, 0.02 * px_a_cm))
    strength = lashes * min(1.0, px_a_cm * 0.09)  # thinner than a pixel means fainter
    part *= 1 - np.minimum(strength * soft, 0.95)[..., np.newaxis]


def draw_glasses(canvas: Canvas, points: Points, px_a_cm: float, skin: NDArray[np.float64]) -> None:
    """Draws plain dark frames where the face that is replaced wears glasses: the same for everybody.

    :param points: (468, 2), the mesh in the canvas' pixels.
    :param skin: (3,), colour of the skin, which says how bright the light is.
    """
    rims = [closed_curve(_rim_of(points, loop, _RIM)) for loop in (LEFT_EYE, RIGHT_EYE)]
    _draw_frame(canvas, points, rims, px_a_cm, skin)


def draw_dark_glasses(canvas: Canvas, points: Points, px_a_cm: float, skin: NDArray[np.float64]) -> None:
    """Draws plain sunglasses, the same for everybody, in place of the eyes that sunglasses hide: see
    :func:`draw_glasses`. They are a little lighter below, as they are seen from the front under a sky."""
    rims = [closed_curve(_rim_of(points, loop, _DARK_RIM)) for loop in (LEFT_EYE, RIGHT_EYE)]
    glass = cv2.GaussianBlur(cv2.max(*(filled(canvas.shape, rim) for rim in rims)), (0, 0), max(0.4, 0.03 * px_a_cm))
    (_, top), (_, bottom) = np.vstack(rims).min(axis=0), np.vstack(rims).max(axis=0)
    down = np.clip((np.arange(canvas.shape[0]) - top) / max(bottom - top, 1e-6), 0, 1).astype(np.float32)
    shade = (0.1 + 0.12 * down)[:, np.newaxis, np.newaxis] * skin.astype(np.float32)
    canvas += (0.97 * glass)[..., np.newaxis] * (shade - canvas)
    _draw_frame(canvas, points, rims, px_a_cm, skin)


def _draw_frame(canvas: Canvas, points: Points, rims: list[Points], px_a_cm: float, skin: NDArray[np.float64]) -> None:
    width = max(1, round(_FRAME_CM * px_a_cm))
    left, right = rims
    arms = [(left[left[:, 0].argmin()], points[_TEMPLES[0]]), (right[right[:, 0].argmax()], points[_TEMPLES[1]])]
    bar = (left[left[:, 0].argmax()], right[right[:, 0].argmin()])
    layer = lines(canvas.shape, [*(np.vstack([rim, rim[:1]]) for rim in rims), *map(np.stack, (*arms, bar))], width)
    frame = cv2.GaussianBlur(layer, (0, 0), max(0.4, 0.02 * px_a_cm))
    shadow = cv2.GaussianBlur(layer, (0, 0), max(0.5, 0.12 * px_a_cm))
    strength = min(1.0, _FRAME_CM * px_a_cm)
    canvas *= 1 - 0.25 * strength * np.roll(shadow, max(1, width // 2), axis=0)[..., np.newaxis]
    canvas += (0.92 * strength * frame)[..., np.newaxis] * (0.16 * skin - canvas)


def _rim_of(points: Points, loop: tuple[int, ...], size: tuple[float, float, float]) -> Points:
    """A frame's rim: the eye's opening, widened to a rounded box about it.

    :param size: half its width and half its height, and how far down its middle lies, in half widths of the eye.
    """
    wide, high, lower = size
    corners = points[[loop[0], loop[8]]]
    across = (corners[1] - corners[0]) / 2
    down = np.array([-across[1], across[0]]) * np.sign(across[0] or 1.0)
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    x, y = (np.sign(part) * np.abs(part) ** _ROUND for part in (np.cos(angles), np.sin(angles)))
    return np.asarray(corners.mean(axis=0) + lower * down + np.outer(wide * x, across) + np.outer(high * y, down))


def draw_mouth(canvas: Canvas, points: Points, px_a_cm: float, tones: Tones) -> None:
    """Draws what an open mouth shows: the dark, and the upper teeth."""
    gap = float(np.linalg.norm(points[14] - points[13]))
    if gap < _OPEN_MOUTH_CM * px_a_cm:
        return
    opening = closed_curve(points[list(INNER_LIPS)])
    box = _around(opening, 0.3 * px_a_cm, canvas.shape)
    if box is None:
        return
    (x0, y0), (x1, y1) = box
    part, shifted = canvas[y0:y1, x0:x1], opening - (x0, y0)
    inside = cv2.GaussianBlur(filled(part.shape, shifted), (0, 0), max(0.4, 0.035 * px_a_cm))
    down = points[14] - points[13]
    teeth_cm = min(0.95 * gap / px_a_cm, _TEETH_CM)
    lower_edge = down / max(gap, 1e-6) * teeth_cm * px_a_cm
    teeth = filled(part.shape, shifted) * filled(part.shape, _upper_teeth(points, lower_edge) - (x0, y0))
    teeth = cv2.GaussianBlur(teeth, (0, 0), max(0.4, 0.03 * px_a_cm))
    behind = np.broadcast_to(tones.gum * 0.28, part.shape).astype(np.float32)
    behind += teeth[..., np.newaxis] * (_dentition(part.shape, points - (x0, y0), px_a_cm, tones) - behind)
    shade = 0.88 + 0.12 * cv2.GaussianBlur(inside, (0, 0), max(0.5, 0.12 * px_a_cm))
    part += inside[..., np.newaxis] * (behind * shade[..., np.newaxis] - part)


def _upper_teeth(points: Points, lower_edge: Points) -> Points:
    """The band of the upper teeth: from above the upper lip's edge to the teeth's edge, a gentle arc."""
    upper = curve(points[list(INNER_LIPS[10:] + INNER_LIPS[:1])])
    share = np.linspace(-1, 1, len(upper))
    lower = upper + lower_edge * np.clip(1.25 - 0.9 * share**2, 0, 1)[:, np.newaxis]
    return np.vstack([upper - 0.5 * lower_edge, lower[::-1]])


def _dentition(shape: tuple[int, ...], points: Points, px_a_cm: float, tones: Tones) -> Canvas:
    """Teeth with the faint lines between them, darker towards the corners of the mouth."""
    left, right = points[INNER_LIPS[0]], points[INNER_LIPS[10]]
    middle, across = (left + right) / 2, (right - left) / max(float(np.linalg.norm(right - left)), 1e-6)
    columns, rows = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
    along_cm = ((columns - middle[0]) * across[0] + (rows - middle[1]) * across[1]) / px_a_cm
    width_cm = 0.82 - 0.06 * np.minimum(np.abs(along_cm), 3)
    phase = np.abs((np.abs(along_cm) / width_cm + 0.5) % 1 - 0.5)
    lines = 1 - 0.16 * np.exp(-((phase / 0.07) ** 2)) * min(1.0, px_a_cm / 14)
    dim = np.clip(1.22 - 0.09 * along_cm**2, 0.5, 1.22)
    warm = np.minimum(tones.white * (1.06, 1.05, 1.02), 245)
    return np.asarray(warm * (lines * dim)[..., np.newaxis], np.float32)


def _around(loop: Points, margin_px: float, shape: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]] | None:
    low = np.floor(loop.min(axis=0) - margin_px - 2).astype(int).clip(0)
    high = np.minimum(np.ceil(loop.max(axis=0) + margin_px + 2).astype(int), shape[1::-1])
    if (high <= low).any():
        return None
    return (int(low[0]), int(low[1])), (int(high[0]), int(high[1]))
