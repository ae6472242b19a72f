"""Wiener's filter."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from skimage.restoration import wiener

from photo_anonymizer.reid.attacks.restorers.gaussian import SIGMAS, gaussian
from photo_anonymizer.reid.attacks.restorers.protocol import Lesson, Restore, Stack, each_plane, strongest, untaught

BALANCES = (1e-3, 1e-1)
"""Weight of smoothness against the data: for pictures with little and with much noise."""
UNTAUGHT = ((0.05, 1e-1),)
"""Sigma and balance without a lesson: between a blur of many cells and one of few."""


class Wiener:
    """The linear filter that undoes a known kernel with the least mean squared error (Wiener 1949; scikit-image)."""

    name = "wiener"

    def fit(self, lesson: Lesson) -> Restore:
        """See :class:`~photo_anonymizer.reid.attacks.restorers.protocol.Restorer`."""
        return strongest(lesson, list(itertools.product(SIGMAS, BALANCES)), _restored)

    def untaught(self) -> Mapping[str, Restore]:
        """See :class:`~photo_anonymizer.reid.attacks.restorers.protocol.QuickRestorer`."""
        return untaught(self.name, UNTAUGHT, _restored)


def _restored(stack: Stack, strength: tuple[float, float]) -> Stack:
    sigma, balance = strength
    kernel = gaussian(sigma * stack.shape[1])
    return each_plane(stack, lambda plane: wiener(plane, kernel, balance, clip=False), len(kernel) // 2)
