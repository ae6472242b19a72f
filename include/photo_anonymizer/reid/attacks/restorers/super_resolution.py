"""Super-resolution by interpolation."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from photo_anonymizer.reid.attacks.restorers.protocol import Lesson, Restore, Stack, strongest, untaught

GRIDS = (2, 3, 4, 6, 8, 12, 16, 24)
"""Samples across a chip, about one a cell of a mosaic."""
UNTAUGHT = (4,)
"""Samples without a lesson: about one a cell where methods have their default strength."""


class SuperResolution:
    """One sample a cell, enlarged again by Lanczos' kernel: what a mosaic's cells say without their edges."""

    name = "super_resolution"

    def fit(self, lesson: Lesson) -> Restore:
        """See :class:`~photo_anonymizer.reid.attacks.restorers.protocol.Restorer`."""
        return strongest(lesson, GRIDS, _restored)

    def untaught(self) -> Mapping[str, Restore]:
        """See :class:`~photo_anonymizer.reid.attacks.restorers.protocol.QuickRestorer`."""
        return untaught(self.name, UNTAUGHT, _restored)


def _restored(stack: Stack, grid: int) -> Stack:
    size = stack.shape[2], stack.shape[1]
    coarse = [cv2.resize(face, (grid, grid), interpolation=cv2.INTER_AREA) for face in stack]
    large = [cv2.resize(cells, size, interpolation=cv2.INTER_LANCZOS4) for cells in coarse]
    return np.asarray(np.clip(np.stack(large), 0, 1), np.float32)
