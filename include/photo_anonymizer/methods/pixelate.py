"""Pixelation."""

from __future__ import annotations

import numpy as np

from photo_anonymizer.methods.cells import cell_edges, noisy_cells
from photo_anonymizer.methods.protocol import Parameters
from photo_anonymizer.methods.region import Region
from photo_anonymizer.model.pixels import Pixels


class Pixelate:
    """Few cells of one colour each; see :mod:`photo_anonymizer.methods.cells` for why this cannot be undone.

    The cells are sized by the face, never by the pixel: a mosaic of fixed cell size hardly touches a large face.

    Parameters: ``cells`` across the face, ``levels`` a channel, ``noise`` (standard deviation, 0–255).
    """

    name = "pixelate"

    def pixels(self, rgb: Pixels, region: Region, parameters: Parameters, rng: np.random.Generator) -> Pixels:
        """See :class:`~photo_anonymizer.methods.protocol.Method`."""
        cells = noisy_cells(rgb, region, parameters, rng)
        rows, columns = cells.shape[:2]
        heights = np.diff(cell_edges(region.box.height, rows))
        widths = np.diff(cell_edges(region.box.width, columns))
        return np.repeat(np.repeat(cells, heights, axis=0), widths, axis=1)
