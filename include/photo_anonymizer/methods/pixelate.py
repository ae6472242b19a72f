"""Pixelation."""

from __future__ import annotations

import numpy as np

from photo_anonymizer.methods.cells import cell_edges, noisy_cells
from photo_anonymizer.methods.protocol import Painted, Parameters
from photo_anonymizer.methods.subject import Subject


class Pixelate:
    """Few cells of one colour each; see :mod:`photo_anonymizer.methods.cells` for why this cannot be undone.

    The cells are sized by the face, never by the pixel: a mosaic of fixed cell size hardly touches a large face.

    Parameters: ``cells`` across the face, ``levels`` of brightness, ``noise`` (standard deviation, 0–255),
    ``surroundings`` (their share, 0–1).
    """

    name = "pixelate"

    def paint(self, subject: Subject, parameters: Parameters, rng: np.random.Generator) -> Painted:
        """See :class:`~photo_anonymizer.methods.protocol.Method`."""
        region = subject.region
        cells = noisy_cells(subject.rgb, region, parameters, rng)
        rows, columns = cells.shape[:2]
        heights = np.diff(cell_edges(region.box.height, rows))
        widths = np.diff(cell_edges(region.box.width, columns))
        return Painted(np.repeat(np.repeat(cells, heights, axis=0), widths, axis=1), region.alpha)
