"""Pixelation."""

from __future__ import annotations

import cv2
import numpy as np

from photo_anonymizer.methods.cells import cell_edges, noisy_cells
from photo_anonymizer.methods.protocol import Painted, Parameters
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.model.pixels import Pixels

TILES = 6
"""Tiles along a cell's side. With 4, a recogniser sees more of what is around: a parrot names 23 to 25 % and not 20."""
TILE_NOISE = 0.5
"""Standard deviation, in those of a cell's noise, by which the tiles of a cell differ."""


class Pixelate:
    """A mosaic of few noisy cells; see :mod:`photo_anonymizer.methods.cells` for why this cannot be undone.

    The cells are sized by the face, never by the pixel: a mosaic of fixed cell size hardly touches a large face. Each
    is cut into tiles that go over from one cell to the next and are lighter or darker by chance, for the eye: so few
    cells do not look like a mosaic. Tiles hold the cells and noise, nothing of the face that those do not hold.

    Parameters: ``cells`` across the face, ``levels`` of brightness, ``noise`` (standard deviation, 0–255),
    ``surroundings`` (their share, 0–1).
    """

    name = "pixelate"

    def paint(self, subject: Subject, parameters: Parameters, rng: np.random.Generator) -> Painted:
        """See :class:`~photo_anonymizer.methods.protocol.Method`."""
        region = subject.region
        tiles = _tiles(noisy_cells(subject.rgb, region, parameters, rng), parameters, rng)
        heights = np.diff(cell_edges(region.box.height, len(tiles)))
        widths = np.diff(cell_edges(region.box.width, tiles.shape[1]))
        return Painted(np.repeat(np.repeat(tiles, heights, axis=0), widths, axis=1), region.alpha)


def _tiles(cells: Pixels, parameters: Parameters, rng: np.random.Generator) -> Pixels:
    """Cells cut into tiles that go over from one to the next, each a little lighter or darker: uint8 (rows * TILES,
    columns * TILES, 3)."""
    rows, columns = cells.shape[:2]
    tiles = cv2.resize(cells, (columns * TILES, rows * TILES), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    lighter = TILE_NOISE * parameters["noise"] * rng.normal(size=(*tiles.shape[:2], 1))
    return np.asarray(np.clip(np.rint(tiles + lighter), 0, 255), np.uint8)
