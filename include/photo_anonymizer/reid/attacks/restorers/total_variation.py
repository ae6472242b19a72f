"""Smoothing that keeps edges."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from skimage.restoration import denoise_tv_chambolle

from photo_anonymizer.reid.attacks.restorers.protocol import Lesson, Restore, Stack, strongest, untaught

WEIGHTS = (0.03, 0.1, 0.3)
UNTAUGHT = (0.1,)
"""Weight without a lesson."""


class TotalVariation:
    """The nearest picture with little total variation (Rudin, Osher & Fatemi 1992; Chambolle 2004; scikit-image).

    Takes away noise and the edges of small cells, which distract a recogniser.
    """

    name = "total_variation"

    def fit(self, lesson: Lesson) -> Restore:
        """See :class:`~photo_anonymizer.reid.attacks.restorers.protocol.Restorer`."""
        return strongest(lesson, WEIGHTS, _restored)

    def untaught(self) -> Mapping[str, Restore]:
        """See :class:`~photo_anonymizer.reid.attacks.restorers.protocol.QuickRestorer`."""
        return untaught(self.name, UNTAUGHT, _restored)


def _restored(stack: Stack, weight: float) -> Stack:
    smooth = [denoise_tv_chambolle(face, weight=weight, channel_axis=-1) for face in stack]
    return np.asarray(np.clip(np.stack(smooth), 0, 1), np.float32)
