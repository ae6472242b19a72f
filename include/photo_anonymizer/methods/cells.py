"""Few, noisy, coarsely rounded cells: what blur and pixelation let survive of a face.

Everything that these methods paint is a function of the cells' mean colours, of which there are a few dozen. The
means are disturbed by noise that nobody can draw again (its key stays in the vault) and rounded to few levels. Faces
that share those means cannot be told apart: the difference is not hidden but gone, so no deconvolution and no trained
restorer can bring it back. What the few means themselves still tell is measured by the attack on every run.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.methods.protocol import Parameters
from photo_anonymizer.methods.region import Region
from photo_anonymizer.model.pixels import Pixels

MIN_CELL_PX = 4.0
"""Cells of a small face do not become finer than this, so that a face of 8 px keeps two cells across, not four."""


def cell_size_px(face_width_px: float, cells_across: int) -> float:
    """Side of a cell in px: the face's width over the number of cells, but at least :data:`MIN_CELL_PX`."""
    return max(face_width_px / cells_across, MIN_CELL_PX)


def noisy_cells(rgb: Pixels, region: Region, parameters: Parameters, rng: np.random.Generator) -> Pixels:
    """Colours of the region's cells: uint8 (rows, columns, 3).

    :param parameters: ``cells`` across the face; ``levels``, the values a channel may take after rounding; ``noise``,
        the standard deviation (0–255) of the normal noise added before rounding.
    """
    patch = rgb[region.box.slices]
    side = cell_size_px(region.face_width_px, parameters["cells"])
    means = cell_means(patch, _count(region.box.height, side), _count(region.box.width, side))
    disturbed = means + parameters["noise"] * _draw(means.shape[:2], rng)
    step = 255 / (parameters["levels"] - 1)
    return np.asarray(np.clip(np.rint(disturbed / step) * step, 0, 255), dtype=np.uint8)


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


def _draw(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Normal noise (rows, columns, 3) of unit variance a channel, most of it shared by the channels.

    Noise in brightness hides as much as noise in colour does, and looks less like a fault.
    """
    shared, own = rng.normal(size=(*shape, 1)), rng.normal(size=(*shape, 3))
    return np.asarray(np.sqrt(0.9) * shared + np.sqrt(0.1) * own)


def _count(length_px: int, side_px: float) -> int:
    return max(1, min(length_px, round(length_px / side_px)))
