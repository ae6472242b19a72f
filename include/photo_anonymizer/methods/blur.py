"""Blur."""

from __future__ import annotations

import cv2
import numpy as np

from photo_anonymizer.methods.cells import noisy_cells
from photo_anonymizer.methods.protocol import Painted, Parameters
from photo_anonymizer.methods.subject import Subject

SAMPLES_A_CELL = 8
"""Smoothing happens at this resolution and is enlarged: the result is smooth anyway, and a large face costs no more."""


class Blur:
    """A Gaussian blur of few noisy cells, not of the face.

    A Gaussian alone is a linear filter that can be inverted (Revelio, arXiv 2506.12344, re-identifies 95.9 % of
    strongly blurred faces). Here the face is first reduced to a few disturbed and rounded colours, which is where it is
    lost (:mod:`photo_anonymizer.methods.cells`); the Gaussian only makes that pleasant to look at. Inverting it gives
    back the cells, never the face.

    Parameters: ``cells``, ``levels``, ``noise`` and ``surroundings`` as for pixelation; ``sigma`` of the Gaussian in
    cell widths.
    """

    name = "blur"

    def paint(self, subject: Subject, parameters: Parameters, rng: np.random.Generator) -> Painted:
        """See :class:`~photo_anonymizer.methods.protocol.Method`."""
        region = subject.region
        cells = noisy_cells(subject.rgb, region, parameters, rng)
        rows, columns = cells.shape[:2]
        size_wh = columns * SAMPLES_A_CELL, rows * SAMPLES_A_CELL
        coarse = cv2.resize(cells, size_wh, interpolation=cv2.INTER_LINEAR)
        smooth = cv2.GaussianBlur(coarse, (0, 0), parameters["sigma"] * SAMPLES_A_CELL, borderType=cv2.BORDER_REPLICATE)
        shown = cv2.resize(smooth, (region.box.width, region.box.height), interpolation=cv2.INTER_CUBIC)
        return Painted(np.asarray(shown, dtype=np.uint8), region.alpha)
