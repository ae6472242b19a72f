"""Few, noisy, coarsely rounded cells: what blur and pixelation let survive of a face.

Everything that these methods paint is a function of what stays visible around the face, of the brightness of a few
cells, and of one number for how warm the face's colour is. The one is mixed with the brightness of the surroundings,
the other with the warmth of usual skin; both are disturbed by noise that nobody can draw again (its key stays in the
vault) and rounded to few levels. Faces that share those numbers cannot be told apart: the difference is not hidden but
gone, so no deconvolution and no trained restorer can bring it back. What the few numbers themselves still tell is
measured by the attack on every run, and by attackers who learn from anonymized photos (``docs/threat-model.md``).

One warmth for the whole face, along the line on which human skin lies, tells less than a colour a cell would, and looks
better: noise never makes a cheek green.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.methods.protocol import Parameters
from photo_anonymizer.methods.region import Region
from photo_anonymizer.methods.surroundings import surroundings_of
from photo_anonymizer.model.pixels import Pixels

MIN_CELL_PX = 4.0
"""Cells of a small face do not become finer than this, so that a face of 8 px keeps two cells across, not four."""
SHARED_NOISE, WARMTH_NOISE = 0.5, 0.25
"""Standard deviations, in those of a cell's noise, of what is added to the brightness of all cells alike, so that their
mean does not even the noise out, and to the warmth."""
SKIN, USUAL_WARMTH = np.array([-0.59, 0.81]), 30.0
"""Direction (Cb, Cr) from grey to skin, and where the mean of 119 faces lies on it; their hues vary by 10°."""
_GREY = 4.0
"""A picture whose cells' Cb and Cr are all nearer to 0 than this is one without colour."""

_TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
_TO_RGB = np.linalg.inv(_TO_YCC)
"""ITU-T T.871 (JFIF), with Cb and Cr about 0."""


def cell_size_px(face_width_px: float, cells_across: int) -> float:
    """Side of a cell in px: the face's width over the number of cells, but at least :data:`MIN_CELL_PX`."""
    return max(face_width_px / cells_across, MIN_CELL_PX)


def noisy_cells(rgb: Pixels, region: Region, parameters: Parameters, rng: np.random.Generator) -> Pixels:
    """Colours of the region's cells: uint8 (rows, columns, 3).

    :param parameters: ``cells`` across the face; ``levels``, the values that brightness may take after rounding (warmth
        is rounded in half such steps); ``noise``, the standard deviation (0–255) of the normal noise added to a cell's
        brightness before rounding; ``surroundings``, the share (0–1) of brightness that comes from around the
        region (:mod:`photo_anonymizer.methods.surroundings`), and of warmth that is the usual one.
    """
    side = cell_size_px(region.face_width_px, parameters["cells"])
    rows, columns = _count(region.box.height, side), _count(region.box.width, side)
    face = cell_means(rgb[region.box.slices], rows, columns) @ _TO_YCC.T
    around = np.array(surroundings_of(rgb, region).mean, np.float64) @ _TO_YCC.T
    brightness, warmth = _disturbed(face, float(around[0]), parameters, rng)
    tint = np.zeros(2) if _has_no_colour(face, around) else warmth * SKIN
    cells = np.concatenate([brightness, np.broadcast_to(tint, (rows, columns, 2))], axis=2) @ _TO_RGB.T
    return np.asarray(np.clip(np.rint(cells), 0, 255), dtype=np.uint8)


def _disturbed(
    face: NDArray[np.float64], around: float, parameters: Parameters, rng: np.random.Generator
) -> tuple[NDArray[np.float64], float]:
    """Brightness (rows, columns, 1) and warmth: mixed, with noise, rounded."""
    share, noise, step = parameters["surroundings"], parameters["noise"], 255 / (parameters["levels"] - 1)
    brightness = (1 - share) * face[..., :1] + share * around
    brightness = brightness + noise * (rng.normal(size=brightness.shape) + SHARED_NOISE * rng.normal())
    warmth = (1 - share) * float(face[..., 1:].mean(axis=(0, 1)) @ SKIN) + share * USUAL_WARMTH
    warmth += WARMTH_NOISE * noise * rng.normal()
    return np.clip(np.rint(brightness / step) * step, 0, 255), max(0.0, round(2 * warmth / step) * step / 2)


def _has_no_colour(face: NDArray[np.float64], around: NDArray[np.float64]) -> bool:
    return max(float(np.abs(face[..., 1:]).max()), float(np.abs(around[1:]).max())) < _GREY


def cell_means(pixels: Pixels, rows: int, columns: int) -> NDArray[np.float64]:
    """Mean colour of every cell of a grid: float64 (rows, columns, 3), 0–255; cells differ by at most one pixel."""
    tops, lefts = cell_edges(pixels.shape[0], rows), cell_edges(pixels.shape[1], columns)
    sums = np.add.reduceat(pixels.astype(np.uint32), lefts[:-1], axis=1, dtype=np.uint32)
    sums = np.add.reduceat(sums, tops[:-1], axis=0, dtype=np.uint32)
    areas = np.diff(tops)[:, np.newaxis, np.newaxis] * np.diff(lefts)[np.newaxis, :, np.newaxis]
    return np.asarray(sums / areas, dtype=np.float64)


def cell_edges(length_px: int, count: int) -> NDArray[np.int64]:
    """``count + 1`` whole-pixel edges that cut a length into cells as equal as can be."""
    return np.linspace(0, length_px, count + 1).round().astype(np.int64)


def _count(length_px: int, side_px: float) -> int:
    return max(1, min(length_px, round(length_px / side_px)))
