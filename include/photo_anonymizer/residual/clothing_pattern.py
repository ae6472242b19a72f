"""Prints, text, strong cloth patterns and tattoos: found as texture, flattened to a few mean colours.

What tells a pattern from a fold, a lapel or the edge of a shadow is that its edges cancel: a stroke has one edge up
and one edge down, a fold only one of the two. So for every place the sum of gradient strengths is compared with the
strength of the summed gradients, after Xu et al. 2012 ("Structure extraction from texture via relative total
variation", ACM TOG 31(6)); their difference is large in text, stripes, checks, flowers and tattoos. It is measured on
lightness and both colour axes together, over windows for cloth and for fine strokes; a lower bar holds on bare skin,
which is plain by nature. The bars were set on press portraits: suits with plain ties stay, wild ties may go.

What replaces them is a smooth field through the mean colours of cells half a face wide, taken over the flagged pixels
alone: two patterns that share these means and the flagged area give the same pixels, so nothing brings them back.
Shading larger than a cell stays, so that cloth still looks like cloth.

What this does not do: plain cloth that identifies by its colour or cut stays, as do faint tattoos, stripes wider than
an eighth of a face, and whatever hangs beside the body. Long hair over a shoulder may be taken for a pattern.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.model.face import Face
from photo_anonymizer.model.geometry import Box, PixelBox
from photo_anonymizer.model.patch import CUE_LAYER, Patch
from photo_anonymizer.model.pixels import Alpha, Pixels
from photo_anonymizer.residual.body import WORKING_FACE_PX, Body, Corners, find_body

AUTHOR = "residual.clothing_pattern"
THRESHOLD = 3.0
"""Cancelled gradient, in CIELAB units per working pixel, from which a place may be a pattern at strength 0.5."""
THRESHOLD_RANGE = 2.5
"""The threshold is so many times higher at strength 0, and lower at strength 1."""
SKIN_SHARE = 0.8
"""Bare skin is plainer than cloth: there, this share of the threshold and the smallest area already make a tattoo."""
SMALLEST_AREA = 0.02
"""What is smaller, in squares of the face's size, never counts."""
CELL_FACES = 0.37
"""Side of a cell in face sizes: half a face's width."""
SKIN_RADIUS = 19.0
"""Distance of a colour from the face's, in CIELAB units with lightness at 0.25, up to which it counts as skin."""
SHRINK = 4
"""The measure is kept at this fraction of the working size."""

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Kind:
    """A kind of pattern: what it is measured with, and how much of it makes one.

    :param strongest: gradients count up to this, so that many edges weigh more than one hard edge, such as a tie's.
    :param windows: sigmas of the windows, in face sizes.
    :param routes: (share of the threshold, area in squares of the face's size): what is weaker or wider has to cover
        more. What is smaller is a button, a collar's corner, a tie's knot.
    :param grow_to: a pattern reaches out to where the measure has fallen to this share of what made it one.
    """

    strongest: float
    windows: tuple[float, ...]
    routes: tuple[tuple[float, float], ...]
    grow_to: float


TEXTURE = Kind(strongest=6, windows=(1 / 16, 1 / 8), routes=((1.0, 0.12), (0.65, 0.5)), grow_to=0.8)
STROKES = Kind(strongest=12, windows=(1 / 32,), routes=((1.85, 0.02),), grow_to=0.5)
"""Text and logos: fine, hard strokes close to each other, on a small area."""


class ClothingPattern:
    """Flattens strong patterns on one person's clothes and skin.

    :param strength: 0 to 1, see ``residual.strength`` in the configuration.
    """

    name = "clothing_pattern"

    def __init__(self, strength: float) -> None:
        self._strength = strength

    def patches(self, rgb: Pixels, face: Face, faces: Sequence[Face]) -> list[Patch]:
        """See :class:`~photo_anonymizer.residual.protocol.ResidualCue`."""
        body = find_body(rgb, face, faces)
        if body is None:
            return []
        threshold = threshold_of(self._strength)
        skin = skin_like(body.rgb, body.head)
        flags = flag_patterns(body.rgb, body.mask, body.outline, skin, threshold)
        if not flags.any():
            return []
        flat = flatten(body.rgb, flags, skin)
        alpha = np.minimum(feathered(flags), body.mask)
        return _patches(body, flat, alpha, face, self._about(body, flags, threshold))

    def _about(self, body: Body, flags: Mask, threshold: float) -> dict[str, object]:
        area = int((body.mask > 127).sum())
        return {
            "strength": self._strength,
            "threshold": round(threshold, 3),
            "working_scale": round(body.scale, 5),
            "cell_px": round(CELL_FACES * WORKING_FACE_PX / body.scale, 1),
            "found_by": body.found_by,
            "pose_presence": round(body.presence, 3),
            "flagged_share": round(int((flags & (body.mask > 127)).sum()) / max(1, area), 4),
        }


def threshold_of(strength: float) -> float:
    """The measure from which a place is a pattern, for a strength of 0 to 1."""
    return float(THRESHOLD * THRESHOLD_RANGE ** (1 - 2 * strength))


def flag_patterns(rgb: Pixels, mask: Alpha, outline: Alpha, skin: Mask, threshold: float) -> Mask:
    """Where strong patterns are: bool, shape of ``mask``.

    :param rgb: uint8 (h, w, 3) at working size.
    :param mask: uint8 (h, w), the body.
    :param outline: uint8 (h, w), the body with the head.
    :param skin: bool (h, w), where it is bare.
    """
    height, width = mask.shape
    if not (mask > 127).any():
        return np.zeros(mask.shape, np.bool_)
    kinds = TEXTURE, STROKES
    measures = cancelled_gradients(rgb, mask, outline, kinds)
    bare = _inside_skin(skin, measures[0].shape)
    grown = np.zeros(bare.shape, np.bool_)
    for kind, measure in zip(kinds, measures, strict=True):
        for share, area in kind.routes:
            level = share * threshold
            grown = grown | _touching(measure > kind.grow_to * level, _larger(measure > level, area))
    tattoo = (measures[0] > SKIN_SHARE * threshold) & bare
    grown = grown | _touching((measures[0] > 0.5 * SKIN_SHARE * threshold) & bare, _larger(tattoo, SMALLEST_AREA))
    small = grown.astype(np.uint8)
    small = cv2.morphologyEx(small, cv2.MORPH_CLOSE, _disc(1 / 6))
    small = cv2.morphologyEx(small, cv2.MORPH_OPEN, _disc(1 / 16))
    small = _larger(small > 0, SMALLEST_AREA).astype(np.uint8)
    small = cv2.dilate(small, _disc(1 / 12))
    large = cv2.resize(small.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray((large > 0.5) & (mask > 0), np.bool_)


def _inside_skin(skin: Mask, size_hw: tuple[int, ...]) -> Mask:
    """Skin with what is drawn on it, but not its border to cloth and hair."""
    small = cv2.resize(skin.astype(np.uint8), (size_hw[1], size_hw[0]), interpolation=cv2.INTER_NEAREST)
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, _disc(1 / 5))
    return np.asarray(cv2.erode(closed, _disc(1 / 16)) > 0, np.bool_)


def cancelled_gradients(rgb: Pixels, mask: Alpha, outline: Alpha, kinds: Sequence[Kind]) -> list[Plane]:
    """For every kind, how much gradient cancels around every place, in CIELAB units a working pixel.

    float32 (⌈h / SHRINK⌉, ⌈w / SHRINK⌉) each; 0 outside the body. Gradients at the person's outline do not count.
    """
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab = cv2.GaussianBlur(lab, (0, 0), 0.8)
    inside = cv2.erode((outline > 127).astype(np.uint8), _disc(1 / 12, shrink=1), borderValue=1)
    inner = (inside * (mask > 127)).astype(np.float32)
    gradient = np.concatenate(
        [cv2.Sobel(lab, cv2.CV_32F, dx, dy, ksize=3, scale=1 / 8) for dx, dy in ((1, 0), (0, 1))], axis=2
    )
    strength = np.sqrt(np.einsum("ijk,ijk->ij", gradient, gradient))
    return [_cancelled(gradient, strength, inner, kind) for kind in kinds]


def _cancelled(gradient: Plane, strength: Plane, inner: Plane, kind: Kind) -> Plane:
    size_wh = -(-inner.shape[1] // SHRINK), -(-inner.shape[0] // SHRINK)
    weight = cv2.resize(inner, size_wh, interpolation=cv2.INTER_AREA)
    kept = inner * np.minimum(1, kind.strongest / np.maximum(strength, 1e-6))
    lengths = cv2.resize(strength * kept, size_wh, interpolation=cv2.INTER_AREA)
    counted = gradient * kept[..., np.newaxis]
    vectors = [
        cv2.resize(counted[..., part], size_wh, interpolation=cv2.INTER_AREA) for part in (slice(3), slice(3, 6))
    ]
    most = np.zeros(weight.shape, np.float32)
    for sigma_faces in kind.windows:
        sigma = sigma_faces * WORKING_FACE_PX / SHRINK
        around = np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 0.15)
        remains = np.sqrt(sum((cv2.GaussianBlur(vector, (0, 0), sigma) ** 2).sum(axis=2) for vector in vectors))
        most = np.maximum(most, (cv2.GaussianBlur(lengths, (0, 0), sigma) - remains) / around)
    return np.asarray(most * (weight > 0), np.float32)


def skin_like(rgb: Pixels, head: Corners) -> Mask:
    """Where the colour, seen coarsely, is that of the face, connected to the face: bool (h, w).

    Decides where the lower bar for tattoos holds, and keeps the colours of skin and cloth from running into each other
    when both are flattened. A guess: blond hair and beige cloth next to the neck count as skin.
    """
    size_wh = max(1, rgb.shape[1] // SHRINK), max(1, rgb.shape[0] // SHRINK)
    small = cv2.resize(rgb, size_wh, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = cv2.cvtColor(cv2.GaussianBlur(small, (0, 0), WORKING_FACE_PX / 20 / SHRINK), cv2.COLOR_RGB2LAB)
    box = Box(x0=head[0] / SHRINK, y0=head[1] / SHRINK, x1=head[2] / SHRINK, y1=head[3] / SHRINK)
    middle, near = box.scaled(0.5).cover(size_wh), box.scaled(1.5).cover(size_wh)
    if middle is None or near is None:
        return np.zeros(rgb.shape[:2], np.bool_)
    face = np.median(lab[middle.slices].reshape(-1, 3), axis=0)
    away = (lab - face) * np.array([0.25, 1, 1], np.float32)
    like = ((away * away).sum(axis=2) < SKIN_RADIUS**2).astype(np.uint8)
    like = cv2.morphologyEx(cv2.morphologyEx(like, cv2.MORPH_OPEN, _disc(1 / 10)), cv2.MORPH_CLOSE, _disc(1 / 10))
    around = np.zeros(like.shape, np.bool_)
    around[near.slices] = True
    connected = _touching(like > 0, around).astype(np.float32)
    smooth = cv2.GaussianBlur(connected, (0, 0), WORKING_FACE_PX / 24 / SHRINK)
    return np.asarray(cv2.resize(smooth, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR) > 0.5, np.bool_)


def flatten(rgb: Pixels, flags: Mask, skin: Mask) -> Pixels:
    """A smooth field through the flagged pixels' mean colours, cell by cell: uint8, shape of ``rgb``.

    A function of the rounded means and of the two masks alone. Skin and cloth have cells of their own.
    """
    size_wh = flags.shape[1], flags.shape[0]
    coarse_wh = max(1, size_wh[0] // SHRINK), max(1, size_wh[1] // SHRINK)
    cloth, bare = _field(rgb, flags & ~skin, coarse_wh), _field(rgb, flags & skin, coarse_wh)
    cloth = cv2.resize(cloth, size_wh, interpolation=cv2.INTER_LINEAR)
    if (flags & skin).any():
        bare = cv2.resize(bare, size_wh, interpolation=cv2.INTER_LINEAR)
        share = cv2.GaussianBlur(skin.astype(np.float32), (0, 0), WORKING_FACE_PX / 48)[..., np.newaxis]
        cloth = cloth + (bare - cloth) * share
    return np.asarray(np.clip(np.rint(cloth), 0, 255), np.uint8)


def _field(rgb: Pixels, flags: Mask, size_wh: tuple[int, int]) -> Plane:
    """Cell colours, smoothed, at the given size; where no cell has a colour, that of the whole."""
    means, counts = cell_colours(rgb, flags)
    weight = np.sqrt(counts).astype(np.float32)
    colour = means.astype(np.float32) * weight[..., np.newaxis]
    sigma = CELL_FACES * WORKING_FACE_PX / SHRINK / 3

    def spread(plane: Plane) -> Plane:
        large = cv2.resize(plane, size_wh, interpolation=cv2.INTER_LINEAR)
        return np.asarray(cv2.GaussianBlur(large, (0, 0), sigma), np.float32)

    overall = colour.sum(axis=(0, 1)) / np.maximum(weight.sum(), 1)
    faint = np.float32(1e-3)
    field = (spread(colour) + faint * overall) / (spread(weight) + faint)[..., np.newaxis]
    return np.asarray(field, np.float32)


def cell_colours(rgb: Pixels, flags: Mask) -> tuple[Pixels, NDArray[np.int32]]:
    """Rounded mean colour of the flagged pixels of every cell (rows, columns, 3), and how many these are."""
    tops, lefts = _edges(flags.shape[0]), _edges(flags.shape[1])
    counted = flags.astype(np.uint8)
    counts = _sums(counted, tops, lefts)
    sums = _sums(rgb * counted[..., np.newaxis], tops, lefts)
    means = (sums + counts[..., np.newaxis] // 2) // np.maximum(counts, 1)[..., np.newaxis]
    return means.astype(np.uint8), counts


def _edges(length_px: int) -> NDArray[np.int64]:
    count = max(1, round(length_px / (CELL_FACES * WORKING_FACE_PX)))
    return np.asarray(np.arange(count + 1) * length_px // count, np.int64)


def _sums(plane: Pixels | Alpha, tops: NDArray[np.int64], lefts: NDArray[np.int64]) -> NDArray[np.int32]:
    """Sum of every cell, through the integral image."""
    corners = cv2.integral(plane, sdepth=cv2.CV_32S)[np.ix_(tops, lefts)]
    return np.asarray(np.diff(np.diff(corners, axis=0), axis=1), np.int32)


def feathered(flags: Mask) -> Alpha:
    """255 on everything flagged, falling to 0 outside it."""
    edge = WORKING_FACE_PX / 12
    distance = cv2.distanceTransform((~flags).astype(np.uint8), cv2.DIST_L2, 3)
    ramp = np.clip(1 - distance / edge, 0, 1)
    return np.asarray(np.rint((3 * ramp**2 - 2 * ramp**3) * 255), np.uint8)


def _patches(body: Body, flat: Pixels, alpha: Alpha, face: Face, parameters: dict[str, object]) -> list[Patch]:
    """The edit at the photo's own size, cut to what changes; none when nothing is left of it at that size."""
    size_wh = body.box.width, body.box.height
    full = np.asarray(cv2.resize(alpha, size_wh, interpolation=cv2.INTER_LINEAR), np.uint8)
    left, top, width, height = cv2.boundingRect(full)
    if width == 0 or height == 0:
        return []
    pixels = np.asarray(cv2.resize(flat, size_wh, interpolation=cv2.INTER_LINEAR), np.uint8)
    cut = slice(top, top + height), slice(left, left + width)
    x0, y0 = body.box.x0 + left, body.box.y0 + top
    region = PixelBox(x0=x0, y0=y0, x1=x0 + width, y1=y0 + height)
    return [Patch(region, pixels[cut].copy(), full[cut].copy(), CUE_LAYER, AUTHOR, parameters, face.face_id)]


def _touching(weak: Mask, strong: Mask) -> Mask:
    """Connected areas of ``weak`` that hold something strong (hysteresis)."""
    _, labels = cv2.connectedComponents(weak.astype(np.uint8))
    kept = np.unique(labels[strong & weak])
    return np.asarray(np.isin(labels, kept[kept > 0]), np.bool_)


def _larger(flags: Mask, area_faces: float) -> Mask:
    """The connected areas of at least so many squares of the face's size."""
    smallest = area_faces * (WORKING_FACE_PX / SHRINK) ** 2
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(flags.astype(np.uint8))
    large = statistics[:, cv2.CC_STAT_AREA] >= smallest
    large[0] = False
    return np.asarray(large[labels], np.bool_)


def _disc(radius_faces: float, shrink: int = SHRINK) -> Alpha:
    radius = max(1, round(radius_faces * WORKING_FACE_PX / shrink))
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)
